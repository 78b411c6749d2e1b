"""Figures of the agent's work that cost little, however long it has worked: recent rows by index, and counts that end.

Times to a report run from a study's last image to the end of its job, which is when its results lie at every
destination. Re-runs and reviews are left out: people wait for the first answer.
"""

import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import Session

from pacs_agent.db import (
    OWN_PIPELINES,
    AuditEvent,
    Database,
    Delivery,
    DeliveryState,
    Job,
    JobState,
    ResultObject,
    Study,
    Worker,
    utc_now,
)

COUNTED_MOST = 10_000
"""What is more is not counted to the end."""
OPEN_COUNTED_MOST = 1000
"""Of objects that are not delivered, which are counted by their jobs."""
TIMED_MOST = 2000
"""Newest jobs of a period whose times are taken."""
REPORTED = (JobState.DONE, JobState.NO_RESULT)
ACTIVE = (JobState.QUEUED, JobState.RUNNING, JobState.DELIVERING)
HOUR = timedelta(hours=1)
ARRIVALS = ("association", "stow")
"""Actions whose audit line says how many images came (`instances`)."""
OPEN_DELIVERIES = (DeliveryState.PENDING, DeliveryState.RETRYING)


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class QueueNow(_Figures):
    """Jobs that have not ended, and those that wait for a person. Counts end at 10000."""

    queued: int
    running: int
    delivering: int
    failed: int
    """Dead letters: each waits for somebody who repairs the cause and runs it again, or deletes it."""
    open_deliveries: int
    """Objects that are not yet at their destination; this count ends at 1000."""
    oldest_queued_at: datetime | None = None
    counted_to: int = COUNTED_MOST


class TimeToReport(_Figures):
    """Seconds from a study's last image to the end of its job; none without such jobs."""

    jobs: int
    p50_s: float | None = None
    p95_s: float | None = None


class HourOfWork(_Figures):
    """One hour: studies whose last image came in it, images that came, jobs that were reported or failed."""

    begins_at: datetime
    studies: int
    images: int
    reported: int
    failed: int
    time_to_report: TimeToReport


class StorageNow(_Figures):
    """The disk of `data_dir` and the database, in bytes."""

    free_bytes: int
    size_bytes: int
    database_kind: str
    database_bytes: int | None


class WorkerNow(_Figures):
    """A worker that lives."""

    host: str
    pid: int
    started_at: datetime
    seen_at: datetime


def queue_now(session: Session) -> QueueNow:
    """What waits and runs."""
    counts = {state: _counted(session, Job.state == state) for state in (*ACTIVE, JobState.FAILED)}
    return QueueNow(
        queued=counts[JobState.QUEUED],
        running=counts[JobState.RUNNING],
        delivering=counts[JobState.DELIVERING],
        failed=counts[JobState.FAILED],
        open_deliveries=_open_deliveries(session),
        oldest_queued_at=session.scalar(select(func.min(Job.created_at)).where(Job.state == JobState.QUEUED)),
    )


def times_to_report(session: Session, since: datetime, before: datetime | None = None) -> list[float]:
    """Seconds of the newest jobs that ended in a period, in no order."""
    within = [Job.finished_at >= since, *([Job.finished_at < before] if before else [])]
    columns = (Job.state, Job.run, Job.pipeline, Job.created_at, Job.finished_at, Study.last_received_at)
    query = select(*columns).join(Job.study).where(*within).order_by(Job.finished_at.desc()).limit(TIMED_MOST)
    # chosen here and not by the database: SQLite would go by the index over the state, through all jobs
    return [
        seconds_to_report(created, finished, last_image)
        for state, run, pipeline, created, finished, last_image in session.execute(query)
        if finished is not None and state in REPORTED and run == 1 and pipeline not in OWN_PIPELINES
    ]


def seconds_to_report(created: datetime, finished: datetime, last_image: datetime) -> float:
    """From the last image that the job knew to its end. An image that came after the job belongs to the next one."""
    return (finished - min(created, last_image)).total_seconds()


def summary(times_s: Sequence[float]) -> TimeToReport:
    """Median and 95th percentile."""
    if not times_s:
        return TimeToReport(jobs=0)
    cuts = quantiles(times_s, n=20, method="inclusive") if len(times_s) > 1 else [times_s[0]] * 19
    return TimeToReport(jobs=len(times_s), p50_s=round(cuts[9], 3), p95_s=round(cuts[18], 3))


class HoursOfWork:
    """The work of the last hours. An hour that is over is counted once: nothing is added to it any more."""

    SETTLED = timedelta(minutes=5)

    def __init__(self) -> None:
        self._settled: dict[datetime, HourOfWork] = {}

    def last(self, session: Session, hours: int, now: datetime | None = None) -> list[HourOfWork]:
        """The last hours, the one that runs included, oldest first."""
        now = now or utc_now()
        begins = list(_hours(now, hours))
        found = [self._settled.get(begin) or hour_of_work(session, begin) for begin in begins]
        self._settled = {one.begins_at: one for one in found if now - one.begins_at > self.SETTLED + HOUR}
        return found


def hour_of_work(session: Session, begins_at: datetime) -> HourOfWork:
    """What was done in the hour."""
    ends_at = begins_at + HOUR
    ended = _ended_between(session, begins_at, ends_at)
    return HourOfWork(
        begins_at=begins_at,
        studies=_counted(session, Study.last_received_at >= begins_at, Study.last_received_at < ends_at),
        images=images_received(session, begins_at, ends_at),
        reported=sum(ended.get(state, 0) for state in REPORTED),
        failed=ended.get(JobState.FAILED, 0),
        time_to_report=summary(times_to_report(session, begins_at, ends_at)),
    )


def _ended_between(session: Session, since: datetime, before: datetime) -> dict[str, int]:
    """How many readings ended in a period, by their states; reviews and shadows are no readings of their own."""
    query = select(Job.state, func.count()).where(Job.finished_at >= since, Job.finished_at < before)
    query = query.where(Job.pipeline.not_in(OWN_PIPELINES)).group_by(Job.state)
    return {str(state): count for state, count in session.execute(query)}


def images_received(session: Session, since: datetime, before: datetime) -> int:
    """Images that senders brought, by the audit lines of their associations and requests."""
    query = select(func.sum(AuditEvent.detail["instances"].as_integer()))
    within = AuditEvent.action.in_(ARRIVALS), AuditEvent.at >= since, AuditEvent.at < before
    return int(session.scalar(query.where(*within)) or 0)


def storage_now(database: Database, data_dir: Path) -> StorageNow:
    """Room on the disk, and what the database takes of it."""
    free_bytes, size_bytes = _disk(data_dir)
    return StorageNow(
        free_bytes=free_bytes,
        size_bytes=size_bytes,
        database_kind=database.engine.dialect.name,
        database_bytes=_database_bytes(database),
    )


def workers_now(session: Session, silent_s: float) -> list[WorkerNow]:
    """Workers that said within the time that they live."""
    since = utc_now() - timedelta(seconds=silent_s)
    query = select(Worker).where(Worker.seen_at >= since, Worker.buried_at.is_(None)).order_by(Worker.started_at)
    return [
        WorkerNow(host=row.host.partition("/")[0], pid=row.pid, started_at=row.started_at, seen_at=row.seen_at)
        for row in session.scalars(query)
    ]


def _counted(session: Session, *conditions: ColumnElement[Any]) -> int:
    """How many rows meet the conditions, at most COUNTED_MOST."""
    few = select(text("1")).where(*conditions).limit(COUNTED_MOST).subquery()
    return session.scalar(select(func.count()).select_from(few)) or 0


def _open_deliveries(session: Session) -> int:
    """By the jobs that are delivering: there is no index over the states of deliveries, and need be none."""
    query = select(Delivery.id).join(Delivery.result_object).join(ResultObject.job)
    few = query.where(Job.state == JobState.DELIVERING, Delivery.state.in_(OPEN_DELIVERIES)).limit(OPEN_COUNTED_MOST)
    return session.scalar(select(func.count()).select_from(few.subquery())) or 0


def _hours(now: datetime, count: int) -> Iterator[datetime]:
    newest = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    for back in reversed(range(count)):
        yield newest - timedelta(hours=back)


def _disk(data_dir: Path) -> tuple[int, int]:
    """Free and whole size of the disk of the folder, or of what is to hold it, in bytes."""
    folder = data_dir.resolve()
    usage = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.is_dir()))
    return usage.free, usage.total


def _database_bytes(database: Database) -> int | None:
    """Size of the tables with their indexes; None where nobody says."""
    url = database.engine.url
    if url.get_backend_name() == "sqlite":
        files = [Path(f"{url.database}{end}") for end in ("", "-wal")]
        return sum(file.stat().st_size for file in files if file.is_file())
    with database.reading() as session:
        found = session.scalar(text("SELECT pg_database_size(current_database())"))
    return None if found is None else int(found)
