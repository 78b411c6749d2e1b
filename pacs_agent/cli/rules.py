"""`rules`: which pipeline reads a study, and where the results go."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.tree import Tree

from pacs_agent import route
from pacs_agent.cli.context import Agent, console, json_option, pass_agent, print_json, print_rows


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
        attributes = _attributes(agent, file_or_study)
        decision = book.decide_study(attributes)
        corrections = book.explain_corrections(attributes) if Path(file_or_study).is_file() else ()
    except (route.WrongRules, route.NoAttributes) as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        print_json({**decision.model_dump(mode="json"), "corrections": [one.model_dump() for one in corrections]})
    else:
        _print_decision(decision)
        _print_corrections(corrections)


@rules.command("try")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--studies", default=50, type=click.IntRange(1, 1000), help="How many, those received last.")
@json_option
@pass_agent
def rules_try(agent: Agent, file: Path, studies: int, as_json: bool) -> None:
    """Dry run: what a file of rules would change for the studies received last. Nothing is written."""
    try:
        book = _book(agent, file)
        with agent.database.reading() as session:
            run = route.dry_run(session, agent.archive, book, route.rules_in_force(session), studies=studies)
    except route.WrongRules as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        print_json(run.model_dump(mode="json"))
        return
    out = console()
    for one in run.changed:
        changed = one.fault or f"{_orders(one.now)}  →  {_orders(one.then)}"
        out.print(f"{one.study_instance_uid}  {escape(changed)}")
    out.print(f"{len(run.changed)} of {run.studies} studies would change; {run.left} were not tried: time ran out")


def _orders(orders: Iterable[route.Order]) -> str:
    return "; ".join(map(_order, orders)) or "ignored"


def _order(one: route.Order) -> str:
    misses = f" ({one.misses})" if one.misses else ""
    return f"{one.rule}: {one.pipeline} to {', '.join(one.destinations) or 'own archive only'}{misses}"


@rules.command("history")
@json_option
@pass_agent
def rules_history(agent: Agent, as_json: bool) -> None:
    """List the versions of the rules, newest first."""
    with agent.database.reading() as session:
        rows = [one.model_dump() for one in route.versions_of_rules(session, 100)]
    columns = ("id", "created_at", "created_by", "added", "removed")
    print_rows(rows, as_json=as_json, columns=columns, empty="No rules yet. pacs-agent rules put FILE")


def _book(agent: Agent, file: Path | None) -> route.RuleBook:
    if file:
        return route.RuleBook.parse(file.read_text(encoding="utf-8"))
    with agent.database.reading() as session:
        return route.rules_in_force(session)


def _attributes(agent: Agent, file_or_study: str) -> route.StudyAttributes:
    if Path(file_or_study).is_file():
        return route.attributes_of_file(Path(file_or_study))
    with agent.database.reading() as session:
        return route.attributes_of_study(session, agent.archive, file_or_study)


def _print_decision(decision: Any) -> None:
    out = console()
    for tried in decision.rules:
        tree = Tree(f"{'[green]matches[/]' if tried.matched else '[dim]no match[/]'}  {escape(tried.rule)}")
        _grow(tree, tried.explanation)
        if tried.expects is not None:
            for part in tried.expects.parts:
                _grow(tree, part.model_copy(update={"condition": f"expects {part.condition}"}))
        out.print(tree)
    out.print(f"[bold]{escape(decision.summary)}[/]")


def _print_corrections(corrections: Iterable[route.RuleOutcome]) -> None:
    out = console()
    for one in corrections:
        tree = Tree(f"{'[green]corrects[/]' if one.matched else '[dim]not about it[/]'}  {escape(one.rule)}")
        _grow(tree, one.explanation)
        out.print(tree)


def _grow(tree: Tree, node: Any) -> None:
    branch = tree.add(f"{'[green]✓[/]' if node.held else '[red]✗[/]'} {escape(node.text)}")
    for part in node.parts:
        _grow(branch, part)


COMMANDS = (rules,)
