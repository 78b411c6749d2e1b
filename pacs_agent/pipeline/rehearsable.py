"""Stages whose steps are rehearsed while a study arrives: its job finds them done, whichever models read it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

from pacs_agent.inference import StudyReading
from pacs_agent.pipeline.errors import NothingToSay
from pacs_agent.pipeline.rehearsed import Rehearsed
from pacs_agent.pipeline.stages import Choice, Documents, Earlier, JobFacts, Progress

BeforeSlices: TypeAlias = Callable[[str, int], None]
"""Called with a Series Instance UID and how many of its slices are about to be encoded; raises what ends it."""

_DESCRIBED = ("select_series", "encode_missing", "read_study", "weigh_evidence")


class Rehearsable(ABC):
    """The steps from the choice to the reading, each done once for what it is given, by a rehearsal or by a job."""

    def __init__(self) -> None:
        self._rehearsed = Rehearsed()

    @abstractmethod
    def select_series(self, job: JobFacts) -> Choice:
        """What is to be read."""

    @abstractmethod
    def make_ready(self, earlier: Earlier, before: BeforeSlices) -> bool:
        """Whether all slices that were chosen have tokens; those that nobody else encodes ahead are encoded."""

    @abstractmethod
    def compose(self, job: JobFacts, earlier: Earlier) -> Documents:
        """The documents."""

    def encode_missing(self, job: JobFacts, earlier: Earlier, progress: Progress) -> str:
        """Makes the slice tokens that are not in the cache; none where a rehearsal found them all there."""
        known = self._rehearsed.known("encode_missing", (earlier["select_series"],))
        return str(known) if known is not None else self._encode_missing(earlier, progress)

    def encode_for_later(self, earlier: Earlier) -> str:
        """The step `encode_missing` without a job, which will find its outcome."""
        given = (earlier["select_series"],)
        return self._rehearsed.outcome("encode_missing", given, lambda: self._encode_missing(earlier, _tell_nobody))

    def read_study(self, job: JobFacts, earlier: Earlier) -> str:
        """The model's scores."""
        given = earlier["select_series"], earlier["encode_missing"]
        return self._rehearsed.outcome("read_study", given, lambda: self._read_study(earlier))

    def weigh_evidence(self, job: JobFacts, earlier: Earlier) -> str:
        """The weight of each slice for each finding."""
        given = earlier["select_series"], earlier["encode_missing"]
        return self._rehearsed.outcome("weigh_evidence", given, lambda: self._weigh_evidence(earlier))

    def described(self, earlier: Earlier) -> StudyReading:
        """The reading, from what the earlier steps gave."""
        given = tuple(earlier[step] for step in _DESCRIBED)
        return self._rehearsed.outcome("describe", given, lambda: self._describe(earlier))

    def _read_whole(self, choose: Callable[[], Choice], progress: Progress) -> StudyReading | None:
        """What a model says of a study without a job, all steps at once; None where it reads nothing of it."""
        try:
            selected = choose().selected
            if not selected:
                return None
            earlier = {"select_series": selected}
            earlier["encode_missing"] = self._encode_missing(earlier, progress)
            progress(1, 3)
            earlier["read_study"] = self._read_study(earlier)
            progress(2, 3)
            earlier["weigh_evidence"] = self._weigh_evidence(earlier)
            return self._describe(earlier)
        except NothingToSay:
            return None

    @abstractmethod
    def _encode_missing(self, earlier: Earlier, progress: Progress) -> str: ...

    @abstractmethod
    def _read_study(self, earlier: Earlier) -> str: ...

    @abstractmethod
    def _weigh_evidence(self, earlier: Earlier) -> str: ...

    @abstractmethod
    def _describe(self, earlier: Earlier) -> StudyReading: ...


def limits_of(job: JobFacts) -> tuple[str, ...]:
    """What alone a job may read, as text; nothing where it may read all."""
    among = job.expected.among if job.expected else None
    return tuple(part.model_dump_json() for part in among or ())


def _tell_nobody(_done: int, _total: int) -> None:
    pass
