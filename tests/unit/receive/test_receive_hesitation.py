"""Who calls in vain again and again waits; nobody else does."""

import pytest

from pacs_agent.receive import hesitation
from pacs_agent.receive.hesitation import BURST, LONGEST_S, PER_SECOND, Hesitation


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def called_in_vain(address: str, times: int, clock: Clock) -> Hesitation:
    made = Hesitation(clock)
    for _ in range(times):
        made.note_vain(address)
    return made


def test_some_calls_in_vain_cost_nothing(clock: Clock) -> None:
    assert called_in_vain("10.0.0.1", BURST, clock).wait_s("10.0.0.1") == pytest.approx(0, abs=1e-6)


def test_more_of_them_wait_and_others_do_not(clock: Clock) -> None:
    made = called_in_vain("10.0.0.1", BURST + 10, clock)
    assert made.wait_s("10.0.0.1") == pytest.approx(10 / PER_SECOND)
    assert made.wait_s("10.0.0.2") == 0


def test_the_wait_is_bounded_and_forgiven(clock: Clock) -> None:
    made = called_in_vain("10.0.0.1", 1000, clock)
    assert made.wait_s("10.0.0.1") == LONGEST_S
    clock.now_s += 1000 / PER_SECOND
    assert made.wait_s("10.0.0.1") == 0


def test_many_addresses_share_what_is_remembered(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hesitation, "MOST_ADDRESSES", 3)
    made = Hesitation(clock)
    for number in range(BURST * 4):
        made.note_vain(f"10.0.0.{number}")
    assert made.wait_s("10.0.0.250") > 0, "all those beyond the first three wait for each other"
    clock.now_s += 100
    made.note_vain("10.0.0.251")
    assert made.wait_s("10.0.0.250") == 0
