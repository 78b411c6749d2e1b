"""Peers, destinations and transfers by the command line: the same functions as the console's."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pacs_agent.cli import main

Run = Callable[..., Result]
RULES = "rules:\n  - {name: chest, pipeline: msvlm, destinations: [web]}\n"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    config = tmp_path / "agent.yaml"
    config.write_text(f"data_dir: {tmp_path / 'data'}\ndeliver: {{timeout_s: 2}}\n")

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(config), *arguments])

    return invoke


def listing(run: Run, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(*words, "--json").output)
    return found


def test_a_destination_is_not_removed_while_rules_deliver_there(run: Run, tmp_path: Path) -> None:
    run("destination", "add", "web", "--kind", "stow", "--set", "url=http://127.0.0.1:9/dicom-web")
    (tmp_path / "rules.yaml").write_text(RULES)
    assert run("rules", "put", str(tmp_path / "rules.yaml")).exit_code == 0
    refused = run("destination", "remove", "web")
    assert (refused.exit_code, "chest" in refused.output) == (1, True)
    assert [row["name"] for row in listing(run, "destination", "list")] == ["web"]


def test_a_secret_is_kept_and_never_printed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACS_TOKEN", "s3cret-token")
    added = run(
        *("destination", "add", "web", "--kind", "stow", "--set", "url=http://127.0.0.1:9/dicom-web"),
        *("--token-from", "PACS_TOKEN"),
    )
    assert added.exit_code == 0, added.output
    printed = [run(*words).output for words in (("destination", "list"), ("audit", "list", "--json"))]
    assert "s3cret" not in "".join(printed)


def test_a_test_prints_the_answer_and_fails_with_it(run: Run) -> None:
    run("destination", "add", "web", "--kind", "stow", "--set", "url=http://127.0.0.1:9/dicom-web")
    tested = run("destination", "test", "web")
    assert (tested.exit_code, "nobody listens" in tested.output) == (1, True)
    echoed = run("peer", "echo", "PACS", "169.254.169.254", "104")
    assert (echoed.exit_code, "link-local" in echoed.output) == (1, True)


def test_a_study_is_queued_and_canceled(run: Run) -> None:
    run("destination", "add", "web", "--kind", "stow", "--set", "url=http://127.0.0.1:9/dicom-web")
    assert run("transfer", "pull", "web", "1.2.3").exit_code == 0
    (transfer,) = listing(run, "transfer", "list")
    assert (transfer["kind"], transfer["state"]) == ("wado-rs", "queued")
    assert run("transfer", "cancel", transfer["id"]).exit_code == 0
    assert run("transfer", "cancel", transfer["id"]).exit_code == 1
    assert run("transfer", "again", transfer["id"]).exit_code == 0
    assert run("transfer", "find", "web").exit_code == 2
    assert run("transfer", "find", "web", "--id", "7").exit_code == 1


def test_files_are_queued(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"x")
    assert run("transfer", "files", str(tmp_path / "a.dcm")).exit_code == 0
    (transfer,) = listing(run, "transfer", "list")
    assert (transfer["kind"], transfer["expected"]) == ("upload", 1)
