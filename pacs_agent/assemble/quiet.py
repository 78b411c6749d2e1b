"""How long each study has been quiet, told by a clock that cannot jump."""

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

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, now: Callable[[], datetime] = utc_now) -> None:
        self.monotonic = monotonic
        self._now = now
        self._sights: dict[str, _Sight] = {}

    def quiet_for_s(self, receiving: Mapping[str, datetime]) -> dict[str, float]:
        """Seconds since the newest image of each study, of all that are receiving with the time of that image."""
        now, now_s = self._now(), self.monotonic()
        self._sights = {uid: self._sight(uid, last, now, now_s) for uid, last in receiving.items()}
        return {uid: sight.age_s + now_s - sight.seen_s for uid, sight in self._sights.items()}

    def _sight(self, study_instance_uid: str, last_received_at: datetime, now: datetime, now_s: float) -> _Sight:
        known = self._sights.get(study_instance_uid)
        if known is not None and known.last_received_at == last_received_at:
            return known
        return _Sight(last_received_at, max(0.0, (now - last_received_at).total_seconds()), now_s)
