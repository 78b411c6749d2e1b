"""Retention: which studies go by age and by space, and letting them go one after the other.

A study goes only when all is said and done: it receives no more, none of its jobs is unfinished or a dead letter, and
every destination has its results, confirmed where it is asked. The oldest go first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from pacs_agent.archive.archive import Archive
from pacs_agent.archive.arrived import has_arrived
from pacs_agent.archive.errors import NotArchived
from pacs_agent.archive.removal import IMAGES_REMOVED, UNFINISHED, StudyInUse, remove_study, sweep_removed
from pacs_agent.db import (
    Delivery,
    Instance,
    Job,
    JobState,
    Origin,
    ResultObject,
    Series,
    Study,
    StudyState,
    utc_now,
)
from pacs_agent.ops import get_log
from pacs_agent.ops.runtime import GIGABYTE, Retention, runtime_settings
from pacs_agent.ops.upkeep import claim, remember

ACTOR = "retention"
AT_ONCE = 500
"""Studies removed in one run; the next run goes on."""
AT_REST_S = 3600.0
"""Nothing goes by space that ended more recently: people are looking at it."""

log = get_log("retention")


@dataclass(frozen=True)
class Leaving:
    """A study that goes: all of it, or its images alone, and by which rule."""

    study_instance_uid: str
    keep_results: bool
    rule: str
    freed_bytes: int
    last_received_at: datetime


@dataclass(frozen=True)
class RetentionPlan:
    """What the rules would remove now, oldest first by each rule, and how large the archive is."""

    leaving: tuple[Leaving, ...]
    archive_bytes: int

    @property
    def freed_bytes(self) -> int:
        """What the removal would free, without tokens and rows."""
        return sum(one.freed_bytes for one in self.leaving)


def plan_retention(session: Session, rules: Retention, now: datetime) -> RetentionPlan:
    """What the rules would remove at this time. Nothing is changed."""
    archive_bytes = int(session.scalar(select(func.coalesce(func.sum(Instance.size_bytes), 0))) or 0)
    found: dict[str, Leaving] = {}
    for one in (*_expired(session, rules, now), *_older_than(session, rules.images_days, now)):
        found.setdefault(one.study_instance_uid, one)
    if rules.archive_gb is not None:
        freed = sum(one.freed_bytes for one in found.values())
        over = archive_bytes - freed - rules.archive_gb * GIGABYTE
        found |= {one.study_instance_uid: one for one in _over_limit(session, over, now, set(found))}
    return RetentionPlan(tuple(found.values()), archive_bytes)


def apply_retention(archive: Archive, rules: Retention, now: datetime | None = None) -> RetentionPlan:
    """Removes what the rules say, each study in a transaction of its own with its audit line; gives what went."""
    at = now or utc_now()
    with archive.database.reading() as session:
        plan = plan_retention(session, rules, at)
    gone = tuple(one for one in plan.leaving[:AT_ONCE] if _let_go(archive, one, at))
    return RetentionPlan(gone, plan.archive_bytes)


def keep_archive(archive: Archive) -> None:
    """The regular task of every worker: one of them applies the rules when it is time, and sweeps what was left."""
    if claim(archive.database, "sweep", 60.0):
        archive.sweep()
        sweep_removed(archive)
    with archive.database.reading() as session:
        rules = runtime_settings(session, Retention)
    if not rules.is_active or not claim(archive.database, "retention", rules.every_minutes * 60.0):
        return
    gone = apply_retention(archive, rules)
    remember(archive.database, "retention", studies=len(gone.leaving), freed_bytes=gone.freed_bytes)
    if gone.leaving:
        log.info("studies removed", studies=len(gone.leaving), freed_bytes=gone.freed_bytes)


def _let_go(archive: Archive, one: Leaving, at: datetime) -> bool:
    """Whether a study went; one that work was begun on since the plan was made stays."""
    try:
        remove_study(
            archive,
            one.study_instance_uid,
            actor=ACTOR,
            reason=one.rule,
            keep_results=one.keep_results,
            received_before=at,
        )
    except (StudyInUse, NotArchived) as error:
        log.info("study stays", study=one.study_instance_uid, reason=str(error))
        return False
    return True


def _expired(session: Session, rules: Retention, now: datetime) -> Iterator[Leaving]:
    """Studies whose results' time is over: they go whole."""
    if rules.results_days is None:
        return
    query = _settled(session, now - timedelta(days=rules.results_days))
    for study, size_bytes in _with_sizes(session, query, only_received=False):
        rule = f"results_days: {rules.results_days}"
        yield Leaving(study.study_instance_uid, False, rule, size_bytes, study.last_received_at)


def _older_than(session: Session, images_days: int | None, now: datetime) -> Iterator[Leaving]:
    """Studies whose images' time is over: their results stay."""
    if images_days is None:
        return
    query = _settled(session, now - timedelta(days=images_days)).where(_has_images())
    for study, size_bytes in _with_sizes(session, query, only_received=True):
        rule = f"images_days: {images_days}"
        yield Leaving(study.study_instance_uid, True, rule, size_bytes, study.last_received_at)


def _over_limit(session: Session, over_bytes: float, now: datetime, known: set[str]) -> Iterator[Leaving]:
    """The oldest studies, until what is over the limit is free."""
    if over_bytes <= 0:
        return
    query = _settled(session, now - timedelta(seconds=AT_REST_S)).where(_has_images())
    for study, size_bytes in _with_sizes(session, query, only_received=True):
        if over_bytes <= 0:
            return
        if study.study_instance_uid not in known:
            over_bytes -= size_bytes
            yield Leaving(study.study_instance_uid, True, "archive_gb", size_bytes, study.last_received_at)


def _settled(session: Session, before: datetime) -> Select[Any]:
    """Studies of which everything ended before a time, oldest first."""
    return (
        select(Study)
        .where(Study.state != StudyState.RECEIVING, Study.last_received_at < before)
        .where(~_has_job(_is_open(before)), ~_has_delivery(has_arrived(session), before))
        .order_by(Study.last_received_at, Study.id)
    )


def _is_open(before: datetime) -> ColumnElement[bool]:
    """Jobs that are unfinished, wait for people as dead letters, or ended too recently."""
    return or_(Job.state.in_((*UNFINISHED, JobState.FAILED)), Job.finished_at >= before)


def _has_job(which: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(Job.study_pk == Study.id, which)


def _has_delivery(arrived: ColumnElement[bool], before: datetime) -> ColumnElement[bool]:
    """Deliveries that have not arrived, or arrived too recently."""
    waits = or_(~arrived, Delivery.changed_at >= before)
    of_study = and_(Job.study_pk == Study.id, ResultObject.job_id == Job.id)
    return exists().where(of_study, Delivery.result_object_pk == ResultObject.id, waits)


def _has_images() -> ColumnElement[bool]:
    received = and_(Series.study_pk == Study.id, Instance.series_pk == Series.id, Instance.origin == Origin.RECEIVED)
    return and_(Study.state_reason != IMAGES_REMOVED, exists().where(received))


def _with_sizes(session: Session, query: Select[Any], *, only_received: bool) -> Iterator[tuple[Study, int]]:
    """Each study with the bytes of its instances, as the database gives them: a large archive is not held in memory."""
    size = select(func.coalesce(func.sum(Instance.size_bytes), 0)).join(Instance.series)
    size = size.where(Series.study_pk == Study.id)
    if only_received:
        size = size.where(Instance.origin == Origin.RECEIVED)
    sized = query.add_columns(size.correlate(Study).scalar_subquery())
    for study, size_bytes in session.execute(sized.execution_options(yield_per=200)):
        yield study, int(size_bytes)
