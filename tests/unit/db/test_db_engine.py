"""Sessions: durable, zoned, and readers that never wait for a writer."""

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import StatementError

from pacs_agent.db import Database, Peer, Worker


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.writing() as session:
        session.add(Peer(ae_title="PACS"))
        session.flush()
        _ = 1 / 0
    with database.reading() as session:
        assert session.get(Peer, "PACS") is None


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    with database.writing() as writer:
        writer.add(Peer(ae_title="PACS"))
        writer.flush()
        with database.reading() as reader:
            assert reader.get(Peer, "PACS") is None


def test_writers_take_turns_instead_of_failing(database: Database) -> None:
    def add(number: int) -> None:
        with database.writing() as session:
            assert session.get(Peer, f"PEER{number}") is None
            session.add(Peer(ae_title=f"PEER{number}"))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert session.query(Peer).count() == 16


def test_times_keep_their_zone(database: Database) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    with database.writing() as session:
        session.add(Worker(executor_id="w", host="h", pid=1, started_at=at, seen_at=at))
    with database.reading() as session:
        worker = session.get(Worker, "w")
        assert worker is not None
        assert worker.seen_at == at


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    naive = datetime(2026, 1, 2)
    with pytest.raises(StatementError, match="without a zone"), database.writing() as session:
        session.add(Worker(executor_id="w", host="h", pid=1, started_at=naive, seen_at=naive))
