"""What other rules would change: the last studies are shown to both, and nothing is written."""

import time
from collections.abc import Callable
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.archive import Archive
from pacs_agent.db import Study, StudyState
from pacs_agent.route.attributes import attributes_of_study
from pacs_agent.route.errors import NoAttributes
from pacs_agent.route.rules import Decision, RuleBook

BUDGET_S = 10.0
"""A dry run reads headers; it ends after this time and says how far it came."""


class _Told(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Order(_Told):
    """What one rule asks for a study."""

    rule: str
    pipeline: str
    destinations: tuple[str, ...]
    priority: int
    misses: str = ""
    """What the rule expects and has not come, and what becomes of the study then; empty when all has come."""


class StudyTried(_Told):
    """A study under the rules in force and under those tried; no order means that it is ignored."""

    study_instance_uid: str
    description: str
    last_received_at: datetime
    now: tuple[Order, ...]
    then: tuple[Order, ...]
    fault: str
    """Why it could not be tried; empty when it was."""


class DryRun(_Told):
    """What would change for the last studies that were received."""

    studies: int
    """How many were tried."""
    left: int
    """How many of those asked for were not: time ran out."""
    same: int
    changed: tuple[StudyTried, ...]
    seconds: float


def dry_run(
    session: Session,
    archive: Archive,
    book: RuleBook,
    in_force: RuleBook,
    *,
    studies: int,
    budget_s: float = BUDGET_S,
    clock: Callable[[], float] = time.monotonic,
) -> DryRun:
    """Shows the studies received last, newest first, to the rules in force and to others."""
    query = select(Study).where(Study.state != StudyState.RECEIVING).order_by(Study.last_received_at.desc())
    rows = list(session.scalars(query.limit(studies)))
    began_s = clock()
    tried: list[StudyTried] = []
    for study in rows:
        if clock() - began_s > budget_s:
            break
        tried.append(_tried(session, archive, study, book, in_force))
    changed = tuple(one for one in tried if one.fault or _orders(one.now) != _orders(one.then))
    return DryRun(
        studies=len(tried),
        left=len(rows) - len(tried),
        same=len(tried) - len(changed),
        changed=changed,
        seconds=round(clock() - began_s, 3),
    )


def _tried(session: Session, archive: Archive, study: Study, book: RuleBook, in_force: RuleBook) -> StudyTried:
    now: tuple[Order, ...] = ()
    then: tuple[Order, ...] = ()
    fault = ""
    try:
        attributes = attributes_of_study(session, archive, study.study_instance_uid)
        attributes.fetch(
            book.keywords() | in_force.keywords(), book.keywords_of_series() | in_force.keywords_of_series()
        )
        now, then = _asked(in_force.decide_study(attributes)), _asked(book.decide_study(attributes))
    except NoAttributes as error:
        fault = str(error)
    return StudyTried(
        study_instance_uid=study.study_instance_uid,
        description=study.description,
        last_received_at=study.last_received_at,
        now=now,
        then=then,
        fault=fault,
    )


def _asked(decision: Decision) -> tuple[Order, ...]:
    misses = {one.rule.name: f"misses {one.words}; {one.expects.terms}" for one in decision.unmet}
    return tuple(
        Order(
            rule=rule.name,
            pipeline=rule.pipeline,
            destinations=rule.destinations,
            priority=rule.priority,
            misses=misses.get(rule.name, ""),
        )
        for rule in decision.matched
    )


def _orders(orders: tuple[Order, ...]) -> list[tuple[str, str, tuple[str, ...], int, str]]:
    return [(one.rule, one.pipeline, one.destinations, one.priority, one.misses) for one in orders]
