"""Quiet times, with clocks that jump."""

from datetime import UTC, datetime, timedelta

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

    def watch(self, quiet_s: float = 30) -> QuietWatch:
        return QuietWatch(quiet_s, lambda: self.steady_s, lambda: self.wall)


def test_a_study_is_quiet_after_the_quiet_time() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    assert watch.quiet({"1.2": START}) == []
    clocks.pass_s(29.9)
    assert watch.quiet({"1.2": START}) == []
    clocks.pass_s(0.2)
    assert watch.quiet({"1.2": START}) == ["1.2"]


def test_a_new_image_begins_the_quiet_time_again() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    watch.quiet({"1.2": START})
    clocks.pass_s(29)
    watch.quiet({"1.2": clocks.wall})
    clocks.pass_s(29)
    assert watch.quiet({"1.2": clocks.wall - timedelta(seconds=29)}) == []


def test_the_quiet_time_survives_a_restart() -> None:
    clocks = Clocks()
    clocks.watch().quiet({"1.2": START})
    clocks.pass_s(31)
    assert clocks.watch().quiet({"1.2": START}) == ["1.2"]


def test_a_clock_set_forward_completes_nothing_early() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    watch.quiet({"1.2": START})
    clocks.wall += timedelta(days=1)
    clocks.pass_s(1)
    assert watch.quiet({"1.2": START}) == []


def test_a_clock_set_back_holds_nothing_up() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    clocks.wall -= timedelta(days=365)
    assert watch.quiet({"1.2": START}) == []
    clocks.pass_s(30)
    assert watch.quiet({"1.2": START}) == ["1.2"]


def test_a_study_that_is_gone_is_forgotten() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    watch.quiet({"1.2": START})
    clocks.wall += timedelta(days=1)
    watch.quiet({})
    assert watch.quiet({"1.2": clocks.wall}) == []


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(-100_000, 100_000)), max_size=20))
def test_whatever_the_wall_clock_does_a_watched_study_waits_its_time(steps: list[tuple[float, int]]) -> None:
    clocks = Clocks()
    watch = clocks.watch()
    watch.quiet({"1.2": START})
    for seconds, jump_s in steps:
        clocks.pass_s(seconds)
        clocks.wall += timedelta(seconds=jump_s)
        assert bool(watch.quiet({"1.2": START})) == (clocks.steady_s >= 30)
