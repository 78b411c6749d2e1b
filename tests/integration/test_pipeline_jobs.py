"""Jobs from their beginning to each of their ends, by a worker in this process with a tiny model."""

import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from dbos import DBOS
from pydicom.uid import BasicTextSRStorage
from sqlalchemy import select, update

from pacs_agent import pipeline, route
from pacs_agent.assemble import force
from pacs_agent.db import AuditEvent, DeliveryState, Job, JobState, Worker, utc_now
from pacs_agent.pipeline import WorkerProcess
from tests.integration.pacs import ALL_CLASSES, CountingPacs
from tests.integration.standin import TinyStages
from tests.integration.studies_at_work import AgentFolder, until
from tests.peers.running import free_port

Starter = Callable[[], WorkerProcess]


@pytest.fixture
def agent(tmp_path: Path) -> AgentFolder:
    return AgentFolder(tmp_path)


@pytest.fixture
def start(agent: AgentFolder) -> Iterator[Starter]:
    """Starts a worker; it is stopped when the test ends."""
    started: list[WorkerProcess] = []

    def start() -> WorkerProcess:
        started.append(WorkerProcess(agent.settings, {"tiny": TinyStages}))
        started[-1].start()
        return started[-1]

    yield start
    for worker in started:
        worker.stop()


def test_a_destination_that_is_down_holds_up_nobody_and_gets_everything_later(
    agent: AgentFolder, start: Starter
) -> None:
    port = free_port()
    with CountingPacs() as pacs:
        agent.destination("pacs", "dimse", pacs.settings)
        agent.destination("down", "dimse", {"host": "127.0.0.1", "port": port, "called_ae": "COUNTING"})
        agent.rule("down", "pacs")
        agent.receive("A", range(3))
        agent.receive("B", range(4))
        start()
        until(lambda: len(pacs.stored) == 4)
        until(lambda: {state for _, state, _ in agent.deliveries("pacs")} <= {"stored", "confirmed"})
        states = {state for _, state, _ in agent.deliveries("down")}
        assert states <= {DeliveryState.PENDING, DeliveryState.RETRYING}, "never reported as sent"
        assert {job.state for job in agent.jobs()} == {JobState.DELIVERING}
        waiting = agent.steps(agent.jobs()[0].id)["deliver:down"]
        assert waiting.state in ("waiting", "running")
        with CountingPacs(port=port) as back:
            for index in range(2):
                assert agent.wait_for_job("done", "failed", index=index).state == JobState.DONE
            assert len(back.stored) == 4
    assert set(back.received.values()) == {1}


@pytest.mark.alone
def test_a_destination_that_hangs_holds_up_only_itself(agent: AgentFolder, start: Starter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, CountingPacs() as pacs:
        agent.destination("hangs", "dimse", {**pacs.settings, "port": silent.getsockname()[1]})
        agent.destination("pacs", "dimse", pacs.settings)
        agent.rule("hangs", "pacs")
        for number in range(4):
            agent.receive(f"study {number}", range(number + 1))
        start()
        started_s = time.monotonic()
        until(lambda: len(pacs.stored) == 8)
        assert time.monotonic() - started_s < 2 * agent.settings.deliver.timeout_s, "not one time-out after the other"
        assert not {state for _, state, _ in agent.deliveries("hangs")} & {DeliveryState.STORED}
        for job in agent.jobs():
            pipeline.cancel(agent.database, job.id, actor="test")


def test_a_destination_that_stays_down_is_a_dead_letter_until_rerun(agent: AgentFolder, start: Starter) -> None:
    port = free_port()
    agent.destination("down", "dimse", {"host": "127.0.0.1", "port": port, "called_ae": "COUNTING"})
    agent.rule("down")
    agent.receive("A", range(3))
    start()
    job = agent.wait_for_job("done", "failed")
    assert job.state == JobState.FAILED
    assert "deliver:down" in job.error
    assert {state for _, state, _ in agent.deliveries("down")} == {DeliveryState.UNREACHABLE}
    assert agent.steps(job.id)["deliver:down"].attempts == agent.settings.deliver.attempts
    with CountingPacs(port=port) as back:
        pipeline.rerun(agent.database, job.id, actor="test")
        assert agent.wait_for_job("done").run == 2
    assert len(back.stored) == 2
    assert (agent.data_dir / "stages.log").read_text().split().count("read_study") == 1, "not read again"


def test_a_refused_document_is_a_dead_letter_and_the_other_one_arrives(agent: AgentFolder, start: Starter) -> None:
    with CountingPacs(classes=(BasicTextSRStorage,)) as pacs:
        agent.destination("pacs", "dimse", pacs.settings)
        agent.rule("pacs")
        agent.receive("A", range(3))
        start()
        job = agent.wait_for_job("done", "failed")
        assert job.state == JobState.FAILED
        assert "Comprehensive 3D SR Storage" in job.error
        assert sorted(state for _, state, _ in agent.deliveries("pacs")) == ["refused", "stored"]
        assert agent.steps(job.id)["deliver:pacs"].attempts == 1, "never retried"
        port = pacs.port
    with CountingPacs(classes=ALL_CLASSES, port=port) as repaired:
        pipeline.rerun(agent.database, job.id, actor="test")
        agent.wait_for_job("done")
        assert len(repaired.stored) == 1, "only what was missing"


def test_a_pacs_that_loses_what_it_took_is_found_out(agent: AgentFolder, start: Starter) -> None:
    with CountingPacs() as pacs:
        pacs.loses = True
        agent.destination("pacs", "dimse", {**pacs.settings, "query": True})
        agent.rule("pacs")
        agent.receive("A", range(3))
        start()
        job = agent.wait_for_job("done", "failed")
    assert job.state == JobState.FAILED
    assert "does not have it" in job.error
    assert {state for _, state, _ in agent.deliveries("pacs")} == {DeliveryState.REFUSED}


def test_out_of_resources_is_tried_again(agent: AgentFolder, start: Starter) -> None:
    with CountingPacs() as pacs:
        pacs.status_of = lambda _instance: 0xA700 if sum(pacs.received.values()) < 2 else 0x0000
        agent.destination("pacs", "dimse", pacs.settings)
        agent.rule("pacs")
        agent.receive("A", range(3))
        start()
        job = agent.wait_for_job("done", "failed")
    assert job.state == JobState.DONE
    assert agent.steps(job.id)["deliver:pacs"].attempts == 2
    assert {state for _, state, _ in agent.deliveries("pacs")} == {DeliveryState.STORED}


def test_a_destination_nobody_defined_fails_the_job_with_its_name(agent: AgentFolder, start: Starter) -> None:
    agent.rule("nowhere")
    agent.receive("A", range(3))
    start()
    assert "nowhere" in agent.wait_for_job("done", "failed").error


def test_nothing_to_say_is_said(agent: AgentFolder, start: Starter) -> None:
    with CountingPacs() as pacs:
        agent.destination("pacs", "dimse", pacs.settings)
        agent.rule("pacs")
        agent.receive("A", range(13))
        start()
        job = agent.wait_for_job("done", "failed", "no_result")
    assert (job.state, job.error) == (JobState.NO_RESULT, "13 images bring no luck")
    assert len(pacs.stored) == 1
    assert job.series_choice == {"chosen": None}


def test_what_is_missing_is_reported_and_read_when_it_comes(agent: AgentFolder, start: Starter) -> None:
    with CountingPacs() as pacs:
        agent.destination("pacs", "dimse", pacs.settings)
        many = "{attribute: NumberOfSeriesRelatedInstances, range: {min: 5}}"
        expects = f"{{series: [{many}], wait_at_most_s: 1, if_incomplete: report}}"
        with agent.database.writing() as session:
            route.put_rules(
                session,
                f"rules: [{{name: ct, pipeline: tiny, destinations: [pacs], expects: {expects}}}]",
                actor="test",
            )
        agent.receive("A", range(3))
        start()
        first = agent.wait_for_job("done", "failed", "no_result")
        assert first.state == JobState.NO_RESULT
        assert first.error.startswith("expected, and has not come: a series with NumberOfSeriesRelatedInstances")
        assert len(pacs.stored) == 1
        assert not (agent.data_dir / "stages.log").exists(), "no model was asked"
        agent.receive("A", range(3, 6))
        second = agent.wait_for_job("done", "failed", "no_result", index=1)
    assert (second.state, second.lacks, second.supersedes_id) == (JobState.DONE, "", first.id)
    assert len(pacs.stored) == 3


def test_a_bug_in_a_model_is_a_dead_letter_with_its_words(agent: AgentFolder, start: Starter) -> None:
    agent.rule()
    agent.receive("A", range(14))
    agent.receive("B", range(3))
    start()
    ends = {job.error: job.state for job in (agent.wait_for_job("done", "failed", index=index) for index in range(2))}
    assert ends == {"a bug": JobState.FAILED, "": JobState.DONE}
    with agent.database.reading() as session:
        assert session.scalar(select(AuditEvent.outcome).where(AuditEvent.action == "job.failed")) == "serious-failure"


def test_a_pipeline_nobody_knows_is_a_dead_letter(agent: AgentFolder, start: Starter) -> None:
    agent.rule(pipeline="crystal-ball")
    agent.receive("A", range(3))
    start()
    assert "crystal-ball" in agent.wait_for_job("done", "failed").error


def test_late_images_make_a_new_job_that_names_the_old_objects(agent: AgentFolder, start: Starter) -> None:
    agent.rule()
    agent.receive("A", range(3))
    start()
    first = agent.wait_for_job("done")
    agent.receive("A", range(2, 5))
    second = agent.wait_for_job("done", index=1)
    assert second.supersedes_id == first.id
    assert second.input_digest != first.input_digest
    with agent.database.reading() as session:
        digests = [result.digest for result in session.get_one(Job, second.id).results]
    assert {agent.archive.read(digest).ContentLabel for digest in digests} == {"2"}, "two predecessors"


def test_the_same_images_again_make_no_job(agent: AgentFolder, start: Starter) -> None:
    agent.rule()
    uid = agent.receive("A", range(3))
    start()
    agent.wait_for_job("done")
    agent.receive("A", range(3))
    assert force(agent.database, agent.archive, uid, actor="test").jobs == ()
    assert len(agent.jobs()) == 1


def test_a_canceled_job_stops_in_the_middle_of_a_step(
    agent: AgentFolder, start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLOW_S", "30")
    agent.rule()
    agent.receive("A", range(3))
    start()
    job = agent.wait_for_job("running")
    until(lambda: agent.jobs()[0].progress > 0.05)
    pipeline.cancel(agent.database, job.id, actor="test")
    until(lambda: agent.steps(job.id)["encode_missing"].state == "failed")
    assert agent.jobs()[0].state == JobState.CANCELED
    with pytest.raises(pipeline.JobStateError):
        pipeline.cancel(agent.database, job.id, actor="test")


def test_images_that_come_while_a_job_waits_overtake_it(agent: AgentFolder, start: Starter) -> None:
    agent.rule()
    uid = agent.receive("A", range(3))
    force(agent.database, agent.archive, uid, actor="test")
    agent.receive("A", range(3, 5))
    start()
    assert agent.wait_for_job("done", index=1).state == JobState.DONE
    assert agent.jobs()[0].state == JobState.CANCELED
    assert (agent.data_dir / "stages.log").read_text().split().count("compose") == 1


def test_urgent_jobs_are_read_first(agent: AgentFolder, start: Starter) -> None:
    for number, priority in enumerate((300, 200, 100)):
        agent.rule(priority=priority)
        force(agent.database, agent.archive, agent.receive(f"study {number}", range(number + 1)), actor="test")
    start()
    jobs = [agent.wait_for_job("done", index=index) for index in range(3)]
    assert [job.priority for job in sorted(jobs, key=lambda job: job.started_at or job.created_at)] == [100, 200, 300]


def test_the_workflow_engine_contacts_nobody(agent: AgentFolder, start: Starter) -> None:
    before = set(psutil.Process().net_connections(kind="inet"))
    agent.rule()
    agent.receive("A", range(3))
    start()
    agent.wait_for_job("done")
    assert set(psutil.Process().net_connections(kind="inet")) == before, "neither listens nor calls out"


def test_the_workflow_tables_have_a_write_ahead_log(agent: AgentFolder, start: Starter) -> None:
    start()
    with sqlite3.connect(agent.data_dir / "workflow.sqlite") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_job_whose_workflow_is_gone_becomes_a_dead_letter(agent: AgentFolder, start: Starter) -> None:
    agent.rule()
    agent.receive("A", range(3))
    reaper = start()._reaper
    job = agent.wait_for_job("done")
    with agent.database.writing() as session:
        session.get_one(Job, job.id).state = JobState.RUNNING
    until(lambda: not DBOS.list_workflows(status=["PENDING", "ENQUEUED"]))
    reaper.fail_lost_jobs()
    reaper.fail_lost_jobs()
    assert agent.jobs()[0].state == JobState.FAILED
    pipeline.rerun(agent.database, job.id, actor="test")
    assert agent.wait_for_job("done", "failed").state == JobState.DONE


def test_workflows_that_ended_are_forgotten(
    agent: AgentFolder, start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.rule()
    agent.receive("A", range(3))
    reaper = start()._reaper
    agent.wait_for_job("done")
    assert reaper.forget_ended() == 0, "not at once"
    monkeypatch.setattr("pacs_agent.pipeline.reaper.FORGET_AFTER_S", -60)
    forgotten = list[int]()
    until(lambda: forgotten.append(reaper.forget_ended()) or sum(forgotten) == 2)  # both halves of the job
    assert DBOS.list_workflows() == []
    assert agent.jobs()[0].state == JobState.DONE


def test_an_error_nobody_expected_ends_only_that_delivery(
    agent: AgentFolder, start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise KeyError("surprise")

    with CountingPacs() as pacs:
        agent.destination("pacs", "dimse", pacs.settings)
        agent.destination("odd", "stow", {"url": "http://127.0.0.1:9"})
        monkeypatch.setattr("pacs_agent.deliver.stow.StowDestination.send", stumble)
        agent.rule("odd", "pacs")
        agent.receive("A", range(3))
        start()
        job = agent.wait_for_job("done", "failed")
    assert "surprise" in job.error
    assert len(pacs.stored) == 2
    assert {state for _, state, _ in agent.deliveries("odd")} == {DeliveryState.UNREACHABLE}


def test_a_worker_taken_for_dead_ends_by_itself(agent: AgentFolder, start: Starter) -> None:
    worker = start()
    with agent.database.writing() as session:
        session.execute(update(Worker).values(buried_at=utc_now()))
    assert worker._stopping.wait(10)
    assert worker.fenced
