"""What the database holds of a study and its readings. The large column, the reading itself, is fetched apart."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, func, select
from sqlalchemy.orm import Session

from pacs_agent.console.readings.models import JobNow, StepNow
from pacs_agent.db import (
    OWN_PIPELINES,
    Instance,
    Job,
    JobState,
    JobStep,
    ResultObject,
    Series,
    StepState,
    Study,
    StudyState,
)
from pacs_agent.inference import StudyReading
from pacs_agent.results import ObjectKind


@dataclass(frozen=True)
class StudyKnown:
    """A study by its key, and how far it is before it becomes jobs."""

    pk: int
    study_date: str
    state: StudyState
    state_reason: str


@dataclass(frozen=True)
class JobKnown:
    """A reading job without its reading. `told`: it has objects that say what the model says."""

    id: str
    run: int
    state: JobState
    progress: float
    error: str
    lacks: str
    bundle: str
    supersedes_id: str | None
    created_at: datetime
    finished_at: datetime | None
    told: bool

    @property
    def decided(self) -> bool:
        """Whether it came to a conclusion about the study: a result, or that there can be none."""
        return self.told or self.state == JobState.NO_RESULT

    @property
    def under_way(self) -> bool:
        """Whether it may still come to one."""
        return self.state in (JobState.QUEUED, JobState.RUNNING) and not self.told


_JOB_COLUMNS = (
    Job.id,
    Job.run,
    Job.state,
    Job.progress,
    Job.error,
    Job.lacks,
    Job.bundle,
    Job.supersedes_id,
    Job.created_at,
    Job.finished_at,
)
_TOLD = (
    select(ResultObject.id)
    .where(ResultObject.job_id == Job.id, ResultObject.kind != ObjectKind.NO_RESULT)
    .exists()
    .label("told")
)


def known_study(session: Session, study_instance_uid: str) -> StudyKnown | None:
    """The study, or None when no image of it ever came."""
    columns = select(Study.id, Study.study_date, Study.state, Study.state_reason)
    row = session.execute(columns.where(Study.study_instance_uid == study_instance_uid)).one_or_none()
    return None if row is None else StudyKnown(row.id, row.study_date, StudyState(row.state), row.state_reason)


def reading_jobs(session: Session, study_pk: int) -> list[JobKnown]:
    """The reading jobs of a study, newest first."""
    query = select(*_JOB_COLUMNS, _TOLD).where(Job.study_pk == study_pk, Job.pipeline.not_in(OWN_PIPELINES))
    rows = session.execute(query.order_by(Job.created_at.desc(), Job.id)).mappings()
    return [_job(row) for row in rows]


def job_now(session: Session, job: JobKnown) -> JobNow:
    """A job with its steps."""
    steps = session.scalars(select(JobStep).where(JobStep.job_id == job.id).order_by(JobStep.id))
    return JobNow(
        id=job.id,
        state=job.state,
        progress=job.progress,
        created_at=job.created_at,
        finished_at=job.finished_at,
        steps=tuple(_step(one) for one in steps),
    )


def stored_reading(session: Session, job_id: str) -> StudyReading | None:
    """What the model said in a job; None where nothing was said."""
    content = session.scalar(select(Job.reading).where(Job.id == job_id))
    return None if content is None else StudyReading.model_validate(content)


def made_at(session: Session, job_id: str) -> datetime | None:
    """When a job made its objects; None while it has none."""
    return session.scalar(select(func.min(ResultObject.created_at)).where(ResultObject.job_id == job_id))


def instance_numbers(session: Session, series_instance_uids: Collection[str]) -> dict[str, int | None]:
    """Instance numbers of series by SOP Instance UID."""
    query = select(Instance.sop_instance_uid, Instance.number).join(Instance.series)
    rows = session.execute(query.where(Series.series_instance_uid.in_(series_instance_uids)))
    return {row.sop_instance_uid: row.number for row in rows}


def _job(row: RowMapping) -> JobKnown:
    return JobKnown(**{**row, "state": JobState(row["state"]), "told": bool(row["told"])})


def _step(step: JobStep) -> StepNow:
    return StepNow(
        name=step.name,
        state=StepState(step.state),
        detail=step.detail,
        started_at=step.started_at,
        finished_at=step.finished_at,
    )
