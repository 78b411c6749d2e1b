"""`peer` and `destination`: who may send to us, and where results go."""

import os
from typing import Any

import click
from pydantic import ValidationError
from sqlalchemy import select

from pacs_agent import deliver, receive
from pacs_agent.cli.context import Agent, console, json_option, pass_agent, print_rows, rows_of
from pacs_agent.db import Destination, Peer
from pacs_agent.ops.outbound import outbound_of

ACTOR = "command line"


@click.group()
def peer() -> None:
    """Peers: the DICOM nodes that may send to us. Every other node is refused."""


@peer.command("list")
@json_option
@pass_agent
def peer_list(agent: Agent, as_json: bool) -> None:
    """List the peers."""
    fields = tuple(receive.NewPeer.model_fields)
    rows = rows_of(agent.database, select(Peer), fields)
    empty = "No peer yet. Add one: pacs-agent peer add AE_TITLE --host IP"
    print_rows(rows, as_json=as_json, columns=fields, empty=empty)


@peer.command("add")
@click.argument("ae_title")
@click.option("--host", default="", help="IP address, network or name it must come from; without it, from anywhere.")
@click.option("--store/--no-store", "may_store", default=True, help="May it send images?")
@click.option("--echo/--no-echo", "may_echo", default=True, help="May it ask whether we are there (C-ECHO)?")
@click.option("--enabled/--disabled", default=True, help="May it do anything at all now?")
@click.option(
    "--certificate-name", default="", help="Name that its TLS certificate must bear; it may not come without."
)
@click.option("--tls-only/--plain-too", default=False, help="Must it come over TLS?")
@click.option(
    "--commitment-port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port at its host for results of storage commitment; 0: it may not ask, unless it is a destination too.",
)
@pass_agent
def peer_add(agent: Agent, /, ae_title: str, **given: Any) -> None:
    """Add a peer, or change it."""
    try:
        new = receive.NewPeer(ae_title=ae_title, **given)
    except ValidationError as error:
        raise click.UsageError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error
    with agent.database.writing() as session:
        receive.put_peer(session, new, actor=ACTOR)
    rights = [word for word, right in (("send", new.may_store), ("echo", new.may_echo)) if right and new.enabled]
    over = " over TLS" if new.tls_only or new.certificate_name else ""
    console().print(f"{new.ae_title} may {' and '.join(rights) or 'do nothing'} from {new.host or 'any address'}{over}")


@peer.command("remove")
@click.argument("ae_title")
@pass_agent
def peer_remove(agent: Agent, ae_title: str) -> None:
    """Remove a peer; its next association is rejected."""
    try:
        with agent.database.writing() as session:
            receive.remove_peer(session, ae_title, actor=ACTOR)
    except receive.UnknownPeer as error:
        raise click.ClickException(str(error)) from error
    console().print(f"{ae_title} removed")


@peer.command("echo")
@click.argument("ae_title")
@click.argument("host")
@click.argument("port", type=click.IntRange(1, 65535))
@click.option("--tls/--plain", default=False, help="Over TLS?")
@click.option("--certificate-name", default="", help="Name that its certificate bears, where it is not the host.")
@pass_agent
def peer_echo(agent: Agent, ae_title: str, host: str, port: int, tls: bool, certificate_name: str) -> None:
    """Ask a DICOM node whether it is there (C-ECHO) and print its answer."""
    _say(deliver.echoed(host, port, ae_title, agent.settings, tls=tls, certificate_name=certificate_name))


@click.group()
def destination() -> None:
    """Destinations: where results are delivered."""


@destination.command("list")
@json_option
@pass_agent
def destination_list(agent: Agent, as_json: bool) -> None:
    """List the destinations. Secrets are never shown."""
    fields = ("name", "kind", "settings", "enabled")
    rows = rows_of(agent.database, select(Destination), fields)
    empty = "No destination yet. Results stay in the agent's own archive."
    print_rows(rows, as_json=as_json, columns=fields, empty=empty)


@destination.command("add")
@click.argument("name")
@click.option("--kind", type=click.Choice(sorted(deliver.KINDS)), required=True)
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A setting of this kind; repeat for each.")
@click.option("--password-from", metavar="VARIABLE", help="Keep the password that this variable holds now.")
@click.option("--token-from", metavar="VARIABLE", help="Keep the token that this variable holds now.")
@pass_agent
def destination_add(
    agent: Agent, name: str, kind: str, pairs: tuple[str, ...], password_from: str | None, token_from: str | None
) -> None:
    """Add a destination, or change it. DIMSE: host, port, called_ae. STOW: url."""
    secrets = {key: _held(var) for key, var in (("password", password_from), ("token", token_from)) if var}
    new = deliver.NewDestination(name, kind, dict(_pair(pair) for pair in pairs), secrets, enabled=True)
    try:
        with agent.database.writing() as session:
            deliver.put_destination(session, new, actor=ACTOR, outbound=outbound_of(agent.settings.web))
    except deliver.WrongSettings as error:
        raise click.UsageError(str(error)) from error
    console().print(f"destination {name} ({kind}) is in force")


@destination.command("enable")
@click.argument("name")
@pass_agent
def destination_enable(agent: Agent, name: str) -> None:
    """Enable a destination."""
    _enable(agent, name, enabled=True)


@destination.command("disable")
@click.argument("name")
@pass_agent
def destination_disable(agent: Agent, name: str) -> None:
    """Disable a destination: what is to be delivered there is refused until it is enabled again."""
    _enable(agent, name, enabled=False)


@destination.command("test")
@click.argument("name")
@pass_agent
def destination_test(agent: Agent, name: str) -> None:
    """Say hello to a destination (C-ECHO, or a search by QIDO-RS) and print its answer."""
    with agent.database.reading() as session:
        row = session.get(Destination, name)
    if row is None:
        raise click.ClickException(f"there is no destination {name}")
    _say(deliver.probed(row, agent.settings))


@destination.command("remove")
@click.argument("name")
@pass_agent
def destination_remove(agent: Agent, name: str) -> None:
    """Remove a destination. It is refused while rules deliver there."""
    try:
        with agent.database.writing() as session:
            deliver.remove_destination(session, name, actor=ACTOR)
    except (deliver.UnknownDestination, deliver.DestinationInUse) as error:
        raise click.ClickException(str(error)) from error
    console().print(f"{name} removed")


def _enable(agent: Agent, name: str, *, enabled: bool) -> None:
    try:
        with agent.database.writing() as session:
            deliver.enable_destination(session, name, enabled=enabled, actor=ACTOR)
    except deliver.UnknownDestination as error:
        raise click.ClickException(str(error)) from error
    console().print(f"{name} is {'enabled' if enabled else 'disabled'}")


def _pair(text: str) -> tuple[str, str]:
    key, found, value = text.partition("=")
    if not found:
        raise click.UsageError(f"--set {text}: write it as KEY=VALUE")
    return key, value


def _held(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise click.UsageError(f"the environment variable {variable} is not set here")
    return value


def _say(answer: deliver.Probed) -> None:
    if not answer.ok:
        raise click.ClickException(answer.words)
    console().print(answer.words)


COMMANDS = (peer, destination)
