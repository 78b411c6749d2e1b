"""The group of all commands. Each subject is a file beside this one, and is loaded when one of its commands is used."""

from importlib import import_module
from pathlib import Path

import click

from pacs_agent import __version__
from pacs_agent.cli.context import Agent

SUBJECTS = {
    "serve": ("serve", "db"),
    "receive": ("receive",),
    "work": ("work",),
    "web": ("web",),
    "demo": ("demo",),
    "send": ("send",),
    "listings": ("studies", "jobs", "job"),
    "audit_trail": ("audit",),
    "control": ("force", "rerun", "rerun-all", "resend", "cancel", "reprioritise", "suspend", "resume", "delete-study"),
    "peers": ("peer", "destination"),
    "bring_in": ("bring-in", "transfer"),
    "rules": ("rules",),
    "models": ("model",),
    "tokens": ("token",),
    "users": ("user",),
    "doctor": ("doctor",),
    "configuration": ("config",),
    "backup": ("backup", "restore"),
}
"""File of each command. A listing must not wait for the workflow engine, nor the listener for the model."""


class _BySubject(click.Group):
    """Loads a command's file when the command is asked for."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return sorted(name for names in SUBJECTS.values() for name in names)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        subject = next((subject for subject, names in SUBJECTS.items() if name in names), None)
        if subject is None:
            return None
        commands: tuple[click.Command, ...] = import_module(f"pacs_agent.cli.{subject}").COMMANDS
        return next(command for command in commands if command.name == name)


@click.group(cls=_BySubject, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="pacs-agent")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="PACS_AGENT_CONFIG",
    help="Settings file; default is agent.yaml in this folder, if there is one.",
)
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """AI reading of CT and MR studies inside a hospital's own PACS."""
    context.obj = Agent(config)
