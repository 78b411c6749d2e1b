"""Which studies have been quiet long enough, told by a clock that cannot jump."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pacs_agent.db import utc_now


@dataclass(frozen=True)
class _Sight:
    last_received_at: datetime
    age_s: float
    seen_s: float


class QuietWatch:
    """Measures how long each receiving study has been quiet.

    Its memory holds nothing that a restart may not lose: a study's age is taken from its row when it is first seen and
    grows with the monotonic clock from then on. So a wall clock set forward completes nothing too early, and one set
    back holds nothing up: an age in the future counts as none.
    """

    def __init__(
        self,
        quiet_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.quiet_s = quiet_s
        self._monotonic = monotonic
        self._now = now
        self._sights: dict[str, _Sight] = {}

    def quiet(self, receiving: Mapping[str, datetime]) -> list[str]:
        """The Study Instance UIDs that are quiet, of all that are receiving with the time of their last image."""
        self._sights = {uid: self._sight(uid, last) for uid, last in receiving.items()}
        return [uid for uid, sight in self._sights.items() if self._quiet_for_s(sight) >= self.quiet_s]

    def _sight(self, study_instance_uid: str, last_received_at: datetime) -> _Sight:
        known = self._sights.get(study_instance_uid)
        if known is not None and known.last_received_at == last_received_at:
            return known
        age_s = max(0.0, (self._now() - last_received_at).total_seconds())
        return _Sight(last_received_at, age_s, self._monotonic())

    def _quiet_for_s(self, sight: _Sight) -> float:
        return sight.age_s + self._monotonic() - sight.seen_s
