"""What happened to a study, in the order of time: from its first image to the confirmation of its last document."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.ahead import ahead_of_study
from pacs_agent.console.queue import JobShown, expectations_in_words
from pacs_agent.console.studies.models import Arrival, Moment
from pacs_agent.db import (
    AskedState,
    AuditEvent,
    CommitmentAsked,
    Instance,
    Origin,
    QuarantinedInstance,
    Series,
    Study,
    StudyState,
)

PAUSE_S = 30.0
"""Instances of one peer with no longer pause between them came together."""
MOST_LINES = 300
"""Lines of the audit trail, and associations, that are looked at; the audit page has all."""
_ASSOCIATION = ("association", "stow")
_TOLD_OTHERWISE = ("job.failed", "result.delivered", "result.left_out", *_ASSOCIATION)
_WORDS = {
    "study.complete": ("complete", "good"),
    "study.held": ("held", "warning"),
    "study.ignored": ("ignored", "warning"),
    "study.viewed": ("viewed", "quiet"),
    "job.rerun": ("job run again", "busy"),
    "job.canceled": ("job canceled", "warning"),
    "job.reprioritised": ("job given another priority", "quiet"),
    "job.sent_again": ("objects sent again", "busy"),
}
_KINDS = {"done": "good", "failed": "bad", "running": "busy", "waiting": "warning"}


def arrivals_of(session: Session, study: Study) -> list[Arrival]:
    """The instances received, put together as they came."""
    query = select(Instance.source, Instance.received_at, Instance.size_bytes).join(Instance.series)
    received = query.where(Series.study_pk == study.id, Instance.origin == Origin.RECEIVED)
    open_ones: dict[str, Arrival] = {}
    found: list[Arrival] = []
    for source, at, size_bytes in session.execute(received.order_by(Instance.received_at, Instance.id)):
        last = open_ones.get(source)
        if last is None or (at - last.ended_at).total_seconds() > PAUSE_S:
            last = Arrival(source=source, instances=0, size_bytes=0, began_at=at, ended_at=at)
            open_ones[source] = last
            found.append(last)
        last.instances, last.size_bytes, last.ended_at = last.instances + 1, last.size_bytes + size_bytes, at
    return found


def timeline_of(session: Session, study: Study, arrivals: Sequence[Arrival], jobs: Sequence[JobShown]) -> list[Moment]:
    """All that is known, oldest first."""
    subjects = [study.study_instance_uid, *(one.job.id for one in jobs)]
    moments = [
        *map(_of_arrival, arrivals),
        *_associations(session, arrivals),
        *_quarantined(session, study),
        *_waiting(study),
        *_read_ahead(session, study),
        *_commitment_of_sender(study),
        *_commitments(session, [one.job.id for one in jobs]),
        *_audited(session, subjects),
        *(moment for job in jobs for moment in _of_job(job)),
    ]
    return sorted(moments, key=lambda moment: moment.at)


def _of_arrival(arrival: Arrival) -> Moment:
    return Moment(
        at=arrival.began_at,
        ended_at=arrival.ended_at,
        what="1 instance received" if arrival.instances == 1 else f"{arrival.instances} instances received",
        said=f"{arrival.size_bytes / 1e6:.1f} MB",
        by=arrival.source,
        kind="busy",
    )


def _associations(session: Session, arrivals: Sequence[Arrival]) -> Iterator[Moment]:
    """Associations and STOW requests of the same peers that ended while images of the study came, or soon after.

    The trail does not say which studies came over one: it may have brought others too.
    """
    for arrival in islice(arrivals, 20):
        ended = AuditEvent.at.between(arrival.began_at, arrival.ended_at + timedelta(seconds=PAUSE_S))
        query = select(AuditEvent).where(AuditEvent.actor == arrival.source, ended)
        for event in session.scalars(query.where(AuditEvent.action.in_(_ASSOCIATION)).limit(20)):
            detail = event.detail
            said = f"{detail.get('instances', 0)} instances in all, {detail.get('refused', 0)} refused"
            end = f"association {detail['end']}" if "end" in detail else "STOW request answered"
            kind = "quiet" if event.outcome == "success" else "warning"
            yield Moment(at=event.at, what=end, said=said, by=event.actor, kind=kind)


def _quarantined(session: Session, study: Study) -> Iterator[Moment]:
    apart = select(QuarantinedInstance).where(QuarantinedInstance.study_instance_uid == study.study_instance_uid)
    for one in session.scalars(apart.limit(MOST_LINES)):
        yield Moment(at=one.received_at, what="instance kept apart", said=one.reason, by=one.source, kind="bad")


def _waiting(study: Study) -> Iterator[Moment]:
    """Why a study that is quiet is not complete yet."""
    if study.state == StudyState.RECEIVING and study.state_reason:
        yield Moment(at=study.last_received_at, what="waits", said=study.state_reason, kind="warning")


def _read_ahead(session: Session, study: Study) -> Iterator[Moment]:
    """What was encoded while the study still arrived. It is told at the newest image: its rows have no times."""
    ahead = ahead_of_study(session, study.id)
    if ahead is None:
        return
    said = [f"{ahead.used} used by the reading" if ahead.used is not None else ""]
    said += [f"{ahead.left_out} left for later" if ahead.left_out else ""]
    said += [f"{ahead.undecodable} cannot be decoded" if ahead.undecodable else ""]
    slices = "slice" if ahead.encoded == 1 else "slices"
    what = f"read ahead: {ahead.encoded} {slices}"
    yield Moment(at=study.last_received_at, what=what, said="; ".join(filter(None, said)), kind="good")


def _commitment_of_sender(study: Study) -> Iterator[Moment]:
    if study.commitment_asked_at is not None:
        said = "its instances are kept here, and the sender may delete them"
        yield Moment(at=study.commitment_asked_at, what="storage commitment asked of us", said=said, kind="good")


def _commitments(session: Session, jobs: Sequence[str]) -> Iterator[Moment]:
    """What destinations answered when they were asked to keep objects for good (PS3.4 J)."""
    query = select(CommitmentAsked).where(CommitmentAsked.job_id.in_(jobs)).order_by(CommitmentAsked.asked_at)
    for one in session.scalars(query.limit(MOST_LINES)):
        yield Moment(
            at=one.asked_at,
            ended_at=one.answered_at,
            what=f"storage commitment asked of {one.destination}",
            said=_answer_of(one),
            by=one.called_ae,
            kind="bad" if one.failed else "good" if one.answered_at else "warning",
            job=one.job_id,
        )


def _answer_of(one: CommitmentAsked) -> str:
    if one.answered_at is None:
        is_open = one.state in (AskedState.ASKING, AskedState.WAITING)
        return "no answer yet" if is_open else "not answered, asked again"
    refused = ", ".join(f"0x{reason:04X}" for reason in sorted(set(one.failed.values())))
    kept = f"{len(one.committed)} of {len(one.instances)} objects are kept for good"
    return f"{kept}; the others are not ({refused})" if refused else kept


def _audited(session: Session, subjects: Iterable[str]) -> Iterator[Moment]:
    """What people and the agent did; looks are told once a line, as they were written."""
    query = select(AuditEvent).where(AuditEvent.subject.in_(list(subjects)))
    for event in session.scalars(query.order_by(AuditEvent.at.desc()).limit(MOST_LINES)):
        if event.action in _TOLD_OTHERWISE:
            continue
        what, kind = _WORDS.get(event.action, (event.action.replace(".", " ").replace("_", " "), "quiet"))
        job = event.subject if event.action.startswith("job.") else ""
        yield Moment(at=event.at, what=what, said=_said(event), by=event.actor, kind=kind, job=job)


def _said(event: AuditEvent) -> str:
    detail = event.detail
    if "reason" in detail:
        return "; ".join(str(detail[key]) for key in ("reason", "complete_by") if detail.get(key))
    if "before" in detail and "after" in detail and not isinstance(detail["after"], dict):
        return f"{detail['before']} → {detail['after']}"
    return ""


def _of_job(shown: JobShown) -> Iterator[Moment]:
    """Its making, each step, each object with what its destinations answered, and its end."""
    job = shown.job
    where = ", ".join(job.destinations) or "own archive only"
    yield Moment(at=job.created_at, what="job queued", said=f"{job.rule} → {job.pipeline} → {where}", job=job.id)
    if shown.expected:
        kind = "good" if all(one.met_by for one in shown.expected if one.required) else "warning"
        said = expectations_in_words(shown.expected)
        yield Moment(at=job.created_at, what="expected", said=said, kind=kind, job=job.id)
    for step in shown.steps:
        attempts = f"attempt {step.attempts}" if step.attempts > 1 else ""
        yield Moment(
            at=step.started_at,
            ended_at=step.finished_at,
            what=step.name,
            said="; ".join(filter(None, (step.detail, attempts))),
            by=step.worker,
            kind=_KINDS.get(step.state, "quiet"),
            job=job.id,
        )
    for made in shown.objects:
        kind = made.kind.replace("_", " ")
        yield Moment(at=made.created_at, what=f"{kind} made", said=made.sop_instance_uid, kind="good", job=job.id)
        for one in made.deliveries:
            is_there = one.state in ("stored", "confirmed")
            yield Moment(
                at=one.changed_at,
                what=f"{kind} {one.state.replace('_', ' ')} at {one.destination}",
                said=one.answer,
                kind="good" if is_there else "bad" if one.state in ("refused", "unreachable") else "warning",
                job=job.id,
            )
    if job.finished_at is not None:
        kind = "bad" if job.state == "failed" else "quiet" if job.state == "canceled" else "good"
        what, said = f"job {job.state.replace('_', ' ')}", " ".join(filter(None, (job.error, job.lacks)))
        kind = "warning" if kind == "good" and job.lacks else kind
        yield Moment(at=job.finished_at, what=what, said=said, kind=kind, job=job.id)
