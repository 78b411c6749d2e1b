"""By which pipelines the rules will have a study read, as far as that can be told cheaply before it is complete."""

import time
from collections.abc import Callable, Collection, Iterable

from sqlalchemy.orm import Session

from pacs_agent.archive import Archive
from pacs_agent.route import (
    NoAttributes,
    Rule,
    RuleBook,
    WrongRules,
    attributes_of_study,
    pipeline_asked,
    rules_in_force,
    rules_version,
)

ASK_EVERY_S = 1.0
MOST_STUDIES = 5000


class Wanted:
    """What the rules in force say of studies that still arrive. A study is asked about at most once a second."""

    def __init__(
        self, archive: Archive, pipelines: Collection[str], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`pipelines` are those that are asked about."""
        self._archive = archive
        self._pipelines = frozenset(pipelines)
        self._monotonic = monotonic
        self._version = -1
        self._book = RuleBook()
        self._said: dict[str, tuple[float, frozenset[str]]] = {}

    def ask(self, session: Session, study_instance_uid: str) -> frozenset[str]:
        """The pipelines by which the study would be read if nothing more came, or may be.

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

    def _ask(self, session: Session, study_instance_uid: str) -> frozenset[str]:
        possible = self._ours(rule for rule in self._book.rules if rule.enabled)
        if not possible:
            return possible
        try:
            attributes = attributes_of_study(session, self._archive, study_instance_uid)
        except NoAttributes:
            return frozenset()
        if not self._book.keywords() <= set(attributes):
            return possible
        return self._ours(self._book.decide(attributes).matched)

    def _ours(self, rules: Iterable[Rule]) -> frozenset[str]:
        return self._pipelines & {pipeline_asked(rule.pipeline).pipeline for rule in rules}
