"""What was done is not done again with the same; anything else is done."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.pipeline.rehearsed import Rehearsed


def test_an_outcome_is_given_again_for_the_same_step_and_the_same_given() -> None:
    rehearsed, done = Rehearsed(), list[str]()

    def do(outcome: str) -> str:
        done.append(outcome)
        return outcome

    assert rehearsed.outcome("read", ("a", "b"), lambda: do("1")) == "1"
    assert rehearsed.outcome("read", ("a", "b"), lambda: do("2")) == "1"
    assert rehearsed.outcome("weigh", ("a", "b"), lambda: do("3")) == "3"
    assert done == ["1", "3"]


def test_errors_and_what_is_old_are_not_kept() -> None:
    rehearsed = Rehearsed(kept=2)
    with pytest.raises(ZeroDivisionError):
        rehearsed.outcome("read", ("a",), lambda: 1 // 0)
    assert rehearsed.outcome("read", ("a",), lambda: 1) == 1
    for text in "bc":
        rehearsed.outcome("read", (text,), lambda: 2)
    assert rehearsed.outcome("read", ("a",), lambda: 3) == 3


@given(st.lists(st.text(max_size=3), max_size=4), st.lists(st.text(max_size=3), max_size=4))
def test_texts_are_not_confused(one: list[str], other: list[str]) -> None:
    rehearsed = Rehearsed()
    rehearsed.outcome("read", tuple(one), lambda: 1)
    assert rehearsed.outcome("read", tuple(other), lambda: 2) == (1 if one == other else 2)


def test_who_asks_for_what_is_being_done_waits_for_it() -> None:
    rehearsed, begun, may_end, done = Rehearsed(), threading.Event(), threading.Event(), list[str]()

    def rehearse() -> int:
        done.append("rehearsed")
        begun.set()
        may_end.wait(5)
        return 1

    rehearsal = threading.Thread(target=lambda: rehearsed.outcome("read", ("a",), rehearse))
    rehearsal.start()
    begun.wait(5)
    assert rehearsed.outcome("read", ("b",), lambda: 2) == 2, "other work goes on"
    threading.Timer(0.05, may_end.set).start()
    assert rehearsed.outcome("read", ("a",), lambda: 3) == 1
    rehearsal.join(5)
    assert done == ["rehearsed"]
