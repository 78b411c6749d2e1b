"""The process that brings in: claims transfers, runs a few at a time, watches the folder."""

import os
import threading
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from pacs_agent.archive import Archive
from pacs_agent.bring_in.folder import WatchedFolder
from pacs_agent.bring_in.running import Transfers
from pacs_agent.bring_in.spool import sweep
from pacs_agent.bring_in.transfers import claim, finish, give_back, show_life, take_over
from pacs_agent.config import Settings
from pacs_agent.db import Database, Transfer, TransferState
from pacs_agent.ops import get_log
from pacs_agent.ops.stopping import stop_signal

STEP_S = 0.5
LIFE_S = 5.0
SWEEP_S = 3600.0

log = get_log("bring in")


class BringIn:
    """Runs transfers in threads. `step` is called again and again by one thread."""

    def __init__(self, settings: Settings, database: Database, archive: Archive) -> None:
        self._settings = settings.bring_in
        self._database = database
        self._transfers = Transfers(settings, database, archive)
        self._threads = ThreadPoolExecutor(self._settings.concurrency, thread_name_prefix="transfer")
        self._running: dict[str, Future[None]] = {}
        self._watched = WatchedFolder(self._settings.folder) if self._settings.folder else None
        self._data_dir = settings.data_dir
        self._life_due_s = self._look_due_s = self._sweep_due_s = 0.0

    def step(self) -> None:
        """Begins what waits, says that what runs still lives, and looks into the folder when it is time."""
        self._running = {key: future for key, future in self._running.items() if not future.done()}
        now_s = time.monotonic()
        if now_s >= self._sweep_due_s:
            self._sweep_due_s = now_s + SWEEP_S
            sweep(self._data_dir, self._database)
        if now_s >= self._life_due_s:
            self._life_due_s = now_s + LIFE_S
            show_life(self._database, list(self._running))
            take_over(self._database)
        if self._watched and now_s >= self._look_due_s:
            self._look_due_s = now_s + self._settings.folder_poll_s
            self._look(self._watched)
        while len(self._running) < self._settings.concurrency and (transfer := claim(self._database)):
            self._running[transfer.id] = self._threads.submit(self._run, transfer)

    def wait(self) -> None:
        """Returns when nothing runs here any more."""
        for future in list(self._running.values()):
            future.result()

    def give_back(self) -> None:
        """Queues what runs here again: another process, or the next start, goes on with it."""
        give_back(self._database, [key for key, future in self._running.items() if not future.done()])

    def _run(self, transfer: Transfer) -> None:
        """The outermost call of a thread: what nobody expected ends the transfer, not the process."""
        try:
            self._transfers.run(transfer)
        except Exception as error:  # noqa: BLE001
            log.error("transfer failed", transfer=transfer.id, error=type(error).__name__, at=_place(error))
            words = f"the agent failed ({type(error).__name__}); its log says more; start it again"
            finish(self._database, transfer.id, TransferState.FAILED, words)

    def _look(self, watched: WatchedFolder) -> None:
        try:
            watched.take_up(self._database)
            watched.look(self._database)
        except OSError as error:
            log.error("watched folder cannot be used", folder=str(watched.folder), error=error.strerror)


def run_bring_in(settings: Settings) -> None:
    """Brings in until SIGTERM or SIGINT; the process ends with it. The database must be at this version.

    The end is abrupt by intent: what is on its way goes on at the next start, and nothing comes twice.
    """
    stopping = threading.Event()
    with closing(Database(settings.sqlalchemy_url)) as database, stop_signal() as stop:
        bring_in = BringIn(settings, database, Archive(database, settings.data_dir / "archive"))
        loop = threading.Thread(target=_loop, args=(bring_in, stopping), daemon=True)
        loop.start()
        stop.wait()
        stopping.set()
        loop.join(timeout=5)
        bring_in.give_back()
    os._exit(0)


def _loop(bring_in: BringIn, stopping: threading.Event) -> None:
    while not stopping.is_set():
        try:
            bring_in.step()
        except (SQLAlchemyError, OSError) as error:
            log.error("failed, is tried again", error=type(error).__name__)
        stopping.wait(STEP_S)


def _place(error: Exception) -> str:
    """Where an error was raised; its text may hold values of an image."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
