"""Storage Commitment Push Model (PS3.4 J): what peers ask of us (N-ACTION), and answers to our own (N-EVENT-REPORT).

A request is noted and answered at once; the worker looks at the archive and sends the result over an association of its
own. A result is noted with the request of ours that it answers; whoever waits for it finds it there.

A request that names too many instances is answered with a failure, which says that it is not processed (PS3.4
J.3.2.1.3): its sender asks in parts. The parts cannot be made here, as one result names every instance of a request
(J.3.3.1).
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom.dsutils import decode
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from pacs_agent.archive import UNREADABLE_FILE
from pacs_agent.db import AskedState, CommitmentAsked, CommitmentOwed, Database, OwedState, Peer, utc_now
from pacs_agent.ops import Outcome, audit, get_log
from pacs_agent.receive.identity import is_uid
from pacs_agent.receive.pace import in_turn
from pacs_agent.receive.peers import report_address
from pacs_agent.receive.services import (
    MISTYPED_ARGUMENT,
    N_ACTION_RQ,
    N_EVENT_REPORT_RQ,
    PROCESSING_FAILURE,
    RESOURCE_LIMITATION,
    SUCCESS,
    ServiceAnswer,
    ServiceRequest,
    Services,
)

PUSH_MODEL, PUSH_MODEL_INSTANCE = str(StorageCommitmentPushModel), str(StorageCommitmentPushModelInstance)
MOST_INSTANCES = 50_000
"""Of one request or result; as many fit into the largest data set of a service."""
USUAL_INSTANCES = 1000
"""Of one request or result; larger ones are decoded one at a time, with rests between."""
_ITEM = bytes.fromhex("feff00e0")
"""Tag of an item, little endian: they are counted before an object is made of each (PS3.5 7.5)."""
REQUEST_STORAGE_COMMITMENT = 1
"""Action Type ID, PS3.4 J.3.2."""
ALL_COMMITTED, SOME_FAILED = 1, 2
"""Event Type IDs, PS3.4 J.3.3."""
NO_SUCH_INSTANCE, NO_SUCH_EVENT, NO_SUCH_ARGUMENT, INVALID_ARGUMENT = 0x0112, 0x0113, 0x0114, 0x0115
NO_SUCH_CLASS, NO_SUCH_ACTION, NOT_AUTHORISED = 0x0118, 0x0123, 0x0124
"""Statuses, PS3.7 C."""

Reference = tuple[str, str]
"""SOP Class UID and SOP Instance UID."""

log = get_log("commitment")


class NotTaken(Exception):
    """A request or a result that is refused: its status, and an Error Comment of at most 64 characters."""

    def __init__(self, status: int, comment: str) -> None:
        super().__init__(comment)
        self.status = status
        self.comment = comment


def commitment_services(database: Database) -> Services:
    """Both services, for the listener's table."""
    return {
        (N_ACTION_RQ, PUSH_MODEL): partial(serve_commitment, database=database),
        (N_EVENT_REPORT_RQ, PUSH_MODEL): partial(serve_report, database=database),
    }


def serve_commitment(request: ServiceRequest, database: Database) -> ServiceAnswer:
    """N-ACTION: notes what a peer wants to know of. Success means that it will be told, not that we have it."""
    try:
        _check_target(request.command, "Requested")
        _check_type(request.command, "ActionTypeID", (REQUEST_STORAGE_COMMITMENT,), NO_SUCH_ACTION)
        with _turn(request):
            transaction_uid, wanted = asked_for(_content(request))
        with database.writing() as session:
            _note_request(session, request, transaction_uid, wanted)
    except NotTaken as refusal:
        return _refused(database, request, refusal, "commitment.refused")
    except SQLAlchemyError as error:
        return _not_now(error)
    return _answered(request.command, "Requested", "ActionTypeID")


def serve_report(request: ServiceRequest, database: Database) -> ServiceAnswer:
    """N-EVENT-REPORT: notes the answer to a request of ours."""
    try:
        _check_target(request.command, "Affected")
        _check_type(request.command, "EventTypeID", (ALL_COMMITTED, SOME_FAILED), NO_SUCH_EVENT)
        with _turn(request):
            note_report(database, _content(request), request.facts.calling_ae_title, request.facts.source)
    except NotTaken as refusal:
        return _refused(database, request, refusal, "commitment.report_refused")
    except SQLAlchemyError as error:
        return _not_now(error)
    return _answered(request.command, "Affected", "EventTypeID")


def note_report(database: Database, content: Dataset, ae_title: str, source: str) -> None:
    """Notes a result (Event Information, PS3.4 J.3.3.1) with our request. A result that came before changes nothing.

    Raises NotTaken for a Transaction UID that is not of a request to this node, and for what is malformed.
    """
    transaction_uid, committed, failed = told_in(content)
    with database.writing() as session:
        row = session.get(CommitmentAsked, transaction_uid)
        if row is None or row.called_ae != ae_title:
            raise NotTaken(INVALID_ARGUMENT, "no request of ours has this Transaction UID")
        if row.answered_at is not None:
            return
        asked = {uid for _class, uid in row.instances}
        row.committed = [uid for _class, uid in committed if uid in asked]
        row.failed = {uid: reason for uid, reason in failed.items() if uid in asked}
        row.answered_at = utc_now()
        row.state = AskedState.ANSWERED
        _audit_report(session, row, source)


def _turn(request: ServiceRequest) -> AbstractContextManager[None]:
    """A large request takes seconds of a processor to be decoded; images must not wait for many of them."""
    return in_turn() if _instances(request.data_set) > USUAL_INSTANCES else nullcontext()


def _instances(data_set: bytes | None) -> int:
    """At most so many are named."""
    return data_set.count(_ITEM) if data_set else 0


def _content(request: ServiceRequest) -> Dataset:
    if request.too_large:
        raise _too_many()
    return decoded(request.data_set, request.transfer_syntax_uid)


def decoded(data_set: bytes | None, transfer_syntax_uid: str) -> Dataset:
    """The Action or Event Information of a request. Raises NotTaken."""
    if not data_set:
        raise NotTaken(NO_SUCH_ARGUMENT, "the request has no data set")
    if _instances(data_set) > MOST_INSTANCES:
        raise _too_many()
    try:
        content: Dataset = decode(BytesIO(data_set), transfer_syntax_uid == ImplicitVRLittleEndian, True)
    except UNREADABLE_FILE as error:
        raise NotTaken(MISTYPED_ARGUMENT, "the data set cannot be decoded") from error
    return content


def asked_for(content: Dataset) -> tuple[str, list[Reference]]:
    """Transaction UID and instances of Action Information. Raises NotTaken."""
    wanted = _references(content, "ReferencedSOPSequence")
    if not wanted:
        raise NotTaken(NO_SUCH_ARGUMENT, "Referenced SOP Sequence is missing or empty")
    return _transaction_of(content), wanted


def told_in(content: Dataset) -> tuple[str, list[Reference], dict[str, int]]:
    """Transaction UID, committed instances, and failures of Event Information. Raises NotTaken."""
    return _transaction_of(content), _references(content, "ReferencedSOPSequence"), _failures(content)


def _too_many() -> NotTaken:
    return NotTaken(RESOURCE_LIMITATION, f"more than {MOST_INSTANCES} instances; ask in parts")


def _references(content: Dataset, keyword: str) -> list[Reference]:
    """Class and instance of each item of a sequence, each once. Raises NotTaken."""
    return list(
        dict.fromkeys((one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID) for one in _items(content, keyword))
    )


def _items(content: Dataset, keyword: str) -> Iterator[Dataset]:
    try:
        items = content.get(keyword) or []
        for one in items:
            named = (one.get("ReferencedSOPClassUID"), one.get("ReferencedSOPInstanceUID"))
            one.get("FailureReason")  # decoded here, where what cannot be decoded is caught
            if not all(isinstance(uid, str) and is_uid(uid) for uid in named):
                raise NotTaken(INVALID_ARGUMENT, f"{keyword} has an item without valid UIDs")
            yield one
    except UNREADABLE_FILE as error:
        raise NotTaken(MISTYPED_ARGUMENT, f"{keyword} cannot be decoded") from error


def _failures(content: Dataset) -> dict[str, int]:
    """Failure Reason (0008,1197) by SOP Instance UID; processing failure where none is given."""
    found = {}
    for one in _items(content, "FailedSOPSequence"):
        reason = one.get("FailureReason")
        found[str(one.ReferencedSOPInstanceUID)] = reason if isinstance(reason, int) else PROCESSING_FAILURE
    return found


def _transaction_of(content: Dataset) -> str:
    try:
        uid = content.get("TransactionUID")
    except UNREADABLE_FILE as error:
        raise NotTaken(MISTYPED_ARGUMENT, "Transaction UID cannot be decoded") from error
    if not uid:
        raise NotTaken(NO_SUCH_ARGUMENT, "Transaction UID is missing")
    if not isinstance(uid, str) or not is_uid(uid):
        raise NotTaken(INVALID_ARGUMENT, "Transaction UID is not a UID")
    return uid


def _check_target(command: Dataset, role: str) -> None:
    """The well-known SOP instance (PS3.4 J.3.5)."""
    if str(command.get(f"{role}SOPClassUID", "")) != PUSH_MODEL:
        raise NotTaken(NO_SUCH_CLASS, "only the Storage Commitment Push Model is known here")
    if str(command.get(f"{role}SOPInstanceUID", "")) != PUSH_MODEL_INSTANCE:
        raise NotTaken(NO_SUCH_INSTANCE, "not the well-known instance of the Push Model")


def _check_type(command: Dataset, keyword: str, known: tuple[int, ...], status: int) -> None:
    if command.get(keyword) not in known:
        raise NotTaken(status, f"{keyword} must be {' or '.join(map(str, known))}")


def _note_request(session: Session, request: ServiceRequest, transaction_uid: str, wanted: list[Reference]) -> None:
    """Notes a request; the same one again is answered again."""
    ae_title = request.facts.calling_ae_title
    peer = session.get(Peer, ae_title)
    if peer is None or not peer.may_store:
        raise NotTaken(NOT_AUTHORISED, "this AE title may not store here")
    if report_address(session, ae_title, request.facts.source) is None:
        raise NotTaken(PROCESSING_FAILURE, f"nobody told us {ae_title}'s port: set it in Peers")
    instances = [list(one) for one in wanted]
    row = _owed(session, ae_title, transaction_uid)
    if row is None:
        row = CommitmentOwed(ae_title=ae_title, transaction_uid=transaction_uid, instances=instances)
        session.add(row)
    elif row.instances != instances:
        raise NotTaken(INVALID_ARGUMENT, "this Transaction UID was used for other instances")
    row.state, row.attempts, row.source = OwedState.WAITING, 0, request.facts.source
    row.asked_at = row.next_attempt_at = utc_now()
    _audit(session, request, "commitment.asked", Outcome.SUCCESS, transaction_uid, instances=len(wanted))


def _owed(session: Session, ae_title: str, transaction_uid: str) -> CommitmentOwed | None:
    query = select(CommitmentOwed).where(CommitmentOwed.ae_title == ae_title)
    return session.scalar(query.where(CommitmentOwed.transaction_uid == transaction_uid))


def _answered(command: Dataset, role: str, type_keyword: str) -> ServiceAnswer:
    """Success, with what a response names beside it (PS3.7 10.3.1, 10.3.5)."""
    answer = ServiceAnswer.of(SUCCESS)
    answer.command.AffectedSOPClassUID = command[f"{role}SOPClassUID"].value
    answer.command.AffectedSOPInstanceUID = command[f"{role}SOPInstanceUID"].value
    setattr(answer.command, type_keyword, command[type_keyword].value)
    return answer


def _refused(database: Database, request: ServiceRequest, refusal: NotTaken, action: str) -> ServiceAnswer:
    status = f"0x{refusal.status:04X}"
    log.warning("refused", source=request.facts.source, action=action, status=status, reason=refusal.comment)
    try:
        with database.writing() as session:
            _audit(session, request, action, Outcome.MINOR_FAILURE, status=status, reason=refusal.comment)
    except SQLAlchemyError as error:
        log.error("refusal not audited", error=type(error).__name__)
    return ServiceAnswer.of(refusal.status, refusal.comment)


def _not_now(error: SQLAlchemyError) -> ServiceAnswer:
    log.error("not noted", error=type(error).__name__)
    return ServiceAnswer.of(PROCESSING_FAILURE, "the database does not answer; ask again later")


def _audit(
    session: Session, request: ServiceRequest, action: str, outcome: Outcome, subject: str = "", **detail: object
) -> None:
    audit(session, actor=request.facts.source, action=action, outcome=outcome, subject=subject, **detail)


def _audit_report(session: Session, row: CommitmentAsked, source: str) -> None:
    audit(
        session,
        actor=source,
        action="commitment.reported",
        outcome=Outcome.SUCCESS if len(row.committed) == len(row.instances) else Outcome.SERIOUS_FAILURE,
        subject=row.transaction_uid,
        destination=row.destination,
        committed=len(row.committed),
        failed=len(row.failed),
    )
