"""A job whose destination is asked for storage commitment, by a worker and a listener at work."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_agent import pipeline
from pacs_agent.db import DeliveryState, JobState, Peer
from pacs_agent.deliver import commitment as asking
from pacs_agent.pipeline import WorkerProcess
from pacs_agent.receive import Listener
from tests.integration.committing import CommittingPacs
from tests.integration.standin import TinyStages
from tests.integration.studies_at_work import AgentFolder, until


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AgentFolder:
    monkeypatch.setattr(asking, "SAME_ASSOCIATION_S", 0.1)
    agent = AgentFolder(tmp_path, dimse={"port": 0})
    with agent.database.writing() as session:
        session.add(Peer(ae_title=CommittingPacs.ae_title, host="127.0.0.1"))
    return agent


@pytest.fixture
def listener(agent: AgentFolder) -> Iterator[Listener]:
    listener = Listener(agent.settings, agent.database, agent.archive)
    listener.start()
    yield listener
    listener.stop()


@pytest.fixture
def pacs(agent: AgentFolder, listener: Listener) -> Iterator[CommittingPacs]:
    with CommittingPacs(report_to=listener.port) as pacs:
        agent.destination("pacs", "dimse", {**pacs.settings, "confirm": "commitment"})
        agent.rule("pacs")
        agent.receive("A", range(3))
        yield pacs


@pytest.fixture
def worker(agent: AgentFolder, pacs: CommittingPacs) -> Iterator[WorkerProcess]:
    worker = WorkerProcess(agent.settings, {"tiny": TinyStages})
    worker.start()
    yield worker
    worker.stop()


@pytest.mark.usefixtures("worker")
def test_the_job_is_done_when_the_pacs_says_that_it_keeps_everything(agent: AgentFolder, pacs: CommittingPacs) -> None:
    pacs.answers = False
    until(lambda: pacs.asked)
    until(lambda: "no answer yet" in agent.steps(agent.jobs()[0].id)["confirm:pacs"].detail)
    assert agent.jobs()[0].state == JobState.DELIVERING
    pacs.report(pacs.asked[0])
    job = agent.wait_for_job("done", "failed")
    assert job.state == JobState.DONE
    assert "kept for good" in agent.steps(job.id)["confirm:pacs"].detail
    assert {state for _uid, state, _answer in agent.deliveries("pacs")} == {DeliveryState.CONFIRMED}


@pytest.mark.usefixtures("worker")
def test_a_pacs_that_does_not_keep_it_fails_the_job_until_it_does(agent: AgentFolder, pacs: CommittingPacs) -> None:
    pacs.judge = lambda _uid: 0x0112
    job = agent.wait_for_job("done", "failed")
    assert job.state == JobState.FAILED
    assert "also after they were sent once more" in job.error
    assert {state for _uid, state, _answer in agent.deliveries("pacs")} == {DeliveryState.REFUSED}
    assert set(pacs.received.values()) == {2}
    pacs.judge = lambda _uid: 0
    pipeline.rerun(agent.database, job.id, actor="test")
    agent.wait_for_job("done")


@pytest.mark.usefixtures("worker")
def test_a_pacs_that_never_answers_fails_the_job_in_the_end(agent: AgentFolder, pacs: CommittingPacs) -> None:
    pacs.answers = False
    job = agent.wait_for_job("done", "failed")
    assert job.state == JobState.FAILED
    assert "given up after 4 attempts" in job.error
    assert "no answer yet" in job.error
    assert {state for _uid, state, _answer in agent.deliveries("pacs")} == {DeliveryState.REFUSED}
