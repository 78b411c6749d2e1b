"""The table of transfers: begun, canceled and started again by people, claimed and counted by who runs them."""

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pacs_agent.bring_in.errors import BringInError, Canceled, Lost, UnknownTransfer
from pacs_agent.db import Database, Transfer, TransferKind, TransferState, utc_now
from pacs_agent.ops import Outcome, audit

MOST_ATTEMPTS = 3
"""A transfer that ends the process each time must not do so for ever."""
SILENCE_S = 30.0
"""A running transfer without a sign of life for this time has lost its process."""
WRITE_S = 0.5
MOST_REASONS = 8
LONGEST_REASON = 500
Act = Callable[..., None]
"""What is done to one transfer: `act(session, transfer_id, actor=...)`."""
UNDER_WAY = (TransferState.QUEUED, TransferState.RUNNING)
PULLS = (TransferKind.C_GET, TransferKind.C_MOVE, TransferKind.WADO)


def new_transfer_id() -> str:
    """An id for a transfer to be begun."""
    return str(uuid.uuid4())


def queue_pull(session: Session, kind: TransferKind, source: str, study_instance_uid: str, *, actor: str) -> Transfer:
    """Queues the fetching of a study. Raises BringInError while the same study is on its way already."""
    query = select(Transfer.id).where(Transfer.state.in_(UNDER_WAY), Transfer.study_instance_uid == study_instance_uid)
    if session.scalar(query.limit(1)):
        raise BringInError("this study is being brought in already; wait for it, or cancel that transfer")
    transfer = Transfer(
        id=new_transfer_id(), kind=kind, source=source, study_instance_uid=study_instance_uid, who=actor[:128]
    )
    return _begun(session, transfer, actor)


def begin_files(
    session: Session, kind: TransferKind, source: str, transfer_id: str, files: int, *, actor: str
) -> Transfer:
    """Queues the intake of files that lie in the transfer's spool folder already."""
    transfer = Transfer(id=transfer_id, kind=kind, source=source[:64], expected=files, who=actor[:128])
    return _begun(session, transfer, actor)


def cancel(session: Session, transfer_id: str, *, actor: str) -> None:
    """Stops a transfer; what came stays. Raises UnknownTransfer, and BringInError when it has ended."""
    transfer = _transfer(session, transfer_id)
    if transfer.state not in UNDER_WAY:
        raise BringInError(f"this transfer is {transfer.state} already")
    if transfer.state == TransferState.QUEUED:
        transfer.state, transfer.finished_at = TransferState.CANCELED, utc_now()
    transfer.stop_asked, transfer.changed_at = True, utc_now()
    _audit(session, transfer, "transfer.canceled", actor)


def start_again(session: Session, transfer_id: str, *, actor: str) -> None:
    """Queues a transfer again that ended badly. Raises UnknownTransfer, and BringInError when it cannot be."""
    transfer = _transfer(session, transfer_id)
    if transfer.state in (*UNDER_WAY, TransferState.DONE):
        raise BringInError(f"this transfer is {transfer.state}; there is nothing to start again")
    transfer.state, transfer.stop_asked, transfer.attempts = TransferState.QUEUED, False, 0
    transfer.error, transfer.finished_at, transfer.changed_at = "", None, utc_now()
    _audit(session, transfer, "transfer.started", actor)


def claim(database: Database) -> Transfer | None:
    """The oldest transfer that waits, from now on running here; None when none waits."""
    with database.writing() as session:
        query = select(Transfer).where(Transfer.state == TransferState.QUEUED)
        transfer = session.scalar(query.order_by(Transfer.created_at).limit(1).with_for_update(skip_locked=True))
        if transfer is None:
            return None
        transfer.state, transfer.attempts = TransferState.RUNNING, transfer.attempts + 1
        transfer.started_at = transfer.changed_at = utc_now()
        if transfer.kind in PULLS:  # what came before comes again, and is known then
            transfer.done = transfer.refused = transfer.skipped = 0
            transfer.refusals = []
        return transfer


def show_life(database: Database, transfer_ids: Sequence[str]) -> None:
    """Says that these transfers still run."""
    _set(database, Transfer.id.in_(transfer_ids), changed_at=utc_now())


def give_back(database: Database, transfer_ids: Sequence[str]) -> None:
    """Queues running transfers again because their process ends in good order."""
    _set(
        database,
        Transfer.id.in_(transfer_ids),
        state=TransferState.QUEUED,
        attempts=Transfer.attempts - 1,
        changed_at=utc_now(),
    )


def take_over(database: Database) -> None:
    """Queues the transfers again whose process is gone; those that lost it too often wait for a person."""
    silent = Transfer.changed_at < utc_now() - timedelta(seconds=SILENCE_S)
    words = f"interrupted: the agent ended {MOST_ATTEMPTS} times meanwhile; start it again, or look into the log"
    _set(
        database,
        silent,
        Transfer.attempts >= MOST_ATTEMPTS,
        state=TransferState.INTERRUPTED,
        error=words,
        finished_at=utc_now(),
        changed_at=utc_now(),
    )
    _set(database, silent, state=TransferState.QUEUED, changed_at=utc_now())


def finish(database: Database, transfer_id: str, state: TransferState, error: str = "") -> None:
    """Ends a running transfer, with its audit line."""
    with database.writing() as session:
        transfer = session.get(Transfer, transfer_id)
        if transfer is None or transfer.state != TransferState.RUNNING:
            return
        transfer.state, transfer.error = state, error[:2000]
        transfer.finished_at = transfer.changed_at = utc_now()
        well = state is TransferState.DONE and not transfer.refused
        _audit(session, transfer, f"transfer.{state}", "agent", Outcome.SUCCESS if well else Outcome.MINOR_FAILURE)


class Progress:
    """Counts the instances of one running transfer, in memory and now and then in its row. For one thread."""

    def __init__(self, database: Database, transfer: Transfer) -> None:
        self._database = database
        self._id = transfer.id
        self._written_at = 0.0
        self.done, self.refused, self.skipped = transfer.done, transfer.refused, transfer.skipped
        self.expected = transfer.expected
        self.refusals = list(transfer.refusals)

    def took(self) -> None:
        """One more instance is safe. Raises Canceled."""
        self.done += 1
        self.write()

    def refuse(self, reason: str, count: int = 1) -> None:
        """Instances were refused. Raises Canceled."""
        self.refused += count
        if reason[:LONGEST_REASON] not in self.refusals and len(self.refusals) < MOST_REASONS:
            self.refusals.append(reason[:LONGEST_REASON])
        self.write()

    def skip(self) -> None:
        """One file is no DICOM file. Raises Canceled."""
        self.skipped += 1
        self.write()

    def expect(self, expected: int | None) -> None:
        """How many will be in the end. Raises Canceled."""
        self.expected = expected
        self.write()

    def write(self, *, now: bool = False) -> None:
        """Writes the counts, at most twice a second. Raises Canceled when the transfer shall not go on."""
        if not now and time.monotonic() - self._written_at < WRITE_S:
            return
        self._written_at = time.monotonic()
        with self._database.writing() as session:
            transfer = session.get(Transfer, self._id)
            if transfer is None or transfer.state != TransferState.RUNNING:
                raise Lost
            transfer.done, transfer.refused, transfer.skipped = self.done, self.refused, self.skipped
            transfer.expected, transfer.refusals = self.expected, list(self.refusals)
            transfer.changed_at = utc_now()
            stop = transfer.stop_asked
        if stop:
            raise Canceled


def _begun(session: Session, transfer: Transfer, actor: str) -> Transfer:
    session.add(transfer)
    _audit(session, transfer, "transfer.started", actor)
    return transfer


def _transfer(session: Session, transfer_id: str) -> Transfer:
    transfer = session.get(Transfer, transfer_id)
    if transfer is None:
        raise UnknownTransfer(f"there is no transfer {transfer_id}")
    return transfer


def _set(database: Database, *running: Any, **values: Any) -> None:
    with database.writing() as session:
        session.execute(update(Transfer).where(Transfer.state == TransferState.RUNNING, *running).values(**values))


def _audit(session: Session, transfer: Transfer, action: str, actor: str, outcome: Outcome = Outcome.SUCCESS) -> None:
    audit(
        session,
        actor=actor,
        action=action,
        outcome=outcome,
        subject=transfer.study_instance_uid or transfer.id or "",
        transfer=transfer.id,
        kind=transfer.kind,
        source=transfer.source,
        instances=transfer.done or 0,
        refused=transfer.refused or 0,
        error=transfer.error or "",
    )
