"""Looks at what is guarded: each is worth an audit line once in a while, not one for each of its thousand requests."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

SAME_LOOK_S = 600.0
_MOST_REMEMBERED = 10_000


class Looks:
    """Remembers who looked at what; the same look within ten minutes is not a new one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def noting(self, actor: str, what: str) -> Iterator[bool]:
        """Whether this look is to be written down now; where the writing fails it is a new one the next time."""
        with ExitStack() as undo:
            undo.callback(self._forget, actor, what)
            yield self._is_new(actor, what)
            undo.pop_all()

    def _is_new(self, actor: str, what: str) -> bool:
        now_s = self._clock()
        with self._lock:
            last_s = self._seen.pop((actor, what), None)
            is_new = last_s is None or now_s - last_s > SAME_LOOK_S
            self._seen[actor, what] = now_s if is_new or last_s is None else last_s
            if len(self._seen) > _MOST_REMEMBERED:
                del self._seen[next(iter(self._seen))]
            return is_new

    def _forget(self, actor: str, what: str) -> None:
        with self._lock:
            self._seen.pop((actor, what), None)
