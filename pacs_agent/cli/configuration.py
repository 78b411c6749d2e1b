"""`config`: the whole configuration as one file."""

from pathlib import Path

import click

from pacs_agent.cli.context import Agent, console, pass_agent
from pacs_agent.configuration import (
    Configuration,
    Plan,
    StateChanged,
    WrongConfiguration,
    apply_plan,
    configuration_now,
    plan_import,
    read_configuration,
    refused_on_import,
    write_configuration,
)
from pacs_agent.ops import Outcome, audit

ACTOR = "command line"
SIGNS = {"same": " ", "removed": "-", "added": "+", "place": "@"}

file_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))


@click.group("config")
def config() -> None:
    """The whole configuration as one file: peers, destinations, rules, models in use, accounts, run-time settings."""


@config.command("export")
@pass_agent
def config_export(agent: Agent) -> None:
    """Print the configuration in force as YAML, without secrets."""
    with agent.database.writing() as session:
        now = configuration_now(session)
        audit(session, actor=ACTOR, action="configuration.exported", outcome=Outcome.SUCCESS)
    click.echo(write_configuration(now, "Secrets named here must be set again."), nl=False)
    for fault in refused_on_import(now):
        click.echo(f"an import refuses this until it is set right: {fault}", err=True)


@config.command("diff")
@file_argument
@pass_agent
def config_diff(agent: Agent, file: Path) -> None:
    """Show what importing a file would change. Exit code 1 when it cannot be imported."""
    _show(plan_import(agent.settings, agent.database, _read(file)))


@config.command("import")
@file_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_agent
def config_import(agent: Agent, file: Path, yes: bool) -> None:
    """Show what importing a file would change, ask, and take it over whole or not at all."""
    wanted = _read(file)
    plan = plan_import(agent.settings, agent.database, wanted)
    _show(plan)
    if plan.is_empty:
        return
    if not yes:
        click.confirm("Take it over?", abort=True)
    try:
        apply_plan(agent.settings, agent.database, wanted, plan.digest, actor=ACTOR)
    except (StateChanged, WrongConfiguration) as error:
        raise click.ClickException(f"nothing was changed: {error}") from error
    console().print("the configuration is in force")


def _read(file: Path) -> Configuration:
    try:
        return read_configuration(file.read_text(encoding="utf-8"))
    except (WrongConfiguration, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file}: {error}") from error


def _show(plan: Plan) -> None:
    for line in plan.lines:
        click.echo("…" if line.kind == "place" else f"{SIGNS[line.kind]}{line.text}")
    if plan.fault:
        raise click.ClickException(f"it cannot be taken over: {plan.fault}")
    if plan.is_empty:
        console().print("nothing would change")
    for one in plan.to_do:
        console().print(f"afterwards: {one}")


COMMANDS = (config,)
