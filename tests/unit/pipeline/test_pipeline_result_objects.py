"""Key objects, saliency maps and a summary go along where they are wanted; a destination can do without them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import (
    Comprehensive3DSRStorage,
    KeyObjectSelectionDocumentStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
)
from sqlalchemy import select

from pacs_agent.archive import instance_header, split_part10
from pacs_agent.db import Delivery, Job, ResultObject
from pacs_agent.inference import Presence, StudyReading
from pacs_agent.pipeline import WorkerProcess, saliency
from pacs_agent.results import write_bytes
from tests.integration.pacs import ALL_CLASSES, CountingPacs
from tests.integration.studies_at_work import AgentFolder
from tests.judges.content_tree import named, tree
from tests.unit.imaging.imaging_slices import stack
from tests.unit.inference.tiny_bundle import settings_of, write_bundle


@dataclass(frozen=True)
class Beside:
    """A kind of object beside the reports: how it is wanted, and what a destination is asked whether it gets."""

    kind: str
    sop_class: str
    wanted: dict[str, Any]
    flag: str

    def __str__(self) -> str:
        return self.kind


KEY_OBJECTS = Beside("key_objects", KeyObjectSelectionDocumentStorage, {"key_objects": True}, "key_objects")
SALIENCY_MAPS = Beside("saliency_map", ParametricMapStorage, {"saliency_maps": "images"}, "saliency_maps")
SUMMARY = Beside("secondary_capture", SecondaryCaptureImageStorage, {"secondary_capture": True}, "secondary_captures")
EACH = pytest.mark.parametrize("beside", (KEY_OBJECTS, SALIENCY_MAPS), ids=str)
TAKES_ALL = (
    *ALL_CLASSES,
    KeyObjectSelectionDocumentStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
)


def _agent(folder: Path, pacs: CountingPacs, results: dict[str, Any], **settings: bool) -> AgentFolder:
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


def _states(agent: AgentFolder, beside: Beside) -> list[str]:
    """At the PACS, of each object of the kind."""
    with agent.database.reading() as session:
        states = select(Delivery.state).join(Delivery.result_object).where(ResultObject.kind == beside.kind)
        return [str(state) for state in session.scalars(states)]


def _stated(job: Job) -> int:
    findings = StudyReading.model_validate(job.reading).findings
    return sum(each.presence is not Presence.ABSENT and bool(each.evidence) for each in findings)


@EACH
def test_each_finding_has_its_own(beside: Beside, tmp_path: Path) -> None:
    with CountingPacs(classes=TAKES_ALL) as pacs:
        agent = _agent(tmp_path, pacs, beside.wanted)
        job = _read(agent)
    assert _stated(job) > 0
    assert _states(agent, beside) == ["confirmed"] * _stated(job)
    assert sum(one.SOPClassUID == beside.sop_class for one in pacs.stored.values()) == _stated(job)


def test_nobody_gets_any_unless_they_are_wanted(tmp_path: Path) -> None:
    with CountingPacs(classes=TAKES_ALL) as pacs:
        agent = _agent(tmp_path, pacs, {})
        job = _read(agent)
    assert _states(agent, KEY_OBJECTS) == _states(agent, SALIENCY_MAPS) == _states(agent, SUMMARY) == []
    assert StudyReading.model_validate(job.reading).saliency_maps == ()


@EACH
@pytest.mark.parametrize("set_so", [False, True], ids=["takes none", "set to get none"])
def test_a_destination_gets_the_rest(beside: Beside, set_so: bool, tmp_path: Path) -> None:
    with CountingPacs(classes=TAKES_ALL if set_so else ALL_CLASSES) as pacs:
        agent = _agent(tmp_path, pacs, beside.wanted, **{beside.flag: False} if set_so else {})
        job = _read(agent)
    assert _states(agent, beside) == ["left_out"] * _stated(job) != []
    detail = agent.steps(job.id)["deliver:pacs"].detail
    assert detail.startswith("2 objects stored; ")
    set_words = f"pacs is set to get no {beside.flag.replace('_', ' ')}"
    assert (set_words if set_so else "it does not take such objects") in detail


def test_a_reading_has_one_summary_with_pictures_of_its_slices(tmp_path: Path) -> None:
    with CountingPacs(classes=TAKES_ALL) as pacs:
        agent = _agent(tmp_path, pacs, SUMMARY.wanted)
        job = _read(agent)
    assert _states(agent, SUMMARY) == ["confirmed"]
    (summary,) = (one for one in pacs.stored.values() if one.SOPClassUID == SecondaryCaptureImageStorage)
    shown = {one.ReferencedSOPInstanceUID for one in summary.SourceImageSequence}
    findings = StudyReading.model_validate(job.reading).findings
    assert shown <= {each.sop_instance_uid for one in findings for each in one.evidence}
    page = np.frombuffer(summary.PixelData, np.uint8).reshape(summary.Rows, summary.Columns, 3)
    greys = page[(page == page[..., :1]).all(axis=2)][:, 0]  # of slices: words and lines have some blue
    assert len(np.unique(greys)) > 50
    assert job.lacks == ""


@pytest.mark.parametrize("set_so", [False, True], ids=["takes none", "set to get none"])
def test_a_destination_can_do_without_the_summary(set_so: bool, tmp_path: Path) -> None:
    with CountingPacs(classes=TAKES_ALL if set_so else ALL_CLASSES) as pacs:
        agent = _agent(tmp_path, pacs, SUMMARY.wanted, **{SUMMARY.flag: False} if set_so else {})
        job = _read(agent)
    assert _states(agent, SUMMARY) == ["left_out"]
    assert agent.steps(job.id)["deliver:pacs"].detail.startswith("2 objects stored; ")


def test_the_ai_result_and_the_reading_know_the_maps(tmp_path: Path) -> None:
    with CountingPacs(classes=TAKES_ALL) as pacs:
        job = _read(_agent(tmp_path, pacs, SALIENCY_MAPS.wanted))
    maps = StudyReading.model_validate(job.reading).saliency_maps
    assert {one.form for one in maps} == {"images"}
    (result,) = (one for one in pacs.stored.values() if one.SOPClassUID == Comprehensive3DSRStorage)
    shown = {node.item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for node in named(tree(result), "130401")}
    stored = {one.SOPInstanceUID for one in pacs.stored.values() if one.SOPClassUID == ParametricMapStorage}
    assert shown == stored
    assert len(shown) == len(maps) == _stated(job)


def test_maps_beyond_what_there_is_room_for_are_of_patches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saliency, "MOST_BYTES", 6 * 12 * 16 * 4)
    with CountingPacs(classes=TAKES_ALL) as pacs:
        job = _read(_agent(tmp_path, pacs, SALIENCY_MAPS.wanted))
    reading = StudyReading.model_validate(job.reading)
    likeliest = max(reading.findings, key=lambda finding: finding.probability).label.key
    assert sorted(one.form for one in reading.saliency_maps) == ["images", "patches"]
    assert [one.finding for one in reading.saliency_maps if one.form == "images"] == [likeliest]


def test_places_that_are_not_kept_cost_the_maps_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise saliency.HeatGone("the place of findings in this slice is not kept any more")

    monkeypatch.setattr(saliency, "heats_of_reading", gone)
    with CountingPacs(classes=TAKES_ALL) as pacs:
        agent = _agent(tmp_path, pacs, SALIENCY_MAPS.wanted)
        job = _read(agent)
    assert job.lacks.startswith("No saliency maps were made. Reason: the place of findings")
    assert _states(agent, SALIENCY_MAPS) == []
    assert len(pacs.stored) == 2
