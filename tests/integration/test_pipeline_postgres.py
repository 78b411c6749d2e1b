"""Two workers against one Postgres: one is killed, the other takes its job over."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.pacs import CountingPacs
from tests.integration.studies_at_work import AgentFolder, until
from tests.integration.worker_process import StandinWorker

pgserver = pytest.importorskip("pgserver")

pytestmark = pytest.mark.slow


@pytest.fixture
def postgres_url(tmp_path: Path) -> Iterator[str]:
    """A Postgres of its own, without anything to install."""
    server = pgserver.get_server(tmp_path / "postgres")
    yield server.get_uri()
    server.cleanup()


def test_a_killed_workers_job_is_taken_over_by_the_other(postgres_url: str, tmp_path: Path) -> None:
    agent, log = AgentFolder(tmp_path, database_url=postgres_url), tmp_path / "worker.log"
    flag = tmp_path / "killed"
    with CountingPacs() as pacs:
        agent.destination("pacs", "dimse", pacs.settings)
        agent.rule("pacs")
        doomed = StandinWorker(agent.config, log, kill_at="weigh_evidence", kill_flag=flag)
        with doomed, StandinWorker(agent.config, log):
            until(lambda: len(_living(agent)) == 2)
            study = 0
            while (
                doomed.process.poll() is None
            ):  # whichever worker is first takes a job; go on until the doomed one did
                agent.receive(f"study {study}", range(3))
                study += 1
                agent.wait_for_job("done", "running", "delivering", index=study - 1)
                until(lambda: doomed.process.poll() is not None or agent.jobs()[-1].state == "done")
            for index in range(study):
                assert agent.wait_for_job("done", "failed", index=index).state == "done"
    assert len(agent.jobs()) == study, "both looked at each study, one completed it"
    assert len(pacs.stored) == 2 * study
    assert not {uid for uid, count in pacs.received.items() if count > 1}
    assert len(_living(agent)) == 1
    agent.database.close()


def _living(agent: AgentFolder) -> list[str]:
    from sqlalchemy import select

    from pacs_agent.db import Worker

    with agent.database.reading() as session:
        return list(session.scalars(select(Worker.executor_id).where(Worker.buried_at.is_(None))))
