"""The prior study: the latest earlier one of the same patient that a version of the same model has read here.

It is chosen once, with the series, and the workflow keeps the choice: whatever is read meanwhile, documents that are
composed again are the same. A study that may be of somebody else is never named, not even as a reason.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from pydicom.dataset import Dataset
from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.archive import UNREADABLE_FILE, Archive, NotArchived
from pacs_agent.assemble import image_digests
from pacs_agent.db import Database, Job, JobState, ResultObject, Study
from pacs_agent.inference.reading import PriorStudy, SincePrior, StudyReading
from pacs_agent.results import ObjectKind, since_prior

NO_BIRTH_DATE = "An earlier study has the same Patient ID, but one of the two has no birth date. It is not compared."
OTHER_PERSON = "An earlier study has the same Patient ID, but another birth date or sex. It is not compared."
NOT_KEPT = "Its reading is not kept any more."

_TIME = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")


class _Candidate(NamedTuple):
    """An earlier study, the job that read it last, and the digest of its AI result."""

    study: Study
    job_id: str
    ai_result: str


def choose_prior(session: Session, archive: Archive, job_id: str, bundle: str) -> SincePrior | None:
    """The prior of a job's study, still without changes, or why there is doubt about it; None where there is none.

    `bundle`: name and version of the model that reads the study. The patient is the same where Patient ID and issuer
    are, the birth date is known in both and the same, and the sex does not differ (PS3.3 C.7.1.1).
    """
    job = session.get(Job, job_id)  # gone where its study was removed meanwhile
    if job is None or not job.study.patient.patient_id.strip():
        return None
    found = next(_candidates(session, job, bundle), None)
    if found is None:
        return None
    doubt = _doubt(_header(archive, image_digests(session, job.study_pk)), _header(archive, (found.ai_result,)))
    if doubt:
        return SincePrior(not_compared=doubt)
    study = found.study
    uid, date = study.study_instance_uid, study.study_date
    return SincePrior(prior=PriorStudy(study_instance_uid=uid, study_date=date, job_id=found.job_id))


def compared(database: Database, reading: StudyReading, chosen: str) -> StudyReading:
    """The reading with what changed since the prior that was chosen, a SincePrior as JSON; empty where none was."""
    if not chosen:
        return reading
    since = SincePrior.model_validate_json(chosen)
    if since.prior is not None:
        since = _since(database, reading, since.prior)
    return reading.model_copy(update={"since_prior": since})


def _since(database: Database, reading: StudyReading, prior: PriorStudy) -> SincePrior:
    with database.reading() as session:
        kept = session.scalar(select(Job.reading).where(Job.id == prior.job_id))
    if kept is None:
        return SincePrior(prior=prior, not_compared=NOT_KEPT)
    return since_prior(reading, StudyReading.model_validate(kept), prior)


def _candidates(session: Session, job: Job, bundle: str) -> Iterator[_Candidate]:
    """Earlier studies of the patient that the model's versions have read, the latest first."""
    now = _when(job.study)
    if now is None:
        return
    same_patient = select(Study).where(Study.patient_pk == job.study.patient_pk, Study.id != job.study_pk)
    dated = {study: at for study in session.scalars(same_patient) if (at := _when(study)) is not None}
    for study in sorted(dated, key=lambda one: dated[one], reverse=True):
        if _is_earlier(dated[study], now) and (read := _newest_reading(session, study, job.pipeline, bundle)):
            yield _Candidate(study, *read)


def _newest_reading(session: Session, study: Study, pipeline: str, bundle: str) -> tuple[str, str] | None:
    """The job that read a study last, and the digest of its AI result; None where it came to no result."""
    ended = (JobState.DELIVERING, JobState.DONE, JobState.NO_RESULT)
    jobs = select(Job.id, Job.bundle, ResultObject.digest).outerjoin(
        ResultObject, (ResultObject.job_id == Job.id) & (ResultObject.kind == ObjectKind.AI_RESULT)
    )
    of_study = jobs.where(Job.study_pk == study.id, Job.pipeline == pipeline, Job.state.in_(ended))
    newest = session.execute(of_study.order_by(Job.created_at.desc(), Job.id).limit(1)).one_or_none()
    if newest is None or newest.digest is None or _model(newest.bundle) != _model(bundle):
        return None
    return newest.id, newest.digest


def _model(bundle: str) -> str:
    """The name alone, of name and version."""
    return bundle.rpartition(" ")[0]


def _when(study: Study) -> tuple[str, str] | None:
    """Date and time of a study; None where the date is none. PS3.5 6.2, DA and TM."""
    try:
        datetime.strptime(study.study_date, "%Y%m%d")
    except ValueError:
        return None
    time = study.study_time.strip()
    return study.study_date, time if _TIME.fullmatch(time) else ""


def _is_earlier(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether one is earlier for certain: of one day both times must be known."""
    return one[0] < other[0] or (one[0] == other[0] and "" not in (one[1], other[1]) and one[1] < other[1])


def _header(archive: Archive, digests: tuple[str, ...] | list[str]) -> Dataset:
    """The header of the first that can be read; an empty one where none can."""
    for digest in digests:
        try:
            return archive.read(digest, stop_before_pixels=True)
        except (NotArchived, *UNREADABLE_FILE):
            continue
    return Dataset()


def _doubt(now: Dataset, then: Dataset) -> str:
    """Why two headers may be of two people; empty where they are of one."""
    births = [str(each.get("PatientBirthDate") or "").strip() for each in (now, then)]
    sexes = {str(each.get("PatientSex") or "").strip() for each in (now, then)} - {""}
    if "" in births:
        return NO_BIRTH_DATE
    return OTHER_PERSON if len(set(births)) > 1 or len(sexes) > 1 else ""
