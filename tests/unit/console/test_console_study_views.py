"""Who was given which study of the agent's own archive is in the audit trail, one line for a look."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text

from pacs_agent.accounts import Role
from pacs_agent.archive import Archive
from pacs_agent.console.looks import SAME_LOOK_S
from pacs_agent.console.study_views import StudyViews
from pacs_agent.db import AuditEvent, Database
from pacs_agent.receive import Intake
from tests.unit.archive.made_instances import ct_slice, encoded
from tests.unit.console.people import add_person, app_of, log_in

ADA = "ada@127.0.0.1"


def views(database: Database) -> list[tuple[str, str, str, str]]:
    """The lines of looks: who, what, which study, where it lies."""
    query = select(AuditEvent).where(AuditEvent.action.like("stud%")).order_by(AuditEvent.id)
    with database.reading() as session:
        return [(row.actor, row.action, row.subject, row.detail["source"]) for row in session.scalars(query)]


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    add_person(database)
    add_person(database, "bob", Role.VIEWER, name="Bob")
    Intake(database, Archive(database, tmp_path / "archive")).accept(encoded(ct_slice()), source="A@1")
    client = app_of(database, tmp_path).test_client()
    log_in(client)
    return client


def test_a_look_at_a_study_is_one_line(client: FlaskClient, database: Database) -> None:
    study = "/dicom-web/studies/1.2.3"
    for path in ("metadata", "series", "metadata"):
        assert client.get(f"{study}/{path}").status_code == 200
    assert client.head(f"{study}/metadata").status_code == 200
    assert views(database) == [(ADA, "study.viewed", "1.2.3", "archive")]


def test_a_search_in_all_studies_is_a_line_of_its_own(client: FlaskClient, database: Database) -> None:
    client.get("/dicom-web/studies?PatientName=M*")
    client.get("/dicom-web/series?StudyInstanceUID=1.2.3")
    assert views(database) == [(ADA, "studies.searched", "", "archive")]


def test_every_person_has_a_line(client: FlaskClient, database: Database) -> None:
    client.get("/dicom-web/studies/1.2.3/metadata")
    other = client.application.test_client()
    log_in(other, "bob")
    other.get("/dicom-web/studies/1.2.3/metadata")
    assert [actor for actor, *_ in views(database)] == [ADA, "bob@127.0.0.1"]


def test_what_was_not_given_is_no_view(client: FlaskClient, database: Database) -> None:
    assert client.get("/dicom-web/studies/1.2.4/metadata").status_code == 404
    assert client.get("/dicom-web/studies/no-uid/metadata").status_code == 400
    assert client.post("/dicom-web/studies/1.2.3").status_code == 403
    stranger = client.application.test_client()
    assert stranger.get("/dicom-web/studies/1.2.3/metadata").status_code == 401
    assert views(database) == []


def test_a_look_after_a_while_is_another(database: Database) -> None:
    times_s = [0.0, SAME_LOOK_S, SAME_LOOK_S + 1, SAME_LOOK_S + 2]
    looks = StudyViews(database, "archive", clock=iter(times_s).__next__)
    for _ in times_s:
        looks.note(ADA, "1.2.3")
    assert len(views(database)) == 2


def rename(database: Database, old: str, new: str) -> None:
    with database.writing() as session:
        session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def test_nothing_is_shown_without_its_line(client: FlaskClient, database: Database) -> None:
    rename(database, "audit_events", "away")
    assert client.get("/dicom-web/studies/1.2.3/metadata").status_code == 500
    rename(database, "away", "audit_events")
    assert client.get("/dicom-web/studies/1.2.3/metadata").status_code == 200
    assert views(database) == [(ADA, "study.viewed", "1.2.3", "archive")]
