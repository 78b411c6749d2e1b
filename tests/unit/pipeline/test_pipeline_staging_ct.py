"""Pipeline `staging` on CT of three phases: from the archive to what a PACS stores, judged, and the table of stacks."""

from pathlib import Path

import pytest
from pydicom.uid import Comprehensive3DSRStorage

from pacs_agent.archive import instance_header, split_part10
from pacs_agent.console.readings.sequences import sequences
from pacs_agent.console.studies.stacks import Stacks, images_of
from pacs_agent.db import Job
from pacs_agent.inference import Presence, StudyReading
from pacs_agent.pipeline import WorkerProcess
from pacs_agent.results import write_bytes
from pacs_agent.route import put_rules
from tests.integration.pacs import ALL_CLASSES, CountingPacs
from tests.integration.studies_at_work import AgentFolder
from tests.judges import errors, judge
from tests.unit.imaging.imaging_slices import STUDY_UID
from tests.unit.inference.tiny_bundle import settings_of
from tests.unit.inference.tiny_staging_ct import PHASES, SLICES, scan, trunk, write_ct_bundle


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> tuple[AgentFolder, Job, CountingPacs]:
    """An agent that has read the three phases, one of them with a lung kernel as well."""
    folder = tmp_path_factory.mktemp("ct")
    reader = write_ct_bundle(folder / "bundles" / "tiny-ct-1.0")
    fields = {"provider", "threads", "bundles_dir", "trusted_keys"}
    inference = settings_of(reader).model_dump(mode="json", include=fields)
    with CountingPacs(classes=ALL_CLASSES) as pacs:
        agent = AgentFolder(folder / "agent", inference=inference)
        agent.destination("pacs", "dimse", {**pacs.settings, "query": True})
        with agent.database.writing() as session:
            put_rules(session, "rules: [{name: ct, pipeline: staging, destinations: [pacs]}]", actor="test")
        sharp = scan(5, "Abd pv lung", PHASES["Abd pv 5.0"], ConvolutionKernel="B70f")
        for dataset in [*trunk(), *sharp]:
            encoded = split_part10(write_bytes(dataset))
            agent.archive.store(encoded, instance_header(dataset, encoded.transfer_syntax_uid), source="test")
        worker = WorkerProcess(agent.settings)
        worker.start()
        try:
            job = agent.wait_for_job("done", "failed", "no_result", timeout_s=120)
        finally:
            worker.stop()
    return agent, job, pacs


def test_every_phase_is_read_and_gives_evidence(read: tuple[AgentFolder, Job, CountingPacs]) -> None:
    _, job, _ = read
    assert job.state == "done", job.error
    reading = StudyReading.model_validate(job.reading)
    assert [(one.modality, one.description) for one in reading.all_series] == [("CT", name) for name in PHASES]
    tumour = reading.finding("tumour")
    assert tumour.presence is Presence.PRESENT
    assert {one.index // SLICES for one in tumour.evidence} == {1, 2}
    refused = [one for one in job.series_choice["verdicts"] if not one["chosen"]]
    assert [one["description"] for one in refused] == ["Abd pv lung"]
    assert refused[0]["code"] is None and "soft before sharp kernels" in refused[0]["reason"]


@pytest.mark.peers
@pytest.mark.slow
def test_the_result_refers_to_all_phases_and_the_judges_accept_it(
    read: tuple[AgentFolder, Job, CountingPacs], tmp_path: Path
) -> None:
    _, job, pacs = read
    [result] = [one for one in pacs.stored.values() if one.SOPClassUID == Comprehensive3DSRStorage]
    referenced = {
        item.SeriesInstanceUID
        for study in result.CurrentRequestedProcedureEvidenceSequence
        for item in study.ReferencedSeriesSequence
    }
    reading = StudyReading.model_validate(job.reading)
    assert {one.series_instance_uid for one in reading.all_series} <= referenced
    (tmp_path / "result.dcm").write_bytes(write_bytes(result))
    assert errors(judge(tmp_path / "result.dcm")) == []


def test_the_table_of_stacks_and_the_reading_show_the_phases(read: tuple[AgentFolder, Job, CountingPacs]) -> None:
    agent, job, _ = read
    with agent.database.reading() as session:
        images = images_of(session, STUDY_UID)
        assert images is not None
        shown = Stacks(agent.database, agent.archive).of(images).stacks
        words = sequences(session, agent.archive, StudyReading.model_validate(job.reading))
    assert [(one.phase.number, one.phase.count, one.contrast.value, one.kernel) for one in shown] == [
        (1, 3, "before", "B30f"),
        (2, 3, "after", "B30f"),
        (3, 3, "after", "B30f"),
        (3, 3, "after", "B70f"),
    ]
    assert words == ("CT", "CT arterial", "CT portal venous")
