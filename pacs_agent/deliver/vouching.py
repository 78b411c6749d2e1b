"""Storage commitment SCP (PS3.4 J): looks whether what a peer asked about is safe here, and tells it.

Safe is what is synced and indexed, with the SOP class that was named; the index has nothing that is not synced. The
answer goes over a new association to the peer, by N-EVENT-REPORT, until the peer has taken it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydicom.dataset import Dataset
from pynetdicom import build_context, build_role
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.db import CommitmentOwed, Database, Instance, OwedState, Series, Study, utc_now
from pacs_agent.deliver.dimse import DimseDestination, ScuAddress
from pacs_agent.deliver.errors import DeliveryError, Refused, Unreachable
from pacs_agent.deliver.kinds import means_for
from pacs_agent.ops import Outcome, audit, get_log
from pacs_agent.receive import ReportAddress, report_address
from pacs_agent.receive import commitment as wire

CLASS_INSTANCE_CONFLICT = 0x0119
"""Failure Reason, PS3.3 C.14.1.1: the instance is here, of another SOP class."""
AT_A_TIME = 16
LEASE_S = 600.0
"""A worker that dies while it answers holds a request for so long."""
KEPT = timedelta(days=7)
"""How long an answer that was given is remembered."""
_LOOKED_UP = 500

log = get_log("commitment")


@dataclass(frozen=True)
class Vouched:
    """Which instances are safe, and for the others a Failure Reason."""

    committed: tuple[wire.Reference, ...]
    failed: tuple[tuple[wire.Reference, int], ...]
    studies: frozenset[int]
    """Primary keys of the studies of those that are safe."""


class Vouching:
    """The answers that are owed."""

    def __init__(self, database: Database, archive: Archive, settings: Settings) -> None:
        self._database = database
        self._archive = archive
        self._settings = settings

    def answer_due(self) -> int:
        """Answers what is due; returns how many peers took their answer. A peer that is away is asked once a round."""
        told, away = 0, set[str]()
        for owed in self._claimed():
            if owed.ae_title in away:
                self._put_back(owed)
                continue
            words, is_told = self._answered(owed)
            told += is_told
            if not is_told:
                away.add(owed.ae_title)
            self._note(owed, words, is_told=is_told)
        return told

    def _claimed(self) -> list[CommitmentOwed]:
        """Due requests, each taken by one worker alone."""
        now = utc_now()
        due = select(CommitmentOwed).where(CommitmentOwed.state == OwedState.WAITING)
        due = due.where(CommitmentOwed.next_attempt_at <= now).order_by(CommitmentOwed.next_attempt_at)
        with self._database.reading() as session:
            found = list(session.scalars(due.limit(AT_A_TIME)))
        return [one for one in found if self._claim(one, now + timedelta(seconds=LEASE_S))]

    def _claim(self, owed: CommitmentOwed, until: datetime) -> bool:
        taking = update(CommitmentOwed).where(CommitmentOwed.id == owed.id, CommitmentOwed.state == OwedState.WAITING)
        taking = taking.where(CommitmentOwed.next_attempt_at == owed.next_attempt_at)
        with self._database.writing() as session:
            return bool(session.execute(taking.values(next_attempt_at=until)).rowcount)  # type: ignore[attr-defined]

    def _answered(self, owed: CommitmentOwed) -> tuple[str, bool]:
        """What came of one attempt, in words, and whether the peer has taken the answer."""
        with self._database.writing() as session:
            vouched = vouch_for(session, self._archive, [(one[0], one[1]) for one in owed.instances])
            session.get_one(CommitmentOwed, owed.id).committed = len(vouched.committed)
            if not vouched.failed:
                _mark_studies(session, vouched.studies, owed.asked_at)
            address = report_address(session, owed.ae_title, owed.source)
        if address is None:
            return f"the port of {owed.ae_title} for results of storage commitment is not known; set it in Peers", False
        try:
            return self._tell(owed, address, vouched), True
        except DeliveryError as error:
            return str(error), False

    def _tell(self, owed: CommitmentOwed, address: ReportAddress, vouched: Vouched) -> str:
        """N-EVENT-REPORT over an association in which we are the SCP (PS3.7 D.3.3.4). Raises DeliveryError."""
        node = DimseDestination(self._scu_address(owed.ae_title, address), means_for(None, self._settings))
        role = build_role(wire.PUSH_MODEL, scp_role=True)
        with node.association([build_context(wire.PUSH_MODEL)], roles=[role]) as association:
            try:
                status, _reply = association.send_n_event_report(
                    _information(owed.transaction_uid, vouched),
                    wire.SOME_FAILED if vouched.failed else wire.ALL_COMMITTED,
                    wire.PUSH_MODEL,
                    wire.PUSH_MODEL_INSTANCE,
                )
            except (RuntimeError, ValueError) as error:
                raise Unreachable(f"{node.address} takes no N-EVENT-REPORT: {error}") from error
        if "Status" not in status:
            raise Unreachable(f"{node.address} did not answer an N-EVENT-REPORT in time")
        if status.Status != 0:
            comment = str(status.get("ErrorComment", ""))
            raise Refused(f"{node.address} answers the N-EVENT-REPORT with 0x{status.Status:04X} {comment}".strip())
        return f"{node.address} took the answer"

    def _scu_address(self, ae_title: str, address: ReportAddress) -> ScuAddress:
        return ScuAddress(
            host=address.host,
            port=address.port,
            called_ae=ae_title,
            calling_ae=self._settings.dimse.ae_title,
            tls=address.tls,
            certificate_name=address.certificate_name,
        )

    def _put_back(self, owed: CommitmentOwed) -> None:
        with self._database.writing() as session:
            session.get_one(CommitmentOwed, owed.id).next_attempt_at = utc_now() + timedelta(seconds=self._wait_s(owed))

    def _note(self, owed: CommitmentOwed, words: str, *, is_told: bool) -> None:
        with self._database.writing() as session:
            row = session.get_one(CommitmentOwed, owed.id)
            row.attempts += 1
            row.answer = words[:1000]
            row.next_attempt_at = utc_now() + timedelta(seconds=self._wait_s(row))
            if is_told:
                row.state = OwedState.TOLD
            elif row.attempts >= self._settings.deliver.attempts:
                row.state = OwedState.GIVEN_UP
            if row.state != OwedState.WAITING:
                row.over_at = utc_now()
                _audit(session, row)
                session.execute(delete(CommitmentOwed).where(CommitmentOwed.over_at < utc_now() - KEPT))
        log.info("answer of commitment", peer=owed.ae_title, told=is_told, words=words)

    def _wait_s(self, owed: CommitmentOwed) -> float:
        deliver = self._settings.deliver
        return min(deliver.backoff_s * 2.0 ** min(max(owed.attempts - 1, 0), 60), deliver.backoff_max_s)


def vouch_for(session: Session, archive: Archive, instances: Sequence[wire.Reference]) -> Vouched:
    """Which of the instances are safe here."""
    committed, failed, studies = [], [], set[int]()
    for one, found in _looked_up(session, instances):
        if found is None or not archive.path(found[1]).is_file():
            failed.append((one, wire.NO_SUCH_INSTANCE))
        elif found[0] != one[0]:
            failed.append((one, CLASS_INSTANCE_CONFLICT))
        else:
            committed.append(one)
            studies.add(found[2])
    return Vouched(tuple(committed), tuple(failed), frozenset(studies))


Found = tuple[str, str, int]
"""SOP class, digest and study of an instance in the index."""


def _looked_up(session: Session, instances: Sequence[wire.Reference]) -> Iterator[tuple[wire.Reference, Found | None]]:
    columns = Instance.sop_instance_uid, Instance.sop_class_uid, Instance.digest, Series.study_pk
    for start in range(0, len(instances), _LOOKED_UP):
        part = instances[start : start + _LOOKED_UP]
        query = select(*columns).join(Instance.series)
        query = query.where(Instance.sop_instance_uid.in_([uid for _class, uid in part]))
        rows = {uid: (sop_class, digest, study) for uid, sop_class, digest, study in session.execute(query)}
        yield from ((one, rows.get(one[1])) for one in part)


def _mark_studies(session: Session, studies: frozenset[int], asked_at: datetime) -> None:
    session.execute(update(Study).where(Study.id.in_(studies)).values(commitment_asked_at=asked_at))


def _information(transaction_uid: str, vouched: Vouched) -> Dataset:
    """Event Information, PS3.4 J.3.3.1."""
    information = Dataset()
    information.TransactionUID = transaction_uid
    if vouched.committed:
        information.ReferencedSOPSequence = [_item(one) for one in vouched.committed]
    if vouched.failed:
        information.FailedSOPSequence = [_item(one, reason) for one, reason in vouched.failed]
    return information


def _item(one: wire.Reference, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = one
    if reason is not None:
        item.FailureReason = reason
    return item


def _audit(session: Session, row: CommitmentOwed) -> None:
    audit(
        session,
        actor="agent",
        action="commitment.answered" if row.state == OwedState.TOLD else "commitment.not_answered",
        outcome=Outcome.SUCCESS if row.state == OwedState.TOLD else Outcome.SERIOUS_FAILURE,
        subject=row.transaction_uid,
        peer=row.ae_title,
        instances=len(row.instances),
        committed=row.committed,
        answer=row.answer,
    )
