"""The places of a worker: never more jobs read than there are, and rehearsals wait for those that want one."""

import threading

import pytest

from pacs_agent.pipeline.places import Places


class _Enough(Exception):
    pass


def test_whoever_finds_no_place_waits_and_may_give_up() -> None:
    places, asked = Places(1), list[bool]()

    def meanwhile() -> None:
        asked.append(places.wait_free(0))
        if len(asked) == 2:
            raise _Enough

    with places.job():
        with pytest.raises(_Enough), places.job(meanwhile):
            pytest.fail("there is one place")
        assert asked == [False, False]
    assert places.wait_free(0)
    with places.job():
        assert not places.wait_free(0)


def test_a_place_that_is_left_is_taken_by_whoever_waits() -> None:
    places, taken, waits = Places(2), threading.Event(), threading.Event()

    def second() -> None:
        with places.job(waits.set):
            taken.set()

    with places.job():
        with places.job():
            threading.Thread(target=second, daemon=True).start()
            assert waits.wait(20)
            assert not taken.is_set()
        assert taken.wait(20)


def test_a_failure_leaves_the_place() -> None:
    places = Places(1)
    with pytest.raises(_Enough), places.job():
        raise _Enough
    with places.job():
        pass
