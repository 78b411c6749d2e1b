"""Figures, metrics and news come from Postgres as they do from SQLite."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from people import app_of

from pacs_agent.console.frame.look import CONSOLE, ConsoleLook, marks_of
from pacs_agent.db import Database, Job, JobState, Patient, Study, StudyState, upgrade, utc_now
from pacs_agent.ops import Outcome, audit

pgserver = pytest.importorskip("pgserver")
pytestmark = pytest.mark.slow


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Database]:
    server = pgserver.get_server(tmp_path / "postgres")
    database = Database(server.get_uri())
    upgrade(database)
    yield database
    database.close()
    server.cleanup()


def test_the_overview_and_its_news_come_from_postgres(postgres: Database, tmp_path: Path) -> None:
    look, client = ConsoleLook(postgres, tmp_path), app_of(postgres, tmp_path).test_client()
    before, now = marks_of(look(())[CONSOLE]), utc_now()
    assert client.get("/metrics").status_code == 200
    with postgres.writing() as session:
        audit(session, actor="CT@10.0.0.1", action="association", outcome=Outcome.SUCCESS, instances=12, end="released")
        study = Study(study_instance_uid="1.2", patient=Patient(patient_id="P"), state=StudyState.COMPLETE)
        study.last_received_at = now - timedelta(seconds=30)
        job = Job(id="job", study=study, rule="ct", pipeline="msvlm", input_digest="0", state=JobState.DONE)
        job.created_at, job.finished_at = now - timedelta(seconds=25), now
        session.add(job)
    said = client.get("/api/v1/overview").json
    assert (said["last_24_hours"]["images"], said["last_24_hours"]["reported"]) == (12, 1)
    assert said["time_to_report"]["p50_s"] == 30
    assert said["storage"]["database_bytes"] > 1_000_000
    assert "pacs_agent_images_received_total 12.0" in client.get("/metrics").text
    assert client.get("/readyz").json["checks"]["schema"] is True
    after = marks_of(look(())[CONSOLE])
    assert {topic for topic in after if after[topic] != before[topic]} >= {"overview", "studies", "queue"}
