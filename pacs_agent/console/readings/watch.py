"""News of the studies that people have open: one look at the database a second for all of them together."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from pacs_agent.ops import get_log

LOOK_EVERY_S = 1.0

log = get_log("web")


@dataclass(frozen=True)
class Sight:
    """What is seen of a study: the version of its answer, and who has it open, names by login."""

    version: str
    here: tuple[tuple[str, str], ...] = ()

    def others(self, login: str) -> tuple[str, ...]:
        """Names of all but one person who have the study open, in order."""
        return tuple(sorted(name for other, name in self.here if other != login))


Look = Callable[[Collection[str]], Mapping[str, Sight]]
"""From Study Instance UIDs to what is seen of each."""


class Watch:
    """Looks while anybody watches, in a thread of its own, and wakes who waits for a change."""

    def __init__(self, look: Look, every_s: float = LOOK_EVERY_S) -> None:
        self._look = look
        self._every_s = every_s
        self._watched: Counter[str] = Counter()
        self._sights: dict[str, Sight] = {}
        self._moved = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the server is stopping: nothing will be seen any more."""
        return self._closed

    @property
    def watchers(self) -> int:
        """How many watch, of all studies."""
        with self._moved:
            return self._watched.total()

    def enter(self, study: str, most: int) -> bool:
        """Begins to watch a study; false when as many as `most` watch already, or the server is stopping."""
        with self._moved:
            if self._closed or self._watched.total() >= most:
                return False
            self._watched[study] += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="news of studies", daemon=True)
                self._thread.start()
            self._moved.notify_all()
            return True

    def leave(self, study: str) -> None:
        """Ends watching a study, once for each `enter`."""
        with self._moved:
            self._watched[study] -= 1
            if self._watched[study] <= 0:
                del self._watched[study]
                self._sights.pop(study, None)
            self._moved.notify_all()

    def sight(self, study: str, known: Sight | None, timeout_s: float) -> Sight | None:
        """What is seen of a study as soon as it differs from what is known, or after the time given."""
        with self._moved:
            self._moved.wait_for(lambda: self._closed or self._sights.get(study, known) != known, timeout_s)
            return self._sights.get(study, known)

    def close(self) -> None:
        """Ends all watching, at once."""
        with self._moved:
            self._closed = True
            self._moved.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=10)

    def _run(self) -> None:
        """Until nobody watches."""
        while studies := self._wanted():
            try:
                seen = self._look(studies)
            except (SQLAlchemyError, OSError) as error:
                log.warning("studies cannot be watched", reason=str(error))
                seen = {}
            with self._moved:
                self._sights.update({study: sight for study, sight in seen.items() if study in self._watched})
                self._moved.notify_all()
                wake = self._has_unseen if seen else self._is_closed
                self._moved.wait_for(wake, self._every_s)

    def _wanted(self) -> frozenset[str]:
        """The studies watched; none ends the thread, which is then forgotten under the same lock."""
        with self._moved:
            if self._closed or not self._watched:
                self._thread = None
                return frozenset()
            return frozenset(self._watched)

    def _is_closed(self) -> bool:
        return self._closed

    def _has_unseen(self) -> bool:
        """Somebody came who waits for the first sight of a study, or nobody waits any more."""
        return self._closed or not self._watched or any(study not in self._sights for study in self._watched)
