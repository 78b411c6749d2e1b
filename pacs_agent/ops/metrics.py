"""The agent in figures for Prometheus, made when they are asked for; no label holds anything of patients.

Counters grow by what happened since the scrape before: new audit lines and jobs that ended, read by index. They begin
at zero with each start of the web server, which Prometheus expects of counters. A scrape reads at most LINES_MOST lines
and JOBS_MOST jobs; what is more waits for the next one.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pacs_agent import __version__
from pacs_agent.config import Settings
from pacs_agent.db import (
    OWN_PIPELINES,
    AuditEvent,
    Database,
    Job,
    JobState,
    JobStep,
    SeriesAhead,
    Study,
    StudyState,
    utc_now,
)
from pacs_agent.ops.figures import REPORTED, queue_now, seconds_to_report, storage_now, workers_now
from pacs_agent.ops.listening import listener_answers
from pacs_agent.ops.open_count import ASSOCIATIONS, told_count

CONTENT_TYPE = CONTENT_TYPE_LATEST
LINES_MOST = 5000
JOBS_MOST = 1000
SERIES_MOST = 5000
LATE_COMMIT = timedelta(seconds=30)
"""A job's end is written some time after the time that it says."""
ENDED = (JobState.DONE, JobState.NO_RESULT, JobState.FAILED, JobState.CANCELED)
REPORT_BUCKETS_S = (5, 10, 20, 30, 60, 90, 120, 180, 300, 600, 1200, 3600, 14400, 86400)
STEP_BUCKETS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)
REJECTIONS = {
    (1, 3): "calling AE title not recognised",
    (1, 7): "called AE title not recognised",
    (2, 1): "the peers cannot be read",
    (3, 2): "too many associations",
}
"""Why an association was rejected, by source and diagnostic. PS3.8 9.3.4."""


class Metrics:
    """All metrics of one agent, by the names that docs/operations.md and the dashboard of deploy/grafana use."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._lock = threading.Lock()
        self.registry = CollectorRegistry()
        self._make_gauges()
        self._make_counters()
        self._last_line: int | None = None
        self._ended_since = utc_now()
        self._counted: dict[tuple[str, int], datetime] = {}
        self._ahead_since = self._ended_since
        self._ahead_counted: dict[int, dict[str, int]] = {}
        Info("pacs_agent_build", "version of the agent", registry=self.registry).info({"version": __version__})

    def scrape(self) -> bytes:
        """All metrics in Prometheus' text format. Raises SQLAlchemyError when the database does not answer."""
        with self._lock:
            with self._database.reading() as session:
                self._set_queue(session)
                self._count_audit(session)
                self._count_jobs(session)
                self._count_ahead(session)
                self._workers.set(len(workers_now(session, self._settings.work.takeover_s)))
            self._set_storage()
            self._set_listener()
            return generate_latest(self.registry)

    def _gauge(self, name: str, words: str, *labels: str) -> Gauge:
        return Gauge(f"pacs_agent_{name}", words, labels, registry=self.registry)

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(f"pacs_agent_{name}", words, labels, registry=self.registry)

    def _make_gauges(self) -> None:
        self._jobs = self._gauge("jobs", "jobs that have not ended, and dead letters; counted to 10000", "state")
        self._oldest = self._gauge("queue_oldest_seconds", "age of the job that has waited longest, 0 for none")
        self._studies = self._gauge("studies_receiving", "studies whose images still arrive; counted to 10000")
        self._open_deliveries = self._gauge("deliveries_open", "objects not yet at their destination; counted to 1000")
        self._workers = self._gauge("workers_alive", "workers whose heart beats")
        self._listener = self._gauge("listener_up", "1 when the DICOM listener answers")
        self._associations_open = self._gauge("associations_open", "associations open now")
        self._disk_free = self._gauge("disk_free_bytes", "room on the disk of data_dir")
        self._disk_size = self._gauge("disk_size_bytes", "size of the disk of data_dir")
        self._database_size = self._gauge("database_size_bytes", "size of the agent's tables")

    def _make_counters(self) -> None:
        self._images = self._counter("images_received", "images that peers and web requests brought")
        self._received = self._counter("received_bytes", "bytes of images that peers brought")
        self._associations = self._counter("associations", "associations that ended", "end")
        self._rejected = self._counter("associations_rejected", "associations rejected", "reason")
        self._refused = self._counter("instances_refused", "images refused, by DIMSE status", "status", "reason")
        self._deliveries = self._counter("deliveries", "objects taken or refused", "destination", "outcome")
        self._logins = self._counter("logins_failed", "logins refused")
        self._jobs_ended = self._counter("jobs_ended", "jobs that ended", "state")
        self._to_report = Histogram(
            "pacs_agent_time_to_report_seconds",
            "from a study's last image to the end of its first job, deliveries included",
            buckets=REPORT_BUCKETS_S,
            registry=self.registry,
        )
        self._ahead = self._counter("slices_ahead", "slices read before their study was complete", "fate")
        self._steps = Histogram(
            "pacs_agent_step_seconds",
            "time that a step of a job took; of steps that wait, with the waiting",
            ("step",),
            buckets=STEP_BUCKETS_S,
            registry=self.registry,
        )

    def _set_queue(self, session: Session) -> None:
        queue = queue_now(session)
        for state in (JobState.QUEUED, JobState.RUNNING, JobState.DELIVERING, JobState.FAILED):
            self._jobs.labels(state).set(getattr(queue, state))
        oldest = queue.oldest_queued_at
        self._oldest.set((utc_now() - oldest).total_seconds() if oldest else 0)
        self._open_deliveries.set(queue.open_deliveries)
        few = select(Study.id).where(Study.state == StudyState.RECEIVING).limit(queue.counted_to).subquery()
        self._studies.set(session.scalar(select(func.count()).select_from(few)) or 0)

    def _set_storage(self) -> None:
        storage = storage_now(self._database, self._settings.data_dir)
        self._disk_free.set(storage.free_bytes)
        self._disk_size.set(storage.size_bytes)
        self._database_size.set(storage.database_bytes or 0)

    def _set_listener(self) -> None:
        self._listener.set(listener_answers(self._settings.dimse))
        self._associations_open.set(told_count(self._settings.data_dir / ASSOCIATIONS) or 0)

    def _count_audit(self, session: Session) -> None:
        if self._last_line is None:
            self._last_line = session.scalar(select(func.max(AuditEvent.id))) or 0
        query = select(AuditEvent).where(AuditEvent.id > self._last_line).order_by(AuditEvent.id).limit(LINES_MOST)
        for line in session.scalars(query):
            self._last_line = line.id
            count = _COUNTED.get(line.action)
            if count is not None:
                count(self, line)

    def _arrival(self, line: AuditEvent) -> None:
        self._images.inc(_number(line, "instances"))
        self._received.inc(_number(line, "received_bytes"))
        if line.action == "association":
            self._associations.labels(str(line.detail.get("end"))).inc()

    def _rejection(self, line: AuditEvent) -> None:
        source, diagnostic = line.detail.get("source", 0), line.detail.get("diagnostic", 0)
        self._rejected.labels(REJECTIONS.get((source, diagnostic), f"source {source}, reason {diagnostic}")).inc()

    def _refusal(self, line: AuditEvent) -> None:
        self._refused.labels(str(line.detail.get("status")), str(line.detail.get("reason"))).inc()

    def _delivery(self, line: AuditEvent) -> None:
        self._deliveries.labels(str(line.detail.get("destination")), line.outcome).inc()

    def _login(self, _line: AuditEvent) -> None:
        self._logins.inc()

    def _count_jobs(self, session: Session) -> None:
        """Jobs that ended since the last scrape, each run of each once."""
        since = self._ended_since - LATE_COMMIT
        query = select(
            Job.id, Job.run, Job.state, Job.pipeline, Job.created_at, Job.finished_at, Study.last_received_at
        )
        query = query.join(Job.study).where(Job.finished_at >= since)
        fresh: list[str] = []
        for id_, run, state, pipeline, created, finished, last in session.execute(
            query.order_by(Job.finished_at).limit(JOBS_MOST + len(self._counted))
        ):
            if finished is None or state not in ENDED or (id_, run) in self._counted:
                continue
            fresh.append(id_)
            self._counted[id_, run] = finished
            self._ended_since = max(self._ended_since, finished)
            self._jobs_ended.labels(state).inc()
            if state in REPORTED and run == 1 and pipeline not in OWN_PIPELINES:
                self._to_report.observe(seconds_to_report(created, finished, last))
        self._count_steps(session, fresh)
        kept_from = self._ended_since - LATE_COMMIT
        self._counted = {key: finished for key, finished in self._counted.items() if finished >= kept_from}

    def _count_ahead(self, session: Session) -> None:
        """What was added to each series since the last scrape; one that grows again after its job counts anew."""
        since = self._ahead_since - LATE_COMMIT
        query = select(SeriesAhead).where(SeriesAhead.changed_at >= since).order_by(SeriesAhead.changed_at)
        for row in session.scalars(query.limit(SERIES_MOST)):
            self._ahead_since = max(self._ahead_since, row.changed_at)
            used = row.used if row.settled_at else 0
            now = {"encoded": row.encoded, "undecodable": row.undecodable, "left out": row.left_out, "used": used}
            known = self._ahead_counted.pop(row.id, {})
            for fate, slices in now.items():
                self._ahead.labels(fate).inc(max(0, slices - known.get(fate, 0)))
            self._ahead_counted[row.id] = {fate: max(slices, known.get(fate, 0)) for fate, slices in now.items()}
        while len(self._ahead_counted) > SERIES_MOST:
            self._ahead_counted.pop(next(iter(self._ahead_counted)))

    def _count_steps(self, session: Session, job_ids: list[str]) -> None:
        """`deliver:pacs` counts as `deliver`: destinations have figures of their own."""
        query = select(JobStep.name, JobStep.started_at, JobStep.finished_at).where(JobStep.job_id.in_(job_ids))
        for name, started, finished in session.execute(query):
            if finished is not None:
                self._steps.labels(name.partition(":")[0]).observe((finished - started).total_seconds())


_COUNTED: dict[str, Callable[[Metrics, AuditEvent], None]] = {
    "association": Metrics._arrival,
    "stow": Metrics._arrival,
    "association.rejected": Metrics._rejection,
    "instance.refused": Metrics._refusal,
    "result.delivered": Metrics._delivery,
    "login.failed": Metrics._login,
}
"""What an audit line adds to the counters, by its action."""


def _number(line: AuditEvent, name: str) -> float:
    value: Any = line.detail.get(name, 0)
    return float(value) if isinstance(value, int | float) else 0.0
