"""The listener as a process of its own."""

import signal
import threading

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.db import Database
from pacs_agent.receive.listener import Listener


def run_receive(settings: Settings) -> None:
    """Listens until SIGTERM or SIGINT. The database must be at this version; call from the main thread.

    Raises OSError when the address cannot be bound.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    database = Database(settings.sqlalchemy_url)
    archive = Archive(database, settings.data_dir / "archive")
    archive.sweep()
    listener = Listener(settings, database, archive)
    listener.start()
    try:
        stop.wait()
    finally:
        listener.stop()
        database.close()
