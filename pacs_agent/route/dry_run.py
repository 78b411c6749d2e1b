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
    keywords, began_s = book.keywords() | in_force.keywords(), clock()
    tried: list[StudyTried] = []
    for study in rows:
        if clock() - began_s > budget_s:
            break
        tried.append(_tried(session, archive, study, book, in_force, keywords))
    changed = tuple(one for one in tried if one.fault or _orders(one.now) != _orders(one.then))
    return DryRun(
        studies=len(tried),
        left=len(rows) - len(tried),
        same=len(tried) - len(changed),
        changed=changed,
        seconds=round(clock() - began_s, 3),
    )


def _tried(
    session: Session, archive: Archive, study: Study, book: RuleBook, in_force: RuleBook, keywords: frozenset[str]
) -> StudyTried:
    now: tuple[Order, ...] = ()
    then: tuple[Order, ...] = ()
    fault = ""
    try:
        attributes = attributes_of_study(session, archive, study.study_instance_uid)
        attributes.fetch(keywords)
        now, then = _asked(in_force.decide(attributes)), _asked(book.decide(attributes))
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
    return tuple(
        Order(rule=rule.name, pipeline=rule.pipeline, destinations=rule.destinations, priority=rule.priority)
        for rule in decision.matched
    )


def _orders(orders: tuple[Order, ...]) -> list[tuple[str, str, tuple[str, ...], int]]:
    return [(one.rule, one.pipeline, one.destinations, one.priority) for one in orders]
