"""Of several workers one reads a study ahead, and a worker that goes changes only its own share."""

from pacs_agent.ahead.share import living_workers, reads_ahead
from pacs_agent.db import Database, Worker, utc_now

STUDIES = [f"1.2.{number}" for number in range(300)]
WORKERS = ("a", "b", "c")


def reader_of(study: str, living: tuple[str, ...]) -> str:
    [reader] = [one for one in living if reads_ahead(study, one, living)]
    return reader


def test_every_study_has_one_reader_and_the_shares_are_about_even() -> None:
    shares = [reader_of(study, WORKERS) for study in STUDIES]
    assert all(60 < shares.count(one) < 140 for one in WORKERS)


def test_only_the_studies_of_a_worker_that_went_change_hands() -> None:
    for study in STUDIES:
        before, after = reader_of(study, WORKERS), reader_of(study, ("a", "b"))
        assert before in (after, "c")


def test_a_worker_that_is_not_registered_yet_counts_itself() -> None:
    assert reads_ahead("1.2", "a", ())


def test_the_living(database: Database) -> None:
    with database.writing() as session:
        session.add(Worker(executor_id="a", host="h", pid=1))
        session.add(Worker(executor_id="b", host="h", pid=2, buried_at=utc_now()))
    with database.reading() as session:
        assert living_workers(session) == ["a"]
