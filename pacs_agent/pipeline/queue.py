"""The queue as a whole: which jobs come next, and whether any may begin."""

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from pacs_agent.db import Database, Job, JobState, Suspension
from pacs_agent.ops import Outcome, audit

_BEFORE_ITS_OBJECTS = (JobState.QUEUED, JobState.RUNNING)
_ONLY = 1


def waiting() -> Select[Job]:
    """Queued jobs in the order in which they begin.

    A job waits while the one that it supersedes is read: it refers to that one's objects.
    """
    superseded = aliased(Job)
    return (
        select(Job)
        .outerjoin(superseded, Job.supersedes_id == superseded.id)
        .where(Job.state == JobState.QUEUED)
        .where(superseded.id.is_(None) | superseded.state.not_in(_BEFORE_ITS_OBJECTS))
        .order_by(Job.priority, Job.created_at)
    )


def suspend(database: Database, *, actor: str, reason: str = "") -> bool:
    """Lets no worker begin a job from now on, also after a restart; false when that was so already.

    Jobs that have begun go on to their end, and what they made is delivered.
    """
    with database.writing() as session:
        if session.get(Suspension, _ONLY, with_for_update=True) is not None:
            return False
        session.add(Suspension(id=_ONLY, by=actor[:128], reason=reason))
        audit(
            session,
            actor=actor,
            action="queue.suspended",
            outcome=Outcome.SUCCESS,
            reason=reason,
            before="working",
            after="suspended",
        )
    return True


def resume(database: Database, *, actor: str) -> bool:
    """Lets the workers begin jobs again; false when nothing was suspended."""
    with database.writing() as session:
        there = session.get(Suspension, _ONLY, with_for_update=True)
        if there is None:
            return False
        session.delete(there)
        audit(
            session,
            actor=actor,
            action="queue.resumed",
            outcome=Outcome.SUCCESS,
            before="suspended",
            after="working",
        )
    return True


def suspension(session: Session) -> Suspension | None:
    """Who suspended the work, when and why; None while it goes on."""
    return session.get(Suspension, _ONLY)
