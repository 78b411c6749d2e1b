"""Jobs as rows of lists, and one with its steps, objects and deliveries."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from pydicom.uid import UID
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload, load_only, selectinload

from pacs_agent.console.queue.advice import advice_for
from pacs_agent.console.queue.expected import expectations_of
from pacs_agent.console.queue.models import DeliveryShown, JobRow, JobShown, ObjectShown, StepShown
from pacs_agent.db import Delivery, Job, JobState, JobStep, Patient, ResultObject, StepState, Study, Worker, utc_now

_ENDED = (JobState.DONE, JobState.NO_RESULT, JobState.FAILED, JobState.CANCELED)
_NARROWEST_PERCENT = 0.4
"""So that the shortest step is still seen."""
_ROW = (
    *(Job.id, Job.study_pk, Job.state, Job.progress, Job.pipeline, Job.rule, Job.bundle, Job.priority),
    *(Job.destinations, Job.run, Job.error, Job.created_at, Job.started_at, Job.finished_at),
    *(Job.segmenter, Job.lacks),
)
_OF_ONE = (Job.supersedes_id, Job.reading, Job.expected, Job.series_choice)


def job_rows() -> Select[Job]:
    """Jobs with what a row needs; readings stay where they are, as they are long."""
    study = joinedload(Job.study, innerjoin=True)
    return select(Job).options(
        load_only(*_ROW),
        study.load_only(Study.study_instance_uid, Study.description, Study.patient_pk),
        study.joinedload(Study.patient, innerjoin=True).load_only(Patient.name),
    )


def job_row(job: Job) -> JobRow:
    """A job of `job_rows` as a row."""
    return JobRow(
        id=job.id,
        study_instance_uid=job.study.study_instance_uid,
        patient_name=job.study.patient.name,
        description=job.study.description,
        state=job.state,
        progress=job.progress,
        pipeline=job.pipeline,
        rule=job.rule,
        bundle=job.bundle,
        segmenter=job.segmenter,
        priority=job.priority,
        destinations=job.destinations,
        run=job.run,
        error=job.error,
        lacks=job.lacks,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        seconds=_seconds(job.started_at, job.finished_at or utc_now()),
    )


def jobs_of_study(session: Session, study_pk: int, limit: int) -> list[JobShown]:
    """The newest jobs of a study, the newest first."""
    query = _whole().where(Job.study_pk == study_pk).order_by(Job.created_at.desc(), Job.id.desc())
    return shown(session, session.scalars(query.limit(limit)).all())


def one_job(session: Session, job_id: str) -> JobShown | None:
    """A job with all that is known of it; None when there is none of this id."""
    return next(iter(shown(session, session.scalars(_whole().where(Job.id == job_id)).all())), None)


def worker_names(session: Session, executor_ids: Iterable[str]) -> dict[str, str]:
    """Host and process of each worker that is still known."""
    workers = select(Worker).where(Worker.executor_id.in_({one for one in executor_ids if one}))
    return {one.executor_id: worker_name(one) for one in session.scalars(workers)}


def worker_name(worker: Worker) -> str:
    """Host and process, for people; the host's identity has its process id namespace behind a slash."""
    return f"{worker.host.partition('/')[0]}, process {worker.pid}"


def shown(session: Session, jobs: Sequence[Job]) -> list[JobShown]:
    """Jobs of `_whole`, with what took their place and with the names of their workers."""
    later = select(Job.supersedes_id, Job.id).where(Job.supersedes_id.in_([job.id for job in jobs]))
    superseded_by = {row.supersedes_id: row.id for row in session.execute(later)}
    names = worker_names(session, (step.worker for job in jobs for step in job.steps))
    return [_shown(job, superseded_by.get(job.id, ""), names) for job in jobs]


def _whole() -> Select[Job]:
    objects = selectinload(Job.results).options(selectinload(ResultObject.deliveries))
    return job_rows().options(load_only(*_ROW, *_OF_ONE), selectinload(Job.steps), objects)


def _shown(job: Job, superseded_by: str, names: dict[str, str]) -> JobShown:
    start, end = _span(job)
    failed = [one for result in job.results for one in result.deliveries if one.state in ("refused", "unreachable")]
    return JobShown(
        job=job_row(job),
        steps=[_step(step, start, end, names) for step in sorted(job.steps, key=lambda one: one.started_at)],
        bar_seconds=(end - start).total_seconds(),
        waited_seconds=_seconds(job.created_at, job.started_at),
        objects=[_object(result) for result in job.results],
        supersedes=job.supersedes_id or "",
        superseded_by=superseded_by,
        advice=advice_for(job, failed) if job.state == JobState.FAILED else "",
        sentences=[str(one.get("text", "")) for one in (job.reading or {}).get("sentences", ())],
        expected=expectations_of(job),
    )


def _span(job: Job) -> tuple[datetime, datetime]:
    """Begin and end of what the steps took, until now while one is not over."""
    starts = [step.started_at for step in job.steps]
    ends = [step.finished_at or (job.finished_at if job.state in _ENDED else None) or utc_now() for step in job.steps]
    start = min(starts, default=job.created_at)
    return start, max(ends, default=start)


def _step(step: JobStep, start: datetime, end: datetime, names: dict[str, str]) -> StepShown:
    total_s = max((end - start).total_seconds(), 1e-3)
    until = step.finished_at or end
    left = 100 * (step.started_at - start).total_seconds() / total_s
    wide = 100 * (until - step.started_at).total_seconds() / total_s
    left = min(max(left, 0.0), 100 - _NARROWEST_PERCENT)
    return StepShown(
        name=step.name,
        state=step.state,
        attempts=step.attempts,
        detail=step.detail,
        worker=names.get(step.worker, step.worker),
        started_at=step.started_at,
        finished_at=step.finished_at,
        seconds=None if step.state == StepState.WAITING else _seconds(step.started_at, until),
        from_percent=round(left, 2),
        wide_percent=round(min(max(wide, _NARROWEST_PERCENT), 100 - left), 2),
    )


def _object(result: ResultObject) -> ObjectShown:
    return ObjectShown(
        kind=result.kind,
        sop_instance_uid=result.sop_instance_uid,
        sop_class_uid=result.sop_class_uid,
        sop_class=UID(result.sop_class_uid).name,
        created_at=result.created_at,
        deliveries=[_delivery(one) for one in result.deliveries],
    )


def _delivery(delivery: Delivery) -> DeliveryShown:
    return DeliveryShown(
        destination=delivery.destination,
        state=delivery.state,
        attempts=delivery.attempts,
        answer=delivery.answer,
        changed_at=delivery.changed_at,
    )


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return max(0.0, round((end - start).total_seconds(), 3)) if start and end else None
