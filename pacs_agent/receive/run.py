"""The listener as a process, or as several on one port.

The parent binds the ports and forks; each child accepts from the same socket, so that a connection goes to one that is
not busy, none is lost when a child dies, and the address cannot be bound by anybody else meanwhile.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from multiprocessing.context import ForkProcess

from pacs_agent.archive import Archive, relying_on_files
from pacs_agent.config import Settings
from pacs_agent.db import Database
from pacs_agent.ops import get_log
from pacs_agent.ops.dicom_tls import server_context
from pacs_agent.ops.stopping import stop_signal
from pacs_agent.receive.evenness import Counts, Evenness
from pacs_agent.receive.listener import Door, Listener, open_doors
from pacs_agent.receive.places import forget_places

MOST_BY_CORES = 4
STOP_WITHIN_S = 15.0
RESTART_PAUSE_S = 1.0
_PR_SET_PDEATHSIG = 1

log = get_log("receive")


def _nothing() -> None:
    """A child has nothing to prepare."""


def run_receive(settings: Settings, prepare_child: Callable[[], None] = _nothing) -> None:
    """Listens until SIGTERM or SIGINT. The database must be at this version; call from the main thread.

    No connection to the database may be open, as children are forked; each of them calls `prepare_child` first.
    Raises OSError when an address cannot be bound, WrongTls when the files of `dimse.tls` do not serve.
    """
    if settings.dimse.tls is not None:
        server_context(settings.dimse.tls)  # what is wrong with it is said before anything is bound
    with closing(Database(settings.sqlalchemy_url)) as database:
        Archive(database, settings.data_dir / "archive").sweep()
    forget_places(settings.data_dir)
    doors = open_doors(settings.dimse)
    count = settings.dimse.processes or min(MOST_BY_CORES, len(os.sched_getaffinity(0)))
    if count == 1:
        _listen(settings, doors)
    else:
        _Herd(settings, doors, count, prepare_child).run()


def _listen(settings: Settings, doors: Sequence[Door], evenness: Evenness | None = None) -> None:
    """One listener, until a signal."""
    database = Database(settings.sqlalchemy_url)
    archive = Archive(database, settings.data_dir / "archive")
    with closing(database), stop_signal() as stopping, relying_on_files(archive):
        listener = Listener(settings, database, archive, doors, evenness)
        listener.start()
        stopping.wait()
        listener.stop()


class _Herd:
    """Children that listen at the same doors. One that dies is replaced; all end with their parent."""

    def __init__(
        self, settings: Settings, doors: Sequence[Door], count: int, prepare_child: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._prepare_child = prepare_child
        self._doors = doors
        self._count = count
        self._counts = Counts(count)
        self._stopping = False

    def run(self) -> None:
        """Returns after a signal, when all children have ended."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        children = [self._started(place) for place in range(self._count)]
        while not self._stopping:
            time.sleep(RESTART_PAUSE_S / 5)
            for place, child in enumerate(children):
                if child.exitcode is not None and not self._stopping:
                    log.error("a receiving process died", code=child.exitcode)
                    time.sleep(RESTART_PAUSE_S)
                    children[place] = self._started(place)
        _end(children)

    def _started(self, place: int) -> ForkProcess:
        child = multiprocessing.get_context("fork").Process(target=self._listen, args=(place,))
        child.start()
        return child

    def _listen(self, place: int) -> None:
        """What a child does."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        self._prepare_child()
        _listen(self._settings, self._doors, Evenness(self._counts, place))

    def _ask_to_stop(self, _number: int, _frame: object) -> None:
        self._stopping = True


def _end(children: Sequence[ForkProcess]) -> None:
    for child in children:
        child.terminate()
    until_s = time.monotonic() + STOP_WITHIN_S
    for child in children:
        child.join(max(0.0, until_s - time.monotonic()))
        if child.is_alive():
            log.warning("a receiving process killed: it did not end in time")
            child.kill()
            child.join()
