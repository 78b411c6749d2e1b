"""`pacs-agent user` as an administrator types it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner, Result

from pacs_agent.accounts import passwords
from pacs_agent.cli import main

Run = Callable[..., Result]
PASSWORD = "a sentence of my own"
ADD = ("user", "add", "ada", "--name", "Dr. Ada Lovelace", "--role", "reviewer")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    config = tmp_path / "agent.yaml"
    config.write_text(f"data_dir: {tmp_path / 'data'}\n")

    def invoke(*arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(main, ["--config", str(config), *arguments], input=typed)

    return invoke


def listed(run: Run) -> list[dict[str, object]]:
    rows = json.loads(run("user", "list", "--json").output)
    assert isinstance(rows, list)
    return rows


def test_a_person_is_added_by_a_typed_password(run: Run) -> None:
    assert "pacs-agent user add" in run("user", "list").output
    added = run(*ADD, typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert added.exit_code == 0, added.output
    assert "Lovelace^Ada^^Dr." in added.output
    assert PASSWORD not in added.output
    (row,) = listed(run)
    assert (row["login"], row["roles"], row["enabled"], row["last_login_at"]) == ("ada", ["reviewer"], True, None)
    assert "password_hash" not in row


def test_a_password_comes_from_a_file_or_a_pipe(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\r\nnot this line\n")
    assert run(*ADD, "--password-file", str(file)).exit_code == 0
    assert run("user", "password", "ada", "--password-file", "-", typed="quite another sentence\n").exit_code == 0
    assert run("user", "password", "ada", "--password-file", str(tmp_path / "missing")).exit_code == 2


def test_a_person_gets_another_name_and_role(run: Run) -> None:
    run(*ADD, typed=f"{PASSWORD}\n{PASSWORD}\n")
    changed = run("user", "change", "ada", "--name", "Ada King", "--role", "viewer", "--role", "auditor")
    assert changed.exit_code == 0, changed.output
    assert (listed(run)[0]["person_name"], listed(run)[0]["roles"]) == ("King^Ada", ["auditor", "viewer"])


def test_a_person_is_disabled_and_enabled_each_with_an_audit_line(run: Run) -> None:
    run(*ADD, typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert run("user", "disable", "ada").exit_code == 0
    assert listed(run)[0]["enabled"] is False
    assert run("user", "enable", "ada").exit_code == 0
    assert listed(run)[0]["enabled"] is True
    events = json.loads(run("audit", "--json").output)
    assert [event["action"] for event in events] == ["user.enabled", "user.disabled", "user.added"]
    assert {event["actor"] for event in events} == {"command line"}


@pytest.mark.parametrize(
    "words", [("disable", "ada"), ("enable", "ada"), ("change", "ada"), ("password", "ada", "--password-file", "-")]
)
def test_nobody_is_not_changed(run: Run, words: tuple[str, ...]) -> None:
    refused = run("user", *words, typed=f"{PASSWORD}\n")
    assert refused.exit_code == 1
    assert "there is no account 'ada'" in refused.output


def test_a_poor_password_and_an_unknown_role_are_refused(run: Run) -> None:
    assert "12 to 256" in run(*ADD, typed="short\nshort\n").output
    assert run(*ADD[:-1], "king", typed=f"{PASSWORD}\n{PASSWORD}\n").exit_code == 2
    assert listed(run) == []
