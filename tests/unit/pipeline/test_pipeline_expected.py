"""A job reads among what its rules expect, says what of it has not come, and says only that where it is told to."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from sqlalchemy import select

from models.phantoms.pelvis import generate_pelvis
from models.phantoms.pelvis.dicom import write_study
from pacs_agent.archive import Archive, instance_header, split_part10
from pacs_agent.assemble import force, image_digests
from pacs_agent.config import Settings
from pacs_agent.db import Database, Job, JobState, ResultObject, Study
from pacs_agent.imaging import UnusableSlice, read_headers, slices_ahead
from pacs_agent.inference import EncoderInput, StudyReading, token_key
from pacs_agent.pipeline.errors import NothingToSay
from pacs_agent.pipeline.msvlm import MsVlm
from pacs_agent.pipeline.steps import Steps
from pacs_agent.route import put_rules
from tests.unit.imaging.imaging_slices import gradient, saved
from tests.unit.imaging.mr_acquisitions import EPI, enhanced_mr, frame_at, item, shared_axial
from tests.unit.inference.tiny_bundle import settings_of, write_bundle
from tests.unit.pipeline.rehearsing import Rehearsing
from tests.unit.pipeline.steps_done import steps_done

STEPS = ("encode_missing", "read_study", "weigh_evidence")
MR = {
    "modalities": ["MR"],
    "body_parts": ["PELVIS"],
    "planes": ["axial", "sagittal", "coronal", "oblique"],
    "min_slices": 2,
    "max_slices": 200,
    "min_thickness_mm": 0.5,
    "max_thickness_mm": 12,
    "min_coverage_mm": 1,
}


@pytest.fixture(scope="session")
def pelvis(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """T2 in three planes, DWI of two b-values in one series, ADC and T1."""
    return write_study(generate_pelvis(3, fineness=0.1, voxel_mm=3.0), tmp_path_factory.mktemp("pelvis"))


class Site:
    """An archive, a model that reads pelvic MR in every plane, and the steps of a worker."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        bundle = write_bundle(folder / "bundles" / "tiny-1.0", accepts=MR)
        self.settings = Settings(data_dir=folder / "data", inference=settings_of(bundle))
        self.archive = Archive(database, folder / "data" / "archive")
        self.stages = MsVlm(self.settings, self.archive)
        self.steps = Steps(database, self.archive, {"msvlm": self.stages}, "Tests")

    def receive(self, files: list[Path]) -> None:
        for path in files:
            encoded = split_part10(path.read_bytes())
            header = instance_header(dcmread(path, stop_before_pixels=True), encoded.transfer_syntax_uid)
            self.archive.store(encoded, header, source="test")

    def rules(self, *series: str, optional: str = "") -> None:
        wanted = ", ".join(f"{{stack: {{{one}}}}}" for one in series)
        expects = f"{{series: [{wanted}], optional: [{optional}]}}"
        self.put(f"rules: [{{name: mr, pipeline: msvlm, expects: {expects}}}]")

    def put(self, rules: str) -> None:
        with self.database.writing() as session:
            put_rules(session, rules, actor="test")

    def job(self) -> Job:
        """The job of the study as it is now, just begun."""
        [job] = self.jobs()
        return job

    def jobs(self) -> list[Job]:
        """The jobs that the study becomes now, just begun."""
        ids = force(self.database, self.archive, self.study().study_instance_uid, actor="test").jobs
        assert all(self.steps.begin(job_id, 1) for job_id in ids if self.known(job_id).pipeline != "other")
        return [self.known(job_id) for job_id in ids]

    def study(self) -> Study:
        with self.database.reading() as session:
            return session.scalars(select(Study)).one()

    def encode(self) -> None:
        """Encodes all slices, as reading ahead does."""
        with self.database.reading() as session:
            paths = [self.archive.path(digest) for digest in image_digests(session, self.study().id)]
        [reader] = self.stages.readers()
        slices = [one for each in read_headers(paths) for one in slices_ahead(each, reader.bundle.accepts)]
        for one, decoded in zip(slices, reader.encoder.decode_each(slices), strict=True):
            assert not isinstance(decoded, UnusableSlice)
            reader.encoder.encode([EncoderInput(decoded, one, token_key(decoded, one))])

    def rehearse(self) -> None:
        assert Rehearsing(self.archive, self.stages.jobs, {"msvlm": self.stages}).rehearse(self.study().id)

    def done(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The steps that are done from now on, and not found."""
        return steps_done(self.stages, monkeypatch)

    def known(self, job_id: str) -> Job:
        with self.database.reading() as session:
            return session.get_one(Job, job_id)

    def read(self, job_id: str) -> StudyReading:
        """What a job says, by all its steps."""
        earlier = {"select_series": self.steps.select_series(job_id, 1)}
        for step in STEPS:
            earlier[step] = getattr(self.steps, step)(job_id, 1, dict(earlier))
        self.steps.compose(job_id, 1, earlier)
        return StudyReading.model_validate(self.known(job_id).reading)

    def documents(self, job_id: str) -> dict[str, Dataset]:
        with self.database.reading() as session:
            rows = session.scalars(select(ResultObject).where(ResultObject.job_id == job_id)).all()
            return {row.kind: self.archive.read(row.digest) for row in rows}


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    return Site(database, tmp_path)


@pytest.mark.parametrize(
    ("wanted", "description", "plane"),
    [
        ("weighting: T2, plane: axial", "t2_tse_tra", "axial"),
        ("weighting: T2, plane: sagittal", "t2_tse_sag", "sagittal"),
        ("weighting: T2, plane: coronal", "t2_tse_cor", "coronal"),
        ("weighting: ADC", "ep2d_diff_tra_ADC", "axial"),
    ],
)
def test_of_a_study_in_three_planes_the_one_that_is_wanted_is_read(
    site: Site, pelvis: list[Path], wanted: str, description: str, plane: str
) -> None:
    site.receive(pelvis)
    site.rules(wanted)
    job = site.job()
    reading = site.read(job.id)
    assert (reading.series.description, reading.series.plane) == (description, plane)
    choice = site.known(job.id).series_choice or {}
    assert [one["description"] for one in choice["verdicts"] if one["code"] != "not_expected"] == [description]
    assert (site.known(job.id).lacks, site.known(job.id).error) == ("", "")


def test_of_a_series_of_two_b_values_one_is_read(site: Site, pelvis: list[Path]) -> None:
    site.receive(pelvis)
    site.rules("weighting: DWI, b_value: {min: 600}")
    reading = site.read(site.job().id)
    read = {one.sop_instance_uid for one in reading.series.slices}
    headers = [dcmread(path, stop_before_pixels=True) for path in pelvis]
    assert {str(one.SOPInstanceUID) for one in headers if one.get("DiffusionBValue") == 1000} == read


def test_of_an_enhanced_image_of_two_b_values_the_frames_of_one_are_read_and_named(site: Site, tmp_path: Path) -> None:
    frames = [
        frame_at(3.0 * place, MRDiffusionSequence=item(DiffusionBValue=b_value))
        for place in range(4)
        for b_value in (0.0, 1000.0)
    ]
    pixels = np.stack([gradient(first=3000 + number) for number in range(len(frames))])
    site.receive(saved([enhanced_mr(frames, shared_axial(), pixels=pixels, **EPI)], tmp_path))
    site.rules("weighting: DWI, b_value: {min: 600}")
    job = site.job()
    reading = site.read(job.id)
    assert [one.frame_number for one in reading.series.slices] == [2, 4, 6, 8]
    elements = site.documents(job.id)["ai_result"].iterall()
    named = [int(one.value) for one in elements if one.keyword == "ReferencedFrameNumber"]
    assert named
    assert set(named) <= {2, 4, 6, 8}


def test_what_has_not_come_is_said_with_the_reading(site: Site, pelvis: list[Path]) -> None:
    site.receive([path for path in pelvis if "S06" not in path.name])
    site.rules("weighting: T2, plane: axial", "weighting: ADC")
    job = site.job()
    assert site.read(job.id).series.description == "t2_tse_tra"
    said = "Expected, and has not come: a series with a stack of weighting ADC."
    assert site.known(job.id).lacks == said
    assert said in site.documents(job.id)["draft_report"].to_json()


def test_without_anything_that_is_expected_any_series_is_read(site: Site, pelvis: list[Path]) -> None:
    site.receive([path for path in pelvis if "S02" in path.name])
    site.rules("weighting: T2, plane: axial", optional="{stack: {weighting: ADC}}")
    job = site.job()
    assert site.read(job.id).series.description == "t2_tse_sag"
    assert "has not come" in site.known(job.id).lacks


def test_what_was_rehearsed_under_other_limits_is_not_what_a_job_reads(site: Site, pelvis: list[Path]) -> None:
    site.receive(pelvis)
    site.encode()
    for earlier in (("weighting: T2, plane: sagittal",), ("weighting: T1", "weighting: DWI, b_value: {min: 4000}")):
        site.rules(*earlier)
        site.rehearse()
    site.rules("weighting: T2, plane: coronal")
    assert site.read(site.job().id).series.description == "t2_tse_cor"


def test_a_rehearsal_reads_within_the_limits_of_its_job(
    site: Site, pelvis: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.receive(pelvis)
    site.encode()
    site.rules("weighting: T2, plane: coronal", optional="{stack: {weighting: ADC}}")
    site.rehearse()
    done = site.done(monkeypatch)
    assert site.read(site.job().id).series.description == "t2_tse_cor"
    assert done == []


def test_while_something_expected_has_not_come_nothing_is_rehearsed(
    site: Site, pelvis: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [path for path in pelvis if "S06" not in path.name]
    site.receive(first)
    site.encode()
    site.rules("weighting: ADC")
    done = site.done(monkeypatch)
    site.rehearse()
    assert done == []
    site.receive(pelvis)
    site.encode()
    site.rehearse()
    assert done == ["_choose", "_encode_missing", "_read_study", "_weigh_evidence", "_describe"]
    assert site.read(site.job().id).series.description == "ep2d_diff_tra_ADC"
    assert len(done) == 5, "the job does nothing again"


def test_the_jobs_of_two_models_are_rehearsed_each(
    site: Site, pelvis: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.receive(pelvis)
    site.encode()
    rule = "{{name: {0}, pipeline: '{1}', continue: true, expects: {{series: [{{stack: {{{2}}}}}]}}}}"
    rules = (
        rule.format("a", "msvlm:tiny", "weighting: T2, plane: axial"),
        rule.format("b", "msvlm", "weighting: ADC"),
        rule.format("c", "other", "weighting: T1"),
    )
    site.put(f"rules: [{', '.join(rules)}]")
    site.rehearse()
    done = site.done(monkeypatch)
    ids = {job.pipeline: job.id for job in site.jobs()}
    assert site.read(ids["msvlm:tiny"]).series.description == "t2_tse_tra"
    assert site.read(ids["msvlm"]).series.description == "ep2d_diff_tra_ADC"
    assert done == []


def test_a_job_that_reports_says_what_is_missing_and_asks_no_model(site: Site, pelvis: list[Path]) -> None:
    site.receive(pelvis[:30])
    site.rules("weighting: ADC")
    job = site.job()
    with site.database.writing() as session:
        row = session.get_one(Job, job.id)
        row.expected = {**(row.expected or {}), "is_reported": True}
    with pytest.raises(NothingToSay) as why:
        site.steps.select_series(job.id, 1)
    said = "expected, and has not come: a series with a stack of weighting ADC"
    assert (why.value.code, why.value.reason, why.value.bundle) == ("missing_series", said, "")
    site.steps.compose_no_result(job.id, 1, why.value.code, why.value.reason, why.value.bundle)
    told = site.known(job.id)
    assert (told.state, told.error, told.lacks, told.bundle) == (JobState.RUNNING, said, "", "")
    documents = site.documents(job.id)
    assert list(documents) == ["no_result"]
    assert f"No AI result for this study: {said}" in documents["no_result"].to_json()
