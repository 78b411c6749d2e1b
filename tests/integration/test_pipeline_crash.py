"""kill -9 of a real worker process in the middle of each step: the next worker goes on, nothing is told twice."""

from pathlib import Path

import pytest

from tests.integration.pacs import CountingPacs
from tests.integration.standin import PLACES
from tests.integration.studies_at_work import AgentFolder
from tests.integration.worker_process import StandinWorker

SIGKILL_CODE = -9
READING = ("select_series", "encode_missing", "read_study", "weigh_evidence", "find_prior", "compose")


@pytest.mark.slow
def test_one_job_survives_a_kill_in_each_step_and_tells_nothing_twice(tmp_path: Path) -> None:
    agent, log = AgentFolder(tmp_path), tmp_path / "worker.log"
    with CountingPacs() as pacs:
        agent.destination("pacs", "dimse", {**pacs.settings, "query": True})
        agent.rule("pacs")
        agent.receive("A", range(3))
        for place in PLACES:
            with StandinWorker(agent.config, log, kill_at=place, kill_flag=tmp_path / place) as worker:
                assert worker.process.wait(40) == SIGKILL_CODE, f"{place}: {log.read_text()}"
        with StandinWorker(agent.config, log):
            job = agent.wait_for_job("done", "failed", "no_result")
    assert (job.state, job.progress) == ("done", 1.0), job.error
    assert len(agent.jobs()) == 1
    assert len(pacs.stored) == 2, "exactly the two objects of the job"
    assert sum(pacs.received.values()) == 3, "only the object whose answer was lost is sent again, under the same UID"
    assert {state for _, state, _ in agent.deliveries("pacs")} == {"confirmed"}
    _check_only_cut_steps_ran_again(agent)


def _check_only_cut_steps_ran_again(agent: AgentFolder) -> None:
    """Each step was cut off once, composing twice: in the middle, and between archiving and noting it."""
    ran = (agent.data_dir / "stages.log").read_text().split()
    assert ran == [name for name in READING for _ in range(3 if name == "compose" else 2)]
    began = (agent.data_dir / "began.log").read_text().split()
    assert len(began) == 2 and len(set(began)) == 1, "the time for a prior does not begin anew"


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
