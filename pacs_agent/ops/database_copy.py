"""A copy of the agent's database as one state of it, while the agent works, and its restoration.

SQLite is copied by its Online Backup API, the write-ahead log included. PostgreSQL is copied by `pg_dump` under an
exported snapshot (PostgreSQL, 9.28.5), so that the list of files is of the same state.
"""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, create_engine, func, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from pacs_agent.db import Base, Database, Instance, QuarantinedInstance

SQLITE, POSTGRES = "database.sqlite", "database.dump"
SECRET_TABLES = ("runtime_secrets", "destination_secrets")
FILE_TABLES: tuple[Table, ...] = (Instance.__table__, QuarantinedInstance.__table__)  # type: ignore[assignment]
PATIENCE_S = 24 * 3600


class CopyFailed(Exception):
    """A database that could not be copied or restored: what is wrong, and what to do."""


@dataclass(frozen=True)
class Copied:
    """The copy, and what that state of the database holds."""

    file: Path
    revision: str
    rows: dict[str, int]
    digests: tuple[str, ...]
    """Of the files of the archive that it names."""


def copy_database(database: Database, folder: Path, *, with_secrets: bool) -> Copied:
    """Copies the database into a folder. Without `with_secrets` the tables of secrets are empty. Raises CopyFailed."""
    if database.engine.dialect.name == "sqlite":
        return _copy_sqlite(str(database.engine.url.database), folder / SQLITE, with_secrets=with_secrets)
    return _copy_postgres(database, folder / POSTGRES, with_secrets=with_secrets)


def restore_database(folder: Path, url: str) -> Copied:
    """Restores the copy in a folder to where the settings say, which must be empty. Raises CopyFailed."""
    parsed = make_url(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    copy = folder / (SQLITE if is_sqlite else POSTGRES)
    if not copy.is_file():
        other = POSTGRES if is_sqlite else SQLITE
        raise CopyFailed(f"the backup holds {other}, but database_url is for the other kind; set it accordingly")
    if is_sqlite:
        _place_sqlite(copy, Path(str(parsed.database)))
    else:
        program = _program("pg_restore")
        _run([program, "--exit-on-error", "--no-owner", "--single-transaction", f"--dbname={_libpq(url)}", str(copy)])
    engine = create_engine(parsed if is_sqlite else parsed.set(drivername="postgresql+psycopg"))
    try:
        with engine.connect() as connection:
            return _state(connection, copy)
    except SQLAlchemyError as error:
        raise CopyFailed(f"the restored database cannot be read: {type(error).__name__}") from error
    finally:
        engine.dispose()


def _copy_sqlite(source_file: str, target: Path, *, with_secrets: bool) -> Copied:
    with closing(sqlite3.connect(source_file)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        if not with_secrets:
            copy.execute("PRAGMA secure_delete=ON")
            for table in SECRET_TABLES:
                copy.execute(f"DELETE FROM {table}")  # noqa: S608 (names of our own)
        copy.commit()
        (state,) = copy.execute("PRAGMA integrity_check").fetchone()
    if state != "ok":
        raise CopyFailed(f"the copy of the database is damaged ({state}); check the disk, and restore an older backup")
    engine = create_engine(f"sqlite:///{target}")
    with engine.connect() as connection:
        copied = _state(connection, target)
    engine.dispose()
    return copied


def _copy_postgres(database: Database, target: Path, *, with_secrets: bool) -> Copied:
    program = _program("pg_dump")
    left_out = () if with_secrets else tuple(f"--exclude-table-data={table}" for table in SECRET_TABLES)
    with database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
        address = f"--dbname={_libpq(database.url)}"
        _run([program, "--format=custom", f"--snapshot={snapshot}", f"--file={target}", *left_out, address])
        copied = _state(connection, target)
    empty = {} if with_secrets else dict.fromkeys(SECRET_TABLES, 0)
    return Copied(copied.file, copied.revision, copied.rows | empty, copied.digests)


def _place_sqlite(copy: Path, target: Path) -> None:
    beside = [target.with_name(target.name + ending) for ending in ("", "-wal", "-shm")]
    if found := [str(path) for path in beside if path.exists()]:
        raise CopyFailed(f"there is a database already: {', '.join(found)}; move it away first")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(copy, target)


def _state(connection: Connection, file: Path) -> Copied:
    present = set(inspect(connection).get_table_names())
    tables = [table for table in Base.metadata.sorted_tables if table.name in present]
    rows = {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables}
    revision = connection.scalar(text("SELECT version_num FROM alembic_version")) or ""
    return Copied(file, str(revision), rows, tuple(_digests(connection)))


def _digests(connection: Connection) -> Iterator[str]:
    for table in FILE_TABLES:
        yield from connection.scalars(select(table.c.digest).order_by(table.c.id))


def _libpq(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise CopyFailed(
            f"{name} is not installed: install PostgreSQL's client programs of the server's version, or copy the "
            "database by the server's own means first, and data_dir/archive after it (docs/operations.md, Backup)"
        )
    return found


def _run(command: Sequence[Any]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S)  # noqa: S603
    except subprocess.CalledProcessError as error:
        raise CopyFailed(f"{Path(command[0]).name}: {error.stderr.strip()[-500:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CopyFailed(f"{Path(command[0]).name}: {error}") from error
