"""What must be certain of an earlier study: that it is earlier, and of the same patient."""

import re
from collections.abc import Iterable
from datetime import datetime

from pydicom.dataset import Dataset

from pacs_agent.archive import UNREADABLE_FILE, Archive, NotArchived

NO_BIRTH_DATE = "An earlier study has the same Patient ID, but one of the two has no birth date. It is not compared."
OTHER_PERSON = "An earlier study has the same Patient ID, but another birth date or sex. It is not compared."

Moment = tuple[str, str]
"""Study Date and Study Time; the time is empty where it is not known."""

_TIME = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")


def moment_of(study_date: str, study_time: str) -> Moment | None:
    """Date and time of a study; None where the date is none. PS3.5 6.2, DA and TM."""
    try:
        datetime.strptime(study_date, "%Y%m%d")
    except ValueError:
        return None
    time = study_time.strip()
    return study_date, time if _TIME.fullmatch(time) else ""


def is_earlier(one: Moment, other: Moment) -> bool:
    """Whether one is earlier for certain: of one day both times must be known."""
    return one[0] < other[0] or (one[0] == other[0] and "" not in (one[1], other[1]) and one[1] < other[1])


def first_header(archive: Archive, digests: Iterable[str]) -> Dataset:
    """The header of the first that can be read; an empty one where none can."""
    for digest in digests:
        try:
            return archive.read(digest, stop_before_pixels=True)
        except (NotArchived, *UNREADABLE_FILE):
            continue
    return Dataset()


def birth_date_of(header: Dataset) -> str:
    """Patient's Birth Date; empty where it is not known."""
    return str(header.get("PatientBirthDate") or "").strip()


def sex_of(header: Dataset) -> str:
    """Patient's Sex; empty where it is not known."""
    return str(header.get("PatientSex") or "").strip()


def doubt_about(now: Dataset, then: Dataset) -> str:
    """Why two headers with one Patient ID may be of two people; empty where they are of one. PS3.3 C.7.1.1."""
    births, sexes = {birth_date_of(now), birth_date_of(then)}, {sex_of(now), sex_of(then)} - {""}
    if "" in births:
        return NO_BIRTH_DATE
    return OTHER_PERSON if len(births) > 1 or len(sexes) > 1 else ""
