"""An agent whose rule reads every study by a small model of task staging, and a worker that reads one."""

from pathlib import Path
from typing import Any

from pydicom import Dataset

from pacs_agent.archive import instance_header, split_part10
from pacs_agent.db import Job
from pacs_agent.pipeline import WorkerProcess
from pacs_agent.results import write_bytes
from pacs_agent.route import put_rules
from tests.integration.pacs import CountingPacs
from tests.integration.studies_at_work import AgentFolder
from tests.unit.inference.tiny_bundle import settings_of, write_bundle
from tests.unit.inference.tiny_staging import write_staging_bundle


def staging_agent(
    folder: Path, pacs: CountingPacs, pipeline: str = "staging", quiet_s: float = 0.3, **results: Any
) -> AgentFolder:
    """One with two models: one that reads all series of pelvic MR, and one that reads a chest CT."""
    write_bundle(folder / "bundles" / "tiny-1.0")
    reader = write_staging_bundle(folder / "bundles" / "tiny-staging-1.0")
    fields = {"provider", "threads", "bundles_dir", "trusted_keys"}
    inference = settings_of(reader).model_dump(mode="json", include=fields)
    assemble = {"quiet_s": quiet_s, "poll_s": 0.1}
    agent = AgentFolder(folder / "agent", inference=inference, results=results, assemble=assemble)
    agent.destination("pacs", "dimse", {**pacs.settings, "query": True})
    with agent.database.writing() as session:
        put_rules(session, f'rules: [{{name: all, pipeline: "{pipeline}", destinations: [pacs]}}]', actor="test")
    return agent


def receive(agent: AgentFolder, datasets: list[Dataset]) -> None:
    """Archives a study, as if it had been sent."""
    for dataset in datasets:
        encoded = split_part10(write_bytes(dataset))
        agent.archive.store(encoded, instance_header(dataset, encoded.transfer_syntax_uid), source="test")


def read(agent: AgentFolder, datasets: list[Dataset], index: int = 0) -> Job:
    """The job of a study that a worker has read, when it has ended; `index` counts those of the agent."""
    receive(agent, datasets)
    worker = WorkerProcess(agent.settings)
    worker.start()
    try:
        return agent.wait_for_job("done", "failed", "no_result", index=index, timeout_s=60)
    finally:
        worker.stop()
