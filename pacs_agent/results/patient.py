"""Patient and study, carried from an image into a document so that the PACS joins the two.

Identifying values go over as they are, however odd, because a PACS matches on them. Dates, times and coded strings
that break their value representation are left empty: nobody matches on them, and validators refuse them.
"""

import copy
import re
from datetime import datetime

from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from pacs_agent.results.text import fit_long_string

# PS3.3 C.7.1.1 and C.7.2.1, type 2: present, empty where the image has none
_IDENTIFIERS = ("PatientName", "PatientID", "AccessionNumber", "StudyID", "ReferringPhysicianName")
_DATES = ("PatientBirthDate", "StudyDate")
_TIMES = ("StudyTime",)

# type 3: only where the image has them
_OPTIONAL = ("IssuerOfPatientID",)
_OPTIONAL_SEQUENCES = ("IssuerOfPatientIDQualifiersSequence", "IssuerOfAccessionNumberSequence")

_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")


def copy_patient_and_study(header: Dataset, document: Dataset) -> None:
    """Writes the Patient and General Study modules of a document from the header of an image of that study."""
    document.StudyInstanceUID = str(header.StudyInstanceUID)
    for keyword in _IDENTIFIERS:
        _put(document, keyword, _text(header, keyword))
    for keyword in _DATES:
        _put(document, keyword, _date(_text(header, keyword)))
    for keyword in _TIMES:
        _put(document, keyword, _time(_text(header, keyword)))
    sex = _text(header, "PatientSex").strip()
    _put(document, "PatientSex", sex if sex in ("M", "F", "O") else "")
    _copy_optional(header, document)


def _copy_optional(header: Dataset, document: Dataset) -> None:
    for keyword in _OPTIONAL:
        if _text(header, keyword):
            _put(document, keyword, _text(header, keyword))
    description = fit_long_string(_text(header, "StudyDescription"))
    if description:
        document.StudyDescription = description
    for keyword in _OPTIONAL_SEQUENCES:
        if header.get(keyword):
            setattr(document, keyword, [_decoded(item) for item in header[keyword].value])
    if _text(header, "PatientIdentityRemoved") == "YES":
        _copy_deidentification(header, document)


def _copy_deidentification(header: Dataset, document: Dataset) -> None:
    """PS3.3 C.7.1.1: a de-identified patient stays so; the method is required with the flag."""
    method = fit_long_string(_text(header, "DeidentificationMethod"))
    document.PatientIdentityRemoved = "YES"
    document.DeidentificationMethod = method or "see the source images"


def _decoded(item: Dataset) -> Dataset:
    """A copy whose text is decoded, so that it is written in the document's character set and not the image's."""
    twin = copy.deepcopy(item)
    twin.decode()
    return twin


def _text(header: Dataset, keyword: str) -> str:
    value = header.get(keyword)
    if value is None:
        return ""
    return "\\".join(str(each) for each in value) if isinstance(value, MultiValue) else str(value)


def _put(document: Dataset, keyword: str, value: str) -> None:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    document.add(DataElement(tag, dictionary_VR(tag), value, validation_mode=config.IGNORE))


def _date(text: str) -> str:
    try:
        return text if len(text) == 8 and datetime.strptime(text, "%Y%m%d") else ""
    except ValueError:
        return ""


def _time(text: str) -> str:
    return text.strip() if _TIME.fullmatch(text.strip()) else ""
