"""What is seen of many studies in one look: the versions of their answers, and who has them open."""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.console.readings.version import versions
from pacs_agent.console.readings.watch import Look, Sight
from pacs_agent.db import Database, ReviewerHere, utc_now
from pacs_agent.review.reviewers import FORGOTTEN_AFTER_S


def look_into(database: Database) -> Look:
    """A look into a database."""

    def look(studies: Collection[str]) -> dict[str, Sight]:
        with database.reading() as session:
            here = _here(session, studies)
            return {uid: Sight(found, tuple(here.get(uid, ()))) for uid, found in versions(session, studies).items()}

    return look


def _here(session: Session, studies: Collection[str]) -> dict[str, list[tuple[str, str]]]:
    """Login and name of whoever has a study open, by Study Instance UID."""
    since = utc_now() - timedelta(seconds=FORGOTTEN_AFTER_S)
    uid = ReviewerHere.study_instance_uid
    query = select(uid, ReviewerHere.login, ReviewerHere.name).where(uid.in_(studies), ReviewerHere.seen_at >= since)
    found: dict[str, list[tuple[str, str]]] = {}
    for study, login, name in session.execute(query.order_by(uid, ReviewerHere.login)):
        found.setdefault(study, []).append((login, name))
    return found
