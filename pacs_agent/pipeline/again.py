"""Studies whose result was recalled are read again, by the model that is in use now."""

import uuid
from typing import Any

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session, aliased, defer

from pacs_agent.assemble import image_digests, input_digest
from pacs_agent.db import OWN_PIPELINES, Database, Job, JobState, utc_now
from pacs_agent.ops import Outcome, audit
from pacs_agent.route import LOWEST_PRIORITY

AT_ONCE = 500
"""Jobs queued in one go: the rest is queued when people ask again, so that new studies never wait behind thousands."""


def results_of(session: Session, bundle: str) -> Select[Any]:
    """The readings that a version of a model made or measured for; `bundle` is its name and version, as jobs call it.

    A name belongs to one task. So one index is asked, and the rows come in the order of time.
    """
    has_measured = session.scalar(select(exists().where(Job.segmenter == bundle)))
    of_version = (Job.segmenter if has_measured else Job.bundle) == bundle
    return select(Job).where(of_version, Job.pipeline.not_in(OWN_PIPELINES), Job.state == JobState.DONE)


def count_to_read_again(session: Session, bundle: str) -> int:
    """How many readings of a version are the newest of their study."""
    return session.scalar(select(func.count()).select_from(_newest(session, bundle).subquery())) or 0


def read_again(database: Database, bundle: str, *, actor: str) -> tuple[int, int]:
    """Queues a job for each study whose newest reading is of this version, newest first, with an audit line.

    Returns how many were queued, and how many are left for the next time. The new jobs supersede the old ones; those
    stay, as do their objects.
    """
    with database.writing() as session:
        newest = _newest(session, bundle).options(defer(Job.reading)).order_by(Job.created_at.desc())
        old = list(session.scalars(newest.limit(AT_ONCE)))
        queued = [job for job in (_queued(session, one) for one in old) if job is not None]
        session.add_all(queued)
        session.flush()
        left = count_to_read_again(session, bundle) if queued else 0
        audit(
            session, actor=actor, action="model.read_again", outcome=Outcome.SUCCESS, subject=bundle, queued=len(queued)
        )
    return len(queued), left


def _newest(session: Session, bundle: str) -> Select[Any]:
    later = aliased(Job)
    return results_of(session, bundle).where(~select(later.id).where(later.supersedes_id == Job.id).exists())


def _queued(session: Session, old: Job) -> Job | None:
    """The job that reads the study's images as they are now; None where none are kept."""
    digests = image_digests(session, old.study_pk)
    if not digests:
        return None
    return Job(
        id=str(uuid.uuid4()),
        study_pk=old.study_pk,
        rule=old.rule,
        pipeline=old.pipeline,
        priority=LOWEST_PRIORITY,
        destinations=list(old.destinations),
        input_digest=input_digest(digests),
        expected=old.expected,
        supersedes_id=old.id,
        created_at=utc_now(),
    )
