"""The list of studies and what it is searched by, a study's page, and what is done to a study."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from people import add_person, app_of, log_in
from sqlalchemy import select
from studies_listed import add_job, add_studies
from studies_read import BEGIN

from pacs_agent.accounts import Role
from pacs_agent.db import (
    AskedState,
    AuditEvent,
    CommitmentAsked,
    Database,
    Instance,
    Job,
    JobState,
    Patient,
    SeriesAhead,
    Study,
    StudyState,
    begins,
    search_key,
)

NAMES = ("Müller^Änne", "Doe^John", "Doe^Jane", "<script>x</script>^Eve", "O'Neil^Pat")


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    return app_of(database, tmp_path).test_client()


def found(client: FlaskClient, **asked: Any) -> list[str]:
    answer = client.get("/api/v1/studies", query_string=asked)
    assert answer.status_code == 200, answer.text
    return [row["patient_name"] for row in answer.json["rows"]]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, NAMES[::-1]),
        ({"name": "muller"}, NAMES[:1]),
        ({"name": "MÜLLER, ä"}, NAMES[:1]),
        ({"name": "doe j"}, (NAMES[2], NAMES[1])),
        ({"name": "doe^jane"}, (NAMES[2],)),
        ({"name": "john"}, ()),
        ({"name": "*john"}, (NAMES[1],)),
        ({"name": "*%"}, ()),
        ({"name": "o'n"}, (NAMES[4],)),
        ({"patient_id": "pat-2"}, (NAMES[1],)),
        ({"accession": "acc3"}, (NAMES[2],)),
        ({"since": "2026-01-02", "until": "2026-01-03"}, (NAMES[2], NAMES[1])),
        ({"until": "2026-01-01"}, NAMES[:1]),
        ({"modality": "ct", "limit": 2}, (NAMES[4], NAMES[3])),
        ({"modality": "MR"}, ()),
        ({"state": "receiving"}, ()),
        ({"uid": "1.2.826.0.9.2"}, (NAMES[1],)),
    ],
)
def test_studies_are_found_by_what_people_know(
    client: FlaskClient, database: Database, asked: dict[str, Any], names: tuple[str, ...]
) -> None:
    add_studies(database, *NAMES)
    assert tuple(found(client, **asked)) == names


def test_the_state_searched_is_that_of_the_newest_reading(client: FlaskClient, database: Database) -> None:
    first, second, _third = add_studies(database, "A", "B", "C")
    add_job(database, first, JobState.FAILED)
    add_job(database, first, JobState.DONE)
    add_job(database, first, JobState.FAILED, pipeline="review")
    add_job(database, second, JobState.DONE)
    add_job(database, second, JobState.FAILED)
    assert found(client, job="done") == ["A"]
    assert found(client, job="failed") == ["B"]
    assert found(client, job="queued") == []


@pytest.mark.parametrize("asked", [{"state": "lost"}, {"since": "yesterday"}, {"limit": "0"}, {"name": "x" * 65}])
def test_a_filter_that_is_none_is_refused_in_words(client: FlaskClient, asked: dict[str, str]) -> None:
    answer = client.get("/api/v1/studies", query_string=asked)
    assert answer.status_code == 400
    assert next(iter(asked)) in answer.json["error"]


def test_hostile_values_of_images_are_text(client: FlaskClient, database: Database) -> None:
    uid = add_studies(database, NAMES[3])[0]
    add_job(database, uid, JobState.FAILED)
    for path in ("/console/studies", f"/console/studies/{uid}", "/console/queue", "/console/dead-letters"):
        page = client.get(path).text
        assert "&lt;script&gt;x&lt;/script&gt;" in page
        assert "<script>x" not in page
        assert "<b>no</b>" not in page


def test_a_study_tells_its_whole_story(client: FlaskClient, database: Database) -> None:
    uid = add_studies(database, "Doe^John")[0]
    job = add_job(database, uid, JobState.DONE)
    page = client.get(f"/api/v1/studies/{uid}").json
    assert [(one["source"], one["instances"]) for one in page["arrivals"]] == [("CT1@10.0.0.7", 1)]
    told = [(moment["what"], moment["job"]) for moment in page["timeline"]]
    for what in ("1 instance received", "job queued", "compose", "ai result made", "ai result confirmed at pacs"):
        assert any(what == said for said, _job in told), (what, told)
    assert page["jobs"][0]["job"]["id"] == job
    assert page["viewer"].endswith(f"?StudyInstanceUIDs={uid}")
    assert "compose" in client.get(f"/console/studies/{uid}").text
    assert client.get("/api/v1/studies/1.2.3").status_code == 404


def test_a_study_shows_how_many_of_how_many_came_and_what_it_waits_for(client: FlaskClient, database: Database) -> None:
    waits = {
        "state": StudyState.HELD,
        "state_reason": "rule “chest” misses a series",
        "expected_from": "C-FIND at pacs",
    }
    uid = add_studies(database, "Doe^John", expected_instances=60, **waits)[0]
    row = client.get("/api/v1/studies", query_string={"state": "held"}).json["rows"][0]
    assert (row["images"], row["expected"], row["expected_from"]) == (1, 60, "C-FIND at pacs")
    assert "1 of 60" in client.get("/console/studies").text
    page = client.get(f"/console/studies/{uid}").text
    assert "1 of 60 images by C-FIND at pacs" in page
    assert "misses a series" in page
    assert "Complete now" in page


def test_the_timeline_says_why_a_study_that_is_quiet_waits(client: FlaskClient, database: Database) -> None:
    words = "nothing came for 30 s, but the association of CT1@10.0.0.7 is still open"
    uid = add_studies(database, "Doe^John", state=StudyState.RECEIVING, state_reason=words)[0]
    page = client.get(f"/api/v1/studies/{uid}").json
    assert [one["said"] for one in page["timeline"] if one["what"] == "waits"] == [words]


def test_the_timeline_tells_of_reading_ahead_and_of_storage_commitment(client: FlaskClient, database: Database) -> None:
    uid = add_studies(database, "Doe^John", commitment_asked_at=BEGIN, complete_by="all 60 instances came")[0]
    job = add_job(database, uid, JobState.DELIVERING)
    with database.writing() as session:
        study = session.query(Study).one()
        session.add(SeriesAhead(study_pk=study.id, series_instance_uid=f"{uid}.1", encoded=412, left_out=3))
        asked = {
            "job_id": job,
            "destination": "pacs",
            "called_ae": "PACS",
            "instances": [["1.2", "1.3"], ["1.2", "1.4"]],
        }
        session.add(CommitmentAsked(transaction_uid="2.25.1", state=AskedState.WAITING, **asked))
        answered = {"state": AskedState.ANSWERED, "answered_at": BEGIN, "asked_at": BEGIN}
        session.add(
            CommitmentAsked(transaction_uid="2.25.2", committed=["1.3"], failed={"1.4": 0x0112}, **answered, **asked)
        )
    page = client.get(f"/api/v1/studies/{uid}").json
    told = {moment["what"]: moment["said"] for moment in page["timeline"]}
    assert told["read ahead: 412 slices"] == "3 left for later"
    assert "kept here" in told["storage commitment asked of us"]
    said = [one["said"] for one in page["timeline"] if one["what"] == "storage commitment asked of pacs"]
    assert said == ["1 of 2 objects are kept for good; the others are not (0x0112)", "no answer yet"]
    assert page["complete_by"] == "all 60 instances came"


def test_a_look_at_a_study_is_audited(client: FlaskClient, database: Database) -> None:
    uid = add_studies(database, "Doe^John")[0]
    client.get("/console/studies")
    client.get(f"/console/studies/{uid}")
    with database.reading() as session:
        lines = [(one.action, one.subject) for one in session.scalars(select(AuditEvent).order_by(AuditEvent.id))]
    assert lines == [("studies.searched", ""), ("study.viewed", uid)]


def test_a_study_is_forced(client: FlaskClient, database: Database) -> None:
    uid = add_studies(database, "Doe^John", state=StudyState.RECEIVING)[0]
    answer = client.post(f"/api/v1/studies/{uid}/force")
    assert (answer.status_code, "ignored" in answer.json["message"]) == (200, True)
    assert client.post("/api/v1/studies/1.2.3/force").status_code == 404


def test_a_deleted_study_leaves_nothing(client: FlaskClient, database: Database) -> None:
    uid = add_studies(database, "Doe^John")[0]
    job = add_job(database, uid, JobState.RUNNING)
    refused = client.post(f"/api/v1/studies/{uid}/delete", json={})
    assert (refused.status_code, job in refused.json["error"]) == (409, True)
    with database.writing() as session:
        session.get_one(Job, job).state = JobState.DONE
    assert client.post(f"/console/studies/{uid}/delete", data={}).location == "/console/studies"
    with database.reading() as session:
        assert [session.query(table).count() for table in (Study, Patient, Instance, Job)] == [0, 0, 0, 0]
        line = session.scalars(select(AuditEvent).where(AuditEvent.action == "study.removed")).one()
    assert (line.subject, line.detail["instances"]) == (uid, 1)


def test_who_only_sees_does_nothing(client: FlaskClient, database: Database) -> None:
    uid = add_studies(database, "Doe^John")[0]
    add_person(database, "vera", Role.VIEWER)
    token = log_in(client, "vera")
    assert client.get("/console/studies").status_code == 200
    for act in ("force", "delete"):
        assert client.post(f"/api/v1/studies/{uid}/{act}", json={}, headers=token).status_code == 403
    assert "Delete the study" not in client.get(f"/console/studies/{uid}").text


def test_keys_are_the_same_however_a_name_is_written() -> None:
    assert {search_key(one) for one in ("Müller^Ä", "müller,  ä", "MÜLLER a", "Mu\u0308ller^Ä")} == {"muller a"}
    assert str(begins(Patient.name_key, "*50%")).count("LIKE") == 1
