"""Who has a study open: until he leaves, or was not heard of."""

from datetime import timedelta

from sqlalchemy import update

from pacs_agent.db import Database, ReviewerHere, utc_now
from pacs_agent.review import has_left, is_here, others_here
from pacs_agent.review.reviewers import FORGOTTEN_AFTER_S

STUDY = "1.2.3"


def here(database: Database, login: str, study: str = STUDY) -> list[str]:
    with database.writing() as session:
        is_here(session, study, login=login, name=f"Dr. {login}")
    with database.reading() as session:
        return others_here(session, study, login=login)


def test_two_who_have_one_study_open_know_of_each_other(database: Database) -> None:
    assert here(database, "ada") == []
    assert here(database, "bob") == ["Dr. ada"]
    assert here(database, "ada") == ["Dr. bob"]
    assert here(database, "eve", study="1.2.4") == []


def test_who_leaves_is_not_there(database: Database) -> None:
    here(database, "ada")
    with database.writing() as session:
        has_left(session, STUDY, login="ada")
    assert here(database, "bob") == []


def test_who_was_not_heard_of_is_forgotten(database: Database) -> None:
    here(database, "ada")
    with database.writing() as session:
        session.execute(update(ReviewerHere).values(seen_at=utc_now() - timedelta(seconds=FORGOTTEN_AFTER_S + 1)))
    assert here(database, "bob") == []
    with database.reading() as session:
        assert session.query(ReviewerHere).count() == 1
