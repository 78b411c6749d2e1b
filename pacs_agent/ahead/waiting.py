"""Slices that wait for the encoder: bounded, the promising ones of each study first."""

import heapq
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias

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


_Heap: TypeAlias = list[tuple[Promise, int, WaitingSlice]]
WantedSeries: TypeAlias = Callable[[int, str], bool]
"""Whether slices may be encoded, by the primary key of their study and their Series Instance UID."""


class Waiting:
    """The slices that wait, by study. Nobody ever waits to put one in: where there is no room it is left out."""

    def __init__(self, settings: AheadSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self._monotonic = monotonic
        self._studies: dict[int, dict[str, _Heap]] = {}
        self._taken: Counter[int] = Counter()
        self._lately: deque[float] = deque()
        self._numbers = count()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return sum(len(heap) for of_study in self._studies.values() for heap in of_study.values())

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
                heap = self._studies.setdefault(one.study_pk, {}).setdefault(one.series_instance_uid, [])
                heapq.heappush(heap, (one.promise, next(self._numbers), one))
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

    def waits(self, wanted: WantedSeries) -> bool:
        """Whether a slice waits of a series that is wanted."""
        with self._lock:
            return any(wanted(study, series) for study, of_study in self._studies.items() for series in of_study)

    def take(self, wanted: WantedSeries) -> list[WaitingSlice]:
        """The next slices that may be encoded together, of one study, of series that are wanted.

        None while the budget is spent.
        """
        with self._lock:
            most, batch = min(self.settings.batch_slices, self._left_this_minute()), list[WaitingSlice]()
            heaps = self._wanted_of_one_study(wanted)
            while len(batch) < most and (heap := min(filter(None, heaps), key=lambda one: one[0], default=None)):
                if batch and heap[0][2].batch != batch[0].batch:
                    break
                batch.append(heapq.heappop(heap)[2])
            self._forget_empty({one.study_pk for one in batch})
            self._lately.extend([self._monotonic()] * len(batch))
            return batch

    def _wanted_of_one_study(self, wanted: WantedSeries) -> list[_Heap]:
        for study, of_study in self._studies.items():
            if heaps := [heap for series, heap in of_study.items() if wanted(study, series)]:
                return heaps
        return []

    def _forget_empty(self, studies: Iterable[int]) -> None:
        for study in studies:
            left = {series: heap for series, heap in self._studies[study].items() if heap}
            if left:
                self._studies[study] = left
            else:
                del self._studies[study]

    def _left_this_minute(self) -> int:
        while self._lately and self._lately[0] <= self._monotonic() - MINUTE_S:
            self._lately.popleft()
        return self.settings.max_slices_per_minute - len(self._lately)

    def _forget_oldest(self) -> None:
        """Budgets of studies long gone need no memory."""
        while len(self._taken) > MOST_STUDIES:
            self._taken.pop(next(iter(self._taken)))
