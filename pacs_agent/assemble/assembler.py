"""Watches the studies that receive, and completes those that are complete. One to a worker; call it again and again."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import update
from sqlalchemy.orm import Session

from pacs_agent.archive import Archive
from pacs_agent.assemble.announced import Announcements
from pacs_agent.assemble.completion import Completion, conclude, say
from pacs_agent.assemble.grown import (
    Grown,
    Receiving,
    digests_and_sources,
    grown,
    newest_instance,
    receiving_studies,
    studies_with_new_instances,
)
from pacs_agent.assemble.quiet import QuietWatch
from pacs_agent.assemble.source import Ask, SourceCounts
from pacs_agent.assemble.verdict import Act, Announced, Facts, Limits, expected, waits_for_sender, weigh
from pacs_agent.config import AssembleSettings
from pacs_agent.db import Database, Study
from pacs_agent.route import rules_version

COUNTED_AT_ONCE = 2000
"""Studies that are counted in one pass; only after a start there may be more, which are counted in the next ones."""
READ_AT_ONCE = 200
"""Studies whose newest images are looked into for counts in one pass."""
RULES_AGAIN_S = 30.0
"""After this time a study that waits for what a rule expects is shown to the rules again, if they have changed."""

StillOpen = Callable[[Collection[str]], Mapping[str, str]]
"""Of these studies those of which an open association brought the newest instance: by which peer."""


@dataclass
class _Known:
    """What this process remembers of a study that receives. All of it can be found anew after a restart."""

    seen: Receiving
    grown: Grown = field(default_factory=Grown)
    grown_s: float = 0.0
    source: str = ""
    announcements: Announcements = field(default_factory=Announcements)
    announced: Announced | None = None
    rules_due_s: float = 0.0
    rules: int = -1
    """The version of the rules that it was shown to last."""
    rules_until_s: float = 0.0
    """Before this time the same rules would say the same of the same images: their headers are not read in vain."""
    waits: str = ""
    """Why it is kept, in words for people: the association that brought it is still open."""
    was_open: bool = False


class Assembler:
    """Completes studies. Of 10,000 that receive only those that changed since the last pass cost anything."""

    def __init__(
        self,
        database: Database,
        archive: Archive,
        settings: AssembleSettings,
        ask: Ask | None = None,
        watch: QuietWatch | None = None,
        still_open: StillOpen = lambda _studies: {},
    ) -> None:
        self.database = database
        self.archive = archive
        self.limits = Limits(settings.quiet_s, settings.settle_s)
        self._watch = watch or QuietWatch()
        self._still_open = still_open
        self._monotonic = self._watch.monotonic
        is_asked = ask is not None and settings.ask_source == "auto"
        self._sources = SourceCounts(ask, settings.settle_s, self._monotonic) if ask and is_asked else None
        self._known: dict[str, _Known] = {}
        self._uncounted: set[int] = set()
        self._newest_instance: int | None = None
        self._next_quiet_s = math.inf

    def next_quiet_in_s(self) -> float:
        """Seconds until the next study will have been quiet for long enough; infinite where none is to be."""
        return max(0.0, self._next_quiet_s - self._monotonic())

    def complete(self) -> list[Completion]:
        """Completes every study that is complete. One that an image joins meanwhile is left for the next time.

        Raises route.WrongRules when the rules in force cannot be read; all studies then wait.
        """
        with self.database.reading() as session:
            receiving = self._look(session)
        quiet = self._watch.quiet_for_s({one.study_instance_uid: one.last_received_at for one in receiving})
        left_s = [self.limits.quiet_s - quiet_for_s for quiet_for_s in quiet.values()]
        self._next_quiet_s = self._monotonic() + min((one for one in left_s if one > 0), default=math.inf)
        self._ask_sources()
        known = [self._known[one.study_instance_uid] for one in receiving if one.study_instance_uid in self._known]
        peers = self._still_open([uid for uid, quiet_for_s in quiet.items() if quiet_for_s >= self.limits.quiet_s])
        facts = [(one, self._facts(one, quiet[one.seen.study_instance_uid], peers)) for one in known]
        self._write_expected(facts)
        concluded = [self._concluded(one, found) for one, found in facts]
        return [completion for completion in concluded if completion is not None]

    def _look(self, session: Session) -> list[Receiving]:
        """The studies that receive; what changed of them is counted."""
        newest = newest_instance(session)  # before the studies: what comes in between is seen twice, never not at all
        receiving = receiving_studies(session)
        if self._newest_instance not in (None, newest):
            self._uncounted |= studies_with_new_instances(session, self._newest_instance or 0)
        self._newest_instance = newest
        uids = {one.study_instance_uid for one in receiving}
        self._known = {uid: known for uid, known in self._known.items() if uid in uids}
        if self._sources:
            self._sources.forget_all_but(uids)
        changed = [one for one in receiving if self._has_grown(one)]
        changed.sort(key=lambda one: one.study_instance_uid in self._known)
        self._uncounted = {one.pk for one in changed[COUNTED_AT_ONCE:]}
        self._count(session, changed[:COUNTED_AT_ONCE])
        return receiving

    def _has_grown(self, one: Receiving) -> bool:
        known = self._known.get(one.study_instance_uid)
        if known is None or known.seen.last_received_at != one.last_received_at or one.pk in self._uncounted:
            return True
        known.seen = one
        return False

    def _count(self, session: Session, changed: Sequence[Receiving]) -> None:
        counts, now_s = grown(session, [one.pk for one in changed]), self._monotonic()
        for one in changed:
            known = self._known.setdefault(one.study_instance_uid, _Known(one))
            if known.grown != counts[one.pk]:
                known.grown, known.grown_s = counts[one.pk], now_s
            known.seen, known.rules_due_s, known.rules_until_s, known.was_open = one, 0.0, 0.0, False
        self._look_into([self._known[one.study_instance_uid] for one in changed], session)

    def _look_into(self, changed: Sequence[_Known], session: Session) -> None:
        """Sources and counts as the newest images of studies tell them; what has no place now is read the next time."""
        worth_reading = [one for one in changed if one.announcements.is_worth_reading(one.grown)]
        read = worth_reading[:READ_AT_ONCE]
        self._uncounted |= {one.seen.pk for one in worth_reading[READ_AT_ONCE:]}
        wanted = {one.grown.newest for one in changed} | {key for one in read for key in _ends(one.grown)}
        found = digests_and_sources(session, sorted(wanted))
        for one in changed:
            one.source = found[one.grown.newest][1] if one.grown.newest in found else one.source
            one.announced = None
        digests = {key: digest for key, (digest, _source) in found.items()}
        for one in read:
            one.announcements.read(self.archive, one.grown, digests)
            one.announced = one.announcements.announced(one.grown)

    def _ask_sources(self) -> None:
        if self._sources is None:
            return
        for uid, known in self._known.items():
            if known.source:
                self._sources.want(uid, known.source, known.grown.received, known.grown_s)
        self._sources.begin()

    def _facts(self, known: _Known, quiet_for_s: float, peers: Mapping[str, str]) -> Facts:
        seen, at_source, trouble = known.seen, None, ""
        if self._sources:
            at_source, trouble = self._sources.known(seen.study_instance_uid, known.grown_s)
        asked_at = seen.commitment_asked_at
        return Facts(
            received=known.grown.received,
            quiet_for_s=quiet_for_s,
            announced=known.announced,
            at_source=at_source,
            source_trouble=trouble,
            commitment_by_now=asked_at is not None and asked_at >= seen.last_received_at,
            still_open=peers.get(seen.study_instance_uid, ""),
            was_open=known.was_open,
        )

    def _concluded(self, known: _Known, facts: Facts) -> Completion | None:
        now_s = self._monotonic()
        if now_s < known.rules_due_s:
            return None
        verdict = weigh(facts, self.limits)
        if verdict.act is Act.WAIT:
            self._say_why(known, verdict.words if waits_for_sender(facts, self.limits) else "")
            known.rules_until_s = 0.0
            return None
        completion: Completion | None = None
        rules = self._rules()
        if rules != known.rules or now_s >= known.rules_until_s:
            completion, look_again_s = conclude(self.database, self.archive, known.seen, facts, self.limits)
            known.rules, known.rules_until_s = rules, now_s + look_again_s
        known.rules_due_s = min(known.rules_until_s, now_s + RULES_AGAIN_S)
        return completion

    def _rules(self) -> int:
        """The version in force."""
        with self.database.reading() as session:
            return rules_version(session)

    def _say_why(self, known: _Known, words: str) -> None:
        """Keeps why a study waits for its sender, once; and strikes it out when an image came after all."""
        if words != known.waits:
            say(self.database, known.seen, words)
            known.waits, known.was_open = words, bool(words)

    def _write_expected(self, facts: Iterable[tuple[_Known, Facts]]) -> None:
        """Keeps the counts that are known, where they are others than those kept: in one transaction for all."""
        new = []
        for known, found in facts:
            instances, by = expected(found)
            kept = (known.seen.expected_instances, known.seen.expected_from)
            if instances is not None and (instances, by[:160]) != kept:
                new.append({"id": known.seen.pk, "expected_instances": instances, "expected_from": by[:160]})
        if new:
            with self.database.writing() as session:
                session.execute(update(Study), new)


def _ends(counted: Grown) -> Iterable[int]:
    return (key for part in counted.series.values() for key in (part.first, part.newest))
