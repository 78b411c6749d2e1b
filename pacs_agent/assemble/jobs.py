"""The jobs of a complete study: one for each pipeline that a rule names, none twice for the same images."""

import hashlib
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.archive import IMAGE_SOP_CLASSES
from pacs_agent.db import Instance, Job, JobState, Origin, Series, Study, utc_now
from pacs_agent.ops import Outcome, audit
from pacs_agent.route import Decision, Expected, Rule, expected_of


@dataclass(frozen=True)
class Order:
    """What the matching rules ask of one pipeline: a job that is written, or would be."""

    pipeline: str
    rule: str
    priority: int
    destinations: tuple[str, ...]
    expected: Expected | None
    """None where no rule expects anything."""


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


def write_jobs(
    session: Session, study: Study, decision: Decision, digest: str, reported: Collection[str] = ()
) -> tuple[str, ...]:
    """Writes the jobs that are missing, in the caller's transaction; returns their ids.

    `reported` are rules that have it said what is missing, and nothing read.
    """
    missing = [order for order in orders(decision, reported) if not _has_job(session, study, order, digest)]
    return tuple(_write_job(session, study, order, digest) for order in missing)


def orders(decision: Decision, reported: Collection[str] = ()) -> list[Order]:
    """One order for each pipeline: where several rules name it, all their destinations and the highest priority."""
    by_pipeline: dict[str, list[Rule]] = {}
    for rule in decision.matched:
        by_pipeline.setdefault(rule.pipeline, []).append(rule)
    return [_order(pipeline, rules, decision, reported) for pipeline, rules in by_pipeline.items()]


def _order(pipeline: str, rules: Sequence[Rule], decision: Decision, reported: Collection[str]) -> Order:
    names = [rule.name for rule in rules]
    found = decision.met(names)
    return Order(
        pipeline=pipeline,
        rule=names[0],
        priority=min(rule.priority for rule in rules),
        destinations=tuple(dict.fromkeys(name for rule in rules for name in rule.destinations)),
        expected=Expected(of=found, is_reported=set(names) <= set(reported)) if found else None,
    )


def _has_job(session: Session, study: Study, order: Order, digest: str) -> bool:
    """Whether the same images have been read, or are to be; one that only said what is missing has read nothing."""
    same = select(Job.expected).where(
        Job.study_pk == study.id, Job.pipeline == order.pipeline, Job.input_digest == digest
    )
    found = list(session.scalars(same))
    return bool(found) if _is_reported(order.expected) else not all(_is_reported(expected_of(one)) for one in found)


def _is_reported(expected: Expected | None) -> bool:
    return expected is not None and expected.is_reported


def _write_job(session: Session, study: Study, order: Order, digest: str) -> str:
    earlier = _latest_job(session, study, order.pipeline)
    job = Job(
        id=str(uuid.uuid4()),
        study_pk=study.id,
        rule=order.rule,
        pipeline=order.pipeline,
        priority=order.priority,
        destinations=list(order.destinations),
        input_digest=digest,
        expected=order.expected.model_dump(mode="json") if order.expected else None,
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
