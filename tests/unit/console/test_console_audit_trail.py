"""The audit page: search, pages, differences, exports, and who may read it."""

import csv
import io
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from people import add_person, app_of, log_in
from sqlalchemy import func, select

from pacs_agent import accounts
from pacs_agent.accounts import Role
from pacs_agent.console.audit_trail.difference import changes_of, text_difference
from pacs_agent.console.audit_trail.export import safe_cell
from pacs_agent.db import AuditEvent, Database
from pacs_agent.ops import Outcome, audit
from pacs_agent.ops.audit_chain import seal_waiting
from tests.unit.ops.test_ops_audit_message import SCHEMA

FORMULA = '=cmd|" /C calc"!A0'


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Flask:
    add_person(database, "eve", Role.AUDITOR)
    return app_of(database, tmp_path)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    client = app.test_client()
    log_in(client, "eve")
    return client


def write(database: Database, action: str, subject: str = "", actor: str = "ada@192.0.2.7", **detail: object) -> int:
    with database.writing() as session:
        audit(session, actor=actor, action=action, outcome=Outcome.MINOR_FAILURE, subject=subject, **detail)
        session.flush()
        return int(session.scalar(select(func.max(AuditEvent.id))) or 0)


def found(client: FlaskClient, query: str) -> list[str]:
    answer = client.get(f"/api/v1/audit?{query}")
    assert answer.status_code == 200, answer.text
    return [f"{line['action']} {line['subject']}".strip() for line in answer.json["lines"]["rows"]]


def test_lines_are_found_by_each_field(client: FlaskClient, database: Database) -> None:
    write(database, "study.viewed", "1.2.3")
    write(database, "study.force", "1.2.4", actor="command line")
    assert found(client, "actor=ada") == ["study.viewed 1.2.3"]
    assert found(client, "actor=ada@192.0.2.7&subject=1.2.3") == ["study.viewed 1.2.3"]
    assert found(client, "action=study.") == ["study.force 1.2.4", "study.viewed 1.2.3"]
    assert found(client, "outcome=minor-failure&limit=1") == ["study.force 1.2.4"]
    assert found(client, "action=login") == ["login eve"]
    assert found(client, "until=2020-01-01T00:00") == found(client, "since=2099-01-01T00:00Z") == []
    assert found(client, "actor=command%20line") == ["study.force 1.2.4"]
    assert found(client, "actor=a%25a") == []
    for wrong in ("since=yesterday", "outcome=good", "actor=%00", "cursor=x", "since=0001-01-01T00:00%2B14:00"):
        assert client.get(f"/api/v1/audit?{wrong}").status_code == 400
    assert "study.viewed" in client.get("/console/audit").text


def test_pages_lead_on_and_the_unsealed_wait(client: FlaskClient, database: Database) -> None:
    write(database, "first"), seal_waiting(database), write(database, "second")
    page = client.get("/api/v1/audit?limit=1").json["lines"]
    assert (page["rows"][0]["action"], page["rows"][0]["position"]) == ("second", None)
    page = client.get(f"/api/v1/audit?limit=1&cursor={page['next']}").json["lines"]
    assert page["rows"][0]["action"] == "first"
    assert page["rows"][0]["position"] is not None
    assert "waits" in client.get("/console/audit").text


def test_before_and_after_are_a_difference(client: FlaskClient, database: Database) -> None:
    before, after = {"roles": ["viewer"], "name": "Ada"}, {"roles": ["viewer", "admin"], "name": "Ada", "on": True}
    line = write(database, "user.changed", "ada", before=before, after=after, why="<script>alert(1)</script>")
    one = client.get(f"/api/v1/audit/{line}").json
    assert one["changes"] == [
        {"field": "roles", "before": "viewer", "after": "viewer, admin"},
        {"field": "on", "before": "–", "after": "yes"},
    ]
    page = client.get(f"/console/audit/{line}").text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    text = write(database, "rules.changed", before="a\nb\n", after="a\nc\n")
    assert [(one["kind"], one["text"]) for one in client.get(f"/api/v1/audit/{text}").json["text"]] == [
        ("same", "a"),
        ("removed", "b"),
        ("added", "c"),
    ]
    for nothing in ("999999", "99999999999999999999"):
        assert client.get(f"/api/v1/audit/{nothing}").status_code == 404


@given(st.dictionaries(st.text(max_size=3), st.none() | st.booleans() | st.text(max_size=5) | st.lists(st.integers())))
def test_any_difference_can_be_shown(detail: dict[str, object]) -> None:
    changes_of(detail), text_difference(detail)
    assert changes_of({"before": detail, "after": detail}) == []


def test_csv_has_no_formula(client: FlaskClient, database: Database) -> None:
    write(database, "study.viewed", FORMULA, actor="@SUM(1)", note="a\nb")
    answer = client.get("/console/audit/export.csv?action=study.viewed")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit-trail.csv"'
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["subject"], row["actor"]) == (f"'{FORMULA}", "'@SUM(1)")
    assert found(client, "action=audit.exported") == ["audit.exported"]


@given(st.text())
def test_no_cell_begins_as_a_formula(text: str) -> None:
    assert not safe_cell(text).lstrip().startswith(("=", "+", "-", "@"))


def test_xml_has_a_message_for_each_line(client: FlaskClient, database: Database) -> None:
    write(database, "study.viewed", "1.2.3\x01", note="\x00<&>")
    root = etree.fromstring(client.get("/api/v1/audit/export.xml").data)
    assert len(root) == 5  # the account, that it is an auditor's, its login, the line, and this export
    for message in root:
        SCHEMA.assertValid(message)
    assert len(etree.fromstring(client.get("/api/v1/audit/export.xml?most=2").data)) == 2
    assert client.get("/api/v1/audit/export.xml?most=99999999").status_code == 400


def test_a_look_at_the_trail_is_in_the_trail_once(client: FlaskClient, database: Database) -> None:
    line = write(database, "study.viewed", "1.2.3")
    for _ in range(2):
        page = client.get("/api/v1/audit?action=study.&limit=1").json["lines"]
        client.get(f"/console/audit?action=study.&cursor={page['next']}")
        client.get("/console/audit")
        client.get(f"/console/audit/{line}")
    assert client.get("/console/audit?actor=%00").status_code == 400
    assert client.get("/console/audit/999999").status_code == 404
    with database.reading() as session:
        looks = list(session.scalars(select(AuditEvent).where(AuditEvent.action == "audit.viewed")))
    assert [look.detail for look in looks] == [
        {"sought": {"action": "study."}},
        {"sought": {}},
        {"sought": {"line": line}},
    ]
    assert {look.actor for look in looks} == {"eve@127.0.0.1"}


def test_auditors_are_told_who_became_one(client: FlaskClient, database: Database) -> None:
    add_person(database, "ada", Role.REVIEWER)
    with database.writing() as session:
        accounts.change_account(session, "ada", roles=[Role.AUDITOR], actor="boss@192.0.2.9")
        accounts.change_account(session, "ada", name="Ada King", actor="boss@192.0.2.9")
        accounts.set_password(session, "eve", "quite another sentence", actor="boss@192.0.2.9")
        accounts.set_enabled(session, "ada", enabled=False, actor="test")
        accounts.set_enabled(session, "ada", enabled=True, actor="test")
    client.post("/api/v1/session", json={"login": "eve", "password": "quite another sentence"})
    told = client.get("/api/v1/audit").json["auditors"]
    acts = ["auditor.enabled ada", "auditor.password eve", "auditor.made ada", "auditor.made eve"]
    assert [f"{line['action']} {line['subject']}" for line in told] == acts
    page = client.get("/console/audit").text
    assert "was given a password by boss@192.0.2.9" in page


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REVIEWER, Role.OPERATOR])
def test_others_do_not_read_it(app: Flask, database: Database, role: Role) -> None:
    add_person(database, "bob", role)
    bob = app.test_client()
    log_in(bob, "bob")
    for path in ("audit", "audit/1", "audit/export.csv", "audit/export.xml"):
        assert {bob.get(f"{prefix}/{path}").status_code for prefix in ("/console", "/api/v1")} == {403}
