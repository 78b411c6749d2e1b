"""Reviews as the database holds them: the newest of a reading, and where its documents are."""

from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from pacs_agent.db import Job, JobState, ResultObject, Review
from pacs_agent.results import FindingReview
from pacs_agent.review.model import DeliveryNow, DocumentNow, ReviewNow

_STATES: dict[JobState, Literal["sent", "failed"]] = {
    JobState.DONE: "sent",
    JobState.FAILED: "failed",
    JobState.CANCELED: "failed",
}


def current_review(session: Session, job_id: str) -> ReviewNow | None:
    """The newest saved review of a reading; None while there is none."""
    found = newest_review(session, job_id)
    return review_now(session, found) if found else None


def newest_review(session: Session, job_id: str) -> Review | None:
    """The row of the newest saved review of a reading."""
    newest = select(Review).where(Review.job_id == job_id).order_by(Review.version.desc()).limit(1)
    return session.scalar(newest.options(selectinload(Review.findings)))


def review_now(session: Session, review: Review) -> ReviewNow:
    """A review with its documents and how far they are."""
    job = session.get_one(Job, review.review_job_id)
    return ReviewNow(
        version=review.version,
        by=review.name,
        at=review.created_at,
        job_id=review.job_id,
        verified=review.verified,
        findings=tuple(FindingReview.model_validate(row, from_attributes=True) for row in review.findings),
        text=review.text,
        objects=documents_now(session, job.id),
        state=_STATES.get(job.state, "sending"),
        error=job.error,
    )


def documents_now(session: Session, job_id: str) -> tuple[DocumentNow, ...]:
    """The documents that a job made, and how far each is on its way."""
    query = select(ResultObject).where(ResultObject.job_id == job_id).order_by(ResultObject.id)
    return tuple(
        DocumentNow(
            kind=row.kind,
            sop_class_uid=row.sop_class_uid,
            sop_instance_uid=row.sop_instance_uid,
            series_instance_uid=row.series_instance_uid,
            deliveries=tuple(DeliveryNow(destination=one.destination, state=one.state) for one in row.deliveries),
        )
        for row in session.scalars(query.options(selectinload(ResultObject.deliveries)))
    )
