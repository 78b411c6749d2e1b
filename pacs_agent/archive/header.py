"""The facts of an instance that the index keeps, read from its data set."""

import hashlib
import struct
import unicodedata
import zlib
from dataclasses import dataclass

from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.tag import Tag

config.settings.reading_validation_mode = config.IGNORE
# Peers' values often break the rules of their VR; pydicom's warnings would carry them, patient data, into the log.

INDEXED_TAGS = frozenset(
    int(Tag(keyword))
    for keyword in (
        "SpecificCharacterSet",
        "SOPClassUID",
        "SOPInstanceUID",
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "Modality",
        "ReferringPhysicianName",
        "StudyDescription",
        "SeriesDescription",
        "PatientName",
        "PatientID",
        "IssuerOfPatientID",
        "PatientBirthDate",
        "PatientSex",
        "BodyPartExamined",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "StudyID",
        "SeriesNumber",
        "InstanceNumber",
        "NumberOfFrames",
        "Rows",
        "Columns",
    )
)
"""Every element that `instance_header` reads; a reader may skip all others."""

UNREADABLE_VALUE = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pydicom raises for a value whose bytes cannot be its VR."""

UNREADABLE_FILE = (*UNREADABLE_VALUE, InvalidDicomError, EOFError, OSError, RecursionError, zlib.error)
"""What pydicom raises for a malformed file; it has no error of its own for this."""

_INTEGER_LIMIT = 2**31 - 1


@dataclass(frozen=True)
class PatientHeader:
    """A patient as one instance names it. `key` (Patient ID, issuer) tells patients apart in the index."""

    patient_id: str
    issuer: str
    name: str
    birth_date: str
    sex: str
    study_instance_uid: str

    @property
    def key(self) -> tuple[str, str]:
        """Patient ID within its issuer; without a Patient ID nobody but the study's own patient is meant.

        Patient ID is type 2 (PS3.3 C.7.1.1): it may be empty, and two people without an ID must not become one. An
        empty ID is therefore completed by a digest of the study, the name and the birth date.
        """
        if self.patient_id:
            return self.patient_id, self.issuer
        named = "\n".join((self.study_instance_uid, self.name, self.birth_date))
        return "", f"unidentified-{hashlib.sha256(named.encode()).hexdigest()[:32]}"


@dataclass(frozen=True)
class StudyHeader:
    """A study as one instance names it."""

    study_instance_uid: str
    study_date: str
    study_time: str
    study_id: str
    accession_number: str
    description: str
    referring_physician: str


@dataclass(frozen=True)
class SeriesHeader:
    """A series as one instance names it."""

    series_instance_uid: str
    modality: str
    number: int | None
    description: str
    body_part: str


@dataclass(frozen=True)
class InstanceHeader:
    """What the index keeps of one instance. Texts are decoded, without control characters, no longer than their VR."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    number: int | None
    rows: int | None
    columns: int | None
    frames: int
    patient: PatientHeader
    study: StudyHeader
    series: SeriesHeader


def instance_header(data_set: Dataset, transfer_syntax_uid: str) -> InstanceHeader:
    """The indexed facts of a data set, of which only INDEXED_TAGS are read.

    Wrong values never raise: a text is cut to the length its VR allows (PS3.5 6.2), a number that is none becomes None.
    Whether the UIDs can be believed is decided where an instance enters, not here.
    """
    study_instance_uid = _text(data_set, "StudyInstanceUID", 64)
    return InstanceHeader(
        sop_instance_uid=_text(data_set, "SOPInstanceUID", 64),
        sop_class_uid=_text(data_set, "SOPClassUID", 64),
        transfer_syntax_uid=str(transfer_syntax_uid),
        number=_integer(data_set, "InstanceNumber"),
        rows=_integer(data_set, "Rows"),
        columns=_integer(data_set, "Columns"),
        frames=max(_integer(data_set, "NumberOfFrames") or 1, 1),
        patient=_patient(data_set, study_instance_uid),
        study=_study(data_set, study_instance_uid),
        series=_series(data_set),
    )


def _patient(data_set: Dataset, study_instance_uid: str) -> PatientHeader:
    return PatientHeader(
        patient_id=_text(data_set, "PatientID", 64),
        issuer=_text(data_set, "IssuerOfPatientID", 64),
        name=_text(data_set, "PatientName", 324),
        birth_date=_text(data_set, "PatientBirthDate", 8),
        sex=_text(data_set, "PatientSex", 16),
        study_instance_uid=study_instance_uid,
    )


def _study(data_set: Dataset, study_instance_uid: str) -> StudyHeader:
    return StudyHeader(
        study_instance_uid=study_instance_uid,
        study_date=_text(data_set, "StudyDate", 8),
        study_time=_text(data_set, "StudyTime", 16),
        study_id=_text(data_set, "StudyID", 16),
        accession_number=_text(data_set, "AccessionNumber", 16),
        description=_text(data_set, "StudyDescription", 64),
        referring_physician=_text(data_set, "ReferringPhysicianName", 324),
    )


def _series(data_set: Dataset) -> SeriesHeader:
    return SeriesHeader(
        series_instance_uid=_text(data_set, "SeriesInstanceUID", 64),
        modality=_text(data_set, "Modality", 16),
        number=_integer(data_set, "SeriesNumber"),
        description=_text(data_set, "SeriesDescription", 64),
        body_part=_text(data_set, "BodyPartExamined", 16),
    )


def _text(data_set: Dataset, keyword: str, longest: int) -> str:
    """A text without control characters (they are replaced, so that two texts stay two), cut to its column."""
    element = _element(data_set, keyword)
    if element is None or element.value is None:
        return ""
    value = element.value
    text = "\\".join(map(str, value)) if isinstance(value, MultiValue | list) else str(value)
    return "".join("�" if unicodedata.category(c) in ("Cc", "Cs") else c for c in text.strip("\0 "))[:longest]


def _integer(data_set: Dataset, keyword: str) -> int | None:
    element = _element(data_set, keyword)
    try:
        value = int(str(element.value)) if element is not None else None
    except ValueError:
        return None
    return value if value is not None and abs(value) <= _INTEGER_LIMIT else None


def _element(data_set: Dataset, keyword: str) -> DataElement | None:
    """The decoded element, or None where it is missing or its bytes cannot be its VR (an IS of "1e400")."""
    try:
        return data_set.get(Tag(keyword))
    except UNREADABLE_VALUE:
        return None
