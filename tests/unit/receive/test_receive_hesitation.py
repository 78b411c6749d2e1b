"""Who calls in vain again and again waits; nobody else does."""

import pytest

from pacs_agent.receive import hesitation
from pacs_agent.receive.hesitation import EMPTY_S, IN_VAIN_S, LONGEST_S, Hesitation


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def called(address: str, times: int, clock: Clock, cost_s: float = IN_VAIN_S) -> Hesitation:
    made = Hesitation(clock)
    for _ in range(times):
        made.note(address, cost_s)
    return made


@pytest.mark.parametrize(("times", "cost_s"), [(30, IN_VAIN_S), (100, EMPTY_S)])
def test_some_calls_cost_nothing(clock: Clock, times: int, cost_s: float) -> None:
    made = called("10.0.0.1", times, clock, cost_s)
    assert made.wait_s("10.0.0.1") == pytest.approx(0, abs=1e-6)
    made.note("10.0.0.1", cost_s)
    assert made.makes_wait("10.0.0.1")


def test_more_of_them_wait_and_others_do_not(clock: Clock) -> None:
    made = called("10.0.0.1", 33, clock)
    assert made.wait_s("10.0.0.1") == pytest.approx(3 * IN_VAIN_S)
    assert made.wait_s("10.0.0.2") == 0


def test_the_wait_is_bounded_and_forgiven(clock: Clock) -> None:
    made = called("10.0.0.1", 1000, clock)
    assert made.wait_s("10.0.0.1") == LONGEST_S
    clock.now_s += 1000 * IN_VAIN_S
    assert made.wait_s("10.0.0.1") == 0


def test_many_addresses_share_what_is_remembered(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hesitation, "MOST_ADDRESSES", 3)
    made = Hesitation(clock)
    for number in range(120):
        made.note(f"10.0.0.{number}", IN_VAIN_S)
    assert made.wait_s("10.0.0.250") > 0, "all those beyond the first three wait for each other"
    clock.now_s += 100
    made.note("10.0.0.251", IN_VAIN_S)
    assert made.wait_s("10.0.0.250") == 0
