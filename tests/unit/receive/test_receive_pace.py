"""What is beyond the usual is done one at a time, and for the smaller part of the time."""

import threading

import pytest

from pacs_agent.receive import pace
from pacs_agent.receive.pace import Pace


def test_it_rests_in_proportion_to_what_it_worked(monkeypatch: pytest.MonkeyPatch) -> None:
    worked_s, slept_s = iter([1.0, 1.5, 1.5, 2.5, 2.5]), list[float]()
    monkeypatch.setattr(pace.time, "thread_time", lambda: next(worked_s))
    monkeypatch.setattr(pace.time, "sleep", slept_s.append)
    monkeypatch.setattr(pace, "SHARE", 0.2)
    with Pace() as own:
        own.rest()
        own.rest()
        own.rest()
    assert slept_s == pytest.approx([0.5 * 4, 1.0 * 4])


def test_one_at_a_time_and_a_failure_lets_the_next_one_in() -> None:
    inside, may_fail = threading.Event(), threading.Event()

    def fails() -> None:
        with pytest.raises(ValueError, match="broken"), Pace() as own:
            own.rest()
            inside.set()
            may_fail.wait()
            raise ValueError("broken")

    def comes_later() -> None:
        with Pace() as own:
            own.rest()

    first, second = threading.Thread(target=fails), threading.Thread(target=comes_later)
    first.start()
    inside.wait()
    with Pace():
        pass  # who never rests waits for nobody
    second.start()
    second.join(0.2)
    assert second.is_alive()
    may_fail.set()
    first.join()
    second.join()
    with Pace() as own:
        own.rest()
