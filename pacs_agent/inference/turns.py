"""Jobs come first: what is encoded ahead of them gives way."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOOK_S = 0.5


class Turns:
    """Who uses the models of a worker. A job waits for nobody; reading ahead waits until no job uses them."""

    def __init__(self) -> None:
        self._jobs = 0
        self._free = threading.Condition()

    @contextmanager
    def job(self) -> Iterator[None]:
        """A step of a job; several may be at it."""
        with self._free:
            self._jobs += 1
        try:
            yield
        finally:
            with self._free:
                self._jobs -= 1
                self._free.notify_all()

    def wait_free(self, timeout_s: float = LOOK_S) -> bool:
        """Waits until no job is at it; false when one still is."""
        with self._free:
            return self._free.wait_for(lambda: self._jobs == 0, timeout_s)
