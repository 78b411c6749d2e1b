"""`send`: DICOM files leave by C-STORE, with a progress bar."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pacs_agent.cli.context import Agent, console, pass_agent
from pacs_agent.config import DimseSettings, DimseTlsSettings
from pacs_agent.deliver import (
    Answer,
    DeliveryError,
    DimseDestination,
    Means,
    Outgoing,
    Refused,
    ScuAddress,
    Verdict,
    outgoing,
)

TIMEOUT_S = 60.0
SHOWN_REFUSALS = 5


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--host", help="Where to send; default is this agent's own listener.")
@click.option("--port", type=click.IntRange(1, 65535), help="Its port.")
@click.option("--called-ae", help="Its AE title.")
@click.option("--calling-ae", default="SEND", show_default=True, help="The AE title we call ourselves.")
@click.option("--tls/--plain", default=None, help="Over TLS? Our own listener with TLS alone is asked so.")
@click.option("--certificate-name", default="", help="Name its certificate bears, where it is not the host.")
@pass_agent
def send(agent: Agent, /, paths: tuple[Path, ...], calling_ae: str, **where: Any) -> None:
    """Send DICOM files, or all those in folders, by C-STORE. Exit code 1 when one was not stored."""
    address = _address(agent.settings.dimse, calling_ae, **where)
    out = console()
    files = sorted(file for path in paths for file in _files(path))
    try:
        refused = send_files(out, address, files, tls=agent.settings.dimse.tls)
    except DeliveryError as error:
        raise click.ClickException(f"{error}. Is {calling_ae} known there? `pacs-agent peer list`") from error
    out.print(f"{len(files) - len(refused)} of {len(files)} stored at {address}")
    for text in refused[:SHOWN_REFUSALS]:
        out.print(f"[red]✗[/] {escape(text)}")
    raise SystemExit(bool(refused))


def _address(
    own: DimseSettings,
    calling_ae: str,
    *,
    host: str | None,
    port: int | None,
    called_ae: str | None,
    tls: bool | None,
    certificate_name: str,
) -> ScuAddress:
    """Where to send. What is not said is that of our own listener, which may listen over TLS alone."""
    if own.tls is None:
        if tls:
            raise click.UsageError("--tls needs the certificate of dimse.tls; docs/operations.md says how to set it")
        own_port = own.port
    else:
        tls = (host is None and own.tls.only) if tls is None else tls
        own_port = own.tls.port if tls else own.port
    return ScuAddress(
        host=host or own.host,
        port=port or own_port,
        called_ae=called_ae or own.ae_title,
        calling_ae=calling_ae,
        tls=bool(tls),
        certificate_name=certificate_name,
    )


def send_files(
    out: Console, address: ScuAddress, files: Sequence[Path], *, tls: DimseTlsSettings | None = None
) -> list[str]:
    """Sends files over one association, showing how far it is; what was not stored and why. `tls`: our certificate.

    Raises Refused or Unreachable when no association comes about.
    """
    refused: list[str] = []
    objects = list(_sendable(files, refused))
    if not objects:
        return refused
    columns = (TextColumn("   sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True) as progress:
        for answer in progress.track(
            DimseDestination(address, Means(TIMEOUT_S, tls=tls)).send(objects), total=len(objects)
        ):
            refused += _complaint(answer)
    return refused


def _files(path: Path) -> Iterable[Path]:
    return (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else (path,)


def _sendable(files: Iterable[Path], refused: list[str]) -> Iterable[Outgoing]:
    for file in files:
        try:
            yield outgoing(file)
        except Refused as refusal:
            refused.append(str(refusal))


def _complaint(answer: Answer) -> list[str]:
    return [] if answer.verdict is Verdict.STORED else [f"{answer.sop_instance_uid}: {answer.text}"]


COMMANDS = (send,)
