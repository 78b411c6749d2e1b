"""The listener as a process of its own."""

from contextlib import closing

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.db import Database
from pacs_agent.ops.stopping import stop_signal
from pacs_agent.receive.listener import Listener


def run_receive(settings: Settings) -> None:
    """Listens until SIGTERM or SIGINT. The database must be at this version; call from the main thread.

    Raises OSError when the address cannot be bound.
    """
    database = Database(settings.sqlalchemy_url)
    archive = Archive(database, settings.data_dir / "archive")
    archive.sweep()
    with closing(database), stop_signal() as stopping:
        listener = Listener(settings, database, archive)
        listener.start()
        stopping.wait()
        listener.stop()
