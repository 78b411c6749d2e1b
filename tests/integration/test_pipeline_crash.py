"""kill -9 of a real worker process in the middle of each step: the next worker goes on, nothing is told twice."""

import json
from pathlib import Path

import pytest

from tests.integration.pacs import CountingPacs
from tests.integration.standin import PLACES
from tests.integration.studies_at_work import AgentFolder
from tests.integration.worker_process import StandinWorker

SIGKILL_CODE = -9
READING = ("select_series", "encode_missing", "read_study", "weigh_evidence", "compose")


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_kill_in_step_resumes_and_tells_nothing_twice(place: str, tmp_path: Path) -> None:
    agent, flag, log = AgentFolder(tmp_path), tmp_path / "killed", tmp_path / "worker.log"
    with CountingPacs() as pacs:
        agent.destination("pacs", "dimse", {**pacs.settings, "query": True})
        agent.rule("pacs")
        agent.receive("A", range(3))
        with StandinWorker(agent.config, log, kill_at=place, kill_flag=flag) as first:
            assert first.process.wait(40) == SIGKILL_CODE, log.read_text()
        assert flag.exists()
        with StandinWorker(agent.config, log, kill_at=place, kill_flag=flag):
            job = agent.wait_for_job("done", "failed", "no_result")
    assert job.state == "done", job.error
    assert job.progress == 1.0
    assert len(agent.jobs()) == 1
    assert len(pacs.stored) == 2, "exactly the two objects of the job"
    resent = {uid: count for uid, count in pacs.received.items() if count > 1}
    assert not resent or place == "deliver", resent
    assert {state for _, state, _ in agent.deliveries("pacs")} == {"confirmed"}
    _check_steps_ran_once(agent, place)


def _check_steps_ran_once(agent: AgentFolder, place: str) -> None:
    """Only the step that was cut off has run a second time."""
    lines = (agent.data_dir / "stages.log").read_text().split()
    cut = "compose" if place == "archived" else place
    assert lines == [name for name in READING for _ in range(2 if name == cut else 1)], json.dumps(lines)


@pytest.mark.slow
def test_worker_takes_over_from_a_silent_worker_of_another_host(tmp_path: Path) -> None:
    """A row whose process cannot be looked at is dead when its heartbeat stands still."""
    from sqlalchemy import update

    from pacs_agent.db import Worker

    agent, flag, log = AgentFolder(tmp_path), tmp_path / "killed", tmp_path / "worker.log"
    agent.rule()
    agent.receive("A", range(3))
    with StandinWorker(agent.config, log, kill_at="read_study", kill_flag=flag) as first:
        first.process.wait(40)
    with agent.database.writing() as session:
        session.execute(update(Worker).values(host="elsewhere/1"))
    with StandinWorker(agent.config, log, kill_at="read_study", kill_flag=flag):
        assert agent.wait_for_job("done", "failed").state == "done"
