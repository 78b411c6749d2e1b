"""The twins of the models' and rules' pages on the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from pacs_agent.cli import main
from pacs_agent.db import AuditEvent, Database

Run = Callable[..., Result]
RULES = "rules:\n  - {name: CT, when: {attribute: Modality, equals: CT}, pipeline: msvlm}\n"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    config = tmp_path / "agent.yaml"
    config.write_text(f"data_dir: {tmp_path / 'data'}\ninference: {{bundles_dir: {tmp_path / 'bundles'}}}\n")

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(config), *arguments])

    assert invoke("db", "upgrade").exit_code == 0
    return invoke


def test_a_version_is_recalled_and_the_recall_lifted(run: Run, tmp_path: Path) -> None:
    assert run("model", "recall", "tiny", "1.0").exit_code == 2, "no reason"
    assert run("model", "recall", "tiny", "1.0", "--reason", "misses nodules").exit_code == 0
    again = run("model", "recall", "tiny", "1.0", "--reason", "misses nodules")
    assert (again.exit_code, "recalled already" in again.output) == (1, True)
    assert run("model", "lift-recall", "tiny", "1.0").exit_code == 0
    assert run("model", "lift-recall", "tiny", "1.0").exit_code == 1
    with Database(f"sqlite:///{tmp_path / 'data' / 'pacs-agent.sqlite'}").reading() as session:
        actors = set(session.scalars(select(AuditEvent.actor).where(AuditEvent.action.like("model.recall%"))))
    assert actors == {"command line"}


@pytest.mark.parametrize("words", [["unshadow"], ["compare"], ["shadow", "nothing"]])
def test_without_a_shadow_it_is_said_what_to_do(run: Run, words: list[str]) -> None:
    told = run("model", *words)
    assert told.exit_code == 1
    assert "no model" in told.output or "no bundle" in told.output


def test_what_is_no_bundle_is_not_installed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "made.zip").write_bytes(b"nonsense")
    refused = run("model", "install", str(tmp_path / "made.zip"))
    assert (refused.exit_code, "not installed" in refused.output) == (1, True)


def test_rules_are_tried_and_their_versions_listed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    assert run("rules", "put", str(tmp_path / "rules.yaml")).exit_code == 0
    versions = json.loads(run("rules", "history", "--json").output)
    assert [(one["id"], one["added"], one["removed"]) for one in versions] == [(1, 2, 0)]
    tried = json.loads(run("rules", "try", str(tmp_path / "rules.yaml"), "--json").output)
    assert (tried["studies"], tried["changed"]) == (0, [])
