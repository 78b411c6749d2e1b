"""Counts at the source: the peer that sent a study is asked how many instances it has, in threads of their own.

Nobody waits for an answer: what is known is looked up, and a source that is slow, down or wrong costs nothing but that
the quiet time decides. Effort is bounded: one question at a time for a source, few sources at a time, few questions for
a study, and a source that could not be asked is left alone for a while.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pacs_agent.assemble.verdict import SourceCount
from pacs_agent.ops import get_log

MOST_QUESTIONS = 30
"""For one study while it receives."""
STUDIES_AT_ONCE = 50
SOURCES_AT_ONCE = 4
REST_S = 60.0
"""A source that could not be asked is left alone for this time."""
PAUSE_S = 5.0
"""Between two questions for a study of which more came than the source says it has."""

log = get_log("assemble")


@dataclass(frozen=True)
class SourceAnswer:
    """What a source says of a study. `instances` is None where it does not say, and `trouble` then why."""

    instances: int | None
    by: str = ""
    trouble: str = ""


Ask = Callable[[str, Sequence[str]], Mapping[str, SourceAnswer]]
"""Asks a source (AE@address) for studies by their UIDs; what it leaves out cannot be asked there."""


@dataclass
class _Asked:
    """What is known of a study from its source. Times are of the monotonic clock."""

    questions: int = 0
    asked_s: float = 0.0
    since_s: float = 0.0
    """When the question was put that was the first to be answered with this number."""
    answer: SourceAnswer | None = None


@dataclass
class SourceCounts:
    """What the sources say of the studies that receive."""

    ask: Ask
    settle_s: float
    monotonic: Callable[[], float] = time.monotonic
    _asked: dict[str, _Asked] = field(default_factory=dict)
    _wanted: dict[str, list[str]] = field(default_factory=dict)
    _busy: set[str] = field(default_factory=set)
    _rests_until_s: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def want(self, study_instance_uid: str, source: str, received: int, grown_s: float) -> None:
        """Notes a study to be asked for, if a question could help. `grown_s`: when it was last seen to have grown."""
        now_s = self.monotonic()
        if self._rests_until_s.get(source, now_s) <= now_s and self._is_due(
            self._asked.get(study_instance_uid), received, grown_s, now_s
        ):
            self._wanted.setdefault(source, []).append(study_instance_uid)

    def begin(self) -> None:
        """Begins to ask for what was noted, in threads; what has no place now is noted again the next time."""
        wanted, self._wanted = self._wanted, {}
        for source, studies in wanted.items():
            with self._lock:
                if source in self._busy or len(self._busy) >= SOURCES_AT_ONCE:
                    continue
                self._busy.add(source)
            name = f"ask {source}"
            threading.Thread(
                target=self._question, args=(source, studies[:STUDIES_AT_ONCE]), name=name, daemon=True
            ).start()

    def known(self, study_instance_uid: str, grown_s: float) -> tuple[SourceCount | None, str]:
        """The count of a study at its source, or in words why there is none."""
        with self._lock:
            asked = self._asked.get(study_instance_uid)
            if asked is None or asked.answer is None:
                return None, ""
            answer = asked.answer
            if answer.instances is None:
                return None, answer.trouble
            steady_s = asked.asked_s - asked.since_s
            return SourceCount(answer.instances, answer.by, steady_s, asked.asked_s >= grown_s), ""

    def forget_all_but(self, receiving: Collection[str]) -> None:
        """Forgets the studies that do not receive any more."""
        with self._lock:
            for uid in self._asked.keys() - receiving:
                del self._asked[uid]

    def _is_due(self, asked: _Asked | None, received: int, grown_s: float, now_s: float) -> bool:
        if asked is None:
            return True
        if asked.questions >= MOST_QUESTIONS:
            return False
        count = asked.answer.instances if asked.answer else None
        if count is None:
            return now_s - asked.asked_s >= REST_S
        is_fresh = asked.asked_s >= grown_s
        if count == received:
            has_settled = asked.asked_s - asked.since_s >= self.settle_s
            return not is_fresh or (not has_settled and now_s - asked.since_s >= self.settle_s)
        return count < received and not is_fresh and now_s - asked.asked_s >= PAUSE_S

    def _question(self, source: str, studies: Sequence[str]) -> None:
        """A thread's outermost: whatever goes wrong, the source is left alone for a while."""
        asked_s = self.monotonic()
        try:
            answers = self.ask(source, studies)
        except Exception as error:  # noqa: BLE001
            log.error("a source could not be asked", source=source, error=f"{type(error).__name__}: {error}")
            answers = {}
        with self._lock:
            for uid in studies:
                self._take(uid, answers.get(uid), asked_s)
            if all(answer.instances is None for answer in answers.values()):
                self._rests_until_s[source] = self.monotonic() + REST_S
            self._busy.discard(source)

    def _take(self, study_instance_uid: str, answer: SourceAnswer | None, asked_s: float) -> None:
        known = self._asked.setdefault(study_instance_uid, _Asked())
        before = known.answer.instances if known.answer else None
        if answer is None or answer.instances is None or answer.instances != before:
            known.since_s = asked_s
        known.questions, known.asked_s, known.answer = known.questions + 1, asked_s, answer
