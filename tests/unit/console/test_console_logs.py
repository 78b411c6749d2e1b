"""The page of the log: what it shows, what it follows, and who may see it."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from people import add_person, app_of, log_in

import pacs_agent
from pacs_agent.accounts import Role
from pacs_agent.console.logs.blueprint import ROOMS
from pacs_agent.db import Database
from pacs_agent.ops.kept_log import KeptLog

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    kept = KeptLog(tmp_path / "logs", "work")
    for number in range(5):
        level = "warning" if number == 3 else "info"
        at = (START + timedelta(seconds=number)).isoformat()
        line = {"room": "deliver", "event": f"line <b>{number}</b>", "level": level, "timestamp": at}
        kept.keep(line | ({"exception": "Traceback <i>"} if number == 4 else {}))
    return app_of(database, tmp_path).test_client()


def test_lines_are_shown_newest_first_and_escaped(client: FlaskClient) -> None:
    page = client.get("/console/logs").text
    assert "line &lt;b&gt;4&lt;/b&gt;" in page
    assert "<pre>Traceback &lt;i&gt;</pre>" in page
    assert "<b>4" not in page
    assert 'hx-trigger="changed-logs from:body"' in page


def test_older_lines_are_a_page_further_which_stands_still(client: FlaskClient) -> None:
    first = client.get("/api/v1/logs?limit=2").json
    assert [line["text"] for line in first["lines"]] == ["line <b>4</b>", "line <b>3</b>"]
    second = client.get("/api/v1/logs", query_string={"limit": 3, "before": first["older"]}).json
    assert [line["text"] for line in second["lines"]] == ["line <b>2</b>", "line <b>1</b>", "line <b>0</b>"]
    assert second["older"] is None
    assert "changed-logs" not in client.get("/console/logs", query_string={"before": first["older"]}).text


def test_lines_are_chosen_and_a_wrong_choice_is_told(client: FlaskClient) -> None:
    assert len(client.get("/api/v1/logs?level=warning").json["lines"]) == 1
    assert client.get("/api/v1/logs?room=receive").json["lines"] == []
    assert "No line fits" in client.get("/console/logs?text=nowhere").text
    assert client.get("/console/logs?since=2026-11-22T08:00").status_code == 200
    for wrong in ("level=loud", "since=yesterday", "limit=0"):
        assert client.get(f"/api/v1/logs?{wrong}").status_code == 400


def test_the_log_is_for_operators(database: Database, tmp_path: Path, client: FlaskClient) -> None:
    add_person(database, "vera", Role.VIEWER)
    log_in(client, "vera")
    assert client.get("/api/v1/logs").status_code == 403


def test_every_room_that_logs_is_suggested() -> None:
    package = Path(pacs_agent.__file__).parent
    named = {name for file in package.rglob("*.py") for name in re.findall(r'get_log\("(\w+)"\)', file.read_text())}
    assert named == set(ROOMS)
