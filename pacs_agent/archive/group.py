"""Group commit: what several threads have to commit at the same time goes into one transaction.

Whoever comes first leads: it commits its own entry at once. Those who come meanwhile wait, and one of them then leads
all of them. So nobody waits for a clock, and one who is alone waits for nobody.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from pacs_agent.archive.errors import StorageFailure

MOST_AT_ONCE = 64
"""Entries of one transaction; other processes want the database too."""

Entry = TypeVar("Entry")


class _Waiting(Generic[Entry]):
    """An entry on its way, and the turn that its thread waits for."""

    __slots__ = ("entry", "error", "leads", "taken", "turn")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.leads = False
        self.taken: bool | None = None
        self.error: StorageFailure | None = None
        self.turn: threading.Event | None = None

    def outcome(self) -> bool:
        if self.taken is None:
            raise StorageFailure(str(self.error or "whoever committed it died; send it again")) from self.error
        return self.taken


class GroupCommit(Generic[Entry]):
    """Hands entries of any number of threads to `commit`, several at a time and one call at a time.

    `commit` tells of each entry whether it was taken, or raises StorageFailure, which fails all of them.
    """

    def __init__(self, commit: Callable[[Sequence[Entry]], Sequence[bool]]) -> None:
        self._commit = commit
        self._lock = threading.Lock()
        self._waiting: list[_Waiting[Entry]] = []
        self._is_led = False

    def submit(self, entry: Entry) -> bool:
        """Whether `commit` took the entry, when that is done. Raises StorageFailure."""
        mine = _Waiting(entry)
        with self._lock:
            self._waiting.append(mine)
            if self._is_led:
                mine.turn = threading.Event()
            self._is_led = True
        if mine.turn is not None:
            mine.turn.wait()
            if not mine.leads:
                return mine.outcome()
        self._lead()
        return mine.outcome()

    def _lead(self) -> None:
        with self._lock:
            group = self._waiting[:MOST_AT_ONCE]
            del self._waiting[:MOST_AT_ONCE]
        try:
            for waiting, taken in zip(group, self._commit([one.entry for one in group]), strict=True):
                waiting.taken = taken
        except StorageFailure as error:
            for waiting in group:
                waiting.error = error
        finally:
            self._hand_over(group)

    def _hand_over(self, group: Sequence[_Waiting[Entry]]) -> None:
        """Wakes those whose entries are done, and the one who leads next."""
        with self._lock:
            following = self._waiting[0] if self._waiting else None
            self._is_led = following is not None
        if following is not None:
            following.leads = True
            _wake(following)
        for waiting in group:
            _wake(waiting)


def _wake(waiting: _Waiting[Entry]) -> None:
    if waiting.turn is not None:
        waiting.turn.set()
