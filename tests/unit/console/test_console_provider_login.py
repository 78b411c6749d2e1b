"""Logging in by an identity provider: the whole way with one on loopback, and every answer that is not believed."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from issuer import ANOTHER_KEY, SHARED_SECRET, Issuer
from people import add_person, app_of
from sqlalchemy import select

from pacs_agent.accounts import Role
from pacs_agent.config import OidcSettings
from pacs_agent.console.provider_login import roles_of
from pacs_agent.db import AuditEvent, Database, User


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.stop()


@pytest.fixture
def client(issuer: Issuer, database: Database, tmp_path: Path) -> FlaskClient:
    return app_of(database, tmp_path, oidc=issuer.settings()).test_client()


def go(client: FlaskClient, issuer: Issuer, following: str = "/viewer") -> Any:
    """The way to the provider and back; gives its last answer."""
    there = client.get(f"/login/provider?next={following}")
    assert there.status_code == 302, there.text
    return client.get(issuer.agree(there.location))


def logged_in(client: FlaskClient) -> bool:
    return client.get("/api/v1/session").status_code == 200


def test_a_person_of_the_provider_logs_in(client: FlaskClient, issuer: Issuer, database: Database) -> None:
    assert "Log in with your hospital account" in client.get("/login").text
    back = go(client, issuer)
    assert (back.status_code, back.location) == (303, "/viewer")
    session = client.get("/api/v1/session").json
    assert (session["login"], session["name"], session["roles"]) == ("ada", "Dr. Ada Lovelace", ["reviewer", "viewer"])
    assert client.get("/login/provider?next=/console").location == "/console"
    with database.reading() as rows:
        user = rows.get_one(User, "ada")
        assert (user.provider, user.provider_subject, user.password_hash) == (issuer.url, "subject-1", "")
        assert [line.action for line in rows.scalars(select(AuditEvent))] == ["user.added", "login"]


def test_the_session_is_a_new_one_and_leads_only_here(client: FlaskClient, issuer: Issuer) -> None:
    there = client.get("/login/provider?next=//evil.example/x")
    before = client.get_cookie("pacs-agent-8080")
    back = client.get(issuer.agree(there.location))
    assert back.location == "/"
    after = client.get_cookie("pacs-agent-8080")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    with client.session_transaction() as session:
        assert not [name for name in session if name.startswith("_state_")]


def test_a_code_is_taken_once_and_only_by_who_asked(client: FlaskClient, issuer: Issuer) -> None:
    there = client.get("/login/provider").location
    back = issuer.agree(there)
    stranger = client.application.test_client()
    assert stranger.get(back).status_code == 401
    assert client.get(back.replace("state=", "state=x")).status_code == 401
    assert client.get(back).status_code == 303
    assert client.get(back).status_code == 401


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"nonce": "another"}, "not valid"),
        ({"aud": "another"}, "not valid"),
        ({"iss": "https://evil.example"}, "not valid"),
        ({"exp": int(time.time()) - 3600}, "not valid"),
        ({"groups": ["visitors"]}, "no role"),
        ({"groups": None}, "no role"),
        ({"preferred_username": "Ada Lovelace"}, "who you are"),
        ({"sub": 7}, "not valid"),
        ({"preferred_username": "grace"}, "another account"),
    ],
)
def test_what_a_token_says_is_checked(
    client: FlaskClient, issuer: Issuer, database: Database, claims: dict[str, Any], words: str
) -> None:
    add_person(database, "grace")
    issuer.claims.update(claims)
    back = go(client, issuer)
    assert back.status_code == 401
    assert words in back.text
    assert not logged_in(client)


@pytest.mark.parametrize(("key", "algorithm"), [(ANOTHER_KEY, "RS256"), (SHARED_SECRET, "HS256")])
def test_a_token_of_another_signer_is_refused(client: FlaskClient, issuer: Issuer, key: Any, algorithm: str) -> None:
    issuer.signing_key, issuer.algorithm = key, algorithm
    assert go(client, issuer).status_code == 401
    assert not logged_in(client)


def test_a_provider_that_calls_itself_otherwise_is_not_asked(client: FlaskClient, issuer: Issuer) -> None:
    issuer.metadata["issuer"] = "https://evil.example"
    assert client.get("/login/provider").status_code == 502


def test_no_redirect_is_followed_and_no_metadata_service_asked(
    issuer: Issuer, database: Database, tmp_path: Path
) -> None:
    issuer.redirect_metadata_to = f"{issuer.url}/elsewhere"
    client = app_of(database, tmp_path, oidc=issuer.settings()).test_client()
    assert client.get("/login/provider").status_code == 502
    inner = app_of(database, tmp_path, oidc=issuer.settings(issuer="http://169.254.169.254")).test_client()
    refused = inner.get("/login/provider")
    assert refused.status_code == 502
    assert "link-local" in refused.text


def test_roles_lie_where_the_settings_say() -> None:
    given = {
        "issuer": "https://x",
        "client_id": "x",
        "redirect_uri": "https://y",
        "roles": {"a": "admin", "v": "viewer"},
    }
    nested = OidcSettings(**given, roles_claim="realm_access.roles")
    assert roles_of(nested, {"realm_access": {"roles": ["v", "a", 7, "root"]}}) == (Role.ADMIN, Role.VIEWER)
    assert roles_of(nested, {"realm_access": ["a"]}) == ()
    flat = OidcSettings(**given, roles_claim="https://hospital.example/groups")
    assert roles_of(flat, {"https://hospital.example/groups": "a"}) == (Role.ADMIN,)
