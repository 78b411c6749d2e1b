"""A shadow at work: by a worker, after the reading, to nobody."""

import json
from pathlib import Path
from typing import Any

import pytest

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.db import JobState, ModelShadow, ResultObject, ShadowReading
from pacs_agent.pipeline import Documents, JobFacts, Shared, WorkerProcess
from pacs_agent.pipeline.stages import Earlier
from tests.integration.pacs import CountingPacs
from tests.integration.standin import TinyStages
from tests.integration.studies_at_work import AgentFolder

READING: dict[str, Any] = json.loads((Path(__file__).parents[1] / "unit" / "console" / "reading.json").read_text())


class Telling(TinyStages):
    """Stages of a model that always says the same."""

    def compose(self, job: JobFacts, earlier: Earlier) -> Documents:
        return Documents(super().compose(job, earlier).files, READING)


class Silent(TinyStages):
    """The same model in the shadow."""

    def __init__(self, settings: Settings, archive: Archive, shared: Shared | None = None) -> None:
        super().__init__(settings, archive, shared)
        self.log = settings.data_dir / "shadow.log"

    def compose(self, job: JobFacts, earlier: Earlier) -> Documents:
        return Documents((), READING)


@pytest.fixture
def agent(tmp_path: Path) -> AgentFolder:
    agent = AgentFolder(tmp_path)
    with agent.database.writing() as session:
        session.add(ModelShadow(name="other", version="2", digest="0" * 64))
    return agent


def test_a_shadow_reads_last_and_tells_nobody(agent: AgentFolder) -> None:
    with CountingPacs() as pacs:
        agent.destination("pacs", "dimse", pacs.settings)
        agent.rule("pacs", priority=1_000_000)
        agent.receive("A", range(3))
        worker = WorkerProcess(agent.settings, {"tiny": Telling, "shadow": Silent})
        worker.start()
        try:
            assert agent.wait_for_job("done", "failed").state == JobState.DONE
            shadow = agent.wait_for_job("done", "failed", index=1)
        finally:
            worker.stop()
        assert len(pacs.stored) == 2
    assert (shadow.state, shadow.pipeline, shadow.error) == (JobState.DONE, "shadow", "")
    with agent.database.reading() as session:
        row = session.query(ShadowReading).one()
        assert (row.job_id, row.of_job.pipeline) == (shadow.id, "tiny")
        assert row.said is not None
        assert row.said["same_series"]
        assert {one.job_id for one in session.query(ResultObject)} == {row.of_job_id}
    assert agent.deliveries("pacs")
