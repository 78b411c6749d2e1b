"""Storage Commitment Push Model (PS3.4 J): what peers ask of us (N-ACTION), and answers to our own (N-EVENT-REPORT).

A request is noted and answered at once; the worker looks at the archive and sends the result over an association of its
own. A result is noted with the request of ours that it answers; whoever waits for it finds it there.

A request that names too many instances is answered with a failure, which says that it is not processed (PS3.4
J.3.2.1.3): its sender asks in parts. The parts cannot be made here, as one result names every instance of a request
(J.3.3.1).
"""

from collections.abc import Iterator
from functools import partial

from pydicom.dataset import Dataset
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from pacs_agent.db import AskedState, CommitmentAsked, CommitmentOwed, Database, OwedState, Peer, utc_now
from pacs_agent.ops import Outcome, audit, get_log
from pacs_agent.receive.elements import Undecodable, WalkedDataSet, walk_data_set
from pacs_agent.receive.identity import is_uid
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
_ITEM = bytes.fromhex("feff00e0")
"""Tag of an item, little endian: they are counted before they are read (PS3.5 7.5)."""
_TAGS = {
    "ReferencedSOPClassUID": 0x00081150,
    "ReferencedSOPInstanceUID": 0x00081155,
    "TransactionUID": 0x00081195,
    "FailureReason": 0x00081197,
    "FailedSOPSequence": 0x00081198,
    "ReferencedSOPSequence": 0x00081199,
}
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
        note_report(database, _content(request), request.facts.calling_ae_title, request.facts.source)
    except NotTaken as refusal:
        return _refused(database, request, refusal, "commitment.report_refused")
    except SQLAlchemyError as error:
        return _not_now(error)
    return _answered(request.command, "Affected", "EventTypeID")


def note_report(database: Database, content: WalkedDataSet, ae_title: str, source: str) -> None:
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


def _content(request: ServiceRequest) -> WalkedDataSet:
    if request.too_large:
        raise _too_many()
    return walked(request.data_set, request.transfer_syntax_uid)


def walked(data_set: bytes | None, transfer_syntax_uid: str) -> WalkedDataSet:
    """The Action or Event Information of a request. Raises NotTaken."""
    if not data_set:
        raise NotTaken(NO_SUCH_ARGUMENT, "the request has no data set")
    if data_set.count(_ITEM) > MOST_INSTANCES:
        raise _too_many()
    try:
        return walk_data_set(data_set, transfer_syntax_uid)
    except Undecodable as error:
        raise NotTaken(MISTYPED_ARGUMENT, "the data set cannot be decoded") from error


def asked_for(content: WalkedDataSet) -> tuple[str, list[Reference]]:
    """Transaction UID and instances of Action Information, each once. Raises NotTaken."""
    wanted = list(dict.fromkeys(reference for reference, _item in _references(content, "ReferencedSOPSequence")))
    if not wanted:
        raise NotTaken(NO_SUCH_ARGUMENT, "Referenced SOP Sequence is missing or empty")
    return _transaction_of(content), wanted


def told_in(content: WalkedDataSet) -> tuple[str, list[Reference], dict[str, int]]:
    """Transaction UID, committed instances, and failures of Event Information. Raises NotTaken."""
    committed = [reference for reference, _item in _references(content, "ReferencedSOPSequence")]
    failed = {uid: _reason(item) for (_class, uid), item in _references(content, "FailedSOPSequence")}
    return _transaction_of(content), committed, failed


def _too_many() -> NotTaken:
    return NotTaken(RESOURCE_LIMITATION, f"more than {MOST_INSTANCES} instances; ask in parts")


def _references(content: WalkedDataSet, keyword: str) -> Iterator[tuple[Reference, WalkedDataSet]]:
    """Class and instance of each item of a sequence, and the item. Raises NotTaken.

    No object is made of an element: pydicom takes seconds for as many items as there may be.
    """
    try:
        for item in content.items(_TAGS[keyword]):
            reference = _uid(item, "ReferencedSOPClassUID"), _uid(item, "ReferencedSOPInstanceUID")
            if not all(map(is_uid, reference)):
                raise NotTaken(INVALID_ARGUMENT, f"{keyword} has an item without valid UIDs")
            yield reference, item
    except Undecodable as error:
        raise NotTaken(MISTYPED_ARGUMENT, f"{keyword} cannot be decoded") from error


def _uid(within: WalkedDataSet, keyword: str) -> str:
    """The value of a UI without its padding; empty where it is missing. Raises Undecodable."""
    return within.value(_TAGS[keyword]).rstrip(b"\0 ").decode("latin-1")


def _reason(item: WalkedDataSet) -> int:
    """Failure Reason (0008,1197), a US; processing failure where none is given."""
    value = item.value(_TAGS["FailureReason"])
    return int.from_bytes(value, "little") if len(value) == 2 else PROCESSING_FAILURE


def _transaction_of(content: WalkedDataSet) -> str:
    try:
        uid = _uid(content, "TransactionUID")
    except Undecodable as error:
        raise NotTaken(INVALID_ARGUMENT, "Transaction UID is not a UID") from error
    if not uid:
        raise NotTaken(NO_SUCH_ARGUMENT, "Transaction UID is missing")
    if not is_uid(uid):
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
