"""People who log in, for the tests of the console."""

from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from pacs_agent import accounts
from pacs_agent.accounts import Role
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console import create_app
from pacs_agent.db import Database

PASSWORD = "a sentence of my own"


def app_of(database: Database, folder: Path, **web: Any) -> Flask:
    """The application with these settings of `web`."""
    return create_app(Settings(data_dir=folder, web=web), database, Archive(database, folder / "archive"))


def add_person(database: Database, login: str = "ada", *roles: Role, name: str = "Dr. Ada Lovelace") -> None:
    """Adds an account; without a role it is a reviewer's. Its password is PASSWORD."""
    with database.writing() as session:
        accounts.add_account(
            session, actor="test", login=login, name=name, roles=roles or (Role.REVIEWER,), password=PASSWORD
        )


def log_in(client: FlaskClient, login: str = "ada") -> dict[str, str]:
    """Logs the client in; gives the header that changing requests need."""
    response = client.post("/api/v1/session", json={"login": login, "password": PASSWORD})
    assert response.status_code == 200, response.text
    return {"X-CSRF-Token": response.json["csrf"]}
