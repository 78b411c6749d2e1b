"""The table of deliveries: every object of a job on its way to one destination, each with its own state."""

from collections.abc import Iterable, Sequence

from pydicom.uid import (
    KeyObjectSelectionDocumentStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)
from sqlalchemy import Update, select, update
from sqlalchemy.orm import Session

from pacs_agent.archive import Archive, confirms
from pacs_agent.config import Settings
from pacs_agent.db import Database, Delivery, DeliveryState, Destination, ResultObject, utc_now
from pacs_agent.deliver.answer import Answer, Confirmation, Verdict, Whereabouts
from pacs_agent.deliver.commitment import Commitments, Settled, forget_requests
from pacs_agent.deliver.dimse import DimseDestination
from pacs_agent.deliver.errors import (
    DeliveryError,
    NeverConfirmed,
    NotCommitted,
    NotThere,
    Refused,
    Uncommitted,
    Unconfirmed,
    Unreachable,
)
from pacs_agent.deliver.kinds import DestinationKind, open_destination
from pacs_agent.deliver.outgoing import Outgoing, outgoing
from pacs_agent.ops import Outcome, audit

_STATES = {
    Verdict.STORED: DeliveryState.STORED,
    Verdict.TRY_AGAIN: DeliveryState.RETRYING,
    Verdict.REFUSED: DeliveryState.REFUSED,
    Verdict.NOT_TAKEN: DeliveryState.REFUSED,
}
_MAY_BE_LEFT_OUT: dict[str, str] = {
    SegmentationStorage: "segmentations",
    KeyObjectSelectionDocumentStorage: "key_objects",
    ParametricMapStorage: "saliency_maps",
    SecondaryCaptureImageStorage: "secondary_captures",
}
"""What a destination can do without, and its setting: the reports say what was found, and the agent keeps the rest."""
_UNSENT = (DeliveryState.PENDING, DeliveryState.RETRYING)
_ARRIVED = (DeliveryState.STORED, DeliveryState.CONFIRMED)


class Outbox:
    """The objects of jobs on their way. One attempt is one call; when to call again is decided elsewhere."""

    def __init__(self, database: Database, archive: Archive, settings: Settings) -> None:
        self.database = database
        self.archive = archive
        self.settings = settings
        self._commitments = Commitments(database, settings.deliver.commitment_wait_s)

    def deliver(self, job_id: str, destination: str) -> int:
        """Sends what the destination does not have yet; returns how many objects of the job it has now.

        What it can do without is left out where it is set to get none, or takes no such objects: see `left_out`.
        Raises Unreachable when something should be tried again, else Refused when something was refused.
        """
        self._prepare(job_id, destination)
        self._leave_out(job_id, destination)
        unsent = self._objects(job_id, destination, _UNSENT)
        try:
            for answer in self._send(destination, unsent):
                self._record(destination, answer)
        except DeliveryError as error:
            verdict = Verdict.TRY_AGAIN if isinstance(error, Unreachable) else Verdict.REFUSED
            for one in self._objects(job_id, destination, _UNSENT):
                self._record(destination, Answer(one.sop_instance_uid, verdict, str(error)))
        self._raise_for_states(job_id, destination)
        return len(self._objects(job_id, destination, _ARRIVED))

    def left_out(self, job_id: str, destination: str) -> list[str]:
        """Why objects of the job are not sent to the destination: one sentence for each."""
        with self.database.reading() as session:
            rows = _deliveries(session, job_id, destination, (DeliveryState.LEFT_OUT,))
            return [row.answer for row in rows]

    def confirm(self, job_id: str, destination: str) -> str:
        """Asks the destination for what it stored; returns in words what came of it.

        Raises Unreachable when it does not answer, NotThere when it lacks an object that it said it took, Refused when
        it does not let us ask; where it is set to confirm, these are Unconfirmed and NeverConfirmed. By storage
        commitment: Uncommitted while it has not said that it keeps them for good, NotCommitted when it does not.
        """
        if self._commits(destination):
            return self._commit(job_id, destination)
        stored = self._objects(job_id, destination, (DeliveryState.STORED,))
        if not stored:
            return "confirmed before"
        confirmations = self._asked(destination, stored)
        for found in confirmations:
            if found.whereabouts is Whereabouts.THERE:
                self._mark(destination, found.sop_instance_uid, DeliveryState.CONFIRMED, found.text)
        absent = [found.sop_instance_uid for found in confirmations if found.whereabouts is Whereabouts.ABSENT]
        if absent:
            raise NotThere(f"{destination} accepted {', '.join(absent)} but does not have it")
        return "; ".join(sorted({found.text for found in confirmations}))

    def _asked(self, destination: str, stored: Sequence[Outgoing]) -> list[Confirmation]:
        """What a destination says of objects. Where it is set to confirm, to say nothing of one is no answer."""
        is_set = self._is_set_to_confirm(destination)
        words = f"{destination} took the objects, but does not say whether it has them"
        try:
            found = list(self._open(destination).confirm(stored))
        except (Unreachable, Refused) as error:
            if not is_set:
                raise
            kind = Unconfirmed if isinstance(error, Unreachable) else NeverConfirmed
            raise kind(f"{words}: {error}") from error
        unsaid = sorted({one.text for one in found if one.whereabouts is Whereabouts.UNKNOWN})
        if unsaid and is_set:
            raise Unconfirmed(f"{words}: {'; '.join(unsaid)}")
        return found

    def _is_set_to_confirm(self, destination: str) -> bool:
        """One that was removed is not any more."""
        row = self._row(destination)
        return row is not None and confirms(row.settings)

    def give_up(self, job_id: str, destination: str) -> None:
        """Marks what was not taken as unreachable: nobody will try again on their own."""
        with self.database.writing() as session:
            for delivery in _deliveries(session, job_id, destination, _UNSENT):
                delivery.state, delivery.changed_at = DeliveryState.UNREACHABLE, utc_now()

    def lost(self, job_id: str, destination: str, why: str = "not found there afterwards") -> None:
        """Marks what the destination said it stored, but does not have, as refused: never shown as sent."""
        with self.database.writing() as session:
            for delivery in _deliveries(session, job_id, destination, (DeliveryState.STORED,)):
                delivery.state, delivery.changed_at = DeliveryState.REFUSED, utc_now()
                delivery.answer = f"accepted ({delivery.answer}), but {why}"

    def _commits(self, destination: str) -> bool:
        """Whether a destination is asked for storage commitment, be it enabled or not."""
        row = self._row(destination)
        return row is not None and row.kind == "dimse" and row.settings.get("confirm") == "commitment"

    def _row(self, destination: str) -> Destination | None:
        """How a destination is set up, be it enabled or not; None when it was removed."""
        with self.database.reading() as session:
            return session.get(Destination, destination)

    def _commit(self, job_id: str, destination: str) -> str:
        """Asks for storage commitment, or looks what came of it. What was not kept is sent once more."""
        self._send_what_was_not_kept(job_id, destination)
        stored = self._objects(job_id, destination, (DeliveryState.STORED,))
        if not stored:
            return "committed before"
        settled = self._commitments.settle(job_id, destination, self._node(destination), stored)
        for sop_instance_uid in settled.committed:
            self._mark(destination, sop_instance_uid, DeliveryState.CONFIRMED, "storage commitment: kept for good")
        if settled.failed:
            self._not_kept(destination, settled)
        if settled.waiting:
            raise Uncommitted(f"storage commitment: {settled.waiting}")
        return f"storage commitment: {len(settled.committed)} objects are kept for good"

    def _node(self, destination: str) -> DimseDestination:
        try:
            node = self._open(destination)
        except Refused as error:
            raise NotCommitted(str(error)) from error
        if not isinstance(node, DimseDestination):
            raise NotCommitted(f"{destination} is no DICOM destination any more; run the job again")
        return node

    def _send_what_was_not_kept(self, job_id: str, destination: str) -> None:
        if not self._objects(job_id, destination, _UNSENT):
            return
        try:
            self.deliver(job_id, destination)
        except Unreachable as error:
            raise Uncommitted(f"sent once more after storage commitment was refused: {error}") from error
        except Refused as error:
            raise NotCommitted(f"sent once more after storage commitment was refused: {error}") from error

    def _not_kept(self, destination: str, settled: Settled) -> None:
        """Raises Uncommitted the first time, and lets it be sent once more; after that NotCommitted."""
        reasons = ", ".join(sorted({f"0x{reason:04X}" for reason in settled.failed.values()}))
        words = f"storage commitment: {destination} does not keep {len(settled.failed)} objects (reason {reasons})"
        if settled.failures > 1:
            raise NotCommitted(f"{words}, also after they were sent once more; ask who runs it, then run the job again")
        for sop_instance_uid in settled.failed:
            self._mark(destination, sop_instance_uid, DeliveryState.PENDING, words)
        raise Uncommitted(f"{words}; they are sent once more")

    def _prepare(self, job_id: str, destination: str) -> None:
        """A row for each object; existing ones stay as they are."""
        with self.database.writing() as session:
            results = session.scalars(select(ResultObject).where(ResultObject.job_id == job_id))
            known = {delivery.result_object_pk for delivery in _deliveries(session, job_id, destination)}
            for result in results:
                if result.id not in known:
                    session.add(Delivery(result_object_pk=result.id, destination=destination))

    def _leave_out(self, job_id: str, destination: str) -> None:
        """Marks what the destination is set not to get."""
        row = self._row(destination)
        settings = row.settings if row else {}
        unwanted = {uid: name for uid, name in _MAY_BE_LEFT_OUT.items() if not settings.get(name, True)}
        for one in self._objects(job_id, destination, _UNSENT) if unwanted else ():
            if one.sop_class_uid in unwanted:
                text = f"{destination} is set to get no {unwanted[one.sop_class_uid].replace('_', ' ')}"
                self._record(destination, Answer(one.sop_instance_uid, Verdict.NOT_TAKEN, text))

    def _objects(self, job_id: str, destination: str, states: Sequence[DeliveryState]) -> list[Outgoing]:
        with self.database.reading() as session:
            rows = _deliveries(session, job_id, destination, states)
            paths = [self.archive.path(row.result_object.digest) for row in rows]
        return [outgoing(path) for path in paths]

    def _send(self, destination: str, unsent: Sequence[Outgoing]) -> Iterable[Answer]:
        return self._open(destination).send(unsent) if unsent else ()

    def _open(self, name: str) -> DestinationKind:
        with self.database.reading() as session:
            row = session.get(Destination, name)
        if row is None:
            raise Refused(
                f"there is no destination {name}; add it (`pacs-agent destination add`) and run the job again"
            )
        return open_destination(row, self.settings)

    def _record(self, destination: str, answer: Answer) -> None:
        with self.database.writing() as session:
            delivery = _delivery(session, answer.sop_instance_uid, destination)
            state = self._state(delivery, answer.verdict)
            delivery.state, delivery.answer, delivery.changed_at = state, answer.text, utc_now()
            delivery.attempts += 1
            if state != DeliveryState.RETRYING:
                _audit(session, destination, answer, state)

    def _state(self, delivery: Delivery, verdict: Verdict) -> DeliveryState:
        if verdict is Verdict.NOT_TAKEN and delivery.result_object.sop_class_uid in _MAY_BE_LEFT_OUT:
            return DeliveryState.LEFT_OUT
        return _STATES[verdict]

    def _mark(self, destination: str, sop_instance_uid: str, state: DeliveryState, text: str) -> None:
        with self.database.writing() as session:
            delivery = _delivery(session, sop_instance_uid, destination)
            delivery.state, delivery.answer, delivery.changed_at = state, text, utc_now()

    def _raise_for_states(self, job_id: str, destination: str) -> None:
        with self.database.reading() as session:
            rows = [(row.state, row.answer) for row in _deliveries(session, job_id, destination)]
        for state, error in ((DeliveryState.RETRYING, Unreachable), (DeliveryState.REFUSED, Refused)):
            texts = sorted({text for found, text in rows if found == state})
            if texts:
                raise error("; ".join(texts))


def reset_deliveries(session: Session, job_id: str, through: Iterable[str] = ()) -> None:
    """Lets a job's deliveries that failed be tried again, in the caller's transaction; what arrived stays as it is.

    So does what was left out of destinations that are `through` with the job: nobody sends to them again.
    """
    again = Delivery.state.not_in(_ARRIVED), Delivery.destination.not_in(list(through))
    session.execute(_to_pending(job_id).where(*again))
    forget_requests(session, job_id)


def send_deliveries_again(session: Session, job_id: str) -> None:
    """Lets all objects of a job be sent once more, also those that arrived, in the caller's transaction."""
    session.execute(_to_pending(job_id))
    forget_requests(session, job_id)


def _to_pending(job_id: str) -> Update:
    of_job = select(ResultObject.id).where(ResultObject.job_id == job_id)
    which = update(Delivery).where(Delivery.result_object_pk.in_(of_job))
    return which.values(state=DeliveryState.PENDING, changed_at=utc_now())


def _deliveries(
    session: Session, job_id: str, destination: str, states: Sequence[DeliveryState] | None = None
) -> Sequence[Delivery]:
    query = select(Delivery).join(Delivery.result_object).where(ResultObject.job_id == job_id)
    query = query.where(Delivery.destination == destination).order_by(Delivery.id)
    return session.scalars(query.where(Delivery.state.in_(states)) if states else query).all()


def _delivery(session: Session, sop_instance_uid: str, destination: str) -> Delivery:
    query = select(Delivery).join(Delivery.result_object)
    query = query.where(ResultObject.sop_instance_uid == sop_instance_uid, Delivery.destination == destination)
    return session.scalars(query).one()


def _audit(session: Session, destination: str, answer: Answer, state: DeliveryState) -> None:
    is_well = state in (DeliveryState.STORED, DeliveryState.LEFT_OUT)
    outcome = Outcome.SUCCESS if is_well else Outcome.SERIOUS_FAILURE
    subject, text = answer.sop_instance_uid, answer.text
    audit(
        session,
        actor="agent",
        action="result.left_out" if state == DeliveryState.LEFT_OUT else "result.delivered",
        outcome=outcome,
        subject=subject,
        destination=destination,
        answer=text,
    )
