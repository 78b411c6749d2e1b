"""The FHIR report over HTTP: of the newest reading or of a job's, where it is switched on."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from people import app_of
from studies_read import READING, add_job, add_study

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console import create_app
from pacs_agent.db import Database, JobState, Patient, ResultObject
from pacs_agent.inference import recall


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    settings = Settings(data_dir=tmp_path, results={"fhir": True})
    return create_app(settings, database, Archive(database, tmp_path / "archive")).test_client()


def test_the_newest_reading_is_told(client: FlaskClient, database: Database) -> None:
    study = add_study(database)
    job = add_job(database, study, JobState.DONE, content=READING)
    response = client.get(f"/api/v1/studies/{study}/diagnostic-report")
    assert (response.status_code, response.content_type) == (200, "application/fhir+json")
    report = response.json
    assert (report["resourceType"], report["status"]) == ("DiagnosticReport", "preliminary")
    with database.reading() as session:
        patient_id = session.query(Patient).one().patient_id
        made = session.query(ResultObject).filter_by(kind="ai_result").one()
    assert report["contained"][0]["identifier"] == [{"value": patient_id}]
    assert report["identifier"][0]["value"] == f"urn:oid:{made.sop_instance_uid}"
    assert client.get(f"/api/v1/studies/{study}/diagnostic-report?job={job}").json == report
    other = client.get(f"/api/v1/studies/{study}/diagnostic-report?job=nobody")
    assert (other.status_code, "no such reading job" in other.json["error"]) == (404, True)


def test_a_recalled_reading_is_withdrawn(client: FlaskClient, database: Database) -> None:
    study = add_study(database)
    add_job(database, study, JobState.DONE, content=READING)
    bundle = READING["bundle"]
    with database.writing() as session:
        recall(session, bundle["name"], bundle["version"], reason="misses effusions", actor="test")
    report = client.get(f"/api/v1/studies/{study}/diagnostic-report").json
    assert report["status"] == "entered-in-error"
    assert "misses effusions" in report["conclusion"]


def test_what_is_not_there_is_said(client: FlaskClient, database: Database) -> None:
    unknown = client.get("/api/v1/studies/1.2.3/diagnostic-report")
    assert (unknown.status_code, "no such study" in unknown.json["error"]) == (404, True)
    waiting = add_study(database)
    add_job(database, waiting, JobState.RUNNING)
    unread = client.get(f"/api/v1/studies/{waiting}/diagnostic-report")
    assert (unread.status_code, "no reading yet" in unread.json["error"]) == (404, True)


def test_it_is_off_unless_it_is_switched_on(database: Database, tmp_path: Path) -> None:
    study = add_study(database)
    add_job(database, study, JobState.DONE, content=READING)
    response = app_of(database, tmp_path).test_client().get(f"/api/v1/studies/{study}/diagnostic-report")
    assert (response.status_code, "results.fhir" in response.json["error"]) == (404, True)
