"""Table of transfers: studies and files that people bring in, each with its progress."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pacs_agent.db.models import Base, utc_now

OWN_ACCORD = "agent"
"""Who asked for a transfer that nobody asked for: the agent itself, for a study to compare with."""


class TransferKind(StrEnum):
    """By which way instances are brought in."""

    UPLOAD = "upload"
    FOLDER = "folder"
    C_GET = "c-get"
    C_MOVE = "c-move"
    WADO = "wado-rs"


class TransferState(StrEnum):
    """State of a transfer. `interrupted`: the agent ended too often meanwhile; a person may start it again."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"
    INTERRUPTED = "interrupted"


class Transfer(Base):
    """One study or one heap of files on its way in. Counts are of instances."""

    __tablename__ = "transfers"
    __table_args__ = (
        Index("ix_transfers_created", "created_at", "id"),
        Index("ix_transfers_state_created", "state", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[TransferKind] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(String(64))
    """Name of the destination it is fetched from; of files, where they came from."""
    study_instance_uid: Mapped[str] = mapped_column(String(64), default="", index=True)
    """Empty for files: there may be several studies among them."""
    state: Mapped[TransferState] = mapped_column(String(16), default=TransferState.QUEUED)
    stop_asked: Mapped[bool] = mapped_column(default=False)
    done: Mapped[int] = mapped_column(default=0)
    """Safe in the archive; those that were there before count too."""
    expected: Mapped[int | None]
    refused: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    """Files that are no DICOM files."""
    refusals: Mapped[list[str]] = mapped_column(default=list)
    """Why instances were refused, each reason once, the first few."""
    error: Mapped[str] = mapped_column(Text, default="")
    who: Mapped[str] = mapped_column(String(128), default="")
    attempts: Mapped[int] = mapped_column(default=0)
    """How often it was begun; more than once after the agent ended meanwhile."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    changed_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    """Moves with every change and at least every few seconds while it runs: a sign of life."""
