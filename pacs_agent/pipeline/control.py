"""What people do to jobs: run one again, cancel one. Works from any process: the workers see it in the database."""

from sqlalchemy import delete
from sqlalchemy.orm import Session

from pacs_agent.db import Database, Job, JobState, JobStep, StepState
from pacs_agent.deliver import reset_deliveries
from pacs_agent.ops import Outcome, audit
from pacs_agent.pipeline.errors import JobStateError
from pacs_agent.pipeline.steps import cancel_job

_RERUNNABLE = (JobState.FAILED, JobState.CANCELED)
_CANCELABLE = (JobState.QUEUED, JobState.RUNNING, JobState.DELIVERING)


def rerun(database: Database, job_id: str, *, actor: str) -> None:
    """Queues a failed or canceled job again. Steps that are done stay done, what was delivered is not sent twice.

    Raises JobStateError for a job in any other state.
    """
    with database.writing() as session:
        job = _job(session, job_id, _RERUNNABLE, "run again")
        job.state, job.run, job.error, job.progress, job.finished_at = JobState.QUEUED, job.run + 1, "", 0.0, None
        session.execute(delete(JobStep).where(JobStep.job_id == job_id, JobStep.state != StepState.DONE))
        reset_deliveries(session, job_id)
        audit(session, actor=actor, action="job.rerun", outcome=Outcome.SUCCESS, subject=job_id, run=job.run)


def cancel(database: Database, job_id: str, *, actor: str) -> None:
    """Cancels a job that has not ended; its worker notices within a second or at the next step.

    Raises JobStateError for a job that has ended.
    """
    with database.writing() as session:
        job = _job(session, job_id, _CANCELABLE, "canceled")
        cancel_job(session, job, f"canceled by {actor}", actor=actor)


def _job(session: Session, job_id: str, states: tuple[JobState, ...], what: str) -> Job:
    job = session.get(Job, job_id, with_for_update=True)
    if job is None:
        raise JobStateError(f"there is no job {job_id}; `pacs-agent jobs` lists them")
    if job.state not in states:
        raise JobStateError(f"job {job_id} is {job.state}; only a {' or '.join(states)} job can be {what}")
    return job
