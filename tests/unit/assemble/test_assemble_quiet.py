"""Quiet times, with clocks that jump."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.assemble import QuietWatch

START = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Clocks:
    """A wall clock that can be set, and a monotonic one that cannot."""

    def __init__(self) -> None:
        self.wall, self.steady_s = START, 0.0

    def pass_s(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady_s += seconds

    def watch(self) -> QuietWatch:
        return QuietWatch(lambda: self.steady_s, lambda: self.wall)


def quiet_s(watch: QuietWatch, last: datetime = START) -> float:
    return watch.quiet_for_s({"1.2": last})["1.2"]


def test_a_study_is_quiet_since_its_newest_image() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    assert quiet_s(watch) == 0
    clocks.pass_s(30.2)
    assert quiet_s(watch) == pytest.approx(30.2)


def test_a_new_image_begins_the_quiet_time_again() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    quiet_s(watch)
    clocks.pass_s(29)
    newest = clocks.wall
    assert quiet_s(watch, newest) == 0
    clocks.pass_s(28)
    assert quiet_s(watch, newest) == 28


def test_the_quiet_time_survives_a_restart() -> None:
    clocks = Clocks()
    quiet_s(clocks.watch())
    clocks.pass_s(31)
    assert quiet_s(clocks.watch()) == 31


def test_a_clock_set_forward_completes_nothing_early() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    quiet_s(watch)
    clocks.wall += timedelta(days=1)
    clocks.pass_s(1)
    assert quiet_s(watch) == 1


def test_a_clock_set_back_holds_nothing_up() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    clocks.wall -= timedelta(days=365)
    assert quiet_s(watch) == 0
    clocks.pass_s(30)
    assert quiet_s(watch) == 30


def test_a_study_that_is_gone_is_forgotten() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    quiet_s(watch)
    clocks.wall += timedelta(days=1)
    assert watch.quiet_for_s({}) == {}
    assert quiet_s(watch, clocks.wall) == 0


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(-100_000, 100_000)), max_size=20))
def test_whatever_the_wall_clock_does_a_watched_study_waits_its_time(steps: list[tuple[float, int]]) -> None:
    clocks = Clocks()
    watch = clocks.watch()
    quiet_s(watch)
    for seconds, jump_s in steps:
        clocks.pass_s(seconds)
        clocks.wall += timedelta(seconds=jump_s)
        assert quiet_s(watch) == pytest.approx(clocks.steady_s)
