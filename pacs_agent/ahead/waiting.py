"""Slices that wait for the encoder: bounded, the promising ones of each study first."""

import heapq
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count

from pacs_agent.config import AheadSettings
from pacs_agent.imaging import Promise, Slice
from pacs_agent.inference import Reader

MINUTE_S = 60.0
MOST_STUDIES = 5000


@dataclass(frozen=True)
class WaitingSlice:
    """A slice that a model may be asked to read, with its series and study."""

    reader: Reader
    slice: Slice
    promise: Promise
    series_instance_uid: str
    study_pk: int

    @property
    def batch(self) -> tuple[int, int, int]:
        """Slices of the same may be encoded together."""
        return id(self.reader), self.slice.rows, self.slice.columns


class Waiting:
    """The slices that wait, by study. Nobody ever waits to put one in: where there is no room it is left out."""

    def __init__(self, settings: AheadSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self._monotonic = monotonic
        self._studies: dict[int, list[tuple[Promise, int, WaitingSlice]]] = {}
        self._taken: Counter[int] = Counter()
        self._lately: deque[float] = deque()
        self._numbers = count()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return sum(len(slices) for slices in self._studies.values())

    def put(self, slices: Iterable[WaitingSlice]) -> list[WaitingSlice]:
        """Lets slices wait; gives those for which there is no room, in the queue or in their study's budget."""
        left_out = []
        with self._lock:
            for one in slices:
                room = self.settings.max_slices_per_study - self._taken[one.study_pk]
                if room <= 0 or len(self) >= self.settings.max_waiting_slices:
                    left_out.append(one)
                    continue
                self._taken[one.study_pk] += 1
                heapq.heappush(self._studies.setdefault(one.study_pk, []), (one.promise, next(self._numbers), one))
            self._forget_oldest()
        return left_out

    def spend(self, study_pk: int, slices: int) -> bool:
        """Takes so many slices, which never waited, out of the budgets of their study and of this minute.

        False where too little is left of one of them: then nothing is taken.
        """
        with self._lock:
            of_study = self.settings.max_slices_per_study - self._taken[study_pk]
            if slices > min(of_study, self._left_this_minute()):
                return False
            self._taken[study_pk] += slices
            self._lately.extend([self._monotonic()] * slices)
            self._forget_oldest()
            return True

    def studies(self) -> list[int]:
        """The studies of which slices wait, the one that came first first."""
        with self._lock:
            return list(self._studies)

    def drop(self, study_pk: int) -> None:
        """Lets the slices of a study go."""
        with self._lock:
            self._studies.pop(study_pk, None)

    def take(self, wanted: Callable[[int], bool]) -> list[WaitingSlice]:
        """The next slices that may be encoded together, of one study that is wanted; none while the budget is spent."""
        with self._lock:
            study = next((pk for pk in self._studies if wanted(pk)), None)
            most = min(self.settings.batch_slices, self._left_this_minute())
            if study is None or most <= 0:
                return []
            heap, batch = self._studies[study], list[WaitingSlice]()
            while heap and len(batch) < most and (not batch or heap[0][2].batch == batch[0].batch):
                batch.append(heapq.heappop(heap)[2])
            if not heap:
                del self._studies[study]
            self._lately.extend([self._monotonic()] * len(batch))
            return batch

    def _left_this_minute(self) -> int:
        while self._lately and self._lately[0] <= self._monotonic() - MINUTE_S:
            self._lately.popleft()
        return self.settings.max_slices_per_minute - len(self._lately)

    def _forget_oldest(self) -> None:
        """Budgets of studies long gone need no memory."""
        while len(self._taken) > MOST_STUDIES:
            self._taken.pop(next(iter(self._taken)))
