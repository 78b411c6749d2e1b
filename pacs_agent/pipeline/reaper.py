"""Dead workers' jobs are taken over; jobs whose workflow is gone become dead letters."""

from collections import defaultdict

from dbos import DBOS
from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.db import Database, Job, JobState, Worker
from pacs_agent.ops import Outcome, audit, get_log
from pacs_agent.pipeline.steps import fail_job
from pacs_agent.pipeline.workers import DeathWatch
from pacs_agent.pipeline.workflow import study_workflow_id

_ACTIVE = ["PENDING", "ENQUEUED", "DELAYED"]

log = get_log("reaper")


class Reaper:
    """Runs in every worker. One at a time works: it holds the rows of the living workers meanwhile."""

    def __init__(self, database: Database, watch: DeathWatch) -> None:
        self.database = database
        self.watch = watch
        self._suspects: set[str] = set()

    def reap(self) -> list[str]:
        """Buries dead workers and gives their workflows back to the queues; returns the ids of those workflows.

        Workflows are listed before workers: a worker is entered before it takes any, so none of the living is missed.
        """
        with self.database.writing() as session:
            buried = self.watch.bury_dead(session)
            running = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
            living = set(session.scalars(select(Worker.executor_id).where(Worker.buried_at.is_(None))))
            orphans = [one for one in running if one.executor_id not in living]
            queues = defaultdict(list)
            for one in orphans:
                queues[one.queue_name].append(one.workflow_id)
            for queue_name, workflow_ids in queues.items():
                DBOS.resume_workflows(workflow_ids, queue_name=queue_name)
            _audit(session, buried, [one.workflow_id for one in orphans])
        return [one.workflow_id for one in orphans]

    def fail_lost_jobs(self) -> list[str]:
        """Fails jobs that seem to run but of which no workflow is left; returns their ids.

        A job must be found so twice: between its two looks a workflow may have ended in good order.
        """
        with self.database.reading() as session:
            unfinished = select(Job.id, Job.run).where(Job.state.in_((JobState.RUNNING, JobState.DELIVERING)))
            runs = {row.id: row.run for row in session.execute(unfinished)}
        lost = {job_id for job_id, run in runs.items() if not _has_workflow(job_id, run)}
        failed = [job_id for job_id in sorted(lost & self._suspects) if self._fail(job_id, runs[job_id])]
        self._suspects = lost
        return failed

    def _fail(self, job_id: str, run: int) -> bool:
        with self.database.writing() as session:
            job = session.get_one(Job, job_id, with_for_update=True)
            if job.run != run or job.state not in (JobState.RUNNING, JobState.DELIVERING):
                return False
            fail_job(session, job, "its workflow ended without an outcome; see the worker's log, then run it again")
        return True


def _has_workflow(job_id: str, run: int) -> bool:
    prefix = study_workflow_id(job_id, run)
    found = DBOS.list_workflows(workflow_id_prefix=prefix, status=_ACTIVE, load_input=False, load_output=False, limit=1)
    return bool(found)


def _audit(session: Session, buried: list[str], workflow_ids: list[str]) -> None:
    for executor_id in buried:
        log.warning("worker is dead, its jobs are taken over", worker=executor_id)
        audit(session, actor="agent", action="worker.buried", outcome=Outcome.MINOR_FAILURE, subject=executor_id)
    if workflow_ids:
        log.info("workflows resumed", workflows=workflow_ids)
