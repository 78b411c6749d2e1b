"""`pacs-agent audit` as an auditor types it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from pacs_agent.cli import main
from pacs_agent.db import Database
from pacs_agent.ops import Outcome, audit

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, database: Database) -> Run:
    config = tmp_path / "agent.yaml"
    config.write_text(f"data_dir: {tmp_path / 'data'}\ndatabase_url: {database.url}\n")
    with database.writing() as session:
        for action in ("first", "second"):
            audit(session, actor="ada", action=action, outcome=Outcome.SUCCESS)
    return lambda *arguments: CliRunner().invoke(main, ["--config", str(config), "audit", *arguments])


@pytest.mark.parametrize("listing", [(), ("list",)])
def test_it_lists_the_newest_first(run: Run, listing: tuple[str, ...]) -> None:
    assert [row["action"] for row in json.loads(run(*listing, "--json").output)] == ["second", "first"]
    assert [row["action"] for row in json.loads(run(*listing, "--action", "first", "--json").output)] == ["first"]


def test_verify_seals_and_says_the_seal_to_keep(run: Run) -> None:
    verified = run("verify", "--json")
    facts = json.loads(verified.output)
    assert (verified.exit_code, facts["sealed"], facts["fault"]) == (0, 2, "")
    again = run("verify", "--known", facts["seal"])
    assert again.exit_code == 0
    assert facts["seal"] in again.output
    assert run("verify", "--known", "nonsense").exit_code == 2


def test_verify_names_the_first_line_that_was_changed(run: Run, database: Database) -> None:
    run("verify")
    with database.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_events_unchanged"))
        connection.execute(text("UPDATE audit_events SET actor = 'eve' WHERE position = 2"))
    verified = run("verify")
    assert verified.exit_code == 1
    assert "row 2 " in verified.output
