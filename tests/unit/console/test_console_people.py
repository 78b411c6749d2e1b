"""Users and tokens: every change's effect and refusal, who may not, and tokens as bearer."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from people import PASSWORD, add_person, app_of, log_in
from sqlalchemy import select

from pacs_agent.accounts import Role
from pacs_agent.db import AuditEvent, Database, User


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Flask:
    add_person(database, "grace", Role.ADMIN, name="<b>Grace</b>")
    return app_of(database, tmp_path)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    client = app.test_client()
    client.environ_base["HTTP_X_CSRF_TOKEN"] = log_in(client, "grace")["X-CSRF-Token"]
    return client


def lines(database: Database, action: str) -> list[AuditEvent]:
    with database.reading() as session:
        return list(session.scalars(select(AuditEvent).where(AuditEvent.action == action)))


NEW = {"login": "ada", "name": "Dr. Ada Lovelace", "roles": ["reviewer", "auditor"], "password": PASSWORD}


def test_an_account_is_added_shown_and_changed(client: FlaskClient, database: Database) -> None:
    assert client.post("/api/v1/people/add", json=NEW).status_code == 200
    shown = client.get("/console/people?search=AD").text
    assert "Dr. Ada Lovelace" in shown
    assert "&lt;b&gt;Grace" in client.get("/console/people").text
    one = client.get("/api/v1/people/ada").json["account"]
    assert (one["roles"], one["provider"], one["last_login_at"]) == (["auditor", "reviewer"], None, None)
    form = {"name": "Ada King", "roles": ["viewer"]}
    assert client.post("/console/people/ada/change", data=form).location == "/console/people/ada"
    (line,) = lines(database, "user.changed")
    assert (line.actor, line.subject) == ("grace@127.0.0.1", "ada")
    assert line.detail["before"]["roles"] == ["auditor", "reviewer"]
    assert line.detail["after"]["roles"] == ["viewer"]
    assert "grace@127.0.0.1" in {line.actor for line in lines(database, "user.added")}


def test_disabling_and_another_password_end_logins(client: FlaskClient, app: Flask) -> None:
    client.post("/api/v1/people/add", json=NEW)
    ada = app.test_client()
    log_in(ada)
    assert client.post("/api/v1/people/ada/password", json={"password": "quite another one"}).status_code == 200
    assert ada.get("/api/v1/session").status_code == 401
    assert client.post("/api/v1/people/ada/disable").status_code == 200
    refused = ada.post("/api/v1/session", json={"login": "ada", "password": "quite another one"})
    assert refused.status_code == 401
    assert client.post("/api/v1/people/ada/enable").status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("people/add", {**NEW, "login": "grace"}, "already"),
        ("people/add", {**NEW, "password": "password1234"}, "guessed"),
        ("people/add", {**NEW, "roles": []}, "roles"),
        ("people/add", {**NEW, "roles": ["root"]}, "roles"),
        ("people/add", {**NEW, "enabled": True}, "enabled"),
        ("people/add", {**NEW, "password_hash": "x"}, "password_hash"),
        ("people/grace/disable", {}, "last administrator"),
        ("people/grace/change", {"roles": ["viewer"]}, "last administrator"),
        ("people/grace/change", {"roles": ["admin", "auditor"]}, "more than he has"),
        ("people/grace/change", {"login": "root"}, "login"),
        ("people/grace/password", {"password": PASSWORD, "roles": ["auditor"]}, "roles"),
        ("tokens/add", {"name": "RIS", "roles": ["auditor"]}, "not auditor yourself"),
        ("tokens/add", {"name": "RIS", "roles": ["reviewer"]}, "none may review"),
        ("tokens/add", {"name": "RIS", "roles": ["viewer"], "days": 9999}, "days"),
        ("tokens/7/revoke", {}, "no token"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    client: FlaskClient, database: Database, path: str, body: dict[str, object], words: str
) -> None:
    answer = client.post(f"/api/v1/{path}", json=body)
    assert answer.status_code == 422
    assert words in answer.json["error"]
    with database.reading() as session:
        (user,) = session.scalars(select(User))
        assert (user.roles, user.enabled) == (["admin"], True)


def test_who_is_not_there_is_not_found(client: FlaskClient) -> None:
    for path in ("people/nobody/change", "people/nobody/disable", "people/nobody/enable", "people/%00/disable"):
        assert client.post(f"/api/v1/{path}", json={}).status_code == 404
    assert client.get("/api/v1/people/nobody").status_code == 404


def test_a_token_is_bearer_until_it_is_revoked(client: FlaskClient, app: Flask) -> None:
    made = client.post("/api/v1/tokens/add", json={"name": "RIS", "roles": ["operator"], "days": 1}).json
    bearer = {"Authorization": f"Bearer {made['token']}"}
    program = app.test_client()
    assert program.get("/api/v1/session", headers=bearer).json == {
        "login": "token:RIS",
        "name": "token RIS",
        "roles": ["operator"],
        "csrf": "",
    }
    assert program.get("/api/v1/people", headers=bearer).status_code == 403
    (shown,) = client.get("/api/v1/tokens").json["tokens"]
    assert (shown["state"], shown["created_by"]) == ("live", "grace@127.0.0.1")
    assert shown["last_used_at"] is not None
    assert made["token"] not in client.get("/console/tokens").text
    assert client.post(f"/api/v1/tokens/{shown['id']}/revoke").status_code == 200
    assert program.get("/api/v1/session", headers=bearer).status_code == 401


def test_a_form_shows_the_token_once(client: FlaskClient) -> None:
    answer = client.post("/console/tokens/add", data={"name": "RIS", "roles": ["viewer"], "days": "30"})
    assert answer.location == "/console/tokens"
    assert "pacsagent_" in client.get("/console/tokens").text
    assert "pacsagent_" not in client.get("/console/tokens").text


def test_a_token_gives_nobody_more_than_it_has(client: FlaskClient, app: Flask) -> None:
    made = client.post("/api/v1/tokens/add", json={"name": "setup", "roles": ["admin"]}).json
    program = app.test_client()
    program.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {made['token']}"
    assert program.post("/api/v1/tokens/add", json={"name": "more", "roles": ["auditor"]}).status_code == 422
    assert program.post("/api/v1/tokens/add", json={"name": "same", "roles": ["admin"]}).status_code == 200


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_nobody_but_an_administrator_is_let_in(app: Flask, database: Database, role: Role) -> None:
    add_person(database, "eve", role)
    eve = app.test_client()
    headers = log_in(eve, "eve")
    for path in ("/console/people", "/api/v1/people", "/api/v1/people/eve", "/console/tokens", "/api/v1/tokens"):
        assert eve.get(path).status_code == 403
    for path in ("people/add", "people/eve/change", "people/eve/password", "tokens/add", "tokens/1/revoke"):
        assert eve.post(f"/api/v1/{path}", json={"roles": ["admin"]}, headers=headers).status_code == 403
