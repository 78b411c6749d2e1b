"""Who has the panel of a study open right now, so that two reviewers of one study know of each other."""

from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from pacs_agent.db import ReviewerHere, utc_now

FORGOTTEN_AFTER_S = 45.0
"""A panel that has not been heard of for this time is closed, or its person has gone."""


def is_here(session: Session, study_instance_uid: str, *, login: str, name: str) -> None:
    """Notes that a person has the study open, and forgets all who have not been heard of."""
    long_ago = utc_now() - timedelta(seconds=FORGOTTEN_AFTER_S)
    session.execute(delete(ReviewerHere).where(ReviewerHere.seen_at < long_ago))
    session.merge(ReviewerHere(study_instance_uid=study_instance_uid, login=login, name=name, seen_at=utc_now()))


def has_left(session: Session, study_instance_uid: str, *, login: str) -> None:
    """Notes that a person has closed the study."""
    here = delete(ReviewerHere).where(ReviewerHere.study_instance_uid == study_instance_uid)
    session.execute(here.where(ReviewerHere.login == login))


def others_here(session: Session, study_instance_uid: str, *, login: str) -> list[str]:
    """Names of all but one person who have the study open, in order."""
    since = utc_now() - timedelta(seconds=FORGOTTEN_AFTER_S)
    here = select(ReviewerHere.name).where(ReviewerHere.study_instance_uid == study_instance_uid)
    return sorted(session.scalars(here.where(ReviewerHere.login != login, ReviewerHere.seen_at >= since)))
