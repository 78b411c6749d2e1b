"""Whoever puts something into a queue of DBOS rings, so that it begins at once and not at the queue's next look.

DBOS looks into each queue at an interval. On Postgres and SQLite alike a look costs 3 ms of processor time, so that an
interval short enough to be no wait would cost a tenth of a core while nothing happens. Its threads wait by their stop
event; they are given one that a ring ends too. Should another version of DBOS have no such place, its interval remains.
"""

import threading
import time
from collections import defaultdict

from dbos import _dbos, _queue
from dbos._dbos import DBOS

IDLE_LOOK_S = 1.0
"""Looks into a queue for which nobody has rung lately: what other workers put there, and attempts that come due."""
BUSY_FOR_S = 5.0
_THREAD_OF_QUEUE = "queue-worker-"


class Bell:
    """One to a process, as DBOS is. Safe to use from several threads."""

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._rings: defaultdict[str, int] = defaultdict(int)
        self._heard: defaultdict[str, int] = defaultdict(int)
        self._last_s: defaultdict[str, float] = defaultdict(lambda: -BUSY_FOR_S)

    def ring(self, queue: str) -> None:
        """Lets the queue be looked into at once, or once more where it is being looked into."""
        with self._rung:
            self._rings[queue] += 1
            self._last_s[queue] = time.monotonic()
            self._rung.notify_all()

    def wait(self, queue: str, interval_s: float) -> None:
        """Waits for a ring, or for the interval; for longer where nobody has rung for a while."""
        with self._rung:
            if time.monotonic() - self._last_s[queue] > BUSY_FOR_S:
                interval_s = max(interval_s, IDLE_LOOK_S)
            self._rung.wait_for(lambda: self._rings[queue] != self._heard[queue], interval_s)
            self._heard[queue] = self._rings[queue]

    def hang(self) -> None:
        """Gives the bell to the queues of DBOS; to be called before it is launched."""
        _dbos.queue_thread = self._queue_thread  # type: ignore[attr-defined]

    def _queue_thread(self, stop_event: threading.Event, dbos: DBOS) -> None:
        _queue.queue_thread(_StopOrRing(stop_event, self), dbos)


class _StopOrRing(threading.Event):
    """The stop event of DBOS's queue threads; their waits end by a ring for their queue as well."""

    def __init__(self, stop: threading.Event, bell: Bell) -> None:
        super().__init__()
        self._stop = stop
        self._bell = bell

    def is_set(self) -> bool:
        return self._stop.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """DBOS's own wait where it is not one of a queue: true when it is to stop."""
        thread = threading.current_thread().name
        if timeout is None or not thread.startswith(_THREAD_OF_QUEUE):
            return self._stop.wait(timeout)
        if not self._stop.is_set():
            self._bell.wait(thread.removeprefix(_THREAD_OF_QUEUE), timeout)
        return self._stop.is_set()
