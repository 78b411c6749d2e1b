"""Studies that the agent fetched of its own accord, to compare others with them: no rule is asked about them."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.assemble.grown import Receiving
from pacs_agent.db import OWN_ACCORD, Transfer, TransferKind, TransferState

FETCHED_AS_PRIOR = "it was fetched to compare a later study with it; send or force it to have it read by itself"
LATE_S = 10.0
"""What comes so long after the end of the transfer was sent by somebody; clocks of two machines differ by less."""
LATE_WHERE_BROKEN_OFF_S = 600.0
"""The same where a C-MOVE broke off, which the PACS may go on with."""


def last_own_transfer(session: Session, study_instance_uid: str) -> Transfer | None:
    """The last transfer of a study that nobody asked for but the agent; None where there is none."""
    own = select(Transfer).where(Transfer.study_instance_uid == study_instance_uid, Transfer.who == OWN_ACCORD)
    return session.scalar(own.order_by(Transfer.created_at.desc()).limit(1))


def is_fetched_prior(session: Session, study: Receiving) -> bool:
    """Whether all that came of a study lately came because the agent itself asked for it."""
    last = last_own_transfer(session, study.study_instance_uid)
    if last is None or last.finished_at is None:
        return last is not None
    return study.last_received_at <= last.finished_at + timedelta(seconds=_late_s(last))


def _late_s(transfer: Transfer) -> float:
    is_whole = transfer.kind != TransferKind.C_MOVE or transfer.state == TransferState.DONE
    return LATE_S if is_whole else LATE_WHERE_BROKEN_OFF_S
