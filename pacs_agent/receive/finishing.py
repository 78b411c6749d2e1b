"""What is left to do for an image whose last byte came: done at once, or while the peer's next one is read."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

MOST_FINISHING = 4
"""Threads of one association that sync while the next image is read."""


class Finishing:
    """Finishes the images of one association, as many at a time as its peer may have under way. One thread calls it."""

    def __init__(self, at_a_time: int, interrupt: Callable[[], None]) -> None:
        """`interrupt` ends the caller's wait for the next image: one that fails meanwhile must be noticed."""
        self._at_a_time = at_a_time
        self._interrupt = interrupt
        self._pool = ThreadPoolExecutor(min(MOST_FINISHING, at_a_time)) if at_a_time > 1 else None
        self._under_way: deque[Future[None]] = deque()
        self._failure: Exception | None = None
        """The first one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def do(self, finish: Callable[[], None]) -> None:
        """Finishes an image, or has it finished. Raises what this one raises, or an earlier one raised."""
        if self._pool is None:
            finish()
            return
        once = _Once(finish)
        try:
            self._under_way.append(self._pool.submit(self._noticed, once))
        except RuntimeError:  # no thread can be had; a thread that there is may still take it
            once()
        if len(self._under_way) >= self._at_a_time:
            self._under_way.popleft().result()
        self.check()

    def wait(self) -> None:
        """Returns when all are finished. Raises what one of them raised."""
        while self._under_way:
            self._under_way.popleft().result()
        self.check()

    def check(self) -> None:
        """Raises what one of them raised."""
        if self._failure is not None:
            raise self._failure

    def _noticed(self, finish: Callable[[], None]) -> None:
        try:
            finish()
        except Exception as error:  # noqa: BLE001 (raised again in the caller's thread)
            self._failure = self._failure or error
            self._interrupt()


class _Once:
    """What is done by the first who calls it."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._begun = threading.Lock()

    def __call__(self) -> None:
        if self._begun.acquire(blocking=False):
            self._act()
