"""What one thread counts while another writes is not lost."""

import sys
import threading
from collections.abc import Iterator

import pytest

from pacs_agent.ahead.counts import Counts
from pacs_agent.db import Database

EACH = 20_000


@pytest.fixture
def often_switched() -> Iterator[None]:
    """Threads take turns as often as Python lets them."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual_s)


@pytest.mark.usefixtures("often_switched")
def test_nothing_is_lost_between_those_who_count_and_the_one_who_writes(database: Database) -> None:
    counts, written, done = Counts(database), list[int](), threading.Event()

    def count() -> None:
        for _ in range(EACH):
            counts.encoded(1, "1.2")

    def write() -> None:
        while not done.is_set():
            written.extend(kinds["encoded"] for kinds in counts.take().values())

    writer, counting = threading.Thread(target=write), [threading.Thread(target=count) for _ in range(2)]
    for thread in (writer, *counting):
        thread.start()
    for thread in counting:
        thread.join()
    done.set()
    writer.join()
    written.extend(kinds["encoded"] for kinds in counts.take().values())
    assert sum(written) == 2 * EACH
