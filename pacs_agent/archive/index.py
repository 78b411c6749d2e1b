"""The index: rows of patient, study, series and instance (PS3.3 7.3.1), written in one short transaction an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Insert, exists, insert, select, update
from sqlalchemy.orm import Session

from pacs_agent.archive.header import InstanceHeader
from pacs_agent.db import (
    Instance,
    Origin,
    Patient,
    QuarantinedInstance,
    ResultObject,
    Series,
    Study,
    StudyState,
    utc_now,
)

NO_IMAGE_YET = "no image received yet"


@dataclass(frozen=True)
class Entry:
    """What is to be indexed of one file."""

    header: InstanceHeader
    digest: str
    size_bytes: int
    origin: Origin
    source: str
    is_image: bool
    """Whether it moves the study's quiet time: an acquired image, not a document and not our own result."""


@dataclass(frozen=True)
class Known:
    """What the index knows of a SOP Instance UID."""

    digest: str
    transfer_syntax_uid: str
    own_result: bool


@dataclass(frozen=True)
class Place:
    """Where an instance belongs in the index; a level that is not indexed yet is None."""

    patient_pk: int | None
    study_pk: int | None
    series_pk: int | None
    contradiction: str = ""
    """Why the instance may not be mixed with what is indexed; empty when it fits."""


def known_instance(session: Session, sop_instance_uid: str) -> Known | None:
    """What is indexed under a SOP Instance UID; None when it is new."""
    row = session.execute(
        select(Instance.digest, Instance.transfer_syntax_uid, Instance.origin).where(
            Instance.sop_instance_uid == sop_instance_uid
        )
    ).one_or_none()
    if row is not None:
        return Known(row.digest, row.transfer_syntax_uid, own_result=row.origin == Origin.RESULT)
    if session.scalar(select(exists().where(ResultObject.sop_instance_uid == sop_instance_uid))):
        return Known("", "", own_result=True)
    return None


def place(session: Session, header: InstanceHeader) -> Place:
    """Where an instance belongs. One study has one patient and one series one study (PS3.3 7.3.1)."""
    row = session.execute(
        select(Series.id, Study.id, Study.study_instance_uid, Patient.id, Patient.patient_id, Patient.issuer)
        .select_from(Series)
        .join(Series.study)
        .join(Study.patient)
        .where(Series.series_instance_uid == header.series.series_instance_uid)
    ).one_or_none()
    if row is None:
        return _place_of_study(session, header)
    series_pk, study_pk, study_uid, patient_pk, patient_id, issuer = row
    if study_uid != header.study.study_instance_uid:
        reason = f"its series is known in another study, {study_uid}"
    else:
        reason = _patient_contradiction(header, patient_id, issuer)
    return Place(patient_pk, study_pk, series_pk, reason)


def add(session: Session, entry: Entry, at: Place) -> None:
    """Indexes an instance; its study receives again when the instance is a new image.

    Raises sqlalchemy.exc.IntegrityError when another association indexed the same patient, study, series or instance
    first: the caller starts again in a new transaction.
    """
    study_pk = at.study_pk if at.study_pk is not None else _add_study(session, entry, at)
    series_pk = at.series_pk if at.series_pk is not None else _add_series(session, entry, study_pk)
    session.execute(insert(Instance).values(series_pk=series_pk, **_instance_values(entry)))
    if entry.is_image and at.study_pk is not None:
        receiving = {"state": StudyState.RECEIVING, "state_reason": "", "last_received_at": utc_now()}
        session.execute(update(Study).where(Study.id == study_pk).values(**receiving))


def quarantine(session: Session, entry: Entry, reason: str) -> None:
    """Records an instance that is kept apart. Raises IntegrityError when it is in quarantine already."""
    session.execute(
        insert(QuarantinedInstance).values(
            sop_instance_uid=entry.header.sop_instance_uid,
            study_instance_uid=entry.header.study.study_instance_uid,
            digest=entry.digest,
            reason=reason,
            source=entry.source[:128],
        )
    )


def is_quarantined(session: Session, digest: str) -> bool:
    """Whether the file of this digest is kept apart."""
    return bool(session.scalar(select(exists().where(QuarantinedInstance.digest == digest))))


def instances_of_study(session: Session, study_instance_uid: str) -> Sequence[Instance]:
    """All instances of a study, series by series, in the order of their arrival."""
    return session.scalars(
        select(Instance)
        .join(Instance.series)
        .join(Series.study)
        .where(Study.study_instance_uid == study_instance_uid)
        .order_by(Series.id, Instance.id)
    ).all()


def _place_of_study(session: Session, header: InstanceHeader) -> Place:
    row = session.execute(
        select(Study.id, Patient.id, Patient.patient_id, Patient.issuer)
        .join(Study.patient)
        .where(Study.study_instance_uid == header.study.study_instance_uid)
    ).one_or_none()
    if row is None:
        return Place(_patient_pk(session, header), None, None)
    study_pk, patient_pk, patient_id, issuer = row
    return Place(patient_pk, study_pk, None, _patient_contradiction(header, patient_id, issuer))


def _patient_pk(session: Session, header: InstanceHeader) -> int | None:
    patient_id, issuer = header.patient.key
    return session.scalar(select(Patient.id).where(Patient.patient_id == patient_id, Patient.issuer == issuer))


def _patient_contradiction(header: InstanceHeader, patient_id: str, issuer: str) -> str:
    if header.patient.key == (patient_id, issuer):
        return ""
    return "its study is known with another patient (Patient ID or issuer differ)"


def _add_study(session: Session, entry: Entry, at: Place) -> int:
    """A new study receives; but documents alone are nothing to read, so they wait for a first image."""
    patient_pk = at.patient_pk if at.patient_pk is not None else _add_patient(session, entry.header)
    state, reason = (StudyState.RECEIVING, "") if entry.is_image else (StudyState.IGNORED, NO_IMAGE_YET)
    row = insert(Study).values(patient_pk=patient_pk, state=state, state_reason=reason, **vars(entry.header.study))
    return _inserted_pk(session, row)


def _add_patient(session: Session, header: InstanceHeader) -> int:
    patient_id, issuer = header.patient.key
    named = {"name": header.patient.name, "birth_date": header.patient.birth_date, "sex": header.patient.sex}
    return _inserted_pk(session, insert(Patient).values(patient_id=patient_id, issuer=issuer, **named))


def _add_series(session: Session, entry: Entry, study_pk: int) -> int:
    return _inserted_pk(session, insert(Series).values(study_pk=study_pk, **vars(entry.header.series)))


def _instance_values(entry: Entry) -> dict[str, Any]:
    header = entry.header
    return {
        "sop_instance_uid": header.sop_instance_uid,
        "sop_class_uid": header.sop_class_uid,
        "transfer_syntax_uid": header.transfer_syntax_uid,
        "number": header.number,
        "rows": header.rows,
        "columns": header.columns,
        "frames": header.frames,
        "digest": entry.digest,
        "size_bytes": entry.size_bytes,
        "origin": entry.origin,
        "source": entry.source[:128],
    }


def _inserted_pk(session: Session, statement: Insert) -> int:
    result: Any = session.execute(statement)
    return int(result.inserted_primary_key[0])
