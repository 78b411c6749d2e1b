"""The reading of a job as FHIR R4 DiagnosticReport."""

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from pacs_agent.console.readings.measured import recall_of_measurements
from pacs_agent.db import Job, ResultObject
from pacs_agent.inference import StudyReading, recall_of
from pacs_agent.results import DocumentFacts, FhirResource, ObjectKind, Subject, compose_diagnostic_report


def diagnostic_report(session: Session, job_id: str, reading: StudyReading) -> FhirResource:
    """What the agent would send of a reading if it were asked by FHIR. Raises NotFound where there is no AI result."""
    job = session.get_one(Job, job_id)
    kind = ResultObject.kind == ObjectKind.AI_RESULT
    ai_result = session.scalar(select(ResultObject.sop_instance_uid).where(ResultObject.job_id == job_id, kind))
    if ai_result is None:
        raise NotFound("the AI result of this job is not kept any more; it comes back when the study is read again")
    facts = DocumentFacts(job.created_at.astimezone(), job.input_digest)
    return compose_diagnostic_report(reading, _subject(job), ai_result, facts, _recalled(session, reading))


def _subject(job: Job) -> Subject:
    study = job.study
    patient = study.patient
    return Subject(
        patient_id=patient.patient_id,
        issuer=patient.issuer,
        name=patient.name,
        birth_date=patient.birth_date,
        sex=patient.sex,
        study_date=study.study_date,
        accession_number=study.accession_number,
    )


def _recalled(session: Session, reading: StudyReading) -> str:
    """Why the model, or what measured for it, was recalled; empty where neither was."""
    recall = recall_of(session, reading.bundle.name, reading.bundle.version)
    return recall.reason if recall else recall_of_measurements(session, reading) or ""
