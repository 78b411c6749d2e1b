"""What every command shares: the settings, the database, and how listings are printed."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from sqlalchemy import Select

from pacs_agent.archive import Archive
from pacs_agent.config import Settings, load_settings
from pacs_agent.db import Database, upgrade

PIPE_COLUMNS = 250

Row = Mapping[str, Any]


@dataclass
class Agent:
    """The agent as a command sees it; what a command does not touch is not opened."""

    config: Path | None

    @cached_property
    def settings(self) -> Settings:
        """The settings in force. A wrong one ends the command with a list of what is wrong."""
        try:
            return load_settings(self.config)
        except FileNotFoundError as error:
            raise click.UsageError(str(error)) from error
        except ValidationError as error:
            faults = "\n".join(f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise click.UsageError(f"the settings are wrong:\n{faults}\nSee docs/operations.md, Settings.") from error

    @cached_property
    def database(self) -> Database:
        """The database, brought to this version."""
        database = Database(self.settings.sqlalchemy_url)
        upgrade(database)
        return database

    @cached_property
    def archive(self) -> Archive:
        """The archive of this agent."""
        return Archive(self.database, self.settings.data_dir / "archive")


pass_agent = click.make_pass_decorator(Agent)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def console() -> Console:
    """The terminal, for people; into a file or a pipe lines are long instead of folded."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)


def print_json(value: Any) -> None:
    """Prints a value as JSON; times in ISO 8601 with their offset."""
    click.echo(json.dumps(value, indent=2, default=_plain))


def print_rows(rows: Sequence[Row], *, as_json: bool, columns: Iterable[str], empty: str) -> None:
    """Prints a listing: all fields as JSON, the named columns as a table, or what to do next when it is empty."""
    if as_json:
        print_json(rows)
    elif not rows:
        console().print(empty)
    else:
        console().print(_table(rows, list(columns)))


def rows_of(database: Database, query: Select[Any], fields: Sequence[str]) -> list[Row]:
    """The named fields of every row that a query finds."""
    with database.reading() as session:
        return [{field: getattr(row, field) for field in fields} for row in session.scalars(query)]


def local_time(at: datetime | None) -> str:
    """A time in the local zone with its offset, as the console will show it."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S%z") if at else ""


def _table(rows: Sequence[Row], columns: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    return table


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return local_time(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form here")
