"""Work that is suspended: no job begins, also in a worker that starts later, and all go on when it is resumed."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_agent import pipeline
from pacs_agent.db import JobState
from pacs_agent.pipeline import WorkerProcess
from pacs_agent.pipeline.errors import JobStopped
from tests.integration.pacs import CountingPacs
from tests.integration.standin import TinyStages
from tests.integration.studies_at_work import AgentFolder, until
from tests.integration.worker_process import StandinWorker


@pytest.fixture
def agent(tmp_path: Path) -> AgentFolder:
    agent = AgentFolder(tmp_path)
    agent.rule()
    return agent


@pytest.fixture
def worker(agent: AgentFolder) -> Iterator[WorkerProcess]:
    worker = WorkerProcess(agent.settings, {"tiny": TinyStages})
    yield worker
    worker.stop()


def test_no_job_begins_until_the_work_is_resumed(agent: AgentFolder, worker: WorkerProcess) -> None:
    pipeline.suspend(agent.database, actor="test")
    agent.receive("A", range(1))
    worker.start()
    job = agent.wait_for_job("queued")
    pipeline.reprioritise(agent.database, job.id, 5, actor="test")
    time.sleep(1.5)
    assert agent.jobs()[0].state == JobState.QUEUED
    assert not (agent.data_dir / "stages.log").exists()
    pipeline.resume(agent.database, actor="test")
    done = agent.wait_for_job("done")
    assert (done.priority, done.run) == (5, 2)
    assert agent.steps(done.id)["compose"].worker == worker.heartbeat.executor_id


def test_a_job_that_was_handed_over_before_goes_back_into_the_queue(agent: AgentFolder, worker: WorkerProcess) -> None:
    """Its turn comes after the work was suspended: its next run is handed over when the work is resumed."""
    agent.receive("A", range(1))
    worker.start()
    agent.wait_for_job("done")
    steps = worker._dispatcher.story.steps
    pipeline.suspend(agent.database, actor="test")
    agent.receive("B", range(1))
    waiting = agent.wait_for_job("queued", index=1)
    with pytest.raises(JobStopped):
        steps.begin(waiting.id, waiting.run)
    assert (agent.jobs()[1].state, agent.jobs()[1].run) == (JobState.QUEUED, 2)
    pipeline.resume(agent.database, actor="test")
    assert agent.wait_for_job("done", index=1).run == 2


def test_objects_of_a_finished_job_are_sent_again_without_being_read_again(
    agent: AgentFolder, worker: WorkerProcess
) -> None:
    with CountingPacs() as pacs:
        agent.destination("pacs", "dimse", pacs.settings)
        agent.rule("pacs")
        agent.receive("A", range(1))
        worker.start()
        job = agent.wait_for_job("done")
        pipeline.send_again(agent.database, job.id, actor="test")
        until(lambda: agent.jobs()[0].run == 2 and agent.jobs()[0].state == JobState.DONE)
        assert set(pacs.received.values()) == {2}
    assert (agent.data_dir / "stages.log").read_text().split().count("read_study") == 1


@pytest.mark.slow
def test_suspended_work_stays_so_over_kill_9(agent: AgentFolder, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with StandinWorker(agent.config, log):
        pipeline.suspend(agent.database, actor="test")
        agent.receive("A", range(1))
        agent.wait_for_job("queued")
    with StandinWorker(agent.config, log):
        time.sleep(4)
        assert agent.jobs()[0].state == JobState.QUEUED
        assert list(agent.steps(agent.jobs()[0].id)) == []
        pipeline.resume(agent.database, actor="test")
        assert agent.wait_for_job("done").state == JobState.DONE
