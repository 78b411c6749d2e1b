"""A study is rehearsed once for each pause, and who grows on is waited for longer."""

from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.ahead.pauses import FIRST_PAUSE_S, Pauses


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def _any(_study: int) -> bool:
    return True


def test_once_for_each_pause_and_not_before_it() -> None:
    clock = Clock()
    pauses = Pauses(clock)
    pauses.grew(1)
    assert pauses.take(_any) is None
    clock.now_s += FIRST_PAUSE_S
    assert pauses.take(lambda _study: False) is None
    assert pauses.due() == [1]
    assert pauses.take(_any) == 1
    assert pauses.take(_any) is None
    assert pauses.studies() == []


def test_who_grows_after_a_rehearsal_is_waited_for_twice_as_long() -> None:
    clock = Clock()
    pauses = Pauses(clock)
    for times in (1, 2, 4, 8):
        pauses.grew(1)
        clock.now_s += FIRST_PAUSE_S * times - 0.01
        assert pauses.take(_any) is None
        clock.now_s += 0.02
        assert pauses.take(_any) == 1
    pauses.drop(1)
    pauses.grew(1)
    clock.now_s += FIRST_PAUSE_S
    assert pauses.take(_any) == 1


def test_a_pause_in_which_nothing_could_be_rehearsed_makes_the_next_no_longer() -> None:
    clock = Clock()
    pauses = Pauses(clock)
    for _ in range(5):
        pauses.grew(1)
        clock.now_s += FIRST_PAUSE_S
        assert pauses.take(_any) == 1
        pauses.had_nothing(1)
        assert pauses.take(_any) is None
    pauses.grew(1)
    clock.now_s += FIRST_PAUSE_S
    assert pauses.take(_any) == 1
    pauses.grew(1)
    clock.now_s += FIRST_PAUSE_S
    assert pauses.take(_any) is None
    pauses.had_nothing(2)


@given(st.floats(0.01, 20), st.integers(10, 300))
def test_a_study_that_trickles_in_is_rehearsed_a_few_times(gap_s: float, images: int) -> None:
    clock, rehearsals = Clock(), 0
    pauses = Pauses(clock)
    for _ in range(images):
        pauses.grew(1)
        clock.now_s += gap_s
        rehearsals += pauses.take(_any) is not None
    assert rehearsals <= 8
