"""Which study is the prior: of the same patient beyond doubt, earlier for certain, and read by the same model."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from sqlalchemy import delete, select

from pacs_agent.archive import Archive, instance_header, split_part10
from pacs_agent.assemble import image_digests, input_digest
from pacs_agent.config import ResultsSettings, Settings
from pacs_agent.db import Database, Job, JobState, Patient, ResultObject, Study
from pacs_agent.inference import StudyReading
from pacs_agent.inference.reading import SincePrior
from pacs_agent.pipeline import prior
from pacs_agent.pipeline.beyond_doubt import NO_BIRTH_DATE, OTHER_PERSON
from pacs_agent.pipeline.msvlm import MsVlm
from pacs_agent.pipeline.prior import NOT_KEPT, choose_prior, compared
from pacs_agent.pipeline.stages import Choice, kept, parted
from pacs_agent.pipeline.steps import Steps
from pacs_agent.results.uids import derived_uid
from tests.unit.imaging.imaging_slices import stack
from tests.unit.inference.tiny_bundle import settings_of, write_bundle
from tests.unit.review.read_studies import ReadStudy

MODEL = "msvlm-thorax-demo 0.1.0"


class Studies:
    """Studies of one patient, each read once."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.archive = Archive(database, folder)

    def add(self, date: str, time: str = "", bundle: str = MODEL, **of_job: Any) -> ReadStudy:
        study = ReadStudy(self.database, self.archive)
        with self.database.writing() as session:
            job = session.get_one(Job, study.job_id)
            job.study.study_date, job.study.study_time, job.bundle = date, time, bundle
            for name, value in of_job.items():
                setattr(job, name, value)
        return study

    def chosen(self, of: ReadStudy) -> SincePrior | None:
        with self.database.reading() as session:
            return choose_prior(session, self.archive, of.job_id, MODEL)

    def uid(self, of: ReadStudy) -> str:
        found = self.chosen(of)
        return found.prior.study_instance_uid if found and found.prior else ""


@pytest.fixture
def studies(database: Database, tmp_path: Path) -> Studies:
    return Studies(database, tmp_path / "archive")


def test_the_latest_earlier_study_is_the_prior(studies: Studies) -> None:
    now = studies.add("20260102")
    assert studies.chosen(now) is None
    studies.add("20240503")
    latest = studies.add("20250503", "101112")
    studies.add("20260103")
    assert studies.uid(now) == latest.uid


@pytest.mark.parametrize(
    ("now", "then", "is_prior"),
    [
        (("20260102", "1130"), ("20260102", "1029"), True),
        (("20260102", "1029"), ("20260102", "1130"), False),
        (("20260102", ""), ("20260102", "1029"), False),
        (("20260102", "1029"), ("20260102", ""), False),
        (("20260102", ""), ("", ""), False),
        (("20260102", ""), ("20251399", ""), False),
        (("", ""), ("20250102", ""), False),
    ],
)
def test_what_is_not_earlier_for_certain_is_no_prior(
    studies: Studies, now: tuple[str, str], then: tuple[str, str], is_prior: bool
) -> None:
    read = studies.add(*now)
    studies.add(*then)
    assert (studies.chosen(read) is not None) == is_prior


@pytest.mark.parametrize(
    "changed",
    [
        {"bundle": "msvlm-pelvis 0.1.0"},
        {"pipeline": "shadow"},
        {"state": JobState.FAILED},
        {"state": JobState.CANCELED},
    ],
)
def test_what_this_model_came_to_no_result_of_is_no_prior(studies: Studies, changed: dict[str, Any]) -> None:
    now = studies.add("20260102")
    studies.add("20250503", **changed)
    assert studies.chosen(now) is None


@pytest.mark.parametrize("pipeline", ["msvlm:msvlm-thorax-demo", "msvlm:msvlm-thorax-demo-2"])
def test_what_the_model_read_is_the_prior_whichever_way_a_rule_named_it(studies: Studies, pipeline: str) -> None:
    now, then = studies.add("20260102"), studies.add("20250503", pipeline=pipeline)
    assert studies.uid(now) == then.uid
    with studies.database.writing() as session:
        session.get_one(Job, now.job_id).pipeline = "msvlm:msvlm-thorax-demo"
    assert studies.uid(now) == then.uid


def test_what_another_model_read_beside_it_since_takes_nothing_away(studies: Studies) -> None:
    now, then = studies.add("20260102"), studies.add("20250503")
    again = then.read()
    with studies.database.writing() as session:
        job = session.get_one(Job, again)
        job.pipeline, job.bundle = "msvlm:other", "other 1.0"
    assert studies.uid(now) == then.uid
    with studies.database.writing() as session:
        session.get_one(Job, again).pipeline = "msvlm"
    assert studies.chosen(now) is None, "what took the place of its reading is by another model"


def test_another_version_is_chosen_and_not_compared(studies: Studies) -> None:
    now, then = studies.add("20260102"), studies.add("20250503", bundle="msvlm-thorax-demo 0.0.9")
    assert studies.uid(now) == then.uid
    with studies.database.writing() as session:
        job = session.get_one(Job, then.job_id)
        assert job.reading
        job.reading = {**job.reading, "bundle": {**job.reading["bundle"], "version": "0.0.9", "digest": "ef" * 32}}
    since = _compared(studies, now).since_prior
    assert since
    assert "0.0.9" in since.not_compared
    assert since.findings == ()


def _compared(studies: Studies, of: ReadStudy) -> StudyReading:
    chosen = studies.chosen(of)
    assert chosen
    with studies.database.reading() as session:
        reading = StudyReading.model_validate(session.get_one(Job, of.job_id).reading)
    return compared(studies.database, reading, chosen.model_dump_json())


def test_the_reading_says_what_changed(studies: Studies) -> None:
    now, then = studies.add("20260102"), studies.add("20250503")
    since = _compared(studies, now).since_prior
    assert since
    assert since.prior
    assert (since.prior.study_instance_uid, since.prior.study_date) == (then.uid, "20250503")
    assert since.series_instance_uid == then.series_uid
    assert {one.change for one in since.findings} == {"unchanged"}
    assert all(each.sop_instance_uid.startswith(then.series_uid) for one in since.findings for each in one.prior_slices)


def test_a_prior_whose_reading_is_gone_is_not_compared(studies: Studies) -> None:
    now, then = studies.add("20260102"), studies.add("20250503")
    chosen = studies.chosen(now)
    assert chosen
    assert chosen.prior
    gone = chosen.model_copy(update={"prior": chosen.prior.model_copy(update={"job_id": "gone"})})
    with studies.database.reading() as session:
        reading = StudyReading.model_validate(session.get_one(Job, then.job_id).reading)
    since = compared(studies.database, reading, gone.model_dump_json()).since_prior
    assert since
    assert since.not_compared == NOT_KEPT
    assert compared(studies.database, reading, "") is reading


@pytest.mark.parametrize(
    ("changed", "doubt"),
    [
        ({"PatientBirthDate": "19520318"}, OTHER_PERSON),
        ({"PatientSex": "M"}, OTHER_PERSON),
        ({"PatientBirthDate": ""}, NO_BIRTH_DATE),
        ({"PatientSex": ""}, ""),
    ],
)
def test_a_study_of_somebody_else_is_not_named(
    studies: Studies, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], doubt: str
) -> None:
    now, then = studies.add("20260102"), studies.add("20250503")
    of_file = prior.first_header

    def header(archive: Archive, digests: list[str]) -> Dataset:
        found = of_file(archive, digests)
        for keyword, value in changed.items() if found.StudyInstanceUID == then.uid else ():
            setattr(found, keyword, value)
        return found

    monkeypatch.setattr(prior, "first_header", header)
    found = studies.chosen(now)
    assert found
    assert found.not_compared == doubt
    assert (found.prior is None) == bool(doubt)


def test_patients_without_an_id_or_of_another_issuer_are_not_compared(studies: Studies) -> None:
    now, then = studies.add("20260102"), studies.add("20250503")
    with studies.database.writing() as session:
        other = Patient(patient_id="4711", issuer="ELSEWHERE")
        session.add(other)
        session.query(Study).filter_by(study_instance_uid=then.uid).one().patient = other
    assert studies.chosen(now) is None
    with studies.database.writing() as session:
        for study in session.query(Study):
            study.patient = other
        session.merge(other).patient_id = ""
    assert studies.chosen(now) is None


@pytest.mark.parametrize("segmenter", ["", "ab"])
@pytest.mark.parametrize("chosen", ["", SincePrior(not_compared="a\nb").model_dump_json()])
@pytest.mark.parametrize("source", ["", "pacs"])
def test_what_the_workflow_keeps_of_a_choice_comes_back(segmenter: str, chosen: str, source: str) -> None:
    text = kept(Choice("m 1", {}, "digest\n{}", segmenter, prior=chosen, source=source))
    assert parted(text) == ("digest\n{}", segmenter, chosen, source)


class Site:
    """An archive, and jobs of the tiny model on studies of one patient."""

    def __init__(self, database: Database, folder: Path) -> None:
        bundle = write_bundle(folder / "bundles" / "tiny-1.0")
        self.database = database
        self.settings = Settings(data_dir=folder / "data", inference=settings_of(bundle, batch_slices=3))
        self.archive = Archive(database, folder / "data" / "archive")

    def receive(self, date: str) -> str:
        """A study of six slices; gives the id of its job, which is the date."""
        uid = derived_uid(date)
        for number, each in enumerate(stack(6)):
            each.StudyInstanceUID, each.SeriesInstanceUID = uid, f"{uid}.1"
            each.SOPInstanceUID = each.file_meta.MediaStorageSOPInstanceUID = f"{uid}.1.{number}"
            each.PatientBirthDate, each.PatientSex, each.StudyDate = "19520317", "F", date
            part10 = BytesIO()
            each.save_as(part10, enforce_file_format=True)
            self.archive.store(
                split_part10(part10.getvalue()), instance_header(each, ExplicitVRLittleEndian), source="test"
            )
        with self.database.writing() as session:
            study = session.scalars(select(Study).where(Study.study_instance_uid == uid)).one()
            digest = input_digest(image_digests(session, study.id))
            job = Job(id=date, study_pk=study.id, rule="ct", pipeline="msvlm", priority=1, destinations=[])
            job.input_digest, job.state = digest, JobState.RUNNING
            session.add(job)
        return date

    def tell(self, job_id: str, chosen: str = "", **results: Any) -> str:
        """Runs the steps of a job, or composes again; gives what the workflow keeps of the first."""
        settings = self.settings.model_copy(update={"results": ResultsSettings(**results)})
        steps = Steps(self.database, self.archive, {"msvlm": MsVlm(settings, self.archive)}, "Tests")
        chosen = chosen or steps.select_series(job_id, 1)
        earlier: dict[str, str] = {}
        earlier["select_series"], _, earlier["prior"], _ = parted(chosen)
        for step in ("encode_missing", "read_study", "weigh_evidence"):
            earlier[step] = getattr(steps, step)(job_id, 1, dict(earlier))
        steps.compose(job_id, 1, earlier)
        with self.database.writing() as session:
            session.get_one(Job, job_id).state = JobState.DONE
        return chosen

    def documents(self, job_id: str) -> list[bytes]:
        with self.database.reading() as session:
            rows = session.scalars(select(ResultObject).where(ResultObject.job_id == job_id).order_by(ResultObject.id))
            return [self.archive.path(row.digest).read_bytes() for row in rows]

    def forget_documents(self, job_id: str) -> None:
        with self.database.writing() as session:
            session.execute(delete(ResultObject).where(ResultObject.job_id == job_id))
            session.get_one(Job, job_id).state = JobState.RUNNING


def test_a_job_is_compared_with_the_prior_that_was_chosen_once(database: Database, tmp_path: Path) -> None:
    site = Site(database, tmp_path)
    site.tell(site.receive("20240101"))
    now, later = site.receive("20260102"), site.receive("20250503")
    chosen = site.tell(now)
    said = site.documents(now)
    for document in (dcmread(BytesIO(part10)) for part10 in said):
        prior_study = derived_uid("20240101")
        assert {one.StudyInstanceUID for one in document.get("PertinentOtherEvidenceSequence", [])} <= {prior_study}
        assert prior_study in str(document)
    site.tell(later)
    site.forget_documents(now)
    with site.database.writing() as session:
        session.get_one(Job, now).state = JobState.RUNNING
    site.tell(now, chosen)
    assert site.documents(now) == said


def test_nothing_changes_without_a_prior_or_where_none_is_looked_for(database: Database, tmp_path: Path) -> None:
    site = Site(database, tmp_path)
    now = site.receive("20260102")
    site.tell(now)
    alone = site.documents(now)
    site.tell(site.receive("20250503"))
    site.forget_documents(now)
    site.tell(now, compare_with_prior=False)
    assert site.documents(now) == alone
    with site.database.reading() as session:
        assert StudyReading.model_validate(session.get_one(Job, now).reading).since_prior is None
