"""Tables of models beside those that read: what came in, is in shadow, recalled or checked; and what was said."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pacs_agent.db.models import Base, Job, utc_now
from pacs_agent.db.reviews import REVIEW_PIPELINE

SHADOW_PIPELINE = "shadow"
"""The pipeline of the jobs in which a model reads beside the one in use. Nobody is told what it says."""
PRIOR_PIPELINE = "prior"
"""The pipeline of the jobs that hold readings of studies fetched to be compared with. Nobody is told them either."""
OWN_PIPELINES = (REVIEW_PIPELINE, SHADOW_PIPELINE, PRIOR_PIPELINE)
"""The agent's own pipelines: their jobs are no readings that anybody waits for, and no rule may name them."""


class ModelUpload(Base):
    """A bundle that came in through the agent itself. It reads nothing until it is activated."""

    __tablename__ = "model_uploads"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Of the bundle's manifest."""
    name: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(64))
    uploaded_at: Mapped[datetime] = mapped_column(default=utc_now)
    uploaded_by: Mapped[str] = mapped_column(String(128), default="")


class ModelShadow(Base):
    """A time in which a bundle read beside the one in use; it still does while `ended_at` is NULL."""

    __tablename__ = "model_shadows"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_by: Mapped[str] = mapped_column(String(128), default="")
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(String(128), default="")


class ShadowReading(Base):
    """What a model in shadow said of a study, beside what the one in use had said. The whole reading is in its job."""

    __tablename__ = "shadow_readings"
    __table_args__ = (Index("ix_shadow_readings_shadow", "shadow_pk", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    shadow_pk: Mapped[int] = mapped_column(ForeignKey("model_shadows.id"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), unique=True)
    of_job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    """The job of the model in use."""
    said: Mapped[dict[str, Any] | None]
    """`compare.Pair` as JSON; NULL until it has read."""
    shadow: Mapped[ModelShadow] = relationship()
    job: Mapped[Job] = relationship(foreign_keys=[job_id])
    of_job: Mapped[Job] = relationship(foreign_keys=[of_job_id])


class ModelRecall(Base):
    """A version of a model whose results are not to be relied on, until the recall is lifted. Results stay."""

    __tablename__ = "model_recalls"
    __table_args__ = (Index("ix_model_recalls_model", "name", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text)
    recalled_at: Mapped[datetime] = mapped_column(default=utc_now)
    recalled_by: Mapped[str] = mapped_column(String(128), default="")
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str] = mapped_column(String(128), default="")


class ModelCheck(Base):
    """A verification of an installed bundle that somebody asked for, with what was found so far."""

    __tablename__ = "model_checks"

    id: Mapped[int] = mapped_column(primary_key=True)
    folder: Mapped[str] = mapped_column(String(255), index=True)
    """Name of the bundle's folder."""
    state: Mapped[str] = mapped_column(String(16))
    found: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """`{"digest", "expected", "checks": [{"name", "outcome", "found"}]}`."""
    started_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_by: Mapped[str] = mapped_column(String(128), default="")
    finished_at: Mapped[datetime | None]


class ReadingStatistics(Base):
    """How often a model said what in a week, and of which images: counts alone, so that years are few rows."""

    __tablename__ = "reading_statistics"
    __table_args__ = (UniqueConstraint("name", "version", "period"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(64))
    period: Mapped[str] = mapped_column(String(10))
    """Monday of the week, as 2026-11-16, or `first` for the first studies of this version."""
    studies: Mapped[int] = mapped_column(default=0)
    content: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """`statistics.Counts` as JSON."""
