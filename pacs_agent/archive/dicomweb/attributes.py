"""The attributes that QIDO-RS matches and returns: one row each, by the column of the index that holds it."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword
from sqlalchemy.orm import InstrumentedAttribute

from pacs_agent.db import Instance, Patient, Series, Study


class Level(IntEnum):
    """Level of the information model that is searched (PS3.18 10.6.1.1)."""

    STUDY = 1
    SERIES = 2
    INSTANCE = 3


class Matching(StrEnum):
    """How a value is matched (PS3.4 C.2.2.2)."""

    TEXT = "text"
    """Single value or wildcards."""
    NAME = "name"
    """As text, in any of the three component groups of a name (PS3.5 6.2.1)."""
    UID = "uid"
    """A list of UIDs."""
    RANGE = "range"
    """A date or time, or a range of them."""
    NUMBER = "number"


@dataclass(frozen=True)
class Attribute:
    """An attribute in the index."""

    keyword: str
    level: Level
    column: InstrumentedAttribute[Any]
    matching: Matching

    @property
    def tag(self) -> str:
        """Tag in the form of the DICOM JSON Model, eight hexadecimal digits."""
        return f"{tag_for_keyword(self.keyword):08X}"

    @property
    def vr(self) -> str:
        """Value representation."""
        return dictionary_VR(self.keyword)


ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("StudyDate", Level.STUDY, Study.study_date, Matching.RANGE),
    Attribute("StudyTime", Level.STUDY, Study.study_time, Matching.RANGE),
    Attribute("AccessionNumber", Level.STUDY, Study.accession_number, Matching.TEXT),
    Attribute("ReferringPhysicianName", Level.STUDY, Study.referring_physician, Matching.NAME),
    Attribute("StudyDescription", Level.STUDY, Study.description, Matching.TEXT),
    Attribute("PatientName", Level.STUDY, Patient.name, Matching.NAME),
    Attribute("PatientID", Level.STUDY, Patient.patient_id, Matching.TEXT),
    Attribute("IssuerOfPatientID", Level.STUDY, Patient.issuer, Matching.TEXT),
    Attribute("PatientBirthDate", Level.STUDY, Patient.birth_date, Matching.RANGE),
    Attribute("PatientSex", Level.STUDY, Patient.sex, Matching.TEXT),
    Attribute("StudyInstanceUID", Level.STUDY, Study.study_instance_uid, Matching.UID),
    Attribute("StudyID", Level.STUDY, Study.study_id, Matching.TEXT),
    Attribute("Modality", Level.SERIES, Series.modality, Matching.TEXT),
    Attribute("SeriesDescription", Level.SERIES, Series.description, Matching.TEXT),
    Attribute("BodyPartExamined", Level.SERIES, Series.body_part, Matching.TEXT),
    Attribute("SeriesInstanceUID", Level.SERIES, Series.series_instance_uid, Matching.UID),
    Attribute("SeriesNumber", Level.SERIES, Series.number, Matching.NUMBER),
    Attribute("SOPClassUID", Level.INSTANCE, Instance.sop_class_uid, Matching.UID),
    Attribute("SOPInstanceUID", Level.INSTANCE, Instance.sop_instance_uid, Matching.UID),
    Attribute("InstanceNumber", Level.INSTANCE, Instance.number, Matching.NUMBER),
    Attribute("NumberOfFrames", Level.INSTANCE, Instance.frames, Matching.NUMBER),
    Attribute("Rows", Level.INSTANCE, Instance.rows, Matching.NUMBER),
    Attribute("Columns", Level.INSTANCE, Instance.columns, Matching.NUMBER),
    Attribute("AvailableTransferSyntaxUID", Level.INSTANCE, Instance.transfer_syntax_uid, Matching.UID),
)

BY_NAME: dict[str, Attribute] = {name: a for a in ATTRIBUTES for name in (a.keyword, a.tag)}
"""Attributes by keyword and by tag: a query may use either (PS3.18 8.3.4.1)."""
