"""The queue at this moment: what waits in which place, what is at work where, what failed and why."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from pacs_agent.console.frame import Page, page_of
from pacs_agent.console.queue.advice import advice_for
from pacs_agent.console.queue.jobs import job_row, job_rows, worker_name, worker_names
from pacs_agent.console.queue.models import (
    Active,
    Count,
    DeadLetter,
    DeadLetterList,
    DeadLettersAsked,
    FailedDelivery,
    QueuePage,
    StepNow,
    SuspendedNow,
    Waiting,
)
from pacs_agent.db import Delivery, DeliveryState, Job, JobState, JobStep, ResultObject, StepState, Worker
from pacs_agent.pipeline import DeadLetters, conditions_of, suspension

COUNTED = 1000
FIRST_WAITING = 30
FIRST_ACTIVE = 30
FIRST_FAILED = 10
_FAILED = (DeliveryState.REFUSED, DeliveryState.UNREACHABLE)


def queue_now(session: Session) -> QueuePage:
    """The first of each kind and how many there are."""
    active = Job.state.in_((JobState.RUNNING, JobState.DELIVERING))
    failed = DeadLettersAsked(limit=FIRST_FAILED)
    return QueuePage(
        suspended=suspended_now(session),
        workers=_workers(session),
        waiting=_waiting(session),
        waiting_count=counted(session, select(Job.id).where(Job.state == JobState.QUEUED)),
        active=_active(session),
        active_count=counted(session, select(Job.id).where(active)),
        dead_letters=_failed(session, failed).rows,
        dead_letter_count=counted(session, select(Job.id).where(Job.state == JobState.FAILED)),
    )


def dead_letters(session: Session, asked: DeadLettersAsked) -> DeadLetterList:
    """A page of the failed jobs that are asked for."""
    count = counted(session, select(Job.id).where(*conditions_of(_which(asked))))
    return DeadLetterList(**vars(_failed(session, asked)), count=count)


def suspended_now(session: Session) -> SuspendedNow | None:
    """Whether the work is suspended, since when, by whom and why."""
    row = suspension(session)
    return SuspendedNow(since=row.since, by=row.by, reason=row.reason) if row else None


def counted(session: Session, query: Select[Any]) -> Count:
    """How many rows a query finds, without ever counting a million of them."""
    number = session.scalar(select(func.count()).select_from(query.limit(COUNTED + 1).subquery())) or 0
    return Count(number=min(number, COUNTED), is_more=number > COUNTED)


def _workers(session: Session) -> list[str]:
    living = select(Worker).where(Worker.buried_at.is_(None)).order_by(Worker.started_at)
    return [worker_name(one) for one in session.scalars(living)]


def _waiting(session: Session) -> list[Waiting]:
    """In the order of the dispatcher; a job that waits for the one it supersedes is told in its place all the same."""
    query = job_rows().where(Job.state == JobState.QUEUED).order_by(Job.priority, Job.created_at).limit(FIRST_WAITING)
    jobs = session.scalars(query).all()
    return [Waiting(position=position, job=job_row(job)) for position, job in enumerate(jobs, start=1)]


def _active(session: Session) -> list[Active]:
    """Those that are read before those that are delivered, each kind from its newest on."""
    found: list[Job] = []
    for state in (JobState.RUNNING, JobState.DELIVERING):
        query = job_rows().where(Job.state == state).order_by(Job.created_at.desc(), Job.id.desc())
        found += session.scalars(query.limit(FIRST_ACTIVE - len(found))).all()
    steps = _steps_now(session, [job.id for job in found])
    names = worker_names(session, (one.worker for one in steps))
    return [
        Active(job=job_row(job), steps=[_now(one, names) for one in steps if one.job_id == job.id]) for job in found
    ]


def _steps_now(session: Session, job_ids: Sequence[str]) -> Sequence[JobStep]:
    open_steps = JobStep.state.in_((StepState.RUNNING, StepState.WAITING))
    query = select(JobStep).where(JobStep.job_id.in_(job_ids), open_steps).order_by(JobStep.id)
    return session.scalars(query).all() if job_ids else ()


def _now(step: JobStep, names: dict[str, str]) -> StepNow:
    worker = names.get(step.worker, step.worker)
    return StepNow(name=step.name, state=step.state, detail=step.detail, worker=worker, since=step.started_at)


def _failed(session: Session, asked: DeadLettersAsked) -> Page[DeadLetter]:
    query = job_rows().where(*conditions_of(_which(asked)))
    jobs: Page[Any] = page_of(session, query, asked, by=Job.created_at, key=Job.id, row=lambda job: job)
    return Page(rows=_dead_letters(session, jobs.rows), next=jobs.next, previous=jobs.previous)


def _dead_letters(session: Session, jobs: Sequence[Job]) -> list[DeadLetter]:
    query = select(ResultObject.job_id, Delivery).join(Delivery.result_object)
    query = query.where(ResultObject.job_id.in_([job.id for job in jobs]), Delivery.state.in_(_FAILED))
    failed: dict[str, list[Delivery]] = {job.id: [] for job in jobs}
    for job_id, delivery in session.execute(query.order_by(Delivery.id)):
        failed[job_id].append(delivery)
    return [_dead_letter(job, failed[job.id]) for job in jobs]


def _dead_letter(job: Job, failed: Sequence[Delivery]) -> DeadLetter:
    deliveries = [
        FailedDelivery(destination=one.destination, state=one.state, attempts=one.attempts, answer=one.answer)
        for one in failed
    ]
    return DeadLetter(job=job_row(job), deliveries=deliveries, advice=advice_for(job, failed))


def _which(asked: DeadLettersAsked) -> DeadLetters:
    return DeadLetters(pipeline=asked.pipeline, destination=asked.destination, error=asked.error)
