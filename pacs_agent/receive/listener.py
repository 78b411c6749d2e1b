"""The DICOM listener: a pynetdicom SCP whose decisions are made by policy, contexts, store and intake."""

import socket
import sys
import threading
from contextlib import suppress

from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.transport import ThreadedAssociationServer
from sqlalchemy.exc import SQLAlchemyError

from pacs_agent.archive import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, Archive
from pacs_agent.config import Settings
from pacs_agent.db import Database
from pacs_agent.ops import Outcome, audit, get_log
from pacs_agent.ops.open_count import ASSOCIATIONS, OpenCount
from pacs_agent.receive.contexts import supported_contexts
from pacs_agent.receive.intake import Intake
from pacs_agent.receive.peers import note_refused, note_seen
from pacs_agent.receive.policy import Admission, AssociationPolicy, Rejection, Request
from pacs_agent.receive.store import NOT_AUTHORISED, SUCCESS, Tally, serve_store

_config.LOG_HANDLER_LEVEL = "none"  # pynetdicom's own lines hold whole data sets and cost a fifth of the time

MAXIMUM_PDU_BYTES = 1 << 20
"""A 512 × 512 image in one PDU; larger ones gain nothing."""
BACKLOG = 128
NEGOTIATION_TIMEOUT_S = 30.0

log = get_log("receive")


class Listener:
    """The C-ECHO and C-STORE SCP of one process. Every association is served by a thread of its own."""

    def __init__(self, settings: Settings, database: Database, archive: Archive) -> None:
        self._settings = settings.dimse
        self._database = database
        self._intake = Intake(database, archive)
        self._policy = AssociationPolicy(settings.dimse.ae_title, settings.dimse.max_associations)
        self._tallies: dict[Association, Tally] = {}
        self._open = OpenCount(settings.data_dir / ASSOCIATIONS)
        self._lock = threading.Lock()
        self._ae = self._application_entity()
        self._server: ThreadedAssociationServer | None = None

    @property
    def port(self) -> int:
        """The TCP port in use; settings may say 0 for any free one. Raises RuntimeError before `start`."""
        if self._server is None:
            raise RuntimeError("the listener has no port before it is started")
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Binds the port and serves in threads. Raises OSError when the address cannot be bound."""
        handlers = [
            (evt.EVT_CONN_OPEN, self._on_connection),
            (evt.EVT_REQUESTED, self._on_request),
            (evt.EVT_C_ECHO, self._on_echo),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_RELEASED, self._on_end),
            (evt.EVT_ABORTED, self._on_end),
            (evt.EVT_CONN_CLOSE, self._on_end),
            (evt.EVT_CONN_CLOSE, _on_close_before_request),
        ]
        address = (self._settings.host, self._settings.port)
        self._server = self._ae.start_server(address, block=False, evt_handlers=handlers)
        self._server.socket.listen(BACKLOG)  # pynetdicom's five are too few for peers that open many at once
        log.info("listening", ae_title=self._settings.ae_title, host=self._settings.host, port=self.port)

    def stop(self) -> None:
        """Takes no more associations, aborts those open, and gives the port back."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server = None
        for assoc in self._ae.active_associations:
            if assoc.is_established:
                assoc.abort()
            else:
                _hang_up(assoc)

    def _application_entity(self) -> AE:
        ae = AE(self._settings.ae_title)
        ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        ae.maximum_pdu_size = MAXIMUM_PDU_BYTES
        ae.maximum_associations = (
            sys.maxsize
        )  # ours is kept by the policy: pynetdicom's counts connections that are over
        ae.network_timeout = self._settings.network_timeout_s
        ae.acse_timeout = NEGOTIATION_TIMEOUT_S
        ae.dimse_timeout = self._settings.network_timeout_s
        ae.supported_contexts = supported_contexts(may_echo=True, may_store=True)
        return ae

    def _on_connection(self, event: Event) -> None:
        """A peer that falls silent within a PDU must not hold its thread for ever; answers must not wait for Nagle."""
        connection = event.assoc.dul.socket.socket
        connection.settimeout(self._settings.network_timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_request(self, event: Event) -> None:
        """Admits or rejects an association before pynetdicom negotiates it."""
        assoc, primitive = event.assoc, event.assoc.requestor.primitive
        tally = Tally(f"{primitive.calling_ae_title.strip()}@{assoc.requestor.address}")
        verdict = self._judge(
            Request(
                calling_ae_title=primitive.calling_ae_title.strip(),
                called_ae_title=primitive.called_ae_title.strip(),
                address=assoc.requestor.address,
                open_associations=self._opened(assoc, tally),
            )
        )
        if isinstance(verdict, Rejection):
            self._closed(assoc)
            self._audit_rejection(tally.source, verdict)
            assoc.acse.send_reject(verdict.result, verdict.source, verdict.diagnostic)
            assoc.kill()
        else:
            rights = {"may_echo": verdict.may_echo, "may_store": verdict.may_store}
            assoc.acceptor.supported_contexts = supported_contexts(**rights)

    def _opened(self, assoc: Association, tally: Tally) -> int:
        """Counts an association in, before it is judged, so that two at once cannot both be the last one allowed."""
        with self._lock:
            self._tallies[assoc] = tally
            self._open.tell(len(self._tallies))
            return len(self._tallies)

    def _closed(self, assoc: Association) -> Tally | None:
        with self._lock:
            tally = self._tallies.pop(assoc, None)
            self._open.tell(len(self._tallies))
            return tally

    def _judge(self, request: Request) -> Admission | Rejection:
        """Without a database nobody can be known: rejected for now (PS3.8 9.3.4, transient)."""
        try:
            return self._policy.judge(request, self._database)
        except SQLAlchemyError as error:
            log.error("peers cannot be read", error=type(error).__name__)
            return Rejection(2, 2, 1, "the table of peers cannot be read")

    def _on_echo(self, event: Event) -> int:
        return SUCCESS if event.assoc in self._tallies else NOT_AUTHORISED

    def _on_store(self, event: Event) -> int | Dataset:
        tally = self._tallies.get(event.assoc)
        return NOT_AUTHORISED if tally is None else serve_store(event, self._intake, tally)

    def _on_end(self, event: Event) -> None:
        """Writes the association's one audit line, whichever of its ends is noticed first."""
        tally = self._closed(event.assoc)
        if tally is not None:
            self._audit_association(tally, released=event.event is evt.EVT_RELEASED or event.assoc.is_released)

    def _audit_association(self, tally: Tally, *, released: bool) -> None:
        counts = {outcome.value: count for outcome, count in tally.taken.items()}
        with self._database.writing() as session:
            note_seen(session, tally.source)
            if tally.refused:
                note_refused(session, tally.source, f"{tally.refused} instances of one association; {tally.reason}")
            audit(
                session,
                actor=tally.source,
                action="association",
                outcome=Outcome.SUCCESS if released and not tally.refused else Outcome.MINOR_FAILURE,
                subject=self._settings.ae_title,
                end="released" if released else "aborted",
                instances=sum(counts.values()),
                refused=tally.refused,
                received_bytes=tally.received_bytes,
                **counts,
            )

    def _audit_rejection(self, source: str, rejection: Rejection) -> None:
        log.warning("association rejected", source=source, reason=rejection.text)
        try:
            with self._database.writing() as session:
                note_refused(session, source, rejection.text)
                audit(
                    session,
                    actor=source,
                    action="association.rejected",
                    outcome=Outcome.SERIOUS_FAILURE,
                    subject=self._settings.ae_title,
                    result=rejection.result,
                    source=rejection.source,
                    diagnostic=rejection.diagnostic,
                    reason=rejection.text,
                )
        except SQLAlchemyError as error:
            log.error("rejection not audited", error=type(error).__name__)


def _on_close_before_request(event: Event) -> None:
    """Ends the wait for a request on a connection that is over; each port scan would hold a thread for its time-out."""
    if event.assoc.requestor.primitive is None:
        event.assoc.dul.to_user_queue.put(None)


def _hang_up(assoc: Association) -> None:
    connection = assoc.dul.socket
    if connection is not None and connection.socket is not None:
        with suppress(OSError):
            connection.socket.shutdown(socket.SHUT_RDWR)
