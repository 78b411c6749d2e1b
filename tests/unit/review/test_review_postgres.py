"""Reviews on Postgres, whose JSON and locks are other than SQLite's."""

from datetime import UTC, datetime
from pathlib import Path

import pgserver
import pytest

from pacs_agent.archive import Archive
from pacs_agent.db import Database, upgrade
from pacs_agent.review import ReviewConflict, current_review, is_here, others_here, rates, save_review
from tests.unit.review.read_studies import ACCEPT_NODULE, ADA, BOB, REJECT_EMPHYSEMA, ReadStudy


@pytest.mark.slow
def test_reviews_are_kept_in_postgres_as_in_sqlite(tmp_path: Path) -> None:
    server = pgserver.get_server(tmp_path / "postgres")
    try:
        database = Database(server.get_uri())
        upgrade(database)
        _review_twice(ReadStudy(database, Archive(database, tmp_path / "archive")))
        database.close()
    finally:
        server.cleanup()


def _review_twice(study: ReadStudy) -> None:
    with study.database.writing() as session:
        save_review(session, study.uid, study.review(ACCEPT_NODULE, REJECT_EMPHYSEMA, verify=True), ADA)
    with pytest.raises(ReviewConflict, match="Ada Lovelace saved"), study.database.writing() as session:
        save_review(session, study.uid, study.review(ACCEPT_NODULE), BOB)
    study.read()
    with pytest.raises(ReviewConflict, match="a newer result"), study.database.writing() as session:
        save_review(session, study.uid, study.review(ACCEPT_NODULE, base_version=1), BOB)
    with study.database.writing() as session:
        is_here(session, study.uid, login="ada", name="Dr. Ada")
        is_here(session, study.uid, login="ada", name="Dr. Ada")
        assert others_here(session, study.uid, login="bob") == ["Dr. Ada"]
    with study.database.reading() as session:
        found = current_review(session, study.job_id)
        counted = {(one.finding, one.action): one.count for one in rates(session, datetime(2020, 1, 1, tzinfo=UTC))}
    assert found is not None
    assert (found.version, found.verified, found.by) == (1, True, "Dr. Ada Lovelace")
    assert counted == {("nodule", "accepted"): 1, ("emphysema", "rejected"): 1}
