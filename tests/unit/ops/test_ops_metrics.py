"""Figures for Prometheus: counted once, cheap, without patients; the dashboard asks for what there is."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console import create_app
from pacs_agent.db import Database, Job, JobState, JobStep, Patient, SeriesAhead, StepState, Study, utc_now
from pacs_agent.ops import Outcome, audit
from pacs_agent.ops.metrics import Metrics
from pacs_agent.ops.open_count import ASSOCIATIONS, OpenCount

DASHBOARD = Path(__file__).resolve().parents[3] / "deploy" / "grafana" / "dashboard.json"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, dimse={"port": 1})


@pytest.fixture
def metrics(settings: Settings, database: Database) -> Metrics:
    counting = Metrics(settings, database)
    counting.scrape()
    return counting


def said(metrics: Metrics, name: str, **labels: str) -> float | None:
    metrics.scrape()
    return metrics.registry.get_sample_value(f"pacs_agent_{name}", labels)


def add_job(database: Database, state: JobState, *, seconds: float = 42, run: int = 1, number: int = 1) -> None:
    end = utc_now()
    begin = end - timedelta(seconds=seconds)
    with database.writing() as session:
        study = Study(
            study_instance_uid=f"1.2.{number}", patient=Patient(patient_id=f"P{number}"), last_received_at=begin
        )
        job = Job(id=f"job-{number}", study=study, rule="ct", pipeline="msvlm", input_digest="0", state=state, run=run)
        job.created_at, job.finished_at = begin + timedelta(seconds=1), end
        step = JobStep(name="deliver:pacs", state=StepState.DONE, started_at=end - timedelta(seconds=3))
        step.finished_at = end
        job.steps = [step]
        session.add(job)


def test_a_job_that_ends_is_counted_once(metrics: Metrics, database: Database) -> None:
    add_job(database, JobState.DONE)
    for _ in range(3):
        assert said(metrics, "jobs_ended_total", state="done") == 1
    assert said(metrics, "time_to_report_seconds_sum") == pytest.approx(42, abs=0.1)
    assert said(metrics, "step_seconds_count", step="deliver") == 1
    add_job(database, JobState.FAILED, number=2)
    assert said(metrics, "jobs_ended_total", state="failed") == 1
    assert said(metrics, "jobs", state="failed") == 1
    assert said(metrics, "time_to_report_seconds_count") == 1, "a failed job gives no report"


def test_a_run_again_is_no_first_report(metrics: Metrics, database: Database) -> None:
    add_job(database, JobState.DONE, run=2)
    assert said(metrics, "jobs_ended_total", state="done") == 1
    assert said(metrics, "time_to_report_seconds_count") == 0


def test_what_the_audit_trail_tells_is_counted(metrics: Metrics, database: Database) -> None:
    with database.writing() as session:
        line = {"actor": "CT@10.0.0.1", "outcome": Outcome.SUCCESS}
        audit(session, action="association", end="released", instances=120, received_bytes=1000, **line)
        audit(session, action="stow", instances=2, **line)
        audit(session, action="association.rejected", source=1, diagnostic=3, **line)
        audit(session, action="instance.refused", status="A900", reason="identity", **line)
        audit(session, action="result.delivered", destination="pacs", **line)
    assert said(metrics, "images_received_total") == 122
    assert said(metrics, "associations_total", end="released") == 1
    assert said(metrics, "associations_rejected_total", reason="calling AE title not recognised") == 1
    assert said(metrics, "instances_refused_total", status="A900", reason="identity") == 1
    assert said(metrics, "deliveries_total", destination="pacs", outcome="success") == 1
    assert said(metrics, "received_bytes_total") == 1000


def test_slices_read_ahead_are_counted_by_their_fate(metrics: Metrics, database: Database) -> None:
    add_job(database, JobState.DONE)
    with database.writing() as session:
        session.add(SeriesAhead(study_pk=1, series_instance_uid="1.2.1", encoded=5, undecodable=1, used=0))
    assert said(metrics, "slices_ahead_total", fate="encoded") == 5
    assert said(metrics, "slices_ahead_total", fate="used") == 0
    with database.writing() as session:
        row = session.get_one(SeriesAhead, 1)
        row.encoded, row.used, row.settled_at = 8, 8, utc_now()
    for _ in range(2):
        assert said(metrics, "slices_ahead_total", fate="encoded") == 8
        assert said(metrics, "slices_ahead_total", fate="used") == 8


def test_associations_open_are_told_by_the_process_that_has_them(metrics: Metrics, tmp_path: Path) -> None:
    assert said(metrics, "associations_open") == 0
    told = OpenCount(tmp_path / ASSOCIATIONS)
    told.tell(3)
    assert said(metrics, "associations_open") == 3
    told.tell(12)
    told.tell(1)
    assert said(metrics, "associations_open") == 1


def test_prometheus_can_read_it_from_this_machine_alone(settings: Settings, database: Database) -> None:
    reachable = settings.model_copy(
        update={"web": settings.web.model_copy(update={"token": SecretStr("a long token")})}
    )
    client = create_app(reachable, database, Archive(database, settings.data_dir / "archive")).test_client()
    answer = client.get("/metrics")
    assert answer.mimetype == "text/plain"
    assert {family.name for family in text_string_to_metric_families(answer.text)} >= {"pacs_agent_jobs"}
    elsewhere = {"REMOTE_ADDR": "10.0.0.9"}
    assert client.get("/metrics", environ_overrides=elsewhere).status_code == 401
    assert client.get("/metrics", base_url="http://evil.example").status_code == 401


def test_the_dashboard_asks_for_metrics_that_there_are(metrics: Metrics) -> None:
    known = {sample.name for family in metrics.registry.collect() for sample in family.samples}
    described = {f"{family.name}{end}" for family in metrics.registry.collect() for end in ("", "_total", "_bucket")}
    asked = {
        name
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        for target in panel["targets"]
        for name in re.findall(r"pacs_agent_\w+", target["expr"])
    }
    assert asked
    assert asked <= known | described
    families = {family.name for family in metrics.registry.collect()}
    shown = {re.sub(r"_(total|bucket|info)$", "", name) for name in asked}
    assert families <= shown, "the dashboard shows every metric"
