"""How far a job is: a row for each step with its times, and the job's progress from 0 to 1."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pacs_agent.db import Database, Job, JobState, JobStep, StepState, utc_now
from pacs_agent.pipeline.errors import JobFailed, JobStopped, NothingToSay

STEP_ENDS = {
    "select_series": 0.05,
    "encode_missing": 0.6,
    "read_study": 0.65,
    "weigh_evidence": 0.7,
    "segment": 0.85,
    "find_prior": 0.88,
    "compose": 0.9,
}
"""Progress of the job at the end of each step of reading; delivery is the rest."""
_STARTS = dict(zip(STEP_ENDS, (0.0, *STEP_ENDS.values()), strict=False))
MAX_STARTS = 10
"""A step that began this often without ending has taken its worker with it each time, or nearly."""
MAX_STARTS_OF = {"segment": 3, "find_prior": 3}
"""The same of a step without which the job can go on."""
REPORT_EVERY_S = 0.5


def is_running(session: Session, job_id: str, run: int) -> bool:
    """Whether this run of a job may go on: it was neither canceled nor begun anew."""
    row = session.execute(select(Job.state, Job.run).where(Job.id == job_id)).one_or_none()
    return row is not None and row.run == run and row.state in (JobState.RUNNING, JobState.DELIVERING)


def check_running(session: Session, job_id: str, run: int) -> None:
    """Raises JobStopped unless this run of a job may go on."""
    if not is_running(session, job_id, run):
        raise JobStopped(job_id)


def begin_step(session: Session, job_id: str, name: str, worker: str = "") -> JobStep:
    """Marks a step as running at a worker, its attempts counted, in the caller's transaction."""
    step = session.scalar(select(JobStep).where(JobStep.job_id == job_id, JobStep.name == name))
    if step is None:
        step = JobStep(job_id=job_id, name=name, attempts=0, started_at=utc_now())
        session.add(step)
    step.state, step.finished_at, step.attempts = StepState.RUNNING, None, step.attempts + 1
    step.worker = worker
    return step


def end_step(session: Session, job_id: str, name: str, state: StepState, detail: str = "") -> None:
    """Marks how an attempt at a step ended, in the caller's transaction."""
    step = session.scalars(select(JobStep).where(JobStep.job_id == job_id, JobStep.name == name)).one()
    step.state, step.detail = state, detail
    step.finished_at = None if state == StepState.WAITING else utc_now()


@contextmanager
def reading_step(database: Database, job_id: str, run: int, name: str, worker: str = "") -> Iterator[None]:
    """A step of reading: its row says running, then done or failed with the reason; the job's progress moves on.

    Raises JobStopped when the job may not go on, JobFailed when the step has killed its worker too often.
    """
    _begin_reading_step(database, job_id, run, name, worker)
    try:
        yield
    except JobStopped:
        raise
    except NothingToSay as why:
        _end_reading_step(database, job_id, name, StepState.DONE, why.reason)
        raise
    except Exception as error:
        _end_reading_step(database, job_id, name, StepState.FAILED, describe(error))
        raise
    _end_reading_step(database, job_id, name, StepState.DONE)


def _begin_reading_step(database: Database, job_id: str, run: int, name: str, worker: str) -> None:
    with database.writing() as session:
        check_running(session, job_id, run)
        step = begin_step(session, job_id, name, worker)
        step.started_at = utc_now()
        most = MAX_STARTS_OF.get(name, MAX_STARTS)
        if step.attempts > most:
            raise JobFailed(f"{name} began {most} times and never ended; something in this study stops the worker")


def _end_reading_step(database: Database, job_id: str, name: str, state: StepState, detail: str = "") -> None:
    with database.writing() as session:
        end_step(session, job_id, name, state, detail)
        if state == StepState.DONE:
            session.execute(update(Job).where(Job.id == job_id).values(progress=STEP_ENDS[name]))


class StepProgress:
    """Moves a job's progress within one step, a few times a second at most, and notices when the job is canceled."""

    def __init__(self, database: Database, job_id: str, run: int, name: str) -> None:
        self.database = database
        self.job_id = job_id
        self.run = run
        self.start, self.end = _STARTS[name], STEP_ENDS[name]
        self._reported_s = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Says how much of the step is done. Raises JobStopped."""
        if time.monotonic() - self._reported_s < REPORT_EVERY_S:
            return
        self._reported_s = time.monotonic()
        progress = self.start + (self.end - self.start) * done / max(total, 1)
        with self.database.writing() as session:
            check_running(session, self.job_id, self.run)
            session.execute(update(Job).where(Job.id == self.job_id).values(progress=progress))


def describe(error: BaseException) -> str:
    """An error in words: its message, or its type when it has none."""
    return str(error) or type(error).__name__
