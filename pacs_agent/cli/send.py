"""`send`: DICOM files leave by C-STORE, with a progress bar."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pacs_agent.cli.context import Agent, console, pass_agent
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
@pass_agent
def send(
    agent: Agent, paths: tuple[Path, ...], host: str | None, port: int | None, called_ae: str | None, calling_ae: str
) -> None:
    """Send DICOM files, or all those in folders, by C-STORE. Exit code 1 when one was not stored."""
    own = agent.settings.dimse
    address = ScuAddress(
        host=host or own.host, port=port or own.port, called_ae=called_ae or own.ae_title, calling_ae=calling_ae
    )
    out = console()
    files = sorted(file for path in paths for file in _files(path))
    try:
        refused = send_files(out, address, files)
    except DeliveryError as error:
        raise click.ClickException(f"{error}. Is {calling_ae} known there? `pacs-agent peer list`") from error
    out.print(f"{len(files) - len(refused)} of {len(files)} stored at {address}")
    for text in refused[:SHOWN_REFUSALS]:
        out.print(f"[red]✗[/] {escape(text)}")
    raise SystemExit(bool(refused))


def send_files(out: Console, address: ScuAddress, files: Sequence[Path]) -> list[str]:
    """Sends files over one association, showing how far it is; what was not stored and why.

    Raises Refused or Unreachable when no association comes about.
    """
    refused: list[str] = []
    objects = list(_sendable(files, refused))
    if not objects:
        return refused
    columns = (TextColumn("   sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True) as progress:
        for answer in progress.track(DimseDestination(address, Means(TIMEOUT_S)).send(objects), total=len(objects)):
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
