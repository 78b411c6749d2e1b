"""What people do to jobs and to their queue. Works from any process: the workers see it in the database."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Select, delete, exists, or_, select
from sqlalchemy.orm import Session

from pacs_agent.db import Database, Delivery, DeliveryState, Job, JobState, JobStep, StepState
from pacs_agent.deliver import reset_deliveries, send_deliveries_again
from pacs_agent.ops import Outcome, audit
from pacs_agent.pipeline.errors import JobStateError
from pacs_agent.pipeline.steps import cancel_job, through
from pacs_agent.route import LOWEST_PRIORITY

_RERUNNABLE = (JobState.FAILED, JobState.CANCELED)
_SENDABLE = (JobState.DONE, JobState.NO_RESULT)
_CANCELABLE = (JobState.QUEUED, JobState.RUNNING, JobState.DELIVERING)
_NOT_TAKEN = (DeliveryState.REFUSED, DeliveryState.UNREACHABLE)
RERUN_AT_ONCE = 5000
_OF_ONE_TRANSACTION = 200


class DeadLetters(BaseModel):
    """Which failed jobs are meant; what is left empty does not matter."""

    model_config = ConfigDict(frozen=True)

    pipeline: str = ""
    destination: str = ""
    """One that an object of the job did not reach."""
    error: str = ""
    """Part of the reason."""
    since: datetime | None = None
    """Created then or later."""


def rerun(database: Database, job_id: str, *, actor: str) -> None:
    """Queues a failed or canceled job again. Steps that are done stay done, what was delivered is not sent twice.

    Raises JobStateError for a job in any other state.
    """
    with database.writing() as session:
        _rerun(session, _job(session, job_id, _RERUNNABLE, "run again"), actor)


def rerun_all(database: Database, which: DeadLetters, *, actor: str) -> int:
    """Queues failed jobs again, oldest first, at most RERUN_AT_ONCE; returns how many.

    Some at a time, so that images that come in meanwhile need not wait; whoever is killed in between begins again.
    """
    with database.reading() as session:
        ids = list(session.scalars(_dead_letters(which).limit(RERUN_AT_ONCE)))
    return sum(_rerun_some(database, some, actor) for some in _portions(ids))


def send_again(database: Database, job_id: str, *, actor: str) -> None:
    """Queues a job that is done once more, to send its objects again to all its destinations. Nothing is read again.

    For a PACS that lost them: one that has them answers that it does. Raises JobStateError for a job in another state.
    """
    with database.writing() as session:
        job = _job(session, job_id, _SENDABLE, "sent again")
        if not job.destinations:
            raise JobStateError(f"job {job_id} has no destination; its objects are in the agent's own archive")
        before = job.state
        _queue(job)
        session.execute(delete(JobStep).where(JobStep.job_id == job_id, JobStep.name.contains(":")))
        send_deliveries_again(session, job_id)
        _audit(session, actor, "job.sent_again", job, before=before, after=job.state)


def cancel(database: Database, job_id: str, *, actor: str) -> None:
    """Cancels a job that has not ended; its worker notices within a second or at the next step.

    Raises JobStateError for a job that has ended.
    """
    with database.writing() as session:
        job = _job(session, job_id, _CANCELABLE, "canceled")
        cancel_job(session, job, f"canceled by {actor}", actor=actor)


def reprioritise(database: Database, job_id: str, priority: int, *, actor: str) -> None:
    """Gives a waiting job another priority; the lowest number is read first.

    It is put into the queue again, as its next run: the earlier entry ends when its turn comes. Raises JobStateError
    for a job that has begun, and for a number that is no priority.
    """
    if not 1 <= priority <= LOWEST_PRIORITY:
        raise JobStateError(f"{priority} is no priority; give a number from 1, first, to {LOWEST_PRIORITY}, last")
    with database.writing() as session:
        job = _job(session, job_id, (JobState.QUEUED,), "given another priority")
        before, job.priority, job.run = job.priority, priority, job.run + 1
        _audit(session, actor, "job.reprioritised", job, before=before, after=priority)


def conditions_of(which: DeadLetters) -> list[ColumnElement[bool]]:
    """The conditions by which the dead letters are found among the jobs."""
    conditions: list[ColumnElement[bool]] = [Job.state == JobState.FAILED]
    if which.pipeline:
        conditions.append(Job.pipeline == which.pipeline)
    if which.error:
        conditions.append(Job.error.contains(which.error, autoescape=True))
    if which.since:
        conditions.append(Job.created_at >= which.since)
    if which.destination:
        conditions += _missed(which.destination)
    return conditions


def _missed(destination: str) -> list[ColumnElement[bool]]:
    """Jobs of which a destination lacks an object. One that lacks none is known before any job is looked at.

    The step of each job is asked for by itself, as the steps of all jobs together are millions.
    """
    lacks = exists().where(Delivery.destination == destination, Delivery.state.in_(_NOT_TAKEN))
    return [lacks, or_(*(_step_failed(f"{act}:{destination}") for act in ("deliver", "confirm")))]


def _step_failed(name: str) -> ColumnElement[bool]:
    state = select(JobStep.state).where(JobStep.job_id == Job.id, JobStep.name == name)
    return state.scalar_subquery() == StepState.FAILED


def _dead_letters(which: DeadLetters) -> Select[str]:
    return select(Job.id).where(*conditions_of(which)).order_by(Job.created_at, Job.id)


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _OF_ONE_TRANSACTION] for start in range(0, len(ids), _OF_ONE_TRANSACTION))


def _rerun_some(database: Database, ids: Sequence[str], actor: str) -> int:
    """Queues those again that are still failed."""
    with database.writing() as session:
        failed = select(Job).where(Job.id.in_(ids), Job.state == JobState.FAILED).with_for_update()
        jobs = session.scalars(failed.order_by(Job.created_at, Job.id)).all()
        for job in jobs:
            _rerun(session, job, actor)
    return len(jobs)


def _rerun(session: Session, job: Job, actor: str) -> None:
    before = job.state
    _queue(job)
    session.execute(delete(JobStep).where(JobStep.job_id == job.id, JobStep.state != StepState.DONE))
    reset_deliveries(session, job.id, through(job))
    _audit(session, actor, "job.rerun", job, run=job.run, before=before, after=job.state)


def _queue(job: Job) -> None:
    job.state, job.run, job.error, job.progress, job.finished_at = JobState.QUEUED, job.run + 1, "", 0.0, None


def _audit(session: Session, actor: str, action: str, job: Job, **detail: object) -> None:
    audit(session, actor=actor, action=action, outcome=Outcome.SUCCESS, subject=job.id, **detail)


def _job(session: Session, job_id: str, states: tuple[JobState, ...], what: str) -> Job:
    job = session.get(Job, job_id, with_for_update=True)
    if job is None:
        raise JobStateError(f"there is no job {job_id}; `pacs-agent jobs` lists them")
    if job.state not in states:
        raise JobStateError(f"job {job_id} is {job.state}; only a {' or '.join(states)} job can be {what}")
    return job
