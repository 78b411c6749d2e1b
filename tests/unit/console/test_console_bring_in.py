"""Bringing in by the console: dropped files, searches whose answers leave no name in an address, transfers."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from people import add_person, app_of, log_in
from sqlalchemy import select

from pacs_agent import bring_in
from pacs_agent.accounts import Role
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.bring_in import blueprint
from pacs_agent.db import AuditEvent, Database, Destination, Transfer
from tests.unit.archive.made_instances import ct_slice, part10

HOSTILE = '"><img src=x onerror=alert(1)>'
STUDY = "1.2.3"


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    with database.writing() as session:
        settings = {"host": "127.0.0.1", "port": 9, "called_ae": "PACS"}
        session.add(Destination(name="pacs", kind="dimse", settings=settings))
    return app_of(database, tmp_path).test_client()


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Any:
    """Carries out what is queued."""
    process = bring_in.BringIn(Settings(data_dir=tmp_path), database, Archive(database, tmp_path / "archive"))

    def step() -> None:
        process.step()
        process.wait()

    return step


def drop(client: FlaskClient, *files: bytes) -> dict[str, Any]:
    data = {"files": [(BytesIO(file), f"../../{number}.dcm") for number, file in enumerate(files)]}
    answer = client.post("/api/v1/bring-in/upload", data=data, content_type="multipart/form-data")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json
    return told


def test_dropped_files_are_taken_in(client: FlaskClient, run: Any) -> None:
    assert "Nothing was brought in yet" in client.get("/console/bring-in").text
    files = [part10(ct_slice(number)) for number in range(1, 40)]
    transfer = drop(client, *files, b"a letter")["transfer"]
    assert "0 of 40" in client.get("/console/bring-in").text
    run()
    told = client.get(f"/api/v1/bring-in/transfers/{transfer}").json
    assert (told["state"], told["done"], told["skipped"]) == ("done", 39, 1)
    assert "1 no DICOM files" in client.get(f"/console/bring-in/transfers/{transfer}").text


def test_nothing_dropped_is_refused(client: FlaskClient) -> None:
    answer = client.post("/api/v1/bring-in/upload", data={}, content_type="multipart/form-data")
    assert (answer.status_code, "choose" in answer.json["error"]) == (422, True)


def test_what_a_search_finds_is_shown_to_who_searched_and_no_address_names_a_patient(
    client: FlaskClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = bring_in.FoundStudy(study_instance_uid=STUDY, patient_name=HOSTILE, instances=3)
    monkeypatch.setattr(blueprint.bring_in, "find_studies", lambda *_: [found])
    answer = client.post("/console/bring-in/find", data={"source": "pacs", "patient_name": "Doe"})
    assert answer.status_code == 303
    assert "Doe" not in answer.location
    page = client.get(answer.location).text
    assert HOSTILE not in page
    assert "&lt;img src=x" in page
    told = client.post("/api/v1/bring-in/find", json={"source": "pacs", "patient_id": "7"}).json
    assert [study["study_instance_uid"] for study in told["found"]["studies"]] == [STUDY]
    with database.reading() as session:
        lines = session.scalars(select(AuditEvent).where(AuditEvent.action == "transfer.searched")).all()
    assert "Doe" not in str([(line.subject, line.detail) for line in lines])
    add_person(database, "ada", Role.OPERATOR)
    log_in(client)
    assert client.get(answer.location).status_code == 404


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"source": "pacs"}, 422, "loads the PACS"),
        ({"source": "pacs", "patient_name": "**"}, 422, "loads the PACS"),
        ({"source": "pacs", "from_day": "yesterday"}, 422, "from_day"),
        ({"source": "pacs", "patient_id": "a\\b"}, 422, "patient_id"),
        ({"source": "nobody", "patient_id": "7"}, 404, "Peers"),
        ({"source": "pacs", "patient_id": "7"}, 409, "did not accept an association"),
    ],
)
def test_a_search_that_cannot_be_is_refused_in_words(
    client: FlaskClient, asked: dict[str, str], status: int, words: str
) -> None:
    answer = client.post("/api/v1/bring-in/find", json=asked)
    assert (answer.status_code, words in answer.json["error"]) == (status, True)


def test_a_study_is_fetched_canceled_and_started_again(client: FlaskClient, database: Database, run: Any) -> None:
    begun = client.post("/api/v1/bring-in/pull", json={"source": "pacs", "study_instance_uid": STUDY}).json
    again = client.post("/api/v1/bring-in/pull", json={"source": "pacs", "study_instance_uid": STUDY})
    assert (again.status_code, "already" in again.json["error"]) == (409, True)
    at = f"/api/v1/bring-in/transfers/{begun['transfer']}"
    assert client.post(f"{at}/cancel").status_code == 200
    assert client.post(f"{at}/cancel").status_code == 409
    assert client.post(f"{at}/again").status_code == 200
    run()
    told = client.get(at).json
    assert (told["state"], told["kind"]) == ("failed", "c-move")
    assert told["error"] in client.get("/console/bring-in").text
    assert client.post(f"{at}x/again").status_code == 404
    with database.reading() as session:
        actions = list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))
    assert actions == ["transfer.started", "transfer.canceled", "transfer.started", "transfer.failed"]


@pytest.mark.parametrize("uid", ["", "../1", "1.2.3/4", "1" * 65])
def test_what_is_no_study_is_not_fetched(client: FlaskClient, uid: str) -> None:
    answer = client.post("/api/v1/bring-in/pull", json={"source": "pacs", "study_instance_uid": uid})
    assert answer.status_code in (409, 422)


def test_transfers_that_nobody_takes_say_so(client: FlaskClient, database: Database) -> None:
    transfer = drop(client, b"a letter")["transfer"]
    assert "no process takes them" not in client.get("/console/bring-in").text
    with database.writing() as session:
        row = session.get_one(Transfer, transfer)
        row.changed_at = row.changed_at.replace(year=2020)
    assert "no process takes them" in client.get("/console/bring-in").text


def test_only_operators_bring_in(client: FlaskClient, database: Database) -> None:
    add_person(database, "ada", Role.VIEWER)
    headers = log_in(client)
    assert client.get("/api/v1/bring-in").status_code == 403
    data = {"files": (BytesIO(b"x"), "x")}
    answer = client.post("/api/v1/bring-in/upload", data=data, headers=headers, content_type="multipart/form-data")
    assert answer.status_code == 403
