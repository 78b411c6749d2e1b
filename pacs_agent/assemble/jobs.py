"""The jobs of a complete study: one for each pipeline that a rule names, none twice for the same images."""

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.archive import IMAGE_SOP_CLASSES
from pacs_agent.db import Instance, Job, JobState, Origin, Series, Study, utc_now
from pacs_agent.ops import Outcome, audit
from pacs_agent.route import Decision, Rule


@dataclass(frozen=True)
class _Order:
    """What the matching rules ask of one pipeline."""

    pipeline: str
    rule: str
    priority: int
    destinations: tuple[str, ...]


def image_digests(session: Session, study_pk: int) -> list[str]:
    """Digests of the images received of a study, sorted: what a job reads."""
    images = (
        select(Instance.digest)
        .join(Instance.series)
        .where(
            Series.study_pk == study_pk,
            Instance.origin == Origin.RECEIVED,
            Instance.sop_class_uid.in_(IMAGE_SOP_CLASSES),
        )
    )
    return sorted(session.scalars(images))


def input_digest(digests: Sequence[str]) -> str:
    """SHA-256 over sorted digests of images: names what a job reads."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def write_jobs(session: Session, study: Study, decision: Decision, digest: str) -> tuple[str, ...]:
    """Writes the jobs that are missing, in the caller's transaction; returns their ids."""
    missing = [order for order in _orders(decision.matched) if not _has_job(session, study, order.pipeline, digest)]
    return tuple(_write_job(session, study, order, digest) for order in missing)


def _orders(rules: Iterable[Rule]) -> list[_Order]:
    """One order for each pipeline: where several rules name it, all their destinations and the highest priority."""
    orders: dict[str, _Order] = {}
    for rule in rules:
        known = orders.get(rule.pipeline, _Order(rule.pipeline, rule.name, rule.priority, ()))
        destinations = tuple(dict.fromkeys((*known.destinations, *rule.destinations)))
        orders[rule.pipeline] = _Order(rule.pipeline, known.rule, min(known.priority, rule.priority), destinations)
    return list(orders.values())


def _has_job(session: Session, study: Study, pipeline: str, digest: str) -> bool:
    same = select(Job.id).where(Job.study_pk == study.id, Job.pipeline == pipeline, Job.input_digest == digest)
    return session.scalar(same.limit(1)) is not None


def _write_job(session: Session, study: Study, order: _Order, digest: str) -> str:
    earlier = _latest_job(session, study, order.pipeline)
    job = Job(
        id=str(uuid.uuid4()),
        study_pk=study.id,
        rule=order.rule,
        pipeline=order.pipeline,
        priority=order.priority,
        destinations=list(order.destinations),
        input_digest=digest,
        supersedes_id=earlier.id if earlier else None,
    )
    session.add(job)
    if earlier is not None and earlier.state == JobState.QUEUED:
        _drop(session, earlier, job)
    return job.id


def _latest_job(session: Session, study: Study, pipeline: str) -> Job | None:
    earlier = select(Job).where(Job.study_pk == study.id, Job.pipeline == pipeline)
    return session.scalar(earlier.order_by(Job.created_at.desc(), Job.id).limit(1).with_for_update())


def _drop(session: Session, earlier: Job, job: Job) -> None:
    """A job that has not begun would read a study that is no longer whole."""
    earlier.state, earlier.finished_at = JobState.CANCELED, utc_now()
    earlier.error = f"superseded by job {job.id} before it began: more images came"
    reason = earlier.error
    audit(session, actor="agent", action="job.canceled", outcome=Outcome.SUCCESS, subject=earlier.id, reason=reason)
