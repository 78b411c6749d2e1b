"""The audit of who looked at which study of the PACS. PS3.15 A.5.3.7: "DICOM Instances Accessed"."""

import threading
import time
from collections.abc import Callable

from pacs_agent.db import Database
from pacs_agent.ops.audit import Outcome, audit

SAME_VIEW_S = 600.0
_MOST_REMEMBERED = 10_000


class StudyViews:
    """Writes one line for a person's look at a study, not one for each of its thousand images."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._seen: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def note(self, actor: str, study_instance_uid: str) -> None:
        """Notes that the actor is given something of a study; without a UID, the answer to a search in all studies."""
        if not self._is_new(actor, study_instance_uid):
            return
        action = "study.viewed" if study_instance_uid else "studies.searched"
        with self._database.writing() as session:
            audit(
                session,
                actor=actor,
                action=action,
                outcome=Outcome.SUCCESS,
                subject=study_instance_uid,
                source="pacs",
            )

    def _is_new(self, actor: str, study_instance_uid: str) -> bool:
        now_s = self._clock()
        with self._lock:
            last_s = self._seen.pop((actor, study_instance_uid), None)
            self._seen[actor, study_instance_uid] = now_s if last_s is None or now_s - last_s > SAME_VIEW_S else last_s
            if len(self._seen) > _MOST_REMEMBERED:
                del self._seen[next(iter(self._seen))]
            return last_s is None or now_s - last_s > SAME_VIEW_S
