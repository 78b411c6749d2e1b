"""Tables of operation: settings at run time, the conditions of the agent, and who was told of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pacs_agent.db.models import Base, utc_now


class RuntimeSettings(Base):
    """One section of the settings that are changed while the agent runs, such as `retention`, as JSON."""

    __tablename__ = "runtime_settings"

    section: Mapped[str] = mapped_column(String(32), primary_key=True)
    content: Mapped[dict[str, Any]]
    changed_at: Mapped[datetime] = mapped_column(default=utc_now)
    changed_by: Mapped[str] = mapped_column(String(128), default="")


class RuntimeSecret(Base):
    """A password or key that people write and nobody reads but the agent; apart, so that no export gives it away."""

    __tablename__ = "runtime_secrets"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class RemovedFile(Base):
    """A file whose rows are gone and that is to go too. Whoever dies in between leaves it here for the sweep."""

    __tablename__ = "removed_files"

    path: Mapped[str] = mapped_column(String(255), primary_key=True)
    """Below the folder of the data: `archive/...`, `tokens/...` or `segmented/...`."""
    removed_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)


class Upkeep(Base):
    """When a regular task was last begun by any worker, so that only one of them does it."""

    __tablename__ = "upkeep"

    task: Mapped[str] = mapped_column(String(32), primary_key=True)
    begun_at: Mapped[datetime] = mapped_column(default=utc_now)
    state: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What the task remembers until its next run."""


class Condition(Base):
    """Something that is wrong with the agent, from when to when. It holds while `ended_at` is NULL."""

    __tablename__ = "conditions"
    __table_args__ = (Index("ix_conditions_ended_began", "ended_at", "began_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    event: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(128), default="")
    """Which one, such as a destination's name; never patient data."""
    words: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(default=0)
    """How many of them there are, where they can be counted."""
    began_at: Mapped[datetime] = mapped_column(default=utc_now)
    told_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Notice(Base):
    """A message that waits to be sent, or was; one for each way it goes. It is tried again until `over_at` is set."""

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_over_next", "over_at", "next_attempt_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    way: Mapped[str] = mapped_column(String(16))
    event: Mapped[str] = mapped_column(String(32))
    content: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=utc_now)
    over_at: Mapped[datetime | None]
    """When it was taken, or given up."""
    answer: Mapped[str] = mapped_column(Text, default="")
    """What the other side said last."""


class ConfigurationDraft(Base):
    """A configuration that was uploaded and not applied yet."""

    __tablename__ = "configuration_drafts"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    uploaded_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    uploaded_by: Mapped[str] = mapped_column(String(128), default="")
