"""Short transactions on SQLite, one for every image: one connection of the driver that stays open, short waits."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.pool import PoolProxiedConnection

BUSY_WAIT_S = 30
"""How long whoever writes waits for SQLite's one write lock; then the sender of an image is told to try again."""
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.0001, 0.01
"""Between two looks at the lock. SQLite itself pauses 1 ms at least, while others hold the lock for a tenth of that."""
PAGES_TO_CHECKPOINT = 8000
"""32 MB of log: whoever moves it into the database waits for the disk, and so do the images behind it."""


class Express:
    """Transactions of the driver that write, one at a time, by a connection that stays open. For any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._connection: PoolProxiedConnection | None = None
        self._cursor: DBAPICursor | None = None
        self._synchronous = ""

    @contextmanager
    def transaction(self, *, synced: bool) -> Iterator[DBAPICursor]:
        """A cursor within a transaction: committed at the end, rolled back on an error. Raises sqlite3.Error."""
        with self._turn:
            connection, cursor = self._open()
            try:
                self._begin(cursor, "FULL" if synced else "NORMAL")
                yield cursor
                connection.commit()
            except BaseException:
                self._drop()
                raise

    def close(self) -> None:
        """Gives the connection back; the next transaction opens another."""
        with self._turn:
            self._drop()

    def _open(self) -> tuple[PoolProxiedConnection, DBAPICursor]:
        if self._connection is None or self._cursor is None:
            self._connection = self._engine.raw_connection()
            self._cursor = self._connection.cursor()
            self._synchronous = ""
            self._cursor.execute("PRAGMA busy_timeout=0")
            self._cursor.execute(f"PRAGMA wal_autocheckpoint={PAGES_TO_CHECKPOINT}")
        return self._connection, self._cursor

    def _drop(self) -> None:
        """Ends the connection with what is not committed: its settings are not those of others."""
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is not None:
            connection.invalidate()

    def _begin(self, cursor: Any, synchronous: str) -> None:
        if synchronous != self._synchronous:
            cursor.execute(f"PRAGMA synchronous={synchronous}")
            self._synchronous = synchronous
        until_s, pause_s = time.monotonic() + BUSY_WAIT_S, SHORTEST_PAUSE_S
        while True:
            try:
                cursor.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until_s:
                    raise
            else:
                return
            time.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 1.2)
