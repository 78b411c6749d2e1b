"""A room's views: pages and their JSON twins, forms and bodies, refusals in words, and lists a page at a time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import FileSystemLoader
from people import app_of
from pydantic import BaseModel, Field
from sqlalchemy import select
from werkzeug.exceptions import BadRequest

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console import app as console_app
from pacs_agent.console.access import Role
from pacs_agent.console.frame import Asked, Done, Page, Refusal, Room, acting, page_of
from pacs_agent.db import AuditEvent, Database
from pacs_agent.ops import Outcome, audit


class Animal(BaseModel):
    name: str = Field(min_length=2)
    legs: int = 4
    foods: list[str] = []


class Animals(BaseModel):
    names: list[str]
    asked_for: str


class Which(BaseModel):
    like: str = ""


def animals(_settings: Settings, database: Database, _archive: Archive) -> Blueprint:
    room, names = Room("animals", __name__), ["<b>ant</b>"]

    @room.page("/animals", needs_role=Role.VIEWER, template="animals.html", answer=Animals, summary="All", asked=Which)
    def all_animals(asked: Which) -> Animals:
        return Animals(names=names, asked_for=asked.like)

    @room.act("/animals/add", needs_role=Role.OPERATOR, summary="Add", body=Animal)
    def add(body: Animal) -> Done:
        if body.name in names:
            raise Refusal(f"there is {body.name} already", 409)
        names.append(body.name)
        with database.writing() as session:
            audit(session, actor=acting(), action="animal.added", outcome=Outcome.SUCCESS, foods=body.foods)
        return Done(message=f"Added {body.name} with {body.legs} legs.", location="/console/animals")

    return room


@pytest.fixture
def client(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "animals.html").write_text(
        "{% extends 'frame.html' %}{% block main %}"
        "{% for name in page.names %}<p>{{ name }}</p>{% endfor %}{% endblock %}"
    )
    monkeypatch.setattr(console_app, "ROOMS", (*console_app.ROOMS, animals))
    app: Flask = app_of(database, tmp_path)
    app.jinja_loader = FileSystemLoader(tmp_path / "pages")
    return app.test_client()


def test_a_view_is_a_page_and_its_json(client: FlaskClient) -> None:
    page = client.get("/console/animals?like=bee", headers={"Accept": "text/html"})
    assert "&lt;b&gt;ant&lt;/b&gt;" in page.text
    assert client.get("/api/v1/animals?like=bee").json == {"names": ["<b>ant</b>"], "asked_for": "bee"}


def test_scripts_run_only_under_the_nonce_of_the_answer(client: FlaskClient) -> None:
    policies = {client.get("/console/animals").headers["Content-Security-Policy"] for _ in range(2)}
    assert len(policies) == 2
    for policy in policies:
        assert "script-src 'nonce-" in policy
        assert "unsafe" not in policy


def test_a_form_leads_to_the_page_to_look_at_next(client: FlaskClient) -> None:
    answer = client.post("/console/animals/add", data={"name": "bee", "foods": ["nectar", "pollen"], "legs": "6"})
    assert (answer.status_code, answer.location) == (303, "/console/animals")
    assert "Added bee with 6 legs." in client.get(answer.location).text


def test_a_body_is_answered_with_what_was_done(client: FlaskClient, database: Database) -> None:
    answer = client.post("/api/v1/animals/add", json={"name": "bee", "foods": ["nectar"]})
    assert answer.json == {"message": "Added bee with 4 legs.", "location": "/console/animals"}
    with database.reading() as session:
        line = session.scalars(select(AuditEvent).where(AuditEvent.action == "animal.added")).one()
    assert line.detail == {"foods": ["nectar"]}
    assert line.actor == "local@127.0.0.1"


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [({"name": "b"}, 422, "name"), ({}, 422, "name"), ([], 422, "object"), ({"name": "<b>ant</b>"}, 409, "already")],
)
def test_what_cannot_be_done_is_refused_in_words(client: FlaskClient, given: object, status: int, words: str) -> None:
    answer = client.post("/api/v1/animals/add", json=given)
    assert answer.status_code == status
    assert words in answer.json["error"]


def test_a_form_that_cannot_be_is_told_so_beside_its_fields(client: FlaskClient) -> None:
    answer = client.post("/console/animals/add", data={"name": "<b>ant</b>"}, headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert "there is &lt;b&gt;ant&lt;/b&gt; already" in answer.text


def test_an_act_never_sends_the_browser_elsewhere(client: FlaskClient) -> None:
    answer = client.post(
        "/console/animals/add", data={"name": "b"}, headers={"Referer": "https://evil.example//evil.example"}
    )
    assert answer.location == "/"


def rows_by_time(database: Database, asked: Asked, oldest: int = 0) -> Page[int]:
    with database.reading() as session:
        query = select(AuditEvent).where(AuditEvent.id >= oldest)
        return page_of(session, query, asked, by=AuditEvent.at, key=AuditEvent.id, row=lambda event: event.id)


def walk(database: Database, limit: int) -> Iterator[Page[int]]:
    page = rows_by_time(database, Asked(limit=limit))
    yield page
    while page.next:
        page = rows_by_time(database, Asked(limit=limit, cursor=page.next))
        yield page


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seconds=st.lists(st.integers(0, 3), max_size=12), limit=st.integers(1, 5))
def test_pages_hold_every_row_once_and_lead_back(database: Database, seconds: list[int], limit: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with database.writing() as session:
        session.query(AuditEvent).delete()
        for second in seconds:
            session.add(AuditEvent(at=start + timedelta(seconds=second), actor="a", action="b", outcome="success"))
        session.flush()
        ordered = [one.id for one in session.query(AuditEvent).order_by(AuditEvent.at.desc(), AuditEvent.id.desc())]
    pages = list(walk(database, limit))
    assert [row for page in pages for row in page.rows] == ordered
    assert pages[0].previous == ""
    for before, after in pairwise(pages):
        assert rows_by_time(database, Asked(limit=limit, cursor=after.previous)).rows == before.rows


@pytest.mark.parametrize("cursor", ["x", "bnVsbA", "W10", "WyI-IiwgIm5vdCBhIHRpbWUiLCAxXQ", "é"])
def test_a_cursor_that_is_none_is_refused(database: Database, cursor: str) -> None:
    with pytest.raises(BadRequest):
        rows_by_time(database, Asked(cursor=cursor))
