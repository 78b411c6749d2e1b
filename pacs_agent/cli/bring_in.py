"""`bring-in` as a process, and `transfer`: studies and files brought in by hand."""

from contextlib import ExitStack
from pathlib import Path

import click
from pydantic import ValidationError
from rich.markup import escape
from sqlalchemy import select

from pacs_agent import bring_in as room
from pacs_agent.cli.context import Agent, console, json_option, pass_agent, print_rows, rows_of
from pacs_agent.db import Destination, Transfer, TransferKind
from pacs_agent.deliver import DeliveryError
from pacs_agent.ops import configure_log

ACTOR = "command line"
LISTED = 50


@click.command("bring-in")
@pass_agent
def bring_in(agent: Agent) -> None:
    """Run the transfers alone: what people bring in, and the watched folder."""
    configure_log(agent.settings.log_level, keep_in=agent.settings.data_dir, role="bring-in")
    _ = agent.database  # at this version
    room.run_bring_in(agent.settings)


@click.group()
def transfer() -> None:
    """Transfers: studies fetched from a PACS, and files."""


@transfer.command("list")
@json_option
@pass_agent
def transfer_list(agent: Agent, as_json: bool) -> None:
    """List the newest transfers."""
    fields = ("id", "kind", "source", "study_instance_uid", "state", "done", "expected", "refused", "skipped", "error")
    rows = rows_of(agent.database, select(Transfer).order_by(Transfer.created_at.desc()).limit(LISTED), fields)
    print_rows(rows, as_json=as_json, columns=fields, empty="No transfer yet. Search a PACS: transfer find")


@transfer.command("find")
@click.argument("destination")
@click.option("--name", "patient_name", default="", help="Family^Given, or its beginning.")
@click.option("--id", "patient_id", default="", help="Patient ID.")
@click.option("--accession", "accession_number", default="", help="Accession number.")
@click.option("--modality", default="", help="Such as CT.")
@click.option("--from", "from_day", default="", help="First study date, YYYY-MM-DD.")
@click.option("--to", "to_day", default="", help="Last study date, YYYY-MM-DD.")
@json_option
@pass_agent
def transfer_find(agent: Agent, /, destination: str, as_json: bool, **given: str) -> None:
    """Search a destination's studies by C-FIND or QIDO-RS."""
    try:
        found = room.find_studies(_destination(agent, destination), agent.settings, room.StudyQuery(**given))
    except ValidationError as error:
        raise click.UsageError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error
    except (room.BringInError, DeliveryError) as error:
        raise click.ClickException(str(error)) from error
    columns = ("study_date", "patient_name", "patient_id", "modalities", "instances", "study_instance_uid")
    print_rows([study.model_dump() for study in found], as_json=as_json, columns=columns, empty="Nothing matches.")


@transfer.command("pull")
@click.argument("destination")
@click.argument("study_instance_uid")
@click.option("--by", type=click.Choice([kind.value for kind in room.PULLS]), help="Default: what is usual there.")
@pass_agent
def transfer_pull(agent: Agent, destination: str, study_instance_uid: str, by: str | None) -> None:
    """Fetch a study from a destination by C-MOVE, C-GET or WADO-RS; it is queued for the process `bring-in`."""
    row = _destination(agent, destination)
    try:
        with agent.database.writing() as session:
            kind = TransferKind(by) if by else None
            begun = room.begin_pull(session, row, study_instance_uid, kind, actor=ACTOR)
    except room.BringInError as error:
        raise click.ClickException(str(error)) from error
    console().print(f"transfer {begun.id} is queued ({begun.kind})")


@transfer.command("files")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@pass_agent
def transfer_files(agent: Agent, paths: tuple[Path, ...]) -> None:
    """Take in DICOM files and ZIP archives; they are queued for the process `bring-in`."""
    with ExitStack() as open_files:
        files = [open_files.enter_context(path.open("rb")) for path in paths]
        transfer_id = room.begin_upload(agent.database, agent.settings.data_dir, files, actor=ACTOR)
    console().print(f"transfer {transfer_id} is queued")


@transfer.command("cancel")
@click.argument("transfer_id")
@pass_agent
def transfer_cancel(agent: Agent, transfer_id: str) -> None:
    """Cancel a transfer. What has come stays."""
    _act(agent, room.cancel, transfer_id, "canceled")


@transfer.command("again")
@click.argument("transfer_id")
@pass_agent
def transfer_again(agent: Agent, transfer_id: str) -> None:
    """Start a transfer again that failed, was canceled or interrupted."""
    _act(agent, room.start_again, transfer_id, "queued again")


def _act(agent: Agent, act: room.Act, transfer_id: str, done: str) -> None:
    try:
        with agent.database.writing() as session:
            act(session, transfer_id, actor=ACTOR)
    except (room.BringInError, room.UnknownTransfer) as error:
        raise click.ClickException(str(error)) from error
    console().print(f"{escape(transfer_id)}: {done}")


def _destination(agent: Agent, name: str) -> Destination:
    with agent.database.reading() as session:
        row = session.get(Destination, name)
    if row is None:
        raise click.ClickException(f"there is no destination {name}; pacs-agent destination list shows them")
    return row


COMMANDS = (bring_in, transfer)
