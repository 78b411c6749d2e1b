"""Images finished while others are read, also where the machine has no thread for it."""

import threading
from typing import Any

import pytest

from pacs_agent.receive.finishing import Finishing


def test_an_image_is_finished_once_where_no_thread_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    finished: list[int] = []

    def none_left(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    with Finishing(4, lambda: None) as finishing:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", none_left)
            finishing.do(lambda: finished.append(1))
        finishing.do(lambda: finished.append(2))
        finishing.wait()
    assert finished == [1, 2]
