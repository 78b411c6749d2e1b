"""The prior study: the latest earlier one of the same patient that a version of the same model has read here.

It is chosen once, with the series, and the workflow keeps the choice: whatever is read meanwhile, documents that are
composed again are the same. A study that may be of somebody else is never named, not even as a reason.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from pacs_agent.archive import Archive
from pacs_agent.assemble import image_digests
from pacs_agent.db import OWN_PIPELINES, Database, Job, JobState, ResultObject, Study
from pacs_agent.inference.reading import PriorStudy, SincePrior, StudyReading
from pacs_agent.pipeline.beyond_doubt import doubt_about, first_header, is_earlier, moment_of
from pacs_agent.results import ObjectKind, since_prior

NOT_KEPT = "Its reading is not kept any more."


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
    now, then = first_header(archive, image_digests(session, job.study_pk)), first_header(archive, (found.ai_result,))
    doubt = doubt_about(now, then)
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
    now = moment_of(job.study.study_date, job.study.study_time)
    if now is None:
        return
    same_patient = select(Study).where(Study.patient_pk == job.study.patient_pk, Study.id != job.study_pk)
    known = ((study, moment_of(study.study_date, study.study_time)) for study in session.scalars(same_patient))
    dated = {study: at for study, at in known if at is not None}
    for study in sorted(dated, key=lambda one: dated[one], reverse=True):
        if is_earlier(dated[study], now) and (read := _newest_reading(session, study, bundle)):
            yield _Candidate(study, *read)


def _newest_reading(session: Session, study: Study, bundle: str) -> tuple[str, str] | None:
    """The last job by a version of the model that stands, and the digest of its AI result; None where it has none.

    Whichever pipeline a rule named: the newest job of each stands for it, and what another model read there is over.
    """
    ended = (JobState.DELIVERING, JobState.DONE, JobState.NO_RESULT)
    jobs = select(Job.pipeline, Job.id, Job.bundle, ResultObject.digest).outerjoin(
        ResultObject, (ResultObject.job_id == Job.id) & (ResultObject.kind == ObjectKind.AI_RESULT)
    )
    of_study = jobs.where(Job.study_pk == study.id, Job.pipeline.not_in(OWN_PIPELINES), Job.state.in_(ended))
    newest_of = dict[str, Row[str, str, str, str | None]]()
    for row in session.execute(of_study.order_by(Job.created_at.desc(), Job.id)):
        newest_of.setdefault(row.pipeline, row)
    newest = next((row for row in newest_of.values() if _model(row.bundle) == _model(bundle)), None)
    return (newest.id, newest.digest) if newest and newest.digest else None


def _model(bundle: str) -> str:
    """The name alone, of name and version."""
    return bundle.rpartition(" ")[0]
