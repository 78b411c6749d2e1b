"""A ring ends a queue's wait at once; without rings the looks become rare; DBOS still has the place for the bell."""

import inspect
import threading
import time

import pytest
from dbos import _dbos, _queue

from pacs_agent.pipeline.bell import _THREAD_OF_QUEUE, BUSY_FOR_S, IDLE_LOOK_S, Bell, _StopOrRing


def _wait_s(bell: Bell, queue: str, interval_s: float) -> float:
    begun_s = time.monotonic()
    bell.wait(queue, interval_s)
    return time.monotonic() - begun_s


def test_a_ring_ends_the_wait_of_its_queue_alone() -> None:
    bell = Bell()
    bell.ring("reading")
    assert _wait_s(bell, "reading", 30) < 5, "rung before it waited: nothing is lost"
    threading.Timer(0.05, bell.ring, ["reading"]).start()
    assert _wait_s(bell, "reading", 30) < 5
    bell.ring("delivery")
    assert _wait_s(bell, "reading", 0.02) >= 0.02


@pytest.mark.alone
def test_a_queue_for_which_nobody_rings_is_looked_into_rarely() -> None:
    bell = Bell()
    bell._last_s["reading"] = time.monotonic() - BUSY_FOR_S - 1
    assert _wait_s(bell, "reading", 0.01) >= IDLE_LOOK_S
    bell.ring("reading")
    bell.wait("reading", 0.01)
    assert _wait_s(bell, "reading", 0.01) < IDLE_LOOK_S


def test_only_queues_wait_for_rings_and_all_stop() -> None:
    stop, bell = threading.Event(), Bell()
    event = _StopOrRing(stop, bell)
    bell.ring("reading")
    assert not event.wait(0.01)
    stop.set()
    assert event.is_set()
    assert event.wait(30)
    waited: list[bool] = []
    of_queue = threading.Thread(target=lambda: waited.append(event.wait(30)), name=f"{_THREAD_OF_QUEUE}reading")
    of_queue.start()
    of_queue.join(5)
    assert waited == [True]


def test_this_version_of_dbos_has_a_place_for_the_bell() -> None:
    launch = inspect.getsource(_dbos.DBOS._launch)
    assert "target=queue_thread" in launch
    assert list(inspect.signature(_queue.queue_thread).parameters) == ["stop_event", "dbos"]
    assert f'name=f"{_THREAD_OF_QUEUE}' in inspect.getsource(_queue.queue_thread)
    assert "stop_event.wait(timeout=" in inspect.getsource(_queue.queue_worker_thread)
