"""Several models in one agent: each reads the studies that it accepts, and two read one study where rules say so."""

from pathlib import Path

import pytest
from pydicom import dcmread
from sqlalchemy import select, update

from models.phantoms.pelvis import generate_pelvis
from models.phantoms.pelvis.dicom import write_study
from pacs_agent.archive import Archive, instance_header, split_part10
from pacs_agent.assemble import force
from pacs_agent.config import Settings
from pacs_agent.db import Database, Job, JobState, ResultObject, Study
from pacs_agent.inference import StudyReading
from pacs_agent.pipeline.errors import JobFailed
from pacs_agent.pipeline.msvlm import MsVlm
from pacs_agent.pipeline.steps import Steps
from pacs_agent.route import WrongRules, put_rules
from tests.unit.imaging.imaging_slices import saved, stack
from tests.unit.inference.tiny_bundle import settings_of, write_bundle
from tests.unit.pipeline.test_pipeline_expected import MR

STEPS = ("encode_missing", "read_study", "weigh_evidence")
BOTH = """rules:
- {name: stage, pipeline: "msvlm:stage", continue: true, expects: {series: [{stack: {weighting: T2, plane: axial}}]}}
- {name: spread, pipeline: "msvlm:spread", continue: true, expects: {series: [{stack: {weighting: ADC}}]}}
"""


@pytest.fixture(scope="module")
def pelvis(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """T2 in three planes, DWI, ADC and T1."""
    return write_study(generate_pelvis(3, fineness=0.1, voxel_mm=3.0), tmp_path_factory.mktemp("pelvis"))


class Site:
    """An archive and the steps of a worker with three models: one for chest CT, two for pelvic MR."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        for number, (name, changes) in enumerate(
            {"chest": {}, "stage": {"accepts": MR}, "spread": {"accepts": MR}}.items()
        ):
            bundle = write_bundle(
                folder / "bundles" / f"{name}-1.0", name=name, device_uid=f"2.25.{number + 1}", **changes
            )
        settings = Settings(data_dir=folder / "data", inference=settings_of(bundle))
        self.archive = Archive(database, folder / "data" / "archive")
        self.steps = Steps(database, self.archive, {"msvlm": MsVlm(settings, self.archive)}, "Tests")

    def rules(self, text: str) -> None:
        with self.database.writing() as session:
            put_rules(session, text, actor="test")

    def receive(self, files: list[Path]) -> str:
        """Archives images of one study; its Study Instance UID."""
        for path in files:
            encoded = split_part10(path.read_bytes())
            header = instance_header(dcmread(path, stop_before_pixels=True), encoded.transfer_syntax_uid)
            self.archive.store(encoded, header, source="test")
        return str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)

    def read(self, study: str) -> dict[str, StudyReading]:
        """What the jobs of a study say as it is now, by their pipelines."""
        return {job.pipeline: self.tell(job) for job in self.new_jobs(study)}

    def new_jobs(self, study: str) -> list[Job]:
        ids = force(self.database, self.archive, study, actor="test").jobs
        with self.database.reading() as session:
            return [session.get_one(Job, one) for one in ids]

    def tell(self, job: Job) -> StudyReading:
        assert self.steps.begin(job.id, 1)
        earlier = {"select_series": self.steps.select_series(job.id, 1)}
        for step in STEPS:
            earlier[step] = getattr(self.steps, step)(job.id, 1, dict(earlier))
        self.steps.compose(job.id, 1, earlier)
        with self.database.writing() as session:
            session.execute(update(Job).where(Job.id == job.id).values(state=JobState.DONE))
            return StudyReading.model_validate(session.get_one(Job, job.id).reading)


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    return Site(database, tmp_path)


def test_each_study_is_read_by_the_model_that_accepts_it(site: Site, pelvis: list[Path], tmp_path: Path) -> None:
    site.rules("rules: [{name: all, pipeline: msvlm}]")
    ct, mr = site.receive(saved(stack(6), tmp_path)), site.receive(pelvis)
    assert site.read(ct)["msvlm"].bundle.name == "chest"
    assert site.read(mr)["msvlm"].bundle.name in ("stage", "spread")


def test_two_models_read_one_study_and_each_says_so_itself(site: Site, pelvis: list[Path]) -> None:
    site.rules(BOTH)
    study = site.receive(pelvis)
    found = site.read(study)
    assert {pipeline: (said.bundle.name, said.series.description) for pipeline, said in found.items()} == {
        "msvlm:stage": ("stage", "t2_tse_tra"),
        "msvlm:spread": ("spread", "ep2d_diff_tra_ADC"),
    }
    with site.database.reading() as session:
        made = session.execute(select(ResultObject.job_id, ResultObject.kind, ResultObject.sop_instance_uid)).all()
    assert len({uid for *_, uid in made}) == len(made) == 4, "an AI result and a draft report of each"
    assert force(site.database, site.archive, study, actor="test").jobs == ()


def test_late_images_supersede_each_models_own_result(site: Site, pelvis: list[Path]) -> None:
    site.rules(BOTH)
    study = site.receive([path for path in pelvis if "S08" not in path.name])
    site.read(study)
    site.receive(pelvis)
    later = site.new_jobs(study)
    with site.database.reading() as session:
        pipelines = {job.pipeline: session.get_one(Job, job.supersedes_id).pipeline for job in later}
        assert session.scalars(select(Study.state)).one() == "complete"
    assert pipelines == {"msvlm:stage": "msvlm:stage", "msvlm:spread": "msvlm:spread"}


def test_a_model_that_is_not_in_use_is_named(site: Site, pelvis: list[Path]) -> None:
    site.rules('rules: [{name: a, pipeline: "msvlm:liver"}]')
    [job] = site.new_jobs(site.receive(pelvis))
    with pytest.raises(JobFailed, match="no model liver is in use"):
        site.tell(job)


@pytest.mark.parametrize("pipeline", ["shadow:chest", "review", "msvlm:", ":chest", "msvlm:a:b", "msvlm: a"])
def test_what_is_no_pipeline_is_refused(site: Site, pipeline: str) -> None:
    with pytest.raises(WrongRules, match=r"pipeline|pattern"):
        site.rules(f'rules: [{{name: a, pipeline: "{pipeline}"}}]')
