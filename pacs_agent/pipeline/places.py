"""The places of a worker: so many studies are read at a time, whichever queue they came by."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pacs_agent.inference import Turns

LOOK_S = 0.2


def _wait_on() -> None:
    pass


class Places:
    """Who reads a study holds one of them; who waits for others to answer holds none. Rehearsals give way to it."""

    def __init__(self, places: int) -> None:
        """`places`: setting `work.concurrency`."""
        self._free = threading.Semaphore(places)
        self._turns = Turns()

    @contextmanager
    def job(self, meanwhile: Callable[[], None] = _wait_on) -> Iterator[None]:
        """A place, as soon as there is one. `meanwhile` is called again and again until then; it may raise."""
        with self._turns.job():
            while not self._free.acquire(timeout=LOOK_S):
                meanwhile()
            try:
                yield
            finally:
                self._free.release()

    def wait_free(self, timeout_s: float) -> bool:
        """Waits until no job reads or is about to; false when one still does."""
        return self._turns.wait_free(timeout_s)
