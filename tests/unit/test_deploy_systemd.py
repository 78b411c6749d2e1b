"""The systemd units start commands that exist, as a user without rights."""

import configparser
from pathlib import Path

import click
import pytest

UNITS = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))


def _unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return parser


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_unit_starts_a_command_of_the_agent(path: Path) -> None:
    from pacs_agent.cli import main

    program, option, _, *subcommand = _unit(path)["Service"]["ExecStart"].split()
    command: click.Command | None = main
    for word in subcommand:
        if not isinstance(command, click.Group):
            break  # what follows are its arguments
        command = command.get_command(click.Context(command), word)
    assert command is not None
    assert program.endswith("/pacs-agent")
    assert option in main.params[0].opts + main.params[1].opts


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_unit_is_confined(path: Path) -> None:
    service = _unit(path)["Service"]
    assert service["User"] == "pacs-agent"
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["StateDirectory"] == "pacs-agent"


def test_target_wants_every_process() -> None:
    wanted = set(_unit(UNITS / "pacs-agent.target")["Unit"]["Wants"].split())
    assert wanted == {path.name for path in SERVICES} - {"pacs-agent-database.service", "pacs-agent-backup.service"}
