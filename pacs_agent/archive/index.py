"""The index: rows of patient, study, series and instance (PS3.3 7.3.1), written in one short transaction an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, exists, insert, select, update
from sqlalchemy.orm import Session

from pacs_agent.archive.header import InstanceHeader
from pacs_agent.db import (
    OWN_ACCORD,
    Base,
    Instance,
    Origin,
    Patient,
    QuarantinedInstance,
    ResultObject,
    Series,
    Study,
    StudyState,
    Transfer,
    utc_now,
)

NO_IMAGE_YET = "no image received yet"

# The statements of every image are built once: building them takes longer than the database takes to run them.
_KNOWN = select(Instance.digest, Instance.transfer_syntax_uid, Instance.origin).where(
    Instance.sop_instance_uid == bindparam("uid")
)
_OWN_RESULT = select(exists().where(ResultObject.sop_instance_uid == bindparam("uid")))
_PLACE_OF_SERIES = (
    select(
        Series.id.label("series_pk"),
        Study.id.label("study_pk"),
        Study.study_instance_uid,
        Patient.id.label("patient_pk"),
        Patient.patient_id,
        Patient.issuer,
    )
    .select_from(Series)
    .join(Series.study)
    .join(Study.patient)
    .where(Series.series_instance_uid == bindparam("uid"))
)
_PLACE_OF_STUDY = (
    select(Study.id.label("study_pk"), Patient.id.label("patient_pk"), Patient.patient_id, Patient.issuer)
    .select_from(Study)
    .join(Study.patient)
    .where(Study.study_instance_uid == bindparam("uid"))
)
_PATIENT = select(Patient.id).where(
    Patient.patient_id == bindparam("patient_id"), Patient.issuer == bindparam("issuer")
)
_ADD_INSTANCE = insert(Instance)
RECEIVING_AGAIN: dict[str, str] = {"state": StudyState.RECEIVING.value, "state_reason": ""}
"""What a new image makes of its study, beside the time."""
_RECEIVE_AGAIN = (
    update(Study).where(Study.id == bindparam("pk")).values(**RECEIVING_AGAIN, last_received_at=bindparam("now"))
)

_TO_COMPARE = select(Study.id).where(
    Study.study_instance_uid == bindparam("uid"),
    Study.state == StudyState.IGNORED,
    exists().where(Transfer.study_instance_uid == bindparam("uid"), Transfer.who == OWN_ACCORD),
)


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
    row = session.connection().execute(_KNOWN, {"uid": sop_instance_uid}).one_or_none()
    return None if row is None else Known(row.digest, row.transfer_syntax_uid, own_result=row.origin == Origin.RESULT)


def is_own_result(session: Session, sop_instance_uid: str) -> bool:
    """Whether a job made this instance, even if the archive holds it no more."""
    return bool(session.connection().execute(_OWN_RESULT, {"uid": sop_instance_uid}).scalar())


def study_to_compare(session: Session, study_instance_uid: str) -> int | None:
    """The key of a study that was fetched for comparison and that no rule was asked about; None for any other."""
    key: int | None = session.connection().execute(_TO_COMPARE, {"uid": study_instance_uid}).scalar()
    return key


def receive_again(session: Session, study_pk: int) -> None:
    """Lets a study receive as if a new image had come."""
    session.connection().execute(_RECEIVE_AGAIN, {"pk": study_pk, "now": utc_now()})


def place(session: Session, header: InstanceHeader) -> Place:
    """Where an instance belongs. One study has one patient and one series one study (PS3.3 7.3.1)."""
    uid = header.series.series_instance_uid
    row = session.connection().execute(_PLACE_OF_SERIES, {"uid": uid}).one_or_none()
    if row is None:
        return _place_of_study(session, header)
    if row.study_instance_uid != header.study.study_instance_uid:
        reason = f"its series is known in another study, {row.study_instance_uid}"
    else:
        reason = _patient_contradiction(header, row.patient_id, row.issuer)
    return Place(row.patient_pk, row.study_pk, row.series_pk, reason)


def add(session: Session, entry: Entry, at: Place) -> None:
    """Indexes an instance; its study receives again when the instance is a new image.

    Raises sqlalchemy.exc.IntegrityError when another association indexed the same patient, study, series or instance
    first: the caller starts again in a new transaction.
    """
    connection = session.connection()
    study_pk = at.study_pk if at.study_pk is not None else _add_study(connection, entry, at)
    series_pk = at.series_pk if at.series_pk is not None else _add_series(connection, entry, study_pk)
    connection.execute(_ADD_INSTANCE, {"series_pk": series_pk, "received_at": utc_now(), **instance_values(entry)})
    if entry.is_image and at.study_pk is not None:
        connection.execute(_RECEIVE_AGAIN, {"pk": study_pk, "now": utc_now()})


def quarantine(session: Session, entry: Entry, reason: str) -> None:
    """Records an instance that is kept apart. Raises IntegrityError when it is in quarantine already."""
    session.add(
        QuarantinedInstance(
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
    connection = session.connection()
    row = connection.execute(_PLACE_OF_STUDY, {"uid": header.study.study_instance_uid}).one_or_none()
    if row is None:
        patient_id, issuer = header.patient.key
        return Place(connection.execute(_PATIENT, {"patient_id": patient_id, "issuer": issuer}).scalar(), None, None)
    return Place(row.patient_pk, row.study_pk, None, _patient_contradiction(header, row.patient_id, row.issuer))


def _patient_contradiction(header: InstanceHeader, patient_id: str, issuer: str) -> str:
    if header.patient.key == (patient_id, issuer):
        return ""
    return "its study is known with another patient (Patient ID or issuer differ)"


def _add_study(connection: Connection, entry: Entry, at: Place) -> int:
    """A new study receives; but documents alone are nothing to read, so they wait for a first image."""
    patient_pk = at.patient_pk if at.patient_pk is not None else _add_patient(connection, entry.header)
    state, reason = (StudyState.RECEIVING, "") if entry.is_image else (StudyState.IGNORED, NO_IMAGE_YET)
    return _inserted_pk(
        connection, Study, patient_pk=patient_pk, state=state, state_reason=reason, **vars(entry.header.study)
    )


def _add_patient(connection: Connection, header: InstanceHeader) -> int:
    patient_id, issuer = header.patient.key
    named = {"name": header.patient.name, "birth_date": header.patient.birth_date, "sex": header.patient.sex}
    return _inserted_pk(connection, Patient, patient_id=patient_id, issuer=issuer, **named)


def _add_series(connection: Connection, entry: Entry, study_pk: int) -> int:
    return _inserted_pk(connection, Series, study_pk=study_pk, **vars(entry.header.series))


def instance_values(entry: Entry) -> dict[str, Any]:
    """The columns of an instance but for its series and the time."""
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


def _inserted_pk(connection: Connection, mapped: type[Base], **values: Any) -> int:
    key = connection.execute(insert(mapped).values(**values)).inserted_primary_key
    if key is None:
        raise RuntimeError(f"the database gave no key for a row of {mapped.__tablename__}")
    return int(key[0])
