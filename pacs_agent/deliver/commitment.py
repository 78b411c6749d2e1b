"""Storage commitment SCU (PS3.4 J): a destination is asked to keep a job's objects for good, and its answer awaited.

The answer comes over the association that asked, or later over one that the destination opens to our listener. Both
note it in `commitments_asked`, so that neither a restart nor the way it took matters to who waits for it.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import build_context, evt
from pynetdicom.events import Event
from sqlalchemy import delete, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from pacs_agent.db import AskedState, CommitmentAsked, Database, utc_now
from pacs_agent.deliver.dimse import DimseDestination
from pacs_agent.deliver.errors import NotCommitted, Refused, Uncommitted, Unreachable
from pacs_agent.deliver.outgoing import Outgoing
from pacs_agent.receive import commitment as wire
from pacs_agent.receive.services import PROCESSING_FAILURE, RESOURCE_LIMITATION, SUCCESS

SAME_ASSOCIATION_S = 3.0
"""How long an answer is waited for before the association is released; later ones come over another."""
_LOOK_EVERY_S = 0.1
_NOT_MENTIONED = PROCESSING_FAILURE
_TEMPORARY = (PROCESSING_FAILURE, RESOURCE_LIMITATION)


@dataclass(frozen=True)
class Settled:
    """What is known of objects, by SOP Instance UID: which are kept, which are not and why, or what is waited for."""

    committed: frozenset[str] = frozenset()
    failed: Mapping[str, int] = field(default_factory=dict)
    """Failure Reason (0008,1197) of each."""
    failures: int = 0
    """How many of our requests were answered with failures so far."""
    waiting: str = ""


class Commitments:
    """The requests of all jobs. One call is one look; when to look again is decided elsewhere."""

    def __init__(self, database: Database, wait_s: float) -> None:
        self.database = database
        self.wait_s = wait_s

    def settle(self, job_id: str, destination: str, node: DimseDestination, stored: Sequence[Outgoing]) -> Settled:
        """What the destination says of the objects; it is asked where no request is open. A failure is told once.

        Raises Uncommitted when it cannot be asked now, NotCommitted when it refuses to be asked.
        """
        known = self._known(job_id, destination, stored)
        if known is None:
            self._ask(job_id, destination, node, stored)
            known = self._known(job_id, destination, stored)
        return known or Settled(waiting="the request was replaced")

    def _known(self, job_id: str, destination: str, stored: Sequence[Outgoing]) -> Settled | None:
        """What earlier requests gave; None when it is to be asked."""
        wanted = {one.sop_instance_uid for one in stored}
        with self.database.writing() as session:
            rows = _rows(session, job_id, destination)
            committed = frozenset(uid for row in rows for uid in row.committed) & wanted
            left = wanted - committed
            newest = rows[-1] if rows else None
            if left and (newest is None or self._is_over(newest)):
                return None
            if not left or newest is None:
                return Settled(committed)
            if newest.state == AskedState.WAITING:
                return Settled(committed, waiting=f"asked at {newest.asked_at:%Y-%m-%d %H:%M:%S} UTC, no answer yet")
            newest.state = AskedState.REPLACED
            failed = {uid: newest.failed.get(uid, _NOT_MENTIONED) for uid in left}
            return Settled(
                committed, failed, sum(len(row.committed) < len(row.instances) for row in rows if row.answered_at)
            )

    def _is_over(self, row: CommitmentAsked) -> bool:
        """Whether nothing is to be expected of a request any more."""
        if row.state == AskedState.WAITING and row.asked_at + timedelta(seconds=self.wait_s) < utc_now():
            row.state = AskedState.REPLACED
        return row.state in (AskedState.ASKING, AskedState.REPLACED)

    def _ask(self, job_id: str, destination: str, node: DimseDestination, stored: Sequence[Outgoing]) -> None:
        """N-ACTION with a new Transaction UID. The request is noted before: its answer may be faster than we are."""
        row = CommitmentAsked(
            transaction_uid=str(generate_uid(prefix=None)),
            job_id=job_id,
            destination=destination,
            called_ae=node.address.called_ae,
            instances=[[one.sop_class_uid, one.sop_instance_uid] for one in stored],
        )
        with self.database.writing() as session:
            session.add(row)
        _Asking(self.database, node, row.transaction_uid, row.instances).ask()


@dataclass(frozen=True)
class _Asking:
    """One request on the wire."""

    database: Database
    node: DimseDestination
    transaction_uid: str
    instances: Sequence[Sequence[str]]

    def ask(self) -> None:
        contexts = [build_context(wire.PUSH_MODEL)]
        try:
            with self.node.association(contexts, handlers=[(evt.EVT_N_EVENT_REPORT, self._on_report)]) as association:
                status, _reply = association.send_n_action(
                    self._information(),
                    wire.REQUEST_STORAGE_COMMITMENT,
                    wire.PUSH_MODEL,
                    wire.PUSH_MODEL_INSTANCE,
                )
                self._check(status)
                self._set(AskedState.WAITING)
                self._wait()
        except Unreachable as error:
            raise Uncommitted(str(error)) from error
        except NotCommitted:
            raise
        except Refused as error:
            raise NotCommitted(f"storage commitment cannot be asked for: {error}") from error
        except (RuntimeError, ValueError) as error:
            raise Uncommitted(
                f"{self.node.address} broke the association when asked for commitment: {error}"
            ) from error

    def _information(self) -> Dataset:
        """Action Information, PS3.4 J.3.2.1."""
        information = Dataset()
        information.TransactionUID = self.transaction_uid
        information.ReferencedSOPSequence = [_reference(*one) for one in self.instances]
        return information

    def _check(self, status: Dataset) -> None:
        if "Status" not in status:
            raise Uncommitted(f"{self.node.address} did not answer a request of storage commitment in time")
        if status.Status == 0:
            return
        comment = str(status.get("ErrorComment", ""))
        words = f"{self.node.address} answers a request of storage commitment with 0x{status.Status:04X} {comment}"
        raise (Uncommitted if status.Status in _TEMPORARY else NotCommitted)(words.strip())

    def _wait(self) -> None:
        until_s = time.monotonic() + SAME_ASSOCIATION_S
        pause = threading.Event()
        while time.monotonic() < until_s and not self._is_answered():
            pause.wait(_LOOK_EVERY_S)

    def _is_answered(self) -> bool:
        with self.database.reading() as session:
            return session.get_one(CommitmentAsked, self.transaction_uid).answered_at is not None

    def _set(self, state: AskedState) -> None:
        """The next state, unless the answer was there first."""
        with self.database.writing() as session:
            asking = update(CommitmentAsked).where(CommitmentAsked.transaction_uid == self.transaction_uid)
            session.execute(asking.where(CommitmentAsked.state == AskedState.ASKING).values(state=state))

    def _on_report(self, event: Event) -> tuple[int, None]:
        """An N-EVENT-REPORT over this association."""
        address = self.node.address
        try:
            information = event.request.EventInformation
            content = wire.walked(information and information.getvalue(), event.context.transfer_syntax)
            wire.note_report(self.database, content, address.called_ae, f"{address.called_ae}@{address.host}")
        except wire.NotTaken as refusal:
            return refusal.status, None
        except SQLAlchemyError:
            return PROCESSING_FAILURE, None
        return SUCCESS, None


def forget_requests(session: Session, job_id: str) -> None:
    """Forgets what was asked for a job, in the caller's transaction: it is asked anew."""
    session.execute(delete(CommitmentAsked).where(CommitmentAsked.job_id == job_id))


def _rows(session: Session, job_id: str, destination: str) -> Sequence[CommitmentAsked]:
    query = select(CommitmentAsked).where(CommitmentAsked.job_id == job_id)
    query = query.where(CommitmentAsked.destination == destination)
    return session.scalars(query.order_by(CommitmentAsked.asked_at, CommitmentAsked.transaction_uid)).all()


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item
