"""Queued jobs are handed to the queues of readings and of reviews."""

from sqlalchemy import Select
from sqlalchemy.orm import defer

from pacs_agent.db import REVIEW_PIPELINE, Database, Job
from pacs_agent.pipeline.queue import suspension, waiting
from pacs_agent.pipeline.workflow import Story, queue_study

AHEAD = 200
"""Jobs of each queue that are handed over before their turn: a queue of a million is not read a million times."""


class Dispatcher:
    """Starts the workflow of queued jobs. Any number may run: a job has one workflow whoever starts it."""

    def __init__(self, database: Database, story: Story) -> None:
        self.database = database
        self.story = story
        self._handed_over: set[tuple[str, int]] = set()

    def dispatch(self) -> int:
        """Hands over the jobs that are new among those that come next; returns how many. None while work is suspended.

        Reviews are looked for by themselves: they wait behind no reading.
        """
        of_reviews = Job.pipeline == REVIEW_PIPELINE
        jobs = self._next(waiting().where(of_reviews)) | self._next(waiting().where(~of_reviews))
        new = [key for key in jobs if key not in self._handed_over]
        for key in new:
            queue_study(self.story, jobs[key])
        self._handed_over = set(jobs)
        return len(new)

    def _next(self, query: Select[Job]) -> dict[tuple[str, int], Job]:
        with self.database.reading() as session:
            if suspension(session) is not None:
                return {}
            return {(job.id, job.run): job for job in session.scalars(query.options(defer(Job.expected)).limit(AHEAD))}
