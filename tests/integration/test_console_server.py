"""Login and TLS proxy as a browser and a proxy meet them, against a live server."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from waitress.trigger import trigger  # type: ignore[import-untyped]

from pacs_agent import accounts
from pacs_agent.accounts import Role
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console import InsecureStart, WebServer
from pacs_agent.db import AuditEvent, Database

PASSWORD = "a sentence of my own"
BY_PROXY = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Host": "pacs.example"}


@contextmanager
def serving(database: Database, folder: Path, **web: Any) -> Iterator[str]:
    settings = Settings(data_dir=folder, web={"port": 0, "threads": 2, **web})
    server = WebServer(settings, database, Archive(database, folder / "archive"))
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


@pytest.fixture
def people(database: Database) -> Database:
    with database.writing() as session:
        accounts.add_account(
            session, actor="test", login="ada", name="Ada Lovelace", roles=[Role.REVIEWER], password=PASSWORD
        )
    return database


def test_a_browser_logs_in_sees_studies_and_logs_out(people: Database, tmp_path: Path) -> None:
    with serving(people, tmp_path) as url, requests.Session() as browser:
        studies = f"{url}/dicom-web/studies"
        assert browser.get(studies).status_code == 401
        person = browser.post(f"{url}/api/v1/session", json={"login": "ada", "password": PASSWORD}).json()
        assert browser.get(studies).status_code == 204
        assert browser.delete(f"{url}/api/v1/session").status_code == 403
        csrf = {"X-CSRF-Token": person["csrf"]}
        assert browser.delete(f"{url}/api/v1/session", headers=csrf).status_code == 204
        assert browser.get(studies).status_code == 401


def test_logins_outlive_a_restart(people: Database, tmp_path: Path) -> None:
    with requests.Session() as browser:
        with serving(people, tmp_path) as url:
            browser.post(f"{url}/api/v1/session", json={"login": "ada", "password": PASSWORD})
        with serving(people, tmp_path) as url:
            assert browser.get(f"{url}/api/v1/session").json()["login"] == "ada"


def test_the_proxy_says_who_asks_and_how(people: Database, tmp_path: Path) -> None:
    with serving(people, tmp_path, behind_tls_proxy=True) as url:
        assert requests.get(f"{url}/login").status_code == 403
        body = {"login": "ada", "password": PASSWORD}
        headers = BY_PROXY | {"Origin": "https://pacs.example"}
        answer = requests.post(f"{url}/api/v1/session", json=body, headers=headers)
        assert answer.status_code == 200
        assert answer.headers["Set-Cookie"].startswith("__Host-pacs-agent=")
    with people.reading() as session:
        assert session.query(AuditEvent).filter_by(action="login").one().actor == "ada@192.0.2.7"


def test_nobody_but_the_proxy_is_believed(people: Database, tmp_path: Path) -> None:
    with serving(people, tmp_path, behind_tls_proxy=True, proxy_address="192.0.2.1") as url:
        assert requests.get(f"{url}/login", headers=BY_PROXY).status_code == 403
        assert requests.get(f"{url}/healthz", headers=BY_PROXY).status_code == 200


def test_a_server_stops_while_an_answer_wakes_it(
    people: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive, wake = trigger.recv, trigger._physical_pull

    def received_slowly(self: trigger, size: int) -> bytes:
        received: bytes = receive(self, size)
        time.sleep(0.2)
        return received

    def woken_slowly(self: trigger) -> None:
        if threading.current_thread() is threading.main_thread():
            time.sleep(0.4)  # between leaving its errand and calling
        wake(self)

    monkeypatch.setattr(trigger, "recv", received_slowly)
    monkeypatch.setattr(trigger, "_physical_pull", woken_slowly)
    with serving(people, tmp_path) as url:
        assert requests.get(f"{url}/healthz").status_code == 200


def test_an_insecure_server_does_not_start(database: Database, tmp_path: Path) -> None:
    with pytest.raises(InsecureStart, match="no account"), serving(database, tmp_path, host="0.0.0.0"):
        pass
