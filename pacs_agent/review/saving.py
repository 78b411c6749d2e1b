"""A review is saved: checked against what is newest, and kept with the job that will write its documents."""

import uuid
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.db import (
    OWN_PIPELINES,
    REVIEW_PIPELINE,
    HandledFinding,
    Instance,
    Job,
    Origin,
    Review,
    Series,
    Study,
    utc_now,
)
from pacs_agent.inference.reading import StudyReading
from pacs_agent.ops import Outcome, audit
from pacs_agent.results import FindingReview, Reviewer
from pacs_agent.review.checks import ImageKnown, Images, check_review
from pacs_agent.review.errors import NothingToReview, ReviewConflict
from pacs_agent.review.model import ReviewNow, ReviewRequest
from pacs_agent.review.stored import newest_review, review_now

PRIORITY = 1
"""Reviews wait for each other in turn, never for a reading."""


def save_review(session: Session, study_instance_uid: str, request: ReviewRequest, reviewer: Reviewer) -> ReviewNow:
    """Keeps a review and queues the job of its documents, in the caller's transaction.

    Raises NothingToReview, ReviewRefused, or ReviewConflict when somebody saved another review or a newer reading came.
    """
    job = _reading_job(session, study_instance_uid, request.job_id)
    _check_newest(session, job, request.base_version)
    reading = StudyReading.model_validate(job.reading)
    check_review(request, reading, _images(session, job.study_pk))
    review = _kept(session, job, request, reviewer, reading)
    _audit(session, study_instance_uid, review)
    return review_now(session, review)


def _reading_job(session: Session, study_instance_uid: str, job_id: str) -> Job:
    """The job of the reading, locked, so that of two reviews saved at once one comes second."""
    query = select(Job).join(Study).where(Study.study_instance_uid == study_instance_uid, Job.id == job_id)
    job = session.scalar(query.where(Job.pipeline.not_in(OWN_PIPELINES)).with_for_update(of=Job))
    if job is None or job.reading is None:
        raise NothingToReview(f"the study has no result {job_id}; reload the study and review the result that is there")
    return job


def _check_newest(session: Session, job: Job, base_version: int) -> None:
    newest = newest_review(session, job.id)
    found = ("", None, 0) if newest is None else (newest.name, newest.created_at, newest.version)
    if _is_superseded(session, job):
        raise ReviewConflict("a newer result has come; reload the study and review that one", *found)
    by, _, version = found
    if version != base_version:
        who = f"{by} saved a review" if newest else "the review that this one rests on is not there"
        raise ReviewConflict(f"{who}; reload the study, look at it, then save yours", *found)


def _is_superseded(session: Session, job: Job) -> bool:
    """Whether a later reading of the study by the same pipeline says something."""
    later = select(Job.id).where(Job.study_pk == job.study_pk, Job.pipeline == job.pipeline)
    told = later.where(Job.created_at > job.created_at, Job.reading["bundle"]["digest"].as_string().is_not(None))
    return session.scalar(told.limit(1)) is not None


def _images(session: Session, study_pk: int) -> Images:
    query = select(Instance.sop_instance_uid, Instance.frames, Instance.rows, Instance.columns).join(Series)
    received = query.where(Series.study_pk == study_pk, Instance.origin == Origin.RECEIVED)
    return {row.sop_instance_uid: ImageKnown(row.frames, row.rows, row.columns) for row in session.execute(received)}


def _kept(session: Session, job: Job, request: ReviewRequest, reviewer: Reviewer, reading: StudyReading) -> Review:
    review_job = _review_job(session, job)
    session.add(review_job)
    session.flush()
    review = Review(
        study_pk=job.study_pk,
        job_id=job.id,
        review_job_id=review_job.id,
        version=request.base_version + 1,
        verified=request.verify,
        login=reviewer.login,
        name=reviewer.name,
        person_name=reviewer.person_name,
        text=request.text,
        created_at=review_job.created_at,
        findings=[_row(one, reading) for one in request.findings],
    )
    session.add(review)
    session.flush()
    return review


def _review_job(session: Session, job: Job) -> Job:
    """The job that writes the documents and sends them where the reading's objects went."""
    earlier = (
        select(Review.review_job_id)
        .join(Job, Review.job_id == Job.id)
        .where(Review.study_pk == job.study_pk, Job.pipeline == job.pipeline)
        .order_by(Review.id.desc())
    )
    return Job(
        id=str(uuid.uuid4()),
        study_pk=job.study_pk,
        rule=job.rule,
        pipeline=REVIEW_PIPELINE,
        priority=PRIORITY,
        destinations=list(job.destinations),
        input_digest=job.input_digest,
        supersedes_id=session.scalar(earlier.limit(1)),
        bundle=job.bundle,
        created_at=utc_now(),
    )


def _row(handled: FindingReview, reading: StudyReading) -> HandledFinding:
    said = reading.finding(handled.finding)
    return HandledFinding(
        finding=handled.finding,
        action=handled.action,
        reason=handled.reason.strip(),
        model_name=reading.bundle.name[:128],
        model_version=reading.bundle.version[:128],
        presence=said.presence,
        probability=said.probability,
        edited=_json(handled.edited),
        slice=_json(handled.slice),
    )


def _json(said: Any) -> dict[str, Any] | None:
    return None if said is None else dict(said.model_dump(mode="json"))


def _audit(session: Session, study_instance_uid: str, review: Review) -> None:
    """Counts and ids; what was said is in the review itself."""
    actions = [row.action for row in review.findings]
    audit(
        session,
        actor=review.login,
        action="review.verified" if review.verified else "review.saved",
        outcome=Outcome.SUCCESS,
        subject=study_instance_uid,
        reading=review.job_id,
        job=review.review_job_id,
        version=review.version,
        text_edited=review.text is not None,
        findings={action: actions.count(action) for action in sorted(set(actions))},
    )
