"""Queued jobs are handed to the queues of readings and of reviews."""

from sqlalchemy import select
from sqlalchemy.orm import aliased

from pacs_agent.db import Database, Job, JobState
from pacs_agent.pipeline.workflow import Story, queue_study

_BEFORE_ITS_OBJECTS = (JobState.QUEUED, JobState.RUNNING)


class Dispatcher:
    """Starts the workflow of every queued job. Any number may run: a job has one workflow whoever starts it."""

    def __init__(self, database: Database, story: Story) -> None:
        self.database = database
        self.story = story
        self._handed_over: set[tuple[str, int]] = set()

    def dispatch(self) -> int:
        """Hands over the jobs that are new; returns how many.

        A job waits while the one that it supersedes is read: it refers to that one's objects.
        """
        superseded = aliased(Job)
        waiting = (
            select(Job)
            .outerjoin(superseded, Job.supersedes_id == superseded.id)
            .where(Job.state == JobState.QUEUED)
            .where(superseded.id.is_(None) | superseded.state.not_in(_BEFORE_ITS_OBJECTS))
            .order_by(Job.priority, Job.created_at)
        )
        with self.database.reading() as session:
            jobs = {(job.id, job.run): job for job in session.scalars(waiting)}
        new = [key for key in jobs if key not in self._handed_over]
        for key in new:
            queue_study(self.story, jobs[key])
        self._handed_over = set(jobs)
        return len(new)
