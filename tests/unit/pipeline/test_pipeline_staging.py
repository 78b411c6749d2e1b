"""Pipeline `staging`: all MR series of a study are read together, from the archive to what a PACS stores."""

from pathlib import Path

import pytest
from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    KeyObjectSelectionDocumentStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
)
from sqlalchemy import select

from pacs_agent.ahead import AheadOfStudy, ahead_of_study
from pacs_agent.assemble import force
from pacs_agent.console.queue.expected import expectations_of
from pacs_agent.db import Study
from pacs_agent.imaging import ReasonCode
from pacs_agent.inference import StudyReading
from pacs_agent.pipeline import WorkerProcess
from pacs_agent.route import put_rules
from tests.integration.pacs import ALL_CLASSES, CountingPacs
from tests.integration.studies_at_work import until
from tests.unit.imaging.imaging_slices import stack
from tests.unit.inference.tiny_staging import pelvis
from tests.unit.pipeline.staging_agent import read, receive, staging_agent


@pytest.mark.parametrize("pipeline", ["staging", "staging:tiny-staging"])
def test_all_series_of_a_study_are_read_together(pipeline: str, tmp_path: Path) -> None:
    with CountingPacs(classes=ALL_CLASSES) as pacs:
        agent = staging_agent(tmp_path, pacs, pipeline)
        job = read(agent, pelvis())
    assert job.state == "done", job.error
    assert job.bundle == "tiny-staging 1.0"
    reading = StudyReading.model_validate(job.reading)
    assert [len(one.slices) for one in reading.all_series] == [6, 3]
    assert [one["chosen"] for one in job.series_choice["verdicts"]] == [True, True]
    stored = sorted(one.SOPClassUID for one in pacs.stored.values())
    assert Comprehensive3DSRStorage in stored and len(stored) == 2
    (result,) = (one for one in pacs.stored.values() if one.SOPClassUID == Comprehensive3DSRStorage)
    referenced = {
        item.SeriesInstanceUID
        for study in result.CurrentRequestedProcedureEvidenceSequence
        for item in study.ReferencedSeriesSequence
    }
    assert {one.series_instance_uid for one in reading.all_series} <= referenced


def test_its_stacks_are_encoded_before_the_study_is_complete(tmp_path: Path) -> None:
    def ahead() -> AheadOfStudy | None:
        with agent.database.reading() as session:
            return ahead_of_study(session, session.scalars(select(Study.id)).one())

    with CountingPacs(classes=ALL_CLASSES) as pacs:
        agent = staging_agent(tmp_path, pacs, quiet_s=3600)
        datasets = pelvis()
        receive(agent, datasets)
        worker = WorkerProcess(agent.settings)
        worker.start()
        try:
            until(lambda: (found := ahead()) and found.encoded == len(datasets), 200, ahead)
            assert agent.jobs() == []
            force(agent.database, agent.archive, datasets[0].StudyInstanceUID, actor="test")
            assert agent.wait_for_job("done", "failed", "no_result", timeout_s=200).state == "done"
            until(lambda: (found := ahead()) and found.used == len(datasets), 200, ahead)
        finally:
            worker.stop()


def test_a_part_of_the_series_is_read_as_well(tmp_path: Path) -> None:
    with CountingPacs(classes=ALL_CLASSES) as pacs:
        job = read(staging_agent(tmp_path, pacs), pelvis(sagittal=False))
    assert job.state == "done", job.error
    assert StudyReading.model_validate(job.reading).further_series == ()
    assert job.series_choice["lacks"] == []


def test_key_objects_and_a_summary_go_along_where_they_are_wanted(tmp_path: Path) -> None:
    beside = (KeyObjectSelectionDocumentStorage, SecondaryCaptureImageStorage)
    with CountingPacs(classes=(*ALL_CLASSES, *beside)) as pacs:
        job = read(staging_agent(tmp_path, pacs, key_objects=True, secondary_capture=True), pelvis())
    assert job.state == "done" and not job.lacks, (job.error, job.lacks)
    stated = [one for one in StudyReading.model_validate(job.reading).findings if one.evidence]
    stored = [str(one.SOPClassUID) for one in pacs.stored.values()]
    assert [stored.count(one) for one in beside] == [len(stated), 1]


def test_what_a_rule_expects_is_read_and_shown_as_read(tmp_path: Path) -> None:
    with CountingPacs(classes=ALL_CLASSES) as pacs:
        agent = staging_agent(tmp_path, pacs)
        sagittal = "{attribute: SeriesDescription, equals: t2_tse_sag}"
        text = f"rules: [{{name: all, pipeline: staging, destinations: [pacs], expects: {{series: [{sagittal}]}}}}]"
        with agent.database.writing() as session:
            put_rules(session, text, actor="test")
        job = read(agent, pelvis())
    assert job.state == "done", job.error
    assert [one.description for one in StudyReading.model_validate(job.reading).all_series] == ["t2_tse_sag"]
    (shown,) = expectations_of(job)
    assert [one.is_read for one in shown.met_by] == [True]


def test_corrections_of_the_rules_say_what_a_series_is(tmp_path: Path) -> None:
    with CountingPacs(classes=ALL_CLASSES) as pacs:
        agent = staging_agent(tmp_path, pacs)
        when = "{attribute: SeriesDescription, equals: t2_tse_sag}"
        correction = f"{{name: scouts, when: {when}, is: {{weighting: localizer}}}}"
        with agent.database.writing() as session:
            put_rules(session, f"corrections: [{correction}]\nrules: [{{name: all, pipeline: staging}}]", actor="test")
        job = read(agent, pelvis())
    assert [one.description for one in StudyReading.model_validate(job.reading).all_series] == ["t2_tse_tra"]


def test_a_study_without_a_readable_series_is_told_so(tmp_path: Path) -> None:
    with CountingPacs(classes=ALL_CLASSES) as pacs:
        agent = staging_agent(tmp_path, pacs)
        job = read(agent, stack(6))
    assert job.state == "no_result"
    assert job.series_choice["code"] == ReasonCode.WRONG_MODALITY
    (told,) = pacs.stored.values()
    assert told.SOPClassUID == BasicTextSRStorage


def test_the_other_pipeline_does_not_take_its_models(tmp_path: Path) -> None:
    with CountingPacs(classes=ALL_CLASSES) as pacs:
        job = read(staging_agent(tmp_path, pacs, "msvlm:tiny-staging"), pelvis())
    assert job.state == "failed"
    assert "no model tiny-staging is in use" in (job.error or "")


def test_maps_are_made_of_each_series_that_shows_a_finding(tmp_path: Path) -> None:
    with CountingPacs(classes=(*ALL_CLASSES, ParametricMapStorage)) as pacs:
        job = read(staging_agent(tmp_path, pacs, saliency_maps="patches"), pelvis())
    assert job.state == "done" and not job.lacks, (job.error, job.lacks)
    maps = StudyReading.model_validate(job.reading).saliency_maps
    assert {"tumour", "t_stage"} <= {one.finding for one in maps}
    assert sum(one.SOPClassUID == ParametricMapStorage for one in pacs.stored.values()) == len(maps)
