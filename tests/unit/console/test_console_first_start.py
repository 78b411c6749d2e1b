"""The first start: whoever sits at the server makes the administrator, once and nobody else."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from people import PASSWORD, add_person, app_of
from sqlalchemy import select
from test_console_login import form_token

from pacs_agent.db import Database, User

FIRST = "/console/first"


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    return app_of(database, tmp_path).test_client()


def create(client: FlaskClient, login: str = "ada", password: str = PASSWORD, **more: str) -> int:
    return ask(client, form_token(client, FIRST), login, password, **more)


def ask(client: FlaskClient, token: str, login: str, password: str = PASSWORD, **more: str) -> int:
    form = {"csrf_token": token, "login": login, "name": "Ada L", "password": password, **more}
    return client.post(FIRST, data=form, headers={"Origin": "http://localhost"}).status_code


def logins(database: Database) -> list[str]:
    with database.reading() as session:
        return [user.login for user in session.scalars(select(User))]


def test_the_first_is_an_administrator_and_logged_in(client: FlaskClient, database: Database) -> None:
    assert FIRST in client.get("/login").text
    assert create(client, roles="auditor") == 303
    assert client.get("/api/v1/session").json["roles"] == ["admin", "operator", "reviewer", "viewer"]
    assert client.get(FIRST).location == "/login"
    other = client.application.test_client()
    assert other.post(FIRST, data={"csrf_token": form_token(other), "login": "eve"}).status_code == 422
    assert logins(database) == ["ada"]


@pytest.mark.parametrize("password", ["password1234", "administrator", "short", "ada-ada-ada", ""])
def test_default_passwords_are_refused(client: FlaskClient, database: Database, password: str) -> None:
    assert create(client, password=password) == 422
    assert logins(database) == []


def test_it_needs_the_form_of_the_page(client: FlaskClient, database: Database) -> None:
    form = {"login": "eve", "name": "Eve", "password": PASSWORD}
    assert client.post(FIRST, data=form).status_code == 403
    assert client.post(FIRST, data=form, headers={"Origin": "https://evil.example"}).status_code == 403
    assert logins(database) == []


@pytest.mark.parametrize(
    ("web", "asked"),
    [
        ({}, {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}),
        ({}, {"headers": {"Host": "evil.example"}}),
        ({"token": "machine-token"}, {}),
        ({"host": "0.0.0.0"}, {}),
        ({"behind_tls_proxy": True}, {"base_url": "https://localhost"}),
    ],
)
def test_it_is_open_at_the_server_alone(
    database: Database, tmp_path: Path, web: dict[str, object], asked: dict[str, object]
) -> None:
    client = app_of(database, tmp_path, **web).test_client()
    assert client.get(FIRST, **asked).status_code == 403
    assert client.post(FIRST, data={"login": "eve", "name": "Eve", "password": PASSWORD}, **asked).status_code == 403


def test_of_several_at_once_one_is_first(database: Database, tmp_path: Path) -> None:
    app = app_of(database, tmp_path)
    clients = [app.test_client() for _ in range(4)]
    tokens = [form_token(client, FIRST) for client in clients]
    logins_asked = [f"person{number}" for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, clients, tokens, logins_asked))
    assert sorted(answers)[0] == 303
    assert len(logins(database)) == 1


def test_with_an_account_it_is_over(client: FlaskClient, database: Database) -> None:
    add_person(database)
    assert client.get(FIRST).location == "/login"
