"""A study becomes complete: rules are asked and jobs written, in one transaction."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.archive import Archive
from pacs_agent.assemble.grown import Receiving
from pacs_agent.assemble.jobs import Order, image_digests, input_digest, orders, write_jobs
from pacs_agent.assemble.priors import FETCHED_AS_PRIOR, is_fetched_prior
from pacs_agent.assemble.verdict import Act, Facts, Limits, Missing, Verdict, weigh
from pacs_agent.db import Database, Study, StudyState, utc_now
from pacs_agent.ops import Outcome, audit
from pacs_agent.route import Decision, NoAttributes, attributes_of_study, rules_in_force

AGENT = "agent"
NO_IMAGES = "no image received yet"


class UnknownStudy(LookupError):
    """No instance of the study was ever received."""


@dataclass(frozen=True)
class Completion:
    """What became of a study: its state, why, by which sign it was complete, and the ids of the jobs written for it."""

    study_instance_uid: str
    state: StudyState
    reason: str
    complete_by: str = ""
    jobs: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The outcome in one sentence."""
        if self.state in (StudyState.IGNORED, StudyState.HELD):
            return f"{self.state}: {self.reason}"
        return f"complete, {len(self.jobs)} jobs queued: {self.reason}" if self.jobs else f"complete: {self.reason}"


def conclude(
    database: Database, archive: Archive, study: Receiving, facts: Facts, limits: Limits
) -> tuple[Completion | None, float]:
    """Shows a study to the rules, and completes it unless it misses what they expect.

    Returns what became of it, None when it waits or when an image joined it meanwhile, and after how many seconds it
    may be worth asking again. Raises route.WrongRules when the rules in force cannot be read.
    """
    decision, missing, verdict = _with_rules(database, archive, study, facts, limits)
    if verdict.act is Act.WAIT:
        say(database, study, verdict.words)
        left_s = (one.wait_at_most_s - facts.quiet_for_s for one in missing)
        return None, min((one for one in left_s if one > 0), default=math.inf)
    return _complete(database, study.study_instance_uid, AGENT, decision, verdict, study.last_received_at), 0.0


def _with_rules(
    database: Database, archive: Archive, study: Receiving, facts: Facts, limits: Limits
) -> tuple[Decision | NoAttributes, Sequence[Missing], Verdict]:
    """What the rules say of a study, and the verdict with it. Where a rule leaves it, those after it are asked."""
    with database.reading() as session:
        if is_fetched_prior(session, study):
            return NoAttributes(FETCHED_AS_PRIOR), (), weigh(facts, limits)
    missing: dict[str, Missing] = {}
    while True:
        given_up = frozenset(missing)
        decision = _decide(database, archive, study.study_instance_uid, given_up)
        found = missing if isinstance(decision, NoAttributes) else {**missing, **_missing(decision)}
        verdict = weigh(replace(facts, missing=tuple(found.values())), limits)
        if given_up.issuperset(verdict.dropped):
            return decision, tuple(found.values()), verdict
        missing = {rule: one for rule, one in found.items() if rule in verdict.dropped}


def orders_now(database: Database, archive: Archive, study_instance_uid: str) -> Sequence[Order]:
    """The jobs that a study would become were it complete as it stands; none while a rule that matches expects more.

    Raises route.WrongRules when the rules in force cannot be read.
    """
    decision = _decide(database, archive, study_instance_uid)
    return () if isinstance(decision, NoAttributes) or decision.unmet else orders(decision)


def force(database: Database, archive: Archive, study_instance_uid: str, *, actor: str) -> Completion:
    """Completes a study now, whatever is missing. The same images are never read twice by the same pipeline.

    Raises UnknownStudy, and route.WrongRules when the rules in force cannot be read.
    """
    decision = _decide(database, archive, study_instance_uid)
    verdict = Verdict(Act.COMPLETE, f"taken as complete by {actor}")
    completion = _complete(database, study_instance_uid, actor, decision, verdict, None)
    if completion is None:
        raise UnknownStudy(f"no study {study_instance_uid} was received; `pacs-agent studies` lists those that were")
    return completion


def _complete(
    database: Database,
    study_instance_uid: str,
    actor: str,
    decision: Decision | NoAttributes,
    verdict: Verdict,
    expected_last: datetime | None,
) -> Completion | None:
    """Headers were read before the transaction, which holds SQLite's only write lock, and are checked to be current."""
    with database.writing() as session:
        study = session.scalar(select(Study).where(Study.study_instance_uid == study_instance_uid).with_for_update())
        if study is None or (expected_last is not None and not _unchanged(study, expected_last)):
            return None
        completion = _written(session, study, decision, verdict)
        _audit(session, completion, actor)
        return completion


def _decide(
    database: Database, archive: Archive, study_instance_uid: str, given_up: Collection[str] = ()
) -> Decision | NoAttributes:
    with database.reading() as session:
        book = rules_in_force(session)
        try:
            attributes = attributes_of_study(session, archive, study_instance_uid)
        except NoAttributes as error:
            return error
    try:
        return book.decide_study(attributes, given_up)
    except NoAttributes as error:
        return error


def _missing(decision: Decision) -> dict[str, Missing]:
    return {
        one.rule.name: Missing(one.rule.name, one.words, one.expects.wait_at_most_s, one.expects.if_incomplete)
        for one in decision.unmet
    }


def say(database: Database, seen: Receiving, words: str) -> None:
    """Keeps why a study waits, for people."""
    with database.writing() as session:
        study = session.get(Study, seen.pk, with_for_update=True)
        if study is not None and _unchanged(study, seen.last_received_at) and study.state_reason != words:
            study.state_reason = words


def _unchanged(study: Study, expected_last: datetime) -> bool:
    return study.state == StudyState.RECEIVING and study.last_received_at == expected_last


def _written(session: Session, study: Study, decision: Decision | NoAttributes, verdict: Verdict) -> Completion:
    study.complete_by = verdict.words
    digests = image_digests(session, study.id)
    if not digests:
        return _state(study, StudyState.IGNORED, NO_IMAGES)
    if isinstance(decision, NoAttributes):
        return _state(study, StudyState.IGNORED, str(decision))
    study.decision = decision.lines()
    if verdict.act is Act.HOLD:
        study.complete_by = ""
        return _state(study, StudyState.HELD, verdict.words)
    if decision.ignored:
        return _state(study, StudyState.IGNORED, verdict.words if verdict.dropped else decision.summary)
    study.complete_at = utc_now()
    jobs = write_jobs(session, study, decision, input_digest(digests), verdict.reported)
    return _state(study, StudyState.COMPLETE, decision.summary, jobs)


def _state(study: Study, state: StudyState, reason: str, jobs: tuple[str, ...] = ()) -> Completion:
    study.state, study.state_reason = state, reason
    return Completion(study.study_instance_uid, state, reason, study.complete_by, jobs)


def _audit(session: Session, completion: Completion, actor: str) -> None:
    audit(
        session,
        actor=actor,
        action=f"study.{completion.state}",
        outcome=Outcome.SUCCESS,
        subject=completion.study_instance_uid,
        reason=completion.reason,
        complete_by=completion.complete_by,
        jobs=list(completion.jobs),
    )
