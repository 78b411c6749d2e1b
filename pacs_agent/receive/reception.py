"""One connection from its first byte to its last: handshake, request, policy, a place, service, and its audit line."""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from pacs_agent.config import DimseSettings
from pacs_agent.db import Database
from pacs_agent.ops import Outcome, audit, get_log
from pacs_agent.ops.dicom_tls import HANDSHAKE_TIMEOUT_S, handshake_fault, names_of
from pacs_agent.receive.attendance import Attendance, Offer
from pacs_agent.receive.audit_book import AuditBook
from pacs_agent.receive.contexts import supported_contexts
from pacs_agent.receive.doorway import Doorway, Visitor
from pacs_agent.receive.hesitation import EMPTY_S, IN_VAIN_S, Hesitation
from pacs_agent.receive.intake import Intake
from pacs_agent.receive.peers import note_refused, note_seen
from pacs_agent.receive.places import NoPlace, Place, Places
from pacs_agent.receive.policy import Admission, AssociationPolicy, Rejection, Request
from pacs_agent.receive.services import AssociationFacts, Services
from pacs_agent.receive.store import Tally
from pacs_agent.receive.wire.association import Association
from pacs_agent.receive.wire.breach import Breach, GaveWay, OurFault, PeerGone, ProbeOnly, TimeSpent
from pacs_agent.receive.wire.budget import Budget, TimeLimits
from pacs_agent.receive.wire.negotiation import MOST_AT_A_TIME, Agreement, Titles, agree
from pacs_agent.receive.wire.transport import Transport

MEGABYTE = 1 << 20
ASSOCIATION = "association"
"""Action of the audit line that each association has."""
RELEASED = "released"

log = get_log("receive")


@dataclass(frozen=True)
class House:
    """What all connections of a listener share."""

    settings: DimseSettings
    database: Database
    intake: Intake
    services: Services
    policy: AssociationPolicy
    places: Places
    doorway: Doorway
    book: AuditBook
    stopping: Callable[[], bool]
    hesitation: Hesitation = field(default_factory=Hesitation)


@dataclass(frozen=True)
class Welcome:
    """What an association is admitted with."""

    admission: Admission
    agreement: Agreement
    place: Place


class Caller:
    """A connection that came in, hung up on from any thread."""

    def __init__(self, connection: socket.socket, address: str) -> None:
        self.socket = connection
        self.address = address
        self.certificate_names: frozenset[str] = frozenset()
        self.over_tls = False

    def secure(self, context: ssl.SSLContext) -> None:
        """The TLS handshake. Raises OSError."""
        self.socket.settimeout(HANDSHAKE_TIMEOUT_S)
        secured = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.socket = secured
        secured.do_handshake()
        self.over_tls = True
        self.certificate_names = names_of(secured.getpeercert() or {})

    def hang_up(self) -> None:
        """Ends the connection."""
        self._shut(socket.SHUT_RDWR)

    def interrupt(self) -> None:
        """Ends a wait for this peer; what we have to say can still be sent."""
        self._shut(socket.SHUT_RD)

    def _shut(self, how: int) -> None:
        with suppress(OSError):
            socket.socket.shutdown(self.socket, how)  # SSLSocket's own forgets its encryption


class Reception:
    """Serves one connection in the thread that calls `serve`."""

    def __init__(self, house: House, caller: Caller, visitor: Visitor) -> None:
        self._house = house
        self._caller = caller
        self._visitor = visitor
        self._cost_s = IN_VAIN_S
        """What the connection costs its address."""

    def serve(self, tls: ssl.SSLContext | None) -> None:
        """Returns when the connection is over. An address that calls in vain again and again is not heard at once."""
        self._visitor.wait(self._house.hesitation.wait_s(self._caller.address))
        try:
            self._serve(tls)
        finally:
            if self._cost_s:
                self._house.hesitation.note(self._caller.address, self._cost_s)

    def _serve(self, tls: ssl.SSLContext | None) -> None:
        try:
            if tls is not None:
                self._caller.secure(tls)
        except OSError as error:
            self._told_before_request(handshake_fault(error))
            return
        settings = self._house.settings
        limits = TimeLimits(
            negotiation_s=settings.negotiation_timeout_s,
            silence_s=settings.network_timeout_s,
            pdu_s=settings.pdu_timeout_s,
            message_s=settings.message_timeout_s,
        )
        budget = Budget(limits)
        transport = Transport(self._caller.socket, budget, self._house.stopping)
        linger = True
        try:
            linger = self._converse(Association(transport, budget))
        finally:
            transport.close(linger=linger)

    def _converse(self, association: Association) -> bool:
        """The whole conversation; whether the peer may still read our last word."""
        try:
            titles = association.requested()
        except Breach as breach:
            if isinstance(breach, ProbeOnly):
                self._cost_s = EMPTY_S
            else:
                self._told_before_request(str(breach))
            if not isinstance(breach, TimeSpent):  # PS3.8 9.2.3: AA-2, AA-1
                self._aborted(association, breach)
            return False  # what more it sends is not read, but reset: it may be 4 GiB
        except PeerGone as gone:
            if association.has_heard or self._visitor.sent_away:
                self._told_before_request(str(gone))
            return False
        finally:
            self._house.doorway.leave(self._visitor)
        return self._answer(association, titles)

    def _answer(self, association: Association, titles: Titles) -> bool:
        facts = AssociationFacts(
            titles.calling_ae_title, titles.called_ae_title, self._caller.address, self._caller.certificate_names
        )
        try:
            welcome = self._welcome(association, titles, facts)
        except Breach as breach:
            self._house.book.rejected(facts.source, str(breach))
            return self._aborted(association, breach)
        except Exception as error:  # the outermost place that knows whom to tell
            log.exception("an association cannot be answered", source=facts.source)
            return self._rejected(association, facts, Rejection(2, 2, 1, str(OurFault(error))))
        if isinstance(welcome, Rejection):
            return self._rejected(association, facts, welcome)
        try:
            return self._attended(association, welcome, facts)
        finally:
            self._house.places.give_back(welcome.place)

    def _welcome(self, association: Association, titles: Titles, facts: AssociationFacts) -> Welcome | Rejection:
        """Policy, then what is agreed, then a place. Raises Breach."""
        admission = titles.objection or self._judged(facts)
        if isinstance(admission, Rejection):
            return admission
        supported = supported_contexts(may_echo=admission.may_echo, may_store=admission.may_store)
        most_at_a_time = 1 if self._caller.over_tls else MOST_AT_A_TIME  # OpenSSL cannot read and write at a time
        agreement = agree(association.proposal(), titles, supported, most_at_a_time)
        if isinstance(agreement, Rejection):
            return agreement
        places, interrupt = self._house.places, self._caller.interrupt
        try:
            place = places.take(facts.source, at_its_host=admission.is_at_its_host, interrupt=interrupt)
        except NoPlace as full:
            return Rejection(2, 3, 2, str(full))
        return Welcome(admission, agreement, place)

    def _attended(self, association: Association, welcome: Welcome, facts: AssociationFacts) -> bool:
        tally, house = Tally(facts.source), self._house
        offer = Offer(
            facts=facts,
            may_store=welcome.admission.may_store,
            intake=house.intake,
            services=house.services,
            most_object_bytes=house.settings.max_object_mb * MEGABYTE,
            at_a_time=welcome.agreement.at_a_time,
            place=welcome.place,
            interrupt=self._caller.interrupt,
        )
        try:
            association.accept(welcome.agreement)
            Attendance(association, offer, tally).serve()
        except Breach as breach:
            return self._broken_off(association, tally, breach)
        except PeerGone as gone:
            if welcome.place.gives_way:
                return self._broken_off(association, tally, GaveWay())
            self._ended(tally, end="aborted", reason=str(gone))
            return False
        except Exception as error:  # the outermost place that knows whom to tell
            log.exception("an association ends by an error of ours", source=facts.source)
            return self._broken_off(association, tally, OurFault(error), Outcome.SERIOUS_FAILURE)
        self._ended(tally, end=RELEASED)
        return True

    def _broken_off(
        self, association: Association, tally: Tally, breach: Breach, outcome: Outcome = Outcome.MINOR_FAILURE
    ) -> bool:
        self._ended(tally, end="aborted by us", reason=str(breach), outcome=outcome)
        return self._aborted(association, breach)

    def _judged(self, facts: AssociationFacts) -> Admission | Rejection:
        """Without a database nobody can be known: rejected for now (PS3.8 9.3.4, transient)."""
        request = Request(
            calling_ae_title=facts.calling_ae_title,
            called_ae_title=facts.called_ae_title,
            address=facts.address,
            over_tls=self._caller.over_tls,
            certificate_names=facts.certificate_names,
        )
        try:
            return self._house.policy.judge(request, self._house.database)
        except SQLAlchemyError as error:
            log.error("peers cannot be read", error=type(error).__name__)
            return Rejection(2, 2, 1, "the table of peers cannot be read")

    def _rejected(self, association: Association, facts: AssociationFacts, rejection: Rejection) -> bool:
        self._house.book.rejected(
            facts.source,
            rejection.text,
            result=rejection.result,
            source=rejection.source,
            diagnostic=rejection.diagnostic,
        )
        try:
            association.reject(rejection)
        except (PeerGone, TimeSpent):
            return False
        return True

    def _aborted(self, association: Association, breach: Breach) -> bool:
        try:
            association.abort(breach)
        except (PeerGone, TimeSpent):
            return False
        return True

    def _told_before_request(self, reason: str) -> None:
        if self._visitor.sent_away:
            reason = "more connections without an association request than are waited for; the oldest was ended"
        self._house.book.rejected(f"@{self._caller.address}", reason)

    def _ended(self, tally: Tally, *, end: str, reason: str = "", outcome: Outcome = Outcome.MINOR_FAILURE) -> None:
        """The association's one audit line; of those that brought nothing only some a minute are written."""
        if end == RELEASED or tally.taken:
            self._cost_s = 0.0 if tally.taken else EMPTY_S
        if not tally.taken and not self._house.book.has_room(self._caller.address, ASSOCIATION, end):
            return
        try:
            self._audit(tally, end=end, reason=reason, outcome=outcome)
        except SQLAlchemyError as error:
            log.error("association not audited", source=tally.source, error=type(error).__name__)

    def _audit(self, tally: Tally, *, end: str, reason: str, outcome: Outcome) -> None:
        counts = {taken.value: count for taken, count in tally.taken.items()}
        detail = {"reason": reason} if reason else {}
        with self._house.database.writing() as session:
            note_seen(session, tally.source)
            if tally.refused:
                note_refused(session, tally.source, f"{tally.refused} instances of one association; {tally.reason}")
            audit(
                session,
                actor=tally.source,
                action=ASSOCIATION,
                outcome=Outcome.SUCCESS if end == RELEASED and not tally.refused else outcome,
                subject=self._house.settings.ae_title,
                end=end,
                instances=sum(counts.values()),
                refused=tally.refused,
                received_bytes=tally.received_bytes,
                **counts,
                **detail,
            )
