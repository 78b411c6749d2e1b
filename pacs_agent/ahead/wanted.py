"""What the rules will have read of a study, as far as that can be told cheaply before it is complete."""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from pacs_agent.archive import Archive
from pacs_agent.route import (
    NoAttributes,
    Rule,
    RuleBook,
    StudyAttributes,
    WrongRules,
    attributes_of_study,
    pipeline_asked,
    rules_in_force,
    rules_version,
    series_left,
)

ASK_EVERY_S = 1.0
MOST_STUDIES = 5000


class ToRead(NamedTuple):
    """The pipelines by which a study will be read, or may be, and the series of it that will not be."""

    pipelines: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()


class Wanted:
    """What the rules in force say of studies that still arrive. A study is asked about at most once a second."""

    def __init__(
        self,
        archive: Archive,
        pipeline: str,
        others: Collection[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`pipeline` is the one whose series are asked about, `others` are those that are told beside it."""
        self._archive = archive
        self._pipeline = pipeline
        self._pipelines = frozenset((pipeline, *others))
        self._monotonic = monotonic
        self._version = -1
        self._book = RuleBook()
        self._said: dict[str, tuple[float, ToRead]] = {}

    def ask(self, session: Session, study_instance_uid: str) -> ToRead:
        """What would be read of the study if nothing more came, or may be.

        It may be when a rule asks what only the files' headers say: reading these costs more than to encode in vain.
        """
        self._look_at_rules(session)
        asked = self._said.get(study_instance_uid)
        if asked is not None and self._monotonic() - asked[0] < ASK_EVERY_S:
            return asked[1]
        wanted = self._ask(session, study_instance_uid)
        self._said.pop(study_instance_uid, None)
        self._said[study_instance_uid] = self._monotonic(), wanted
        while len(self._said) > MOST_STUDIES:
            self._said.pop(next(iter(self._said)))
        return wanted

    def _look_at_rules(self, session: Session) -> None:
        version = rules_version(session)
        if version == self._version:
            return
        try:
            self._book = rules_in_force(session)
        except WrongRules:
            self._book = RuleBook()  # no study becomes complete by such rules; the worker's log says why
        self._version = version
        self._said.clear()

    def _ask(self, session: Session, study_instance_uid: str) -> ToRead:
        rules = [rule for rule in self._book.rules if rule.enabled]
        if not self._named_by(rules):
            return ToRead()
        try:
            attributes = attributes_of_study(session, self._archive, study_instance_uid)
        except NoAttributes:
            return ToRead()
        if self._book.keywords() <= set(attributes):
            rules = list(self._book.decide(attributes).matched)
        return ToRead(self._named_by(rules), self._left(rules, attributes.series))

    def _left(self, rules: Iterable[Rule], series: Sequence[StudyAttributes]) -> frozenset[str]:
        """What none of the rules that name the pipeline will have read."""
        ours = [rule for rule in rules if pipeline_asked(rule.pipeline).pipeline == self._pipeline]
        left = [series_left(rule.expects, series) if rule.expects else frozenset[str]() for rule in ours]
        return frozenset.intersection(*left) if left else frozenset()

    def _named_by(self, rules: Iterable[Rule]) -> frozenset[str]:
        return self._pipelines & {pipeline_asked(rule.pipeline).pipeline for rule in rules}
