"""Tables of storage commitment (PS3.4 J): what peers asked us to vouch for, and what we asked of destinations."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pacs_agent.db.models import Base, utc_now


class OwedState(StrEnum):
    """Where an answer that we owe is. `given_up`: the peer took it at no attempt; it may ask anew."""

    WAITING = "waiting"
    TOLD = "told"
    GIVEN_UP = "given up"


class CommitmentOwed(Base):
    """A request of a peer, and the N-EVENT-REPORT that it is owed."""

    __tablename__ = "commitments_owed"
    __table_args__ = (
        UniqueConstraint("ae_title", "transaction_uid"),
        Index("ix_commitments_owed_state_next", "state", "next_attempt_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ae_title: Mapped[str] = mapped_column(String(16))
    transaction_uid: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(128))
    """Who asked, as "AE@address"."""
    instances: Mapped[list[list[str]]] = mapped_column(JSON)
    """SOP Class UID and SOP Instance UID of each."""
    state: Mapped[OwedState] = mapped_column(String(16), default=OwedState.WAITING)
    committed: Mapped[int | None]
    """How many of them were safe when it was looked last; None before."""
    attempts: Mapped[int] = mapped_column(default=0)
    answer: Mapped[str] = mapped_column(Text, default="")
    """What the peer said of the report, or why it did not get it."""
    asked_at: Mapped[datetime] = mapped_column(default=utc_now)
    next_attempt_at: Mapped[datetime] = mapped_column(default=utc_now)
    over_at: Mapped[datetime | None]


class AskedState(StrEnum):
    """Where a request of ours is. `replaced`: it was not taken, not answered in time, or its answer was acted upon."""

    ASKING = "asking"
    WAITING = "waiting"
    ANSWERED = "answered"
    REPLACED = "replaced"


class CommitmentAsked(Base):
    """Our request to a destination to keep a job's objects for good, and its answer."""

    __tablename__ = "commitments_asked"
    __table_args__ = (Index("ix_commitments_asked_job", "job_id", "destination", "asked_at"),)

    transaction_uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    job_id: Mapped[str] = mapped_column(String(36))
    destination: Mapped[str] = mapped_column(String(64))
    called_ae: Mapped[str] = mapped_column(String(16))
    """AE title that was asked: nobody else may answer."""
    instances: Mapped[list[list[str]]] = mapped_column(JSON)
    """SOP Class UID and SOP Instance UID of each."""
    state: Mapped[AskedState] = mapped_column(String(16), default=AskedState.ASKING)
    committed: Mapped[list[str]] = mapped_column(default=list)
    """SOP Instance UIDs."""
    failed: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    """Failure Reason (0008,1197) by SOP Instance UID."""
    asked_at: Mapped[datetime] = mapped_column(default=utc_now)
    answered_at: Mapped[datetime | None]
