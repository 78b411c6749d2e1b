"""Everybody changes his own password and nobody else's; wrong ones are throttled, and other logins end."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from people import PASSWORD, add_person, app_of, log_in
from sqlalchemy import select
from test_console_login import form_token

from pacs_agent.accounts import ProviderClaims, Role, log_in_by_provider
from pacs_agent.console.sessions import LoggedIn
from pacs_agent.db import AuditEvent, Database, User

NEW = "quite another sentence"
CHANGE = {"old": PASSWORD, "new": NEW, "again": NEW}
PATH = "/api/v1/account/password"


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Flask:
    add_person(database)
    return app_of(database, tmp_path, token="machine-token")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    client = app.test_client()
    client.environ_base["HTTP_X_CSRF_TOKEN"] = log_in(client)["X-CSRF-Token"]
    return client


def lines(database: Database, action: str) -> list[tuple[str, str, str]]:
    with database.reading() as session:
        found = session.scalars(select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id))
        return [(one.actor, one.subject, one.outcome) for one in found]


def may_log_in(app: Flask, password: str) -> bool:
    answer = app.test_client().post("/api/v1/session", json={"login": "ada", "password": password})
    return answer.status_code == 200


def test_a_person_changes_the_password_and_other_logins_end(
    app: Flask, client: FlaskClient, database: Database
) -> None:
    elsewhere = app.test_client()
    log_in(elsewhere)
    answer = client.post(PATH, json=CHANGE)
    assert answer.status_code == 200, answer.text
    assert elsewhere.get("/api/v1/session").status_code == 401
    assert client.get("/api/v1/account").json == {
        "login": "ada",
        "name": "Dr. Ada Lovelace",
        "roles": ["reviewer"],
        "provider": None,
    }
    headers = {"X-CSRF-Token": answer.json["csrf"]}
    again = {"old": NEW, "new": PASSWORD + "!", "again": PASSWORD + "!"}
    assert client.post(PATH, json=again, headers=headers).status_code == 200
    assert (may_log_in(app, PASSWORD), may_log_in(app, NEW), may_log_in(app, PASSWORD + "!")) == (False, False, True)
    assert lines(database, "user.password") == [("ada@127.0.0.1", "ada", "success")] * 2


def test_the_form_works_without_scripts_and_shows_what_was_done(client: FlaskClient, app: Flask) -> None:
    token = form_token(client, "/console/account")
    answer = client.post("/console/account/password", data=CHANGE | {"csrf_token": token})
    assert (answer.status_code, answer.location) == (303, "/console/account")
    page = client.get("/console/account").text
    assert "Your password is changed" in page
    assert 'autocomplete="current-password"' in page
    assert may_log_in(app, NEW)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"old": "not the one"}, "old password is another"),
        ({"again": NEW + "."}, "differ"),
        ({"new": "password1234", "again": "password1234"}, "guessed"),
        ({"new": "short", "again": "short"}, "12 to 256"),
        ({"new": PASSWORD, "again": PASSWORD}, "take another"),
        ({"login": "grace"}, "login"),
        ({"roles": ["admin"]}, "roles"),
    ],
)
def test_what_cannot_be_is_refused_and_the_login_stays(
    client: FlaskClient, app: Flask, change: dict[str, object], words: str
) -> None:
    answer = client.post(PATH, json=CHANGE | change)
    assert answer.status_code == 422
    assert words in answer.json["error"]
    assert client.get("/api/v1/session").status_code == 200
    assert may_log_in(app, PASSWORD)


def test_guessing_the_old_password_is_throttled_and_shuts_nobody_out(
    client: FlaskClient, app: Flask, database: Database
) -> None:
    for _ in range(10):
        assert client.post(PATH, json=CHANGE | {"old": "a guess of somebody"}).status_code == 422
    refused = client.post(PATH, json=CHANGE)
    assert refused.status_code == 429
    assert "minutes" in refused.json["error"]
    assert lines(database, "user.password") == [("ada@127.0.0.1", "ada", "minor-failure")] * 10
    assert may_log_in(app, PASSWORD)


def test_whom_a_provider_knows_is_told_where_to_change_it(app: Flask, database: Database) -> None:
    claims = ProviderClaims("https://login.example", "s", "grace", "Grace Hopper", (Role.VIEWER,))
    user = log_in_by_provider(database, claims, "192.0.2.1")
    grace = app.test_client()
    csrf = form_token(grace)
    with grace.session_transaction() as session:
        session.update(_user_id=LoggedIn(user).get_id(), since=4e9, sid="x")
    page = grace.get("/console/account").text
    assert "https://login.example" in page
    assert 'name="old"' not in page
    refused = grace.post(PATH, json=CHANGE, headers={"X-CSRF-Token": csrf})
    assert refused.status_code == 422
    assert "change it there" in refused.json["error"]
    with database.reading() as session:
        assert session.get_one(User, "grace").password_hash == ""


def test_programs_have_no_account(app: Flask) -> None:
    program = app.test_client()
    bearer = {"Authorization": "Bearer machine-token"}
    assert program.get("/api/v1/account", headers=bearer).status_code == 404
    assert program.post(PATH, json=CHANGE, headers=bearer).status_code == 404


@pytest.mark.parametrize("role", Role)
def test_every_role_finds_it_in_the_frame(app: Flask, database: Database, role: Role) -> None:
    add_person(database, "bob", role)
    bob = app.test_client()
    log_in(bob, "bob")
    assert 'href="/console/account"' in bob.get("/console/account").text
    assert 'href="/console/account"' in bob.get("/logout").text
