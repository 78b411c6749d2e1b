"""How long a prior is waited for: from when the search was wanted, and not while the worker has no place to read it."""

from datetime import timedelta

import pytest

from pacs_agent.db import utc_now
from pacs_agent.pipeline.errors import JobStopped, PriorNotHad
from pacs_agent.pipeline.prior_at_source import _Time


def _no_progress(_done: int, _total: int) -> None:
    pass


def _canceled(_done: int, _total: int) -> None:
    raise JobStopped("job")


def test_it_is_over_also_where_it_began_before_a_restart() -> None:
    time = _Time("pacs", utc_now() - timedelta(hours=1), 60, _no_progress)
    with pytest.raises(PriorNotHad, match="pacs was asked for an earlier study; 60 s later none was here and read"):
        time(0, 1)


def test_what_a_place_is_waited_for_does_not_count() -> None:
    time = _Time("pacs", utc_now() - timedelta(hours=1), 60, _no_progress)
    time.is_not_counted()
    time.add(timedelta(hours=1))
    time(0, 1)
    assert 0 < time.left_s() <= 60


def test_a_canceled_job_waits_for_neither() -> None:
    time = _Time("pacs", utc_now(), 60, _canceled)
    for wait in (lambda: time(0, 1), time.is_not_counted):
        with pytest.raises(JobStopped):
            wait()
