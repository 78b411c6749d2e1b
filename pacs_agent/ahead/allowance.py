"""What a rehearsal may encode itself: within the bounds of all that is read ahead, and counted with it."""

from collections.abc import Callable
from dataclasses import dataclass

from pacs_agent.ahead.counts import Counts
from pacs_agent.ahead.waiting import Waiting


@dataclass(frozen=True)
class Allowance:
    """The budget of one study that is rehearsed."""

    study_pk: int
    waiting: Waiting
    counts: Counts
    must_end: Callable[[], bool]
    """Whether the rehearsal should end, to be tried again: slices of other studies wait, or the worker stops."""
    had_nothing: Callable[[], None]
    """To be called where the study would become no job as it stands."""

    def take(self, series_instance_uid: str, slices: int) -> bool:
        """Whether so many slices may be encoded: they count as encoded then, and as left out where they may not."""
        may = self.waiting.spend(self.study_pk, slices)
        count = self.counts.encoded if may else self.counts.left_out
        count(self.study_pk, series_instance_uid, slices)
        return may
