"""The documents of a saved review: the same bytes each time, and words where they cannot be made."""

import shutil
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from sqlalchemy import delete, select

from pacs_agent.archive import Archive
from pacs_agent.db import Database, Job, ResultObject
from pacs_agent.pipeline import Documents, JobFailed
from pacs_agent.pipeline.review import ReviewDocuments
from pacs_agent.review import save_review
from tests.unit.review.read_studies import ACCEPT_NODULE, ADA, REJECT_EMPHYSEMA, ReadStudy

ORGANIZATION = "Klinikum Großstadt"


@pytest.fixture
def study(database: Database, tmp_path: Path) -> ReadStudy:
    return ReadStudy(database, Archive(database, tmp_path / "archive"))


def saved(study: ReadStudy, *, verify: bool = True) -> str:
    """The id of the job of a saved review."""
    asked = study.review(ACCEPT_NODULE, REJECT_EMPHYSEMA, study.added(), verify=verify)
    with study.database.writing() as session:
        save_review(session, study.uid, asked, ADA)
        return session.scalars(select(Job.id).where(Job.pipeline == "review")).one()


def compose(study: ReadStudy, job_id: str) -> Documents:
    return ReviewDocuments(study.database, study.archive, ORGANIZATION).compose(job_id)


def headers(documents: Documents) -> dict[str, Dataset]:
    return {one.kind: dcmread(DicomBytesIO(one.part10)) for one in documents.files}


def test_the_same_review_gives_the_same_bytes(study: ReadStudy) -> None:
    job_id = saved(study)
    assert compose(study, job_id) == compose(study, job_id)


def test_only_a_verified_review_gives_a_verified_report(study: ReadStudy) -> None:
    found = headers(compose(study, saved(study, verify=False)))
    assert list(found) == ["assessment"]
    assert found["assessment"].VerificationFlag == "UNVERIFIED"


def test_the_reviewer_verifies_in_the_name_of_the_organization(study: ReadStudy) -> None:
    (verifier,) = headers(compose(study, saved(study)))["verified_report"].VerifyingObserverSequence
    assert (verifier.VerifyingObserverName, verifier.VerifyingOrganization) == (ADA.person_name, ORGANIZATION)


def test_patient_and_study_are_those_of_the_images(study: ReadStudy) -> None:
    for document in headers(compose(study, saved(study))).values():
        assert (document.PatientName, document.PatientID) == ("Müller^Änne", "4711")
        assert (document.StudyInstanceUID, document.AccessionNumber) == (study.uid, "A2026-17")


def test_a_job_without_its_review_fails_in_words(study: ReadStudy) -> None:
    with pytest.raises(JobFailed, match="belongs to no review"):
        compose(study, study.job_id)


def test_a_reading_without_its_objects_fails_in_words(study: ReadStudy) -> None:
    job_id = saved(study)
    with study.database.writing() as session:
        session.execute(delete(ResultObject).where(ResultObject.kind == "draft_report"))
    with pytest.raises(JobFailed, match="has no draft_report"):
        compose(study, job_id)


def test_a_study_whose_files_are_gone_fails_in_words(study: ReadStudy, tmp_path: Path) -> None:
    job_id = saved(study)
    shutil.rmtree(tmp_path / "archive")
    with pytest.raises(JobFailed, match="send the study again"):
        compose(study, job_id)
