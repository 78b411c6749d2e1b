"""The rules' pages: saved, moved, restored, tested and tried, each with its refusal."""

import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from people import add_person, app_of, log_in
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from sqlalchemy import select, update

from pacs_agent import route
from pacs_agent.accounts import Role
from pacs_agent.archive import Archive, instance_header, split_part10
from pacs_agent.db import AuditEvent, Database, RuleSet, Study, StudyState

ONE = "rules:\n  # the first\n  - {name: A, pipeline: msvlm}\n"
TWO = ONE + "  # chest\n  - name: B <b>\n    when: {attribute: Modality, equals: CT}\n    pipeline: msvlm\n"


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    return app_of(database, tmp_path).test_client()


def in_force(database: Database) -> str:
    with database.reading() as session:
        return route.rules_text(session)


def save(client: FlaskClient, text: str, based_on: int) -> Any:
    return client.post("/api/v1/rules/save", json={"text": text, "based_on": based_on})


def ct_file(name: str = "Nobody") -> bytes:
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID, image.Modality = CTImageStorage, "1.2.3", "CT"
    image.StudyInstanceUID, image.SeriesInstanceUID, image.PatientName = "1.2.4", "1.2.5", name
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = io.BytesIO()
    image.save_as(file, enforce_file_format=True)
    return file.getvalue()


def test_a_save_puts_in_force_what_was_written_and_leaves_its_line(client: FlaskClient, database: Database) -> None:
    assert client.get("/api/v1/rules").json["version"] == 0
    answer = client.post("/console/rules/save", data={"text": TWO.replace("\n", "\r\n"), "based_on": "0"})
    assert (answer.status_code, answer.location) == (303, "/console/rules")
    assert in_force(database) == TWO
    with database.reading() as session:
        line = session.scalars(select(AuditEvent).where(AuditEvent.action == "rules.changed")).one()
    assert line.detail == {"before": "", "after": TWO}
    page = client.get("/console/rules").text
    assert "B &lt;b&gt;" in page
    assert "B <b>" not in page


@pytest.mark.parametrize("text", ["rules:\n  - {nam: x}", "rules: [", "rules:\n - {name: x, pipeline: shadow}"])
def test_nothing_wrong_is_saved_and_the_line_is_told(client: FlaskClient, database: Database, text: str) -> None:
    answer = save(client, text, 0)
    assert answer.status_code == 422
    assert "line" in answer.json["error"]
    assert client.post("/api/v1/rules/check", json={"text": text}).json["fault"]["line"] >= 1
    assert in_force(database) == ""


def test_who_comes_second_is_told_and_changes_nothing(client: FlaskClient, database: Database) -> None:
    assert save(client, ONE, 0).status_code == 200
    answer = save(client, TWO, 0)
    assert answer.status_code == 409
    assert "changed" in answer.json["error"]
    assert in_force(database) == ONE
    assert save(client, TWO, 1).status_code == 200


def test_a_rule_moves_with_its_comments(client: FlaskClient, database: Database) -> None:
    save(client, TWO, 0)
    assert client.post("/api/v1/rules/move", json={"name": "A", "to": "down", "based_on": 1}).status_code == 200
    text = in_force(database)
    assert [rule.name for rule in route.RuleBook.parse(text).rules] == ["B <b>", "A"]
    assert text.index("# chest") < text.index("B <b>") < text.index("# the first") < text.index("name: A")
    again = client.post("/api/v1/rules/move", json={"name": "A", "to": "down", "based_on": 2})
    assert (again.status_code, "last rule" in again.json["error"]) == (422, True)
    assert client.post("/api/v1/rules/move", json={"name": "A", "to": "up", "based_on": 1}).status_code == 409


def test_an_earlier_version_is_in_force_again_as_a_new_one(client: FlaskClient, database: Database) -> None:
    save(client, ONE, 0)
    save(client, TWO, 1)
    shown = client.get("/api/v1/rules/versions/1").json
    assert any(line.startswith("-  - name: B") for line in shown["from_now"])
    assert client.post("/api/v1/rules/versions/1/restore", json={"based_on": 1}).status_code == 409
    assert client.post("/api/v1/rules/versions/1/restore", json={"based_on": 2}).status_code == 200
    assert in_force(database) == ONE
    with database.reading() as session:
        assert session.query(RuleSet).count() == 3
    for version in (9, 2**40):
        assert client.get(f"/api/v1/rules/versions/{version}").status_code == 404
        assert client.post(f"/api/v1/rules/versions/{version}/restore", json={"based_on": 3}).status_code == 404


def test_a_file_is_explained_and_nothing_is_saved(client: FlaskClient, database: Database) -> None:
    hostile = "<script>alert(1)</script>"
    text = f"rules:\n - {{name: A, pipeline: x, when: {{attribute: PatientName, equals: '{hostile}'}}}}"
    given = {"text": text, "file": (io.BytesIO(ct_file(hostile)), "<img src=x>.dcm")}
    page = client.post("/console/rules/test", data=given)
    assert page.status_code == 200
    assert "matches" in page.text
    assert hostile not in page.text
    assert "<img src=x>" not in page.text
    told = client.post("/api/v1/rules/test", data={"text": text, "file": (io.BytesIO(ct_file()), "a.dcm")}).json
    assert told["rules"][0]["matched"] is False
    assert told["rules"][0]["explanation"]["saw"] == ["Nobody"]
    assert in_force(database) == ""


EXPECTS = """rules:
  - name: A
    pipeline: x
    expects:
      series: [{attribute: NumberOfSeriesRelatedInstances, range: {min: 20}}]
      if_incomplete: hold
"""


def test_what_a_rule_expects_is_shown_tested_and_tried(client: FlaskClient, database: Database, tmp_path: Path) -> None:
    assert save(client, EXPECTS, 0).status_code == 200
    words = "NumberOfSeriesRelatedInstances is a number of at least 20"
    shown = client.get("/api/v1/rules").json["rules"][0]["expects"]
    assert shown == f"a series with {words}; waits for 600 s after the newest image, then an operator decides"
    assert words in client.get("/console/rules").text
    page = client.post("/console/rules/test", data={"text": EXPECTS, "file": (io.BytesIO(ct_file()), "a.dcm")}).text
    assert "It expects:" in page
    assert f"{words} (saw 1)" in page
    image = dcmread(io.BytesIO(ct_file()))
    archive = Archive(database, tmp_path / "archive")
    header = instance_header(image, ExplicitVRLittleEndian)
    archive.store(split_part10(ct_file()), header, source="test")
    with database.writing() as session:
        session.execute(update(Study).values(state=StudyState.COMPLETE))
    tried = client.post("/api/v1/rules/dry-run", json={"text": ONE}).json["run"]
    assert tried["changed"][0]["then"][0]["misses"] == ""
    assert tried["changed"][0]["now"][0]["misses"].startswith(f"misses a series with {words}; waits for 600 s")


@pytest.mark.parametrize("content", [b"", b"nonsense", ct_file()[:140]])
def test_a_file_that_is_none_is_told_so(client: FlaskClient, tmp_path: Path, content: bytes) -> None:
    given = {"text": TWO, "file": (io.BytesIO(content), "a.dcm")}
    answer = client.post("/api/v1/rules/test", data=given)
    assert "cannot be read as a DICOM image" in answer.json["fault"]["words"]
    assert str(tmp_path) not in answer.text


def test_the_pages_of_rules_are_for_operators(database: Database, tmp_path: Path) -> None:
    app = app_of(database, tmp_path)
    add_person(database, "vera", Role.VIEWER)
    client = app.test_client()
    headers = log_in(client, "vera")
    assert client.get("/api/v1/rules").status_code == 403
    assert client.post("/api/v1/rules/save", json={"text": ONE, "based_on": 0}, headers=headers).status_code == 403


CORRECTIONS = """rules: []
corrections:
  - name: ours
    when: {attribute: PatientName, equals: Nobody}
    is: {weighting: localizer}
"""


def test_corrections_are_listed_checked_and_tested_with_a_file(client: FlaskClient, database: Database) -> None:
    assert save(client, CORRECTIONS, 0).status_code == 200
    page = client.get("/api/v1/rules").json
    assert page["corrections"] == [
        {"name": "ours", "when": "PatientName equals 'Nobody'", "says": "weighting localizer", "enabled": True}
    ]
    assert "weighting localizer" in client.get("/console/rules").text
    told = client.post("/api/v1/rules/test", data={"text": CORRECTIONS, "file": (io.BytesIO(ct_file()), "a.dcm")}).json
    assert [(one["rule"], one["matched"]) for one in told["corrections"]] == [("ours: weighting localizer", True)]
    given = {"text": CORRECTIONS, "file": (io.BytesIO(ct_file("Else")), "a.dcm")}
    assert "not about this image" in client.post("/console/rules/test", data=given).text
    wrong = client.post("/api/v1/rules/check", json={"text": CORRECTIONS.replace("localizer", "scout")}).json
    assert wrong["fault"]["field"] == "corrections[0] (ours).is.weighting"
