"""Who is dead and who is not."""

import os
import subprocess
import sys

import pytest
from sqlalchemy import select, update

from pacs_agent.db import Database, Worker, utc_now
from pacs_agent.pipeline.workers import DeathWatch, Heartbeat, host_identity


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _enter(database: Database, executor_id: str, *, host: str = "elsewhere/1", pid: int = 1) -> None:
    with database.writing() as session:
        session.add(Worker(executor_id=executor_id, host=host, pid=pid))


def _dead(database: Database, watch: DeathWatch) -> list[str]:
    with database.reading() as session:
        return [worker.executor_id for worker in watch.look(session).dead]


def test_a_worker_of_another_host_is_dead_when_its_heartbeat_stands_still(database: Database, clock: Clock) -> None:
    _enter(database, "other")
    watch = DeathWatch("me", 20, clock)
    assert _dead(database, watch) == []
    clock.now_s = 19
    assert _dead(database, watch) == []
    clock.now_s = 21
    assert _dead(database, watch) == ["other"]


def test_a_heartbeat_that_moves_is_alive_whatever_time_it_tells(database: Database, clock: Clock) -> None:
    _enter(database, "other")
    watch = DeathWatch("me", 20, clock)
    for second in range(0, 100, 10):
        clock.now_s = second
        with database.writing() as session:
            session.execute(update(Worker).values(seen_at=utc_now().replace(year=1990, second=second % 60)))
        assert _dead(database, watch) == []


def test_a_worker_of_this_host_is_dead_with_its_process(database: Database, clock: Clock) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        _enter(database, "neighbour", host=host_identity(), pid=process.pid)
        watch = DeathWatch("me", 20, clock)
        assert _dead(database, watch) == []
    finally:
        process.kill()
        process.wait()
    assert _dead(database, watch) == ["neighbour"]


def test_who_had_our_process_id_before_us_is_dead(database: Database, clock: Clock) -> None:
    _enter(database, "before", host=host_identity(), pid=os.getpid())
    assert _dead(database, DeathWatch("me", 20, clock)) == ["before"]


def test_nobody_is_dead_to_themselves(database: Database, clock: Clock) -> None:
    heartbeat = Heartbeat(database)
    heartbeat.register()
    watch = DeathWatch(heartbeat.executor_id, 20, clock)
    _dead(database, watch)
    clock.now_s = 1000
    assert _dead(database, watch) == []
    with database.reading() as session:
        assert watch.look(session).living == {heartbeat.executor_id}


def test_a_buried_worker_learns_it_at_its_next_heartbeat(database: Database) -> None:
    heartbeat = Heartbeat(database)
    heartbeat.register()
    assert heartbeat.beat()
    with database.writing() as session:
        session.execute(update(Worker).values(buried_at=utc_now()))
    assert not heartbeat.beat()


def test_signing_off_leaves_nothing_to_wait_for(database: Database) -> None:
    heartbeat = Heartbeat(database)
    heartbeat.register()
    heartbeat.sign_off()
    with database.reading() as session:
        assert session.scalars(select(Worker.buried_at)).one() is not None
