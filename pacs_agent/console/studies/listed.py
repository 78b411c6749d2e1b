"""Studies as rows of a list, found by what an administrator knows of one."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session, aliased, joinedload

from pacs_agent.console.frame import Page, page_of
from pacs_agent.console.studies.models import StudiesAsked, StudyList, StudyRow
from pacs_agent.db import OWN_PIPELINES, Instance, Job, JobState, Origin, Patient, Series, Study, begins


def studies_page(session: Session, asked: StudiesAsked) -> StudyList:
    """The page of the studies that is asked for, with a few queries for all its rows together."""
    query = select(Study).options(joinedload(Study.patient, innerjoin=True)).where(*_conditions(asked))
    found: Page[Any] = page_of(session, query, asked, by=Study.last_received_at, key=Study.id, row=lambda study: study)
    return StudyList(rows=study_rows(session, found.rows), next=found.next, previous=found.previous)


def study_rows(session: Session, studies: Sequence[Study]) -> list[StudyRow]:
    """Studies as rows."""
    pks = [study.id for study in studies]
    modalities, images, jobs = _modalities(session, pks), _images(session, pks), _newest_readings(session, pks)
    return [_row(one, modalities.get(one.id, []), images.get(one.id, 0), jobs.get(one.id)) for one in studies]


def _conditions(asked: StudiesAsked) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if asked.name.strip():
        conditions.append(Study.patient_pk.in_(select(Patient.id).where(begins(Patient.name_key, asked.name))))
    if asked.patient_id.strip():
        conditions.append(Study.patient_pk.in_(select(Patient.id).where(begins(Patient.id_key, asked.patient_id))))
    if asked.accession.strip():
        conditions.append(begins(Study.accession_key, asked.accession))
    if asked.uid.strip():
        conditions.append(Study.study_instance_uid == asked.uid.strip())
    if asked.since:
        conditions.append(Study.study_date >= f"{asked.since:%Y%m%d}")
    if asked.until:
        conditions.append(Study.study_date.between("0", f"{asked.until:%Y%m%d}"))
    if asked.modality.strip():
        of_modality = select(Series.study_pk).where(Series.modality == asked.modality.strip().upper())
        conditions.append(Study.id.in_(of_modality))
    if asked.state:
        conditions.append(Study.state == asked.state)
    if asked.job:
        conditions += _newest_reading_is(asked.job)
    return conditions


def _newest_reading_is(state: JobState) -> list[ColumnElement[bool]]:
    """A reading in this state after which no other was made."""
    reading, later = aliased(Job), aliased(Job)
    is_newest = ~exists().where(
        later.study_pk == reading.study_pk,
        later.created_at > reading.created_at,
        later.pipeline.not_in(OWN_PIPELINES),
    )
    found = select(reading.study_pk).where(reading.state == state, reading.pipeline.not_in(OWN_PIPELINES), is_newest)
    if state in (JobState.DONE, JobState.NO_RESULT):
        return [found.where(reading.study_pk == Study.id).exists()]  # most are: looked up for each study of the page
    return [Study.id.in_(found)]


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
    columns = select(Job.study_pk, Job.id, Job.state, Job.error, Job.pipeline)
    jobs = columns.where(Job.study_pk.in_(pks), Job.pipeline.not_in(OWN_PIPELINES))
    return {job.study_pk: job for job in session.execute(jobs.order_by(Job.study_pk, Job.created_at, Job.id))}


def _row(study: Study, modalities: list[str], images: int, job: Any) -> StudyRow:
    patient = study.patient
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
        state=study.state,
        state_reason=study.state_reason,
        job=job.id if job else "",
        job_state=job.state if job else None,
        job_error=job.error if job else "",
        last_received_at=study.last_received_at,
    )
