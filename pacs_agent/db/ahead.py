"""Table of slices that were encoded before their study was complete."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pacs_agent.db.models import Base, utc_now


class SeriesAhead(Base):
    """How many slices of a series were read ahead, and of how many a job made use. The row says nothing to a job."""

    __tablename__ = "series_ahead"
    __table_args__ = (
        UniqueConstraint("study_pk", "series_instance_uid"),
        Index("ix_series_ahead_changed", "changed_at"),
        Index("ix_series_ahead_settled", "settled_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_pk: Mapped[int] = mapped_column(ForeignKey("studies.id"))
    series_instance_uid: Mapped[str] = mapped_column(String(64))
    encoded: Mapped[int] = mapped_column(default=0)
    undecodable: Mapped[int] = mapped_column(default=0)
    """Slices whose pixel data no decoder could read; the job says so."""
    left_out: Mapped[int] = mapped_column(default=0)
    """Slices left for completeness: the budget was spent, or too many waited."""
    used: Mapped[int] = mapped_column(default=0)
    """Of those encoded; known once `settled_at` is set. The others were in vain."""
    changed_at: Mapped[datetime] = mapped_column(default=utc_now)
    settled_at: Mapped[datetime | None]
