"""The real rooms together: a phantom chest CT is read by the shipped model and told in DICOM to a PACS."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import BasicTextSRStorage, Comprehensive3DSRStorage

from pacs_agent import route
from pacs_agent.archive import instance_header, split_part10
from pacs_agent.inference import StudyReading
from pacs_agent.pipeline import WorkerProcess
from tests.integration.pacs import CountingPacs
from tests.integration.studies_at_work import AgentFolder
from tests.peers.studies import phantom_study

pytestmark = pytest.mark.slow

SLICES = 88
RULES = "rules:\n- {name: everything, pipeline: msvlm, destinations: [pacs]}"


@pytest.fixture
def working(tmp_path: Path) -> Iterator[tuple[AgentFolder, CountingPacs]]:
    """A worker with the shipped model and a PACS for its results."""
    agent = AgentFolder(tmp_path / "agent")
    with agent.database.writing() as session:
        route.put_rules(session, RULES, actor="test")
    with CountingPacs() as pacs:
        agent.destination("pacs", "dimse", {**pacs.settings, "query": True})
        worker = WorkerProcess(agent.settings)
        worker.start()
        yield agent, pacs
        worker.stop()


def _receive(agent: AgentFolder, files: list[Path]) -> None:
    for file in files:
        encoded = split_part10(file.read_bytes())
        header = instance_header(dcmread(file, stop_before_pixels=True), encoded.transfer_syntax_uid)
        agent.archive.store(encoded, header, source="test")


def test_a_phantom_goes_in_and_a_report_comes_back(working: tuple[AgentFolder, CountingPacs], tmp_path: Path) -> None:
    agent, pacs = working
    files = phantom_study(tmp_path / "phantom", slices=SLICES)
    _receive(agent, files)
    job = agent.wait_for_job("done", "failed", "no_result", timeout_s=200)
    assert job.state == "done", job.error
    assert sorted(sr.SOPClassUID for sr in pacs.stored.values()) == [BasicTextSRStorage, Comprehensive3DSRStorage]
    assert {sr.StudyInstanceUID for sr in pacs.stored.values()} == {dcmread(files[0]).StudyInstanceUID}
    reading = StudyReading.model_validate(job.reading)
    assert len(reading.series.slices) == SLICES
    assert reading.findings
    assert job.series_choice
    assert job.series_choice["verdicts"][0]["chosen"]

    _receive_more_and_supersede(agent, pacs, tmp_path)


def _receive_more_and_supersede(agent: AgentFolder, pacs: CountingPacs, folder: Path) -> None:
    """One more series of the study arrives late: new documents that name the old ones."""
    old = set(pacs.stored)
    late = dcmread(next((folder / "phantom").rglob("*.dcm")))
    late.SeriesInstanceUID, late.SOPInstanceUID = "1.2.3.4.5", "1.2.3.4.6"
    late.file_meta.MediaStorageSOPInstanceUID = late.SOPInstanceUID
    late.save_as(folder / "late.dcm")
    _receive(agent, [folder / "late.dcm"])
    job = agent.wait_for_job("done", "failed", "no_result", index=1, timeout_s=200)
    assert job.state == "done", job.error
    new = [pacs.stored[uid] for uid in set(pacs.stored) - old]
    assert len(new) == 2
    named = {
        instance.ReferencedSOPInstanceUID
        for document in new
        for study in document.PredecessorDocumentsSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    assert named == old


def test_one_slice_is_told_to_be_too_few(working: tuple[AgentFolder, CountingPacs], tmp_path: Path) -> None:
    agent, pacs = working
    _receive(agent, phantom_study(tmp_path / "phantom", slices=SLICES)[:1])
    job = agent.wait_for_job("done", "failed", "no_result", timeout_s=60)
    assert (job.state, job.reading) == ("no_result", None)
    assert "1 slice" in job.error
    (document,) = pacs.stored.values()
    assert document.SOPClassUID == BasicTextSRStorage
