"""Key objects go along with the reports where they are wanted, and a destination can do without them."""

from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import KeyObjectSelectionDocumentStorage
from sqlalchemy import select

from pacs_agent.archive import instance_header, split_part10
from pacs_agent.db import Delivery, Job, ResultObject
from pacs_agent.inference import Presence, StudyReading
from pacs_agent.pipeline import WorkerProcess
from pacs_agent.results import write_bytes
from tests.integration.pacs import ALL_CLASSES, CountingPacs
from tests.integration.studies_at_work import AgentFolder
from tests.unit.imaging.imaging_slices import stack
from tests.unit.inference.tiny_bundle import settings_of, write_bundle

TAKES_THEM = (*ALL_CLASSES, KeyObjectSelectionDocumentStorage)


def _agent(folder: Path, pacs: CountingPacs, settings: dict[str, Any], **results: bool) -> AgentFolder:
    reader = write_bundle(folder / "bundles" / "tiny-1.0")
    inference = settings_of(reader).model_dump(
        mode="json", include={"provider", "threads", "bundles_dir", "trusted_keys"}
    )
    agent = AgentFolder(folder / "agent", inference=inference, results=results)
    agent.destination("pacs", "dimse", {**pacs.settings, "query": True, **settings})
    agent.rule("pacs", pipeline="msvlm")
    return agent


def _read(agent: AgentFolder) -> Job:
    for dataset in stack(6, RescaleIntercept=2000):  # of which the tiny model says that all is there
        encoded = split_part10(write_bytes(dataset))
        agent.archive.store(encoded, instance_header(dataset, encoded.transfer_syntax_uid), source="test")
    worker = WorkerProcess(agent.settings)
    worker.start()
    try:
        job = agent.wait_for_job("done", "failed", "no_result", timeout_s=60)
    finally:
        worker.stop()
    assert job.state == "done", job.error
    return job


def _key_objects(agent: AgentFolder) -> list[str]:
    """Their states at the PACS."""
    with agent.database.reading() as session:
        states = select(Delivery.state).join(Delivery.result_object).where(ResultObject.kind == "key_objects")
        return [str(state) for state in session.scalars(states)]


def _stated(job: Job) -> int:
    findings = StudyReading.model_validate(job.reading).findings
    return sum(each.presence is not Presence.ABSENT and bool(each.evidence) for each in findings)


def test_each_finding_has_its_key_objects(tmp_path: Path) -> None:
    with CountingPacs(classes=TAKES_THEM) as pacs:
        agent = _agent(tmp_path, pacs, {}, key_objects=True)
        job = _read(agent)
    assert _stated(job) > 0
    assert _key_objects(agent) == ["confirmed"] * _stated(job)
    stored = [one for one in pacs.stored.values() if one.SOPClassUID == KeyObjectSelectionDocumentStorage]
    assert sorted(one.InstanceNumber for one in stored) == list(range(1, _stated(job) + 1))


def test_nobody_gets_any_unless_they_are_wanted(tmp_path: Path) -> None:
    with CountingPacs(classes=TAKES_THEM) as pacs:
        agent = _agent(tmp_path, pacs, {})
        _read(agent)
    assert _key_objects(agent) == []


@pytest.mark.parametrize(
    ("classes", "settings", "why"),
    [
        (ALL_CLASSES, {}, "Key Object Selection Document Storage: it does not take such objects"),
        (TAKES_THEM, {"key_objects": False}, "pacs is set to get no key objects"),
    ],
)
def test_a_destination_gets_the_rest(
    classes: tuple[str, ...], settings: dict[str, Any], why: str, tmp_path: Path
) -> None:
    with CountingPacs(classes=classes) as pacs:
        agent = _agent(tmp_path, pacs, settings, key_objects=True)
        job = _read(agent)
    assert _key_objects(agent) == ["left_out"] * _stated(job) != []
    detail = agent.steps(job.id)["deliver:pacs"].detail
    assert detail.startswith("2 objects stored; ")
    assert why in detail
