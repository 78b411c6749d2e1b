"""Studies that have stopped growing, or seem so: each is rehearsed once for each pause."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

FIRST_PAUSE_S = 0.25
MOST_STUDIES = 5000


@dataclass
class _Pause:
    since_s: float
    after_s: float = FIRST_PAUSE_S
    is_rehearsed: bool = False
    had_nothing: bool = False


class Pauses:
    """When each study last grew. Whoever grows on after a rehearsal is waited for twice as long the next time.

    So what is done in vain for a study that trickles in stays a small part of the time it takes. Safe to use from
    several threads.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._pauses: dict[int, _Pause] = {}
        self._lock = threading.Lock()

    def grew(self, study_pk: int) -> None:
        """An image of the study came."""
        with self._lock:
            pause = self._pauses.pop(study_pk, None) or _Pause(0.0)
            if pause.is_rehearsed and not pause.had_nothing:
                pause.after_s *= 2
            pause.is_rehearsed = pause.had_nothing = False
            pause.since_s = self._monotonic()
            self._pauses[study_pk] = pause
            while len(self._pauses) > MOST_STUDIES:
                self._pauses.pop(next(iter(self._pauses)))

    def studies(self) -> list[int]:
        """Those that are not rehearsed since they last grew."""
        with self._lock:
            return [study for study, pause in self._pauses.items() if not pause.is_rehearsed]

    def again(self, study_pk: int) -> None:
        """A rehearsal came to no end: the study is due again after as long a pause."""
        with self._lock:
            if (pause := self._pauses.get(study_pk)) is not None:
                pause.is_rehearsed, pause.since_s = False, self._monotonic()

    def had_nothing(self, study_pk: int) -> None:
        """There was nothing to rehearse, which costs nothing: the next pause is no longer for it."""
        with self._lock:
            if (pause := self._pauses.get(study_pk)) is not None:
                pause.had_nothing = True

    def drop(self, study_pk: int) -> None:
        """Forgets a study."""
        with self._lock:
            self._pauses.pop(study_pk, None)

    def due(self) -> list[int]:
        """Those that have paused for long enough to be rehearsed."""
        with self._lock:
            return [study for study, pause in self._pauses.items() if self._is_due(pause)]

    def take(self, may: Callable[[int], bool]) -> int | None:
        """The next study to rehearse, of those that may be."""
        for study in self.due():
            if may(study):
                with self._lock:
                    if (pause := self._pauses.get(study)) is not None and self._is_due(pause):
                        pause.is_rehearsed = True
                        return study
        return None

    def _is_due(self, pause: _Pause) -> bool:
        return not pause.is_rehearsed and self._monotonic() - pause.since_s >= pause.after_s
