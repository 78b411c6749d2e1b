"""`rules`: which pipeline reads a study, and where the results go."""

from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.tree import Tree

from pacs_agent import route
from pacs_agent.cli.context import Agent, console, json_option, pass_agent, print_json


@click.group()
def rules() -> None:
    """Routing rules, in order; the first that matches a study decides."""


@rules.command("show")
@pass_agent
def rules_show(agent: Agent) -> None:
    """Print the rules in force, as YAML."""
    with agent.database.reading() as session:
        click.echo(route.rules_text(session) or "# No rules yet: every study is ignored. pacs-agent rules put FILE")


@rules.command("put")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@pass_agent
def rules_put(agent: Agent, file: Path) -> None:
    """Check a file of rules and put it in force."""
    try:
        with agent.database.writing() as session:
            book = route.put_rules(session, file.read_text(encoding="utf-8"), actor="command line")
    except route.WrongRules as error:
        raise click.UsageError(str(error)) from error
    console().print(f"{len(book.rules)} rules are in force")


@rules.command("test")
@click.argument("file_or_study")
@click.option("--rules", "rules_file", type=click.Path(path_type=Path, exists=True), help="Try these rules instead.")
@json_option
@pass_agent
def rules_test(agent: Agent, file_or_study: str, rules_file: Path | None, as_json: bool) -> None:
    """Explain what the rules decide for a DICOM file or for a study received (its Study Instance UID)."""
    try:
        book = _book(agent, rules_file)
        decision = book.decide(_attributes(agent, file_or_study))
    except (route.WrongRules, route.NoAttributes) as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        print_json(decision.model_dump(mode="json"))
    else:
        _print_decision(decision)


def _book(agent: Agent, file: Path | None) -> route.RuleBook:
    if file:
        return route.RuleBook.parse(file.read_text(encoding="utf-8"))
    with agent.database.reading() as session:
        return route.rules_in_force(session)


def _attributes(agent: Agent, file_or_study: str) -> Any:
    if Path(file_or_study).is_file():
        return route.attributes_of_file(Path(file_or_study))
    with agent.database.reading() as session:
        return route.attributes_of_study(session, agent.archive, file_or_study)


def _print_decision(decision: Any) -> None:
    out = console()
    for tried in decision.rules:
        tree = Tree(f"{'[green]matches[/]' if tried.matched else '[dim]no match[/]'}  {escape(tried.rule)}")
        _grow(tree, tried.explanation)
        out.print(tree)
    out.print(f"[bold]{escape(decision.summary)}[/]")


def _grow(tree: Tree, node: Any) -> None:
    branch = tree.add(f"{'[green]✓[/]' if node.held else '[red]✗[/]'} {escape(node.text)}")
    for part in node.parts:
        _grow(branch, part)


COMMANDS = (rules,)
