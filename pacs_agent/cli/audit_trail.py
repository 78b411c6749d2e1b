"""`audit`: the audit trail, and whether it still is what was written."""

import click
from sqlalchemy import select

from pacs_agent.cli.context import Agent, console, json_option, pass_agent, print_json, print_rows, rows_of
from pacs_agent.cli.listings import limit_option
from pacs_agent.db import AuditEvent
from pacs_agent.ops.audit_chain import Seal, seal_waiting
from pacs_agent.ops.audit_chain import verify as verify_chain

FIELDS = ("at", "actor", "action", "outcome", "subject", "detail")
BROKEN = 1
"""Exit code of `verify` for a trail that does not hold."""


@click.group(invoke_without_command=True)
@click.option("--action", help="Only this action, for example instance.refused.")
@limit_option
@json_option
@click.pass_context
def audit(context: click.Context, action: str | None, limit: int, as_json: bool) -> None:
    """List the audit trail, newest first; or verify it."""
    if context.invoked_subcommand is None:
        _list(context.find_object(Agent), action, limit, as_json)


@audit.command("list")
@click.option("--action", help="Only this action, for example instance.refused.")
@limit_option
@json_option
@pass_agent
def audit_list(agent: Agent, action: str | None, limit: int, as_json: bool) -> None:
    """List the audit trail, newest first, as `audit` alone does."""
    _list(agent, action, limit, as_json)


@audit.command("verify")
@click.option("--known", metavar="SEAL", help="A seal that an earlier `verify` printed: it must still be in the trail.")
@json_option
@click.pass_context
def audit_verify(context: click.Context, known: str | None, as_json: bool) -> None:
    """Check that no line was changed, deleted, inserted or moved. Exit code 1 names the first one that was."""
    agent = context.find_object(Agent)
    assert agent is not None  # noqa: S101 (main makes it)
    seal_waiting(agent.database)
    verdict = verify_chain(agent.database, _seal(known))
    if as_json:
        facts = {"fault": verdict.fault, "sealed": verdict.sealed, "unsealed": verdict.unsealed}
        print_json({**facts, "seal": str(verdict.newest)})
    elif verdict.fault:
        console().print(f"The audit trail was tampered with: {verdict.fault}.", markup=False)
        console().print("Take the database out of use, keep it, and compare it with a backup.")
    else:
        console().print(f"All {verdict.sealed} sealed lines are as they were written, {verdict.unsealed} wait.")
        console().print(f"Seal of the newest: {verdict.newest}")
        console().print("Keep it outside of this machine; `audit verify --known SEAL` finds a trail made anew.")
    if verdict.fault:
        context.exit(BROKEN)


def _seal(known: str | None) -> Seal | None:
    try:
        return Seal.parse(known) if known else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--known") from error


def _list(agent: Agent | None, action: str | None, limit: int, as_json: bool) -> None:
    assert agent is not None  # noqa: S101 (main makes it)
    query = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(limit)
    if action:
        query = query.where(AuditEvent.action == action)
    rows = rows_of(agent.database, query, FIELDS)
    print_rows(rows, as_json=as_json, columns=FIELDS, empty="The audit trail is empty.")


COMMANDS = (audit,)
