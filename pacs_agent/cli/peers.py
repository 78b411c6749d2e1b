"""`peer` and `destination`: who may send to us, and where results go."""

from typing import Any

import click
from sqlalchemy import select

from pacs_agent import deliver
from pacs_agent.cli.context import Agent, console, json_option, pass_agent, print_rows, rows_of
from pacs_agent.config import check_ae_title
from pacs_agent.db import Destination, Peer
from pacs_agent.ops import Outcome, audit

ACTOR = "command line"


@click.group()
def peer() -> None:
    """Peers: the DICOM nodes that may send to us. Every other node is refused."""


@peer.command("list")
@json_option
@pass_agent
def peer_list(agent: Agent, as_json: bool) -> None:
    """List the peers."""
    fields = ("ae_title", "host", "may_store", "may_echo", "enabled")
    rows = rows_of(agent.database, select(Peer), fields)
    empty = "No peer yet. Add one: pacs-agent peer add AE_TITLE --host IP"
    print_rows(rows, as_json=as_json, columns=fields, empty=empty)


@peer.command("add")
@click.argument("ae_title")
@click.option("--host", default="", help="IP address or name it must come from; without it, from anywhere.")
@click.option("--store/--no-store", "may_store", default=True, help="May it send images?")
@pass_agent
def peer_add(agent: Agent, ae_title: str, host: str, may_store: bool) -> None:
    """Add a peer, or change it."""
    try:
        ae_title = check_ae_title(ae_title)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with agent.database.writing() as session:
        session.merge(Peer(ae_title=ae_title, host=host, may_store=may_store, may_echo=True, enabled=True))
        audit(
            session,
            actor=ACTOR,
            action="peer.changed",
            outcome=Outcome.SUCCESS,
            subject=ae_title,
            host=host,
            may_store=may_store,
        )
    console().print(f"{ae_title} may {'send and echo' if may_store else 'echo'} from {host or 'any address'}")


@peer.command("remove")
@click.argument("ae_title")
@pass_agent
def peer_remove(agent: Agent, ae_title: str) -> None:
    """Remove a peer; its next association is rejected."""
    _remove(agent, Peer, ae_title, "peer.removed")


@click.group()
def destination() -> None:
    """Destinations: where results are delivered."""


@destination.command("list")
@json_option
@pass_agent
def destination_list(agent: Agent, as_json: bool) -> None:
    """List the destinations. Secrets are named by their environment variable, never stored."""
    fields = ("name", "kind", "settings", "enabled")
    rows = rows_of(agent.database, select(Destination), fields)
    empty = "No destination yet. Results stay in the agent's own archive."
    print_rows(rows, as_json=as_json, columns=fields, empty=empty)


@destination.command("add")
@click.argument("name")
@click.option("--kind", type=click.Choice(sorted(deliver.KINDS)), required=True)
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A setting of this kind; repeat for each.")
@pass_agent
def destination_add(agent: Agent, name: str, kind: str, pairs: tuple[str, ...]) -> None:
    """Add a destination, or change it. DIMSE: host, port, called_ae. STOW: url."""
    settings = dict(_pair(pair) for pair in pairs)
    try:
        checked = deliver.check_settings(kind, settings)
    except deliver.WrongSettings as error:
        raise click.UsageError(str(error)) from error
    with agent.database.writing() as session:
        session.merge(Destination(name=name, kind=kind, settings=checked, enabled=True))
        audit(
            session,
            actor=ACTOR,
            action="destination.changed",
            outcome=Outcome.SUCCESS,
            subject=name,
            kind=kind,
            settings=checked,
        )
    console().print(f"destination {name} ({kind}) is in force")


def _pair(text: str) -> tuple[str, str]:
    key, found, value = text.partition("=")
    if not found:
        raise click.UsageError(f"--set {text}: write it as KEY=VALUE")
    return key, value


@destination.command("remove")
@click.argument("name")
@pass_agent
def destination_remove(agent: Agent, name: str) -> None:
    """Remove a destination. Rules that name it then deliver nowhere, and say so."""
    _remove(agent, Destination, name, "destination.removed")


def _remove(agent: Agent, table: type[Any], key: str, action: str) -> None:
    with agent.database.writing() as session:
        row = session.get(table, key)
        if row is None:
            raise click.ClickException(f"{key} is not there")
        session.delete(row)
        audit(session, actor=ACTOR, action=action, outcome=Outcome.SUCCESS, subject=key)
    console().print(f"{key} removed")


COMMANDS = (peer, destination)
