"""`doctor`: is everything there that a working agent needs?"""

import sys

import click
from rich.markup import escape

from pacs_agent.cli.context import Agent, console, json_option, pass_agent, print_json
from pacs_agent.ops.doctor import Check, Grade, examine

SIGNS = {Grade.GOOD: "[green]✓[/]", Grade.WARNING: "[yellow]![/]", Grade.BAD: "[red]✗[/]"}


@click.command()
@json_option
@pass_agent
def doctor(agent: Agent, as_json: bool) -> None:
    """Check ports, disk, database, models, GPU, peers and destinations. Exit code 1 when something is bad."""
    checks = []
    for check in examine(agent.settings, agent.database):
        checks.append(check)
        if not as_json:
            _print_check(check)
    if as_json:
        print_json([check.model_dump(mode="json") for check in checks])
    sys.exit(any(check.grade is Grade.BAD for check in checks))


def _print_check(check: Check) -> None:
    advice = f"\n    → {escape(check.advice)}" if check.advice else ""
    console().print(f"{SIGNS[check.grade]} {check.name}: {escape(check.found)}{advice}")


COMMANDS = (doctor,)
