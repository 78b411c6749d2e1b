"""Dead workers' jobs are taken over; jobs whose workflow is gone become dead letters."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from dbos import DBOS, WorkflowStatus
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from pacs_agent.db import Database, Job, JobState, Worker, utc_now
from pacs_agent.ops import Outcome, audit, get_log
from pacs_agent.pipeline.steps import fail_job
from pacs_agent.pipeline.workers import DeathWatch
from pacs_agent.pipeline.workflow import study_workflow_id

_ACTIVE = ["PENDING", "ENQUEUED", "DELAYED"]
_ENDED = ["SUCCESS", "ERROR", "CANCELLED"]
FORGET_AFTER_S = 3600.0
FORGET_WORKERS_AFTER_S = 7 * 24 * 3600.0
FORGET_AT_ONCE = 500

log = get_log("reaper")


class Reaper:
    """Runs in every worker. One at a time works: it holds the rows of the living workers meanwhile."""

    def __init__(self, database: Database, watch: DeathWatch) -> None:
        self.database = database
        self.watch = watch
        self._suspects: set[str] = set()

    def reap(self) -> list[str]:
        """Buries dead workers and gives their workflows back to the queues; returns the ids of those workflows.

        The rows are only locked when there is something to do: SQLite has one write lock, and images are coming in.
        """
        with self.database.reading() as session:
            if not (self._orphans(session) or self.watch.look(session).dead):
                return []
        with self.database.writing() as session:
            dead = self.watch.look(session, lock=True).dead
            for worker in dead:
                worker.buried_at = utc_now()
            session.flush()
            orphans = self._orphans(session)
            _resume(orphans)
            _audit(session, dead, orphans)
        return [one.workflow_id for one in orphans]

    def fail_lost_jobs(self) -> list[str]:
        """Fails jobs that seem to run but of which no workflow is left; returns their ids.

        A job must be found so twice: between its two looks a workflow may have ended in good order.
        """
        with self.database.reading() as session:
            unfinished = select(Job.id, Job.run).where(Job.state.in_((JobState.RUNNING, JobState.DELIVERING)))
            runs = {row.id: row.run for row in session.execute(unfinished)}
        active = _runs_with_workflows() if runs else set()
        lost = {job_id for job_id, run in runs.items() if study_workflow_id(job_id, run) not in active}
        failed = [job_id for job_id in sorted(lost & self._suspects) if self._fail(job_id, runs[job_id])]
        self._suspects = lost
        return failed

    def forget_ended(self) -> int:
        """Deletes workflows that ended a while ago, at most a few hundred, and workers long buried; counts workflows.

        What they leave for people is in the jobs, their steps and the audit trail.
        """
        long_ago = utc_now() - timedelta(seconds=FORGET_WORKERS_AFTER_S)
        with self.database.writing() as session:
            session.execute(delete(Worker).where(Worker.buried_at < long_ago))
        before = (utc_now() - timedelta(seconds=FORGET_AFTER_S)).isoformat()
        ended = DBOS.list_workflows(
            status=_ENDED, completed_before=before, limit=FORGET_AT_ONCE, load_input=False, load_output=False
        )
        if ended:
            DBOS.delete_workflows([one.workflow_id for one in ended])
        return len(ended)

    def _orphans(self, session: Session) -> list[WorkflowStatus]:
        """Workflows of workers that are buried or were never entered.

        They are listed before the workers: a worker is entered before it takes any, so none of the living is missed.
        """
        running = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        living = set(session.scalars(select(Worker.executor_id).where(Worker.buried_at.is_(None))))
        return [one for one in running if one.executor_id not in living]

    def _fail(self, job_id: str, run: int) -> bool:
        with self.database.writing() as session:
            job = session.get_one(Job, job_id, with_for_update=True)
            if job.run != run or job.state not in (JobState.RUNNING, JobState.DELIVERING):
                return False
            fail_job(session, job, "its workflow ended without an outcome; see the worker's log, then run it again")
        return True


def _runs_with_workflows() -> set[str]:
    """The study workflow ids of all runs that something is left of; other workflows of a run have it before a colon."""
    active = DBOS.list_workflows(status=_ACTIVE, load_input=False, load_output=False)
    return {one.workflow_id.partition(":")[0] for one in active}


def _resume(orphans: Sequence[WorkflowStatus]) -> None:
    """Puts workflows back into the queues they came from."""
    queues: defaultdict[str | None, list[str]] = defaultdict(list)
    for one in orphans:
        queues[one.queue_name].append(one.workflow_id)
    for queue_name, workflow_ids in queues.items():
        DBOS.resume_workflows(workflow_ids, queue_name=queue_name)


def _audit(session: Session, dead: Sequence[Worker], orphans: Sequence[WorkflowStatus]) -> None:
    for worker in dead:
        log.warning("worker is dead, its jobs are taken over", worker=worker.executor_id)
        audit(session, actor="agent", action="worker.buried", outcome=Outcome.MINOR_FAILURE, subject=worker.executor_id)
    if orphans:
        log.info("workflows resumed", workflows=[one.workflow_id for one in orphans])
