"""Tables of reviews: what people said of readings, and who is looking at a study right now."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pacs_agent.db.models import Base, Job, Study, utc_now

REVIEW_PIPELINE = "review"
"""The pipeline of the jobs that write and send the documents of a review. They are no readings of a study."""


class Review(Base):
    """One saved version of a review: all that a person said of one reading. An earlier version stays as it was.

    Login, name and DICOM person name are those the reviewer had when it was saved.
    """

    __tablename__ = "reviews"
    __table_args__ = (UniqueConstraint("job_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_pk: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    """The reading's job."""
    review_job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), unique=True)
    """The job that writes and sends the documents."""
    version: Mapped[int]
    """From 1, for each reading."""
    verified: Mapped[bool]
    login: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(128))
    person_name: Mapped[str] = mapped_column(String(324))
    """VR PN: Family^Given, with the ideographic and phonetic groups where there are any."""
    text: Mapped[str | None] = mapped_column(Text)
    """The report in the reviewer's words; NULL where the draft's sentences stay."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    study: Mapped[Study] = relationship()
    job: Mapped[Job] = relationship(foreign_keys=[job_id])
    review_job: Mapped[Job] = relationship(foreign_keys=[review_job_id])
    findings: Mapped[list["HandledFinding"]] = relationship(back_populates="review", order_by="HandledFinding.id")


class HandledFinding(Base):
    """What became of one finding in one version of a review, beside what the model had said of it."""

    __tablename__ = "finding_reviews"
    __table_args__ = (UniqueConstraint("review_pk", "finding"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    review_pk: Mapped[int] = mapped_column(ForeignKey("reviews.id"), index=True)
    finding: Mapped[str] = mapped_column(String(64))
    """Its key in the model's manifest."""
    action: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text, default="")
    model_name: Mapped[str] = mapped_column(String(128))
    model_version: Mapped[str] = mapped_column(String(128))
    presence: Mapped[str] = mapped_column(String(16))
    """As the model said."""
    probability: Mapped[float]
    edited: Mapped[dict[str, Any] | None]
    """The reviewer's own statement, of an edited or added finding."""
    slice: Mapped[dict[str, Any] | None]
    """The image, and the point in it, where an added finding was seen."""
    review: Mapped[Review] = relationship(back_populates="findings")


class ReviewerHere(Base):
    """Who looks at a study with the panel open, and when the panel last said so."""

    __tablename__ = "reviewers_here"

    study_instance_uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    login: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    seen_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
