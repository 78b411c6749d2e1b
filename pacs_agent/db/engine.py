"""The engine, its sessions, and bringing a database to this version."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.orm import Session, sessionmaker

from pacs_agent.db import express
from pacs_agent.db.express import Express


class DatabaseTooNew(RuntimeError):
    """The database was made by a later version of this code."""


_UPGRADE_LOCK = 0x50414353
MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """An engine and its sessions. One per process; close it when the process ends."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self._express = Express(self.engine)
        self._writing = sessionmaker(self.engine, expire_on_commit=False)
        self._reading = sessionmaker(self.engine.execution_options(reading=True), expire_on_commit=False)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session in one transaction: committed at the end, rolled back on an error."""
        with self._writing() as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state of the database and never waits for a writer. What it changes is dropped."""
        with self._reading() as session:
            yield session

    @contextmanager
    def driver_transaction(self, *, synced: bool) -> Iterator[DBAPICursor]:
        """A cursor of the driver itself in one transaction that writes: committed at the end, rolled back on an error.

        Without `synced` a loss of power may take the newest commits with it, on SQLite only: its file is beside the
        archive's, so that both end together, and what is lost is indexed again from the files (decision 14). A commit
        that is synced makes those before it durable too. Raises the driver's own errors.
        """
        if self.engine.dialect.name == "sqlite":
            with self._express.transaction(synced=synced) as cursor:
                yield cursor
            return
        connection = self.engine.raw_connection()
        try:
            yield connection.cursor()
            connection.commit()
        finally:
            connection.close()  # rolls back what is not committed

    def checkpoint(self) -> bool:
        """Makes every commit so far durable; whether that could be done now. Only SQLite ever has others.

        Raises the driver's own errors.
        """
        if self.engine.dialect.name != "sqlite":
            return True
        with closing(self.engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
            row = cursor.fetchone()
        return row is not None and row[0] == 0  # "busy" is its first column

    def close(self) -> None:
        """Gives back all connections."""
        self._express.close()
        self.engine.dispose()


def _engine(url: str) -> Engine:
    """An engine whose commits are durable: SQLite with a write-ahead log, synced at each commit.

    Parameters stay out of its errors: they hold names of patients, and errors are logged.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(parsed, pool_pre_ping=True, pool_size=10, max_overflow=20, hide_parameters=True)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": express.BUSY_WAIT_S}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, see _begin_sqlite
    busy_wait = f"busy_timeout={express.BUSY_WAIT_S * 1000}"
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", busy_wait):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Writers take the write lock at once: a read lock upgraded later fails without waiting when another wrote."""
    if connection.get_execution_options().get("reading"):
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def upgrade(database: Database, revision: str = "head") -> None:
    """Brings the database to a revision of the schema, creating it when it is empty.

    Several processes may do it at once: on Postgres they take turns by an advisory lock, on SQLite by the write lock.
    Raises DatabaseTooNew when the database was made by a later version of this code.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
        _refuse_newer(connection, ScriptDirectory.from_config(config))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


@cache
def _head() -> str | None:
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def is_at_this_version(session: Session) -> bool:
    """Whether the tables are those that this code knows. Raises SQLAlchemyError when the database does not answer."""
    return MigrationContext.configure(session.connection()).get_current_revision() == _head()


def _refuse_newer(connection: Connection, scripts: ScriptDirectory) -> None:
    known = {script.revision for script in scripts.walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise DatabaseTooNew(
            f"the database is at revision {current!r}, which this version does not know: "
            "install the version that made it, or restore a backup"
        )
