"""Logging in and out, and how a session ends."""

import re
import time
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from pacs_agent import accounts
from pacs_agent.console import sessions
from pacs_agent.console.login_page import local_path
from pacs_agent.db import AuditEvent, Database, upgrade
from tests.unit.console.people import PASSWORD, add_person, app_of, log_in

ORIGIN = "http://localhost"


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Flask:
    add_person(database)
    return app_of(database, tmp_path)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def actions(database: Database) -> list[tuple[str, str, str]]:
    with database.reading() as session:
        return [(each.action, each.actor, each.subject) for each in session.scalars(select(AuditEvent))]


def form_token(client: FlaskClient, path: str = "/login") -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).text)
    assert found
    return found[1]


def post_form(client: FlaskClient, **fields: str) -> int:
    form = {"csrf_token": form_token(client), "login": "ada", "password": PASSWORD, **fields}
    response = client.post("/login", data=form, headers={"Origin": ORIGIN})
    return response.status_code


def is_logged_in(client: FlaskClient) -> bool:
    return client.get("/api/v1/session").status_code == 200


def test_a_person_logs_in_and_out(client: FlaskClient, database: Database) -> None:
    assert client.get("/api/v1/session").status_code == 401
    headers = log_in(client, " Ada ")
    person = client.get("/api/v1/session").json
    assert {name: person[name] for name in ("login", "name", "roles")} == {
        "login": "ada",
        "name": "Dr. Ada Lovelace",
        "roles": ["reviewer", "viewer"],
    }
    assert client.delete("/api/v1/session", headers=headers).status_code == 204
    assert client.get("/api/v1/session").status_code == 401
    assert actions(database)[-2:] == [("login", "ada@127.0.0.1", "ada"), ("logout", "ada@127.0.0.1", "ada")]


def test_a_person_logs_in_and_out_by_forms(client: FlaskClient) -> None:
    response = client.post(
        "/login",
        data={"csrf_token": form_token(client), "login": "ada", "password": PASSWORD, "next": "/viewer?a=1"},
        headers={"Origin": ORIGIN},
    )
    assert (response.status_code, response.headers["Location"]) == (303, "/viewer?a=1")
    assert client.get("/login?next=/x").headers["Location"] == "/x"
    assert "Dr. Ada Lovelace" in client.get("/logout").text
    gone = client.post("/logout", data={"csrf_token": form_token(client, "/logout")})
    assert (gone.status_code, gone.headers["Location"]) == (303, "/login")
    assert not is_logged_in(client)


@pytest.mark.parametrize(("login", "subject"), [("ada", "ada"), (PASSWORD, "")])
def test_a_wrong_password_is_refused_without_saying_why(
    client: FlaskClient, database: Database, login: str, subject: str
) -> None:
    response = client.post("/api/v1/session", json={"login": login, "password": "not the right one"})
    assert response.status_code == 401
    assert response.json["error"] == "login or password are wrong, or the account is disabled"
    assert actions(database)[-1] == ("login.failed", "@127.0.0.1", subject)
    assert post_form(client, login=login, password="not the right one") == 401


@pytest.mark.parametrize("body", [[], "ada", {"login": "ada"}, {"login": "ada", "password": 1}, {"login": None}])
def test_credentials_are_two_strings(client: FlaskClient, body: object) -> None:
    assert client.post("/api/v1/session", json=body).status_code == 400
    assert client.post("/api/v1/session", data={"login": "ada", "password": PASSWORD}).status_code == 415


def test_failures_are_throttled_and_a_success_forgives(client: FlaskClient) -> None:
    for _ in range(9):
        assert post_form(client, password="wrong") == 401
    log_in(client.application.test_client())
    for _ in range(10):
        assert post_form(client, password="wrong") == 401
    form = {"csrf_token": form_token(client), "login": "ada", "password": PASSWORD}
    page = client.post("/login", data=form)
    assert page.status_code == 429
    assert "Try again in 15 minutes" in page.text
    refused = client.post("/api/v1/session", json={"login": "ada", "password": PASSWORD})
    assert refused.status_code == 429
    assert 800 < int(refused.headers["Retry-After"]) <= 901


def test_an_address_is_throttled_whichever_logins_it_tries(client: FlaskClient) -> None:
    answers = [
        client.post("/api/v1/session", json={"login": f"n{number}", "password": "x"}).status_code
        for number in range(52)
    ]
    assert answers == [401] * 50 + [429] * 2


def test_changing_requests_need_the_token_of_the_session(client: FlaskClient) -> None:
    headers = log_in(client)
    other = client.application.test_client()
    for wrong in ({}, {"X-CSRF-Token": "x"}, log_in(other)):
        refused = client.delete("/api/v1/session", headers=wrong)
        assert refused.status_code == 403
        assert "X-CSRF-Token" in refused.json["error"]
    assert client.post("/logout").status_code == 403
    assert client.delete("/api/v1/session", headers=headers).status_code == 204


def test_the_login_form_needs_the_token_of_its_page(client: FlaskClient) -> None:
    assert client.post("/login", data={"login": "ada", "password": PASSWORD}).status_code == 403
    assert not is_logged_in(client)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://localhost:1"]
)
def test_pages_of_other_origins_cannot_log_in_or_out(client: FlaskClient, origin: str) -> None:
    headers = log_in(client) | {"Origin": origin}
    assert client.delete("/api/v1/session", headers=headers).status_code == 403
    body = {"login": "ada", "password": PASSWORD}
    assert client.post("/api/v1/session", json=body, headers={"Origin": origin}).status_code == 403


def test_a_session_is_new_at_each_login(client: FlaskClient) -> None:
    token = form_token(client)
    with client.session_transaction() as session:
        session["planted"] = "by somebody else"
        before = session["csrf_token"]
    client.post("/login", data={"csrf_token": token, "login": "ada", "password": PASSWORD})
    with client.session_transaction() as session:
        assert "planted" not in session
        assert session.get("csrf_token") != before
        assert len(session["sid"]) == 43


def test_a_copy_of_the_cookie_ends_with_the_logout(client: FlaskClient) -> None:
    headers = log_in(client)
    cookie = client.get_cookie("pacs-agent-8080")
    assert cookie
    client.delete("/api/v1/session", headers=headers)
    thief = client.application.test_client()
    thief.set_cookie("pacs-agent-8080", cookie.value)
    assert not is_logged_in(thief)


def test_disabling_and_another_password_end_all_logins(client: FlaskClient, database: Database) -> None:
    log_in(client)
    with database.writing() as session:
        accounts.set_enabled(session, "ada", enabled=False, actor="test")
    assert not is_logged_in(client)
    assert client.post("/api/v1/session", json={"login": "ada", "password": PASSWORD}).status_code == 401
    with database.writing() as session:
        accounts.set_enabled(session, "ada", enabled=True, actor="test")
    assert not is_logged_in(client)
    log_in(client)
    with database.writing() as session:
        accounts.set_password(session, "ada", "quite another sentence", actor="test")
    assert not is_logged_in(client)


def test_a_session_ends_with_its_time(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(client)
    later = time.time() + 10 * 3600 - 60
    monkeypatch.setattr(sessions.time, "time", lambda: later)
    assert is_logged_in(client)
    monkeypatch.setattr(sessions.time, "time", lambda: later + 120)
    assert not is_logged_in(client)


def test_a_cookie_signed_by_another_agent_is_nobody(client: FlaskClient, database: Database, tmp_path: Path) -> None:
    log_in(client)
    cookie = client.get_cookie("pacs-agent-8080")
    assert cookie
    other = app_of(database, tmp_path / "other").test_client()
    other.set_cookie("pacs-agent-8080", cookie.value)
    assert not is_logged_in(other)


def test_flags_of_the_cookie(app: Flask, database: Database, tmp_path: Path) -> None:
    body = {"login": "ada", "password": PASSWORD}
    here = app.test_client().post("/api/v1/session", json=body).headers["Set-Cookie"]
    assert here.startswith("pacs-agent-8080=")
    assert all(flag in here for flag in ("HttpOnly", "SameSite=Lax", "Path=/", "Expires="))
    assert "Secure" not in here
    proxied = app_of(database, tmp_path, behind_tls_proxy=True).test_client()
    there = proxied.post("/api/v1/session", json=body, base_url="https://pacs.example").headers["Set-Cookie"]
    assert there.startswith("__Host-pacs-agent=")
    assert all(flag in there for flag in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    assert "Domain" not in there


def test_the_page_speaks_the_languages_of_the_browser(client: FlaskClient, tmp_path: Path) -> None:
    german = client.get("/login", headers={"Accept-Language": "de-CH, en;q=0.5"})
    assert '<html lang="de">' in german.text
    assert "Anmelden" in german.text
    assert "Accept-Language" in german.vary
    assert '<html lang="en">' in client.get("/login", headers={"Accept-Language": "fr"}).text


def test_the_page_shows_what_was_typed_as_text(client: FlaskClient) -> None:
    form = {"csrf_token": form_token(client), "login": "<b>x", "password": "y", "next": '/a"><script>'}
    page = client.post("/login", data=form).text
    assert "&lt;b&gt;x" in page
    assert "<b>" not in page
    assert "<script" not in page


def test_an_agent_without_accounts_says_how_to_add_one(tmp_path: Path) -> None:
    empty = Database(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    upgrade(empty)
    assert "pacs-agent user add" in app_of(empty, tmp_path).test_client().get("/login").text
    empty.close()


@pytest.mark.parametrize("path", ["/", "/viewer?StudyInstanceUIDs=1.2.3", "/a//b", "/a?next=https://x.example"])
def test_a_login_leads_to_local_paths(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["", "x", "//evil.example", "/\\evil.example", "https://evil.example", "javascript:1", "/a\nb", "/\t/e", "/ä"],
)
def test_a_login_leads_nowhere_else(path: str) -> None:
    assert local_path(path) == "/"


@given(st.text(alphabet="/\\:.@?#ae \t\n%", max_size=12))
def test_no_path_leads_to_another_host(path: str) -> None:
    led = local_path(path)
    assert led.startswith("/")
    assert not re.match(r"[/\\\s]{2}|/\s", led)
