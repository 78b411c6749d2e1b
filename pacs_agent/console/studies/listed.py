"""Studies as rows of a list, found by what an administrator knows of one."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session, joinedload

from pacs_agent.console.frame import Page, page_of
from pacs_agent.console.studies.models import StudiesAsked, StudyList, StudyRow
from pacs_agent.db import OWN_PIPELINES, Instance, Job, JobState, Origin, Patient, Series, Study, begins

MANY = 2000


def studies_page(session: Session, asked: StudiesAsked) -> StudyList:
    """The page of the studies that is asked for, with a few queries for all its rows together."""
    query = select(Study).options(joinedload(Study.patient, innerjoin=True)).where(*_conditions(session, asked))
    found: Page[Any] = page_of(session, query, asked, by=Study.last_received_at, key=Study.id, row=lambda study: study)
    return StudyList(rows=study_rows(session, found.rows), next=found.next, previous=found.previous)


def study_rows(session: Session, studies: Sequence[Study]) -> list[StudyRow]:
    """Studies as rows."""
    pks = [study.id for study in studies]
    modalities, images, jobs = _modalities(session, pks), _images(session, pks), _newest_readings(session, pks)
    return [_row(one, modalities.get(one.id, []), images.get(one.id, 0), jobs.get(one.id)) for one in studies]


def _conditions(session: Session, asked: StudiesAsked) -> list[ColumnElement[bool]]:
    """What a study must be. Each condition is given in the form that is fast for as many studies as fulfil it."""
    conditions = [*_of_the_patient(session, asked), *_of_dates(session, asked)]
    if asked.accession.strip():
        found = select(Study.id).where(begins(Study.accession_key, asked.accession))
        looked_at = begins(func.coalesce(Study.accession_key, ""), asked.accession)
        conditions.append(looked_at if _are_many(session, found) else begins(Study.accession_key, asked.accession))
    if asked.uid.strip():
        conditions.append(Study.study_instance_uid == asked.uid.strip())
    if asked.modality.strip():
        conditions.append(_has_modality(session, asked.modality.strip().upper()))
    if asked.state:
        conditions.append(Study.state == asked.state)
    if asked.job:
        conditions.append(_newest_reading_is(session, asked.job))
    return conditions


def _are_many(session: Session, found: Select[Any]) -> bool:
    """Whether a condition is fulfilled so often that the newest studies are better looked at one by one.

    Few are found by the index of the condition and sorted; of many, a page is soon full.
    """
    return (session.scalar(select(func.count()).select_from(found.limit(MANY + 1).subquery())) or 0) > MANY


def _of_the_patient(session: Session, asked: StudiesAsked) -> Iterator[ColumnElement[bool]]:
    for key, typed in ((Patient.name_key, asked.name), (Patient.id_key, asked.patient_id)):
        if not typed.strip():
            continue
        found = select(Patient.id).where(begins(key, typed))
        of_study = select(key).where(Patient.id == Study.patient_pk).scalar_subquery()
        yield begins(of_study, typed) if _are_many(session, found) else Study.patient_pk.in_(found)


def _of_dates(session: Session, asked: StudiesAsked) -> Iterator[ColumnElement[bool]]:
    if not asked.since and not asked.until:
        return
    first, last = (f"{day:%Y%m%d}" if day else other for day, other in ((asked.since, "0"), (asked.until, "99999999")))
    in_time = Study.study_date.between(first, last)
    looked_at = func.coalesce(Study.study_date, "").between(first, last)
    yield looked_at if _are_many(session, select(Study.id).where(in_time)) else in_time


def _has_modality(session: Session, modality: str) -> ColumnElement[bool]:
    found = select(Series.study_pk).where(Series.modality == modality)
    if not _are_many(session, found):
        return Study.id.in_(found)
    of_study = select(Series.modality).where(Series.study_pk == Study.id, Series.modality == modality)
    return of_study.limit(1).scalar_subquery() == modality


def _newest_reading_is(session: Session, state: JobState) -> ColumnElement[bool]:
    of_study = select(Job.state).where(Job.study_pk == Study.id, Job.pipeline.not_in(OWN_PIPELINES))
    newest = of_study.order_by(Job.created_at.desc()).limit(1).scalar_subquery() == state
    found = select(Job.study_pk).where(Job.state == state)
    return newest if _are_many(session, found) else and_(Study.id.in_(found), newest)


def _modalities(session: Session, pks: Sequence[int]) -> dict[int, list[str]]:
    """Of the images alone: those of the agent's own documents are left out where there are others."""
    found: dict[int, set[str]] = {}
    for study_pk, modality in session.execute(
        select(Series.study_pk, Series.modality).where(Series.study_pk.in_(pks)).distinct()
    ):
        found.setdefault(study_pk, set()).add(modality)
    return {study_pk: sorted(one for one in names if one) for study_pk, names in found.items()}


def _images(session: Session, pks: Sequence[int]) -> dict[int, int]:
    query = select(Series.study_pk, func.count()).join(Instance, Instance.series_pk == Series.id)
    received = query.where(Series.study_pk.in_(pks), Instance.origin == Origin.RECEIVED).group_by(Series.study_pk)
    return {row.study_pk: row[1] for row in session.execute(received)}


def _newest_readings(session: Session, pks: Sequence[int]) -> dict[int, Any]:
    columns = select(Job.study_pk, Job.id, Job.state, Job.error, Job.lacks, Job.pipeline)
    jobs = columns.where(Job.study_pk.in_(pks), Job.pipeline.not_in(OWN_PIPELINES))
    return {job.study_pk: job for job in session.execute(jobs.order_by(Job.study_pk, Job.created_at, Job.id))}


def _row(study: Study, modalities: list[str], images: int, job: Any) -> StudyRow:
    patient, count = study.patient, study.expected_instances
    expected = count if count is not None and count >= images else None
    return StudyRow(
        study_instance_uid=study.study_instance_uid,
        patient_name=patient.name,
        patient_id=patient.patient_id,
        birth_date=patient.birth_date,
        sex=patient.sex,
        study_date=study.study_date,
        study_time=study.study_time,
        accession_number=study.accession_number,
        description=study.description,
        modalities=modalities,
        images=images,
        expected=expected,
        expected_from=study.expected_from if expected is not None else "",
        state=study.state,
        state_reason=study.state_reason,
        job=job.id if job else "",
        job_state=job.state if job else None,
        job_error=job.error if job else "",
        job_lacks=job.lacks if job else "",
        last_received_at=study.last_received_at,
    )
