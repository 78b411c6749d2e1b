"""The views of the queue, of the jobs and of the dead letters, and what is done to them."""

from collections.abc import Callable

from flask import Blueprint
from sqlalchemy import select
from werkzeug.exceptions import NotFound

from pacs_agent import pipeline
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import Role
from pacs_agent.console.frame import Done, Refusal, Room, acting, page_of
from pacs_agent.console.queue.jobs import job_row, job_rows, one_job
from pacs_agent.console.queue.models import (
    DeadLetterList,
    DeadLettersAsked,
    JobList,
    JobPage,
    JobsAsked,
    NewPriority,
    QueuePage,
    RetryAll,
    WhySuspend,
)
from pacs_agent.console.queue.now import dead_letters, queue_now
from pacs_agent.console.viewer.plugin import study_path
from pacs_agent.db import Database, Job, JobState

SEES = (Role.VIEWER, Role.OPERATOR)


def queue_blueprint(settings: Settings, database: Database, _archive: Archive) -> Blueprint:
    """`/console/queue`, `/console/jobs`, `/console/dead-letters` and what is posted there."""
    room = Room("queue", __name__)
    _add_lists(room, database)
    _add_job(room, settings, database)
    _add_acts_on_jobs(room, database)
    _add_acts_on_the_queue(room, database)
    return room


def _add_lists(room: Room, database: Database) -> None:
    @room.page(
        "/queue",
        needs_role=SEES,
        template="queue-now.html",
        answer=QueuePage,
        summary="What waits, what is at work, what failed, and whether the work is suspended",
    )
    def queue() -> QueuePage:
        with database.reading() as session:
            return queue_now(session)

    @room.page(
        "/jobs",
        needs_role=SEES,
        template="queue-jobs.html",
        answer=JobList,
        asked=JobsAsked,
        summary="All jobs, the newest first",
    )
    def jobs(asked: JobsAsked) -> JobList:
        query = job_rows()
        if asked.state:
            query = query.where(Job.state == asked.state)
        if asked.pipeline:
            query = query.where(Job.pipeline == asked.pipeline)
        with database.reading() as session:
            return JobList(**vars(page_of(session, query, asked, by=Job.created_at, key=Job.id, row=job_row)))

    @room.page(
        "/dead-letters",
        needs_role=SEES,
        template="queue-dead-letters.html",
        answer=DeadLetterList,
        asked=DeadLettersAsked,
        summary="Jobs that failed: why, and what to do",
    )
    def all_dead_letters(asked: DeadLettersAsked) -> DeadLetterList:
        with database.reading() as session:
            return dead_letters(session, asked)


def _add_job(room: Room, settings: Settings, database: Database) -> None:
    @room.page(
        "/jobs/<job>",
        needs_role=SEES,
        template="queue-job.html",
        answer=JobPage,
        summary="One job: steps with times, objects, deliveries with the destinations' answers",
    )
    def job(job: str) -> JobPage:
        with database.reading() as session:
            found = one_job(session, job)
        if found is None:
            raise NotFound(f"there is no job {job}; the list of jobs shows those there are")
        viewer = study_path(settings.web, found.job.study_instance_uid)
        return JobPage(**vars(found), viewer=viewer, has_begun=found.job.state != JobState.QUEUED)


def _add_acts_on_jobs(room: Room, database: Database) -> None:
    @room.act("/jobs/<job>/rerun", needs_role=Role.OPERATOR, summary="Run a failed or canceled job again")
    def rerun(job: str) -> Done:
        _carry_out(database, job, lambda: pipeline.rerun(database, job, actor=acting()))
        return Done(message="The job is queued again. What it has made stays, what arrived is not sent twice.")

    @room.act("/jobs/<job>/send-again", needs_role=Role.OPERATOR, summary="Send the objects of a finished job again")
    def send_again(job: str) -> Done:
        _carry_out(database, job, lambda: pipeline.send_again(database, job, actor=acting()))
        return Done(message="The job is queued; its objects are sent again to all its destinations.")

    @room.act("/jobs/<job>/cancel", needs_role=Role.OPERATOR, summary="Cancel a job that has not ended")
    def cancel(job: str) -> Done:
        _carry_out(database, job, lambda: pipeline.cancel(database, job, actor=acting()))
        return Done(message="The job is canceled; nothing more of it is delivered.")

    @room.act(
        "/jobs/<job>/priority",
        needs_role=Role.OPERATOR,
        summary="Give a waiting job another priority",
        body=NewPriority,
    )
    def priority(job: str, body: NewPriority) -> Done:
        _carry_out(database, job, lambda: pipeline.reprioritise(database, job, body.priority, actor=acting()))
        return Done(message=f"The job now has priority {body.priority}.")


def _carry_out(database: Database, job_id: str, act: Callable[[], None]) -> None:
    """Does something to a job. Raises NotFound for one that is not there, Refusal where its state forbids it."""
    with database.reading() as session:
        known = session.scalar(select(Job.id).where(Job.id == job_id))
    if known is None:
        raise NotFound(f"there is no job {job_id}; the list of jobs shows those there are")
    try:
        act()
    except pipeline.JobStateError as error:
        raise Refusal(str(error), 409) from error


def _add_acts_on_the_queue(room: Room, database: Database) -> None:
    @room.act(
        "/queue/suspend", needs_role=Role.OPERATOR, summary="Let no worker begin a job until resumed", body=WhySuspend
    )
    def suspend(body: WhySuspend) -> Done:
        if not pipeline.suspend(database, actor=acting(), reason=body.reason):
            raise Refusal("the work is suspended already", 409)
        return Done(message="The work is suspended: no job begins. What has begun goes on to its end.")

    @room.act("/queue/resume", needs_role=Role.OPERATOR, summary="Let the workers begin jobs again")
    def resume() -> Done:
        if not pipeline.resume(database, actor=acting()):
            raise Refusal("nothing was suspended", 409)
        return Done(message="The work goes on.")

    @room.act(
        "/queue/retry-all",
        needs_role=Role.OPERATOR,
        summary=f"Run all failed jobs again, or those of a filter; at most {pipeline.RERUN_AT_ONCE} at once",
        body=RetryAll,
    )
    def retry_all(body: RetryAll) -> Done:
        queued = pipeline.rerun_all(database, pipeline.DeadLetters(**vars(body)), actor=acting())
        if not queued:
            raise Refusal("no failed job fits; change the filter", 409)
        more = " There may be more: do it again." if queued == pipeline.RERUN_AT_ONCE else ""
        return Done(message=f"{queued} {'job is' if queued == 1 else 'jobs are'} queued again.{more}")
