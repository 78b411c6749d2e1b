"""When a frame was acquired, in seconds, for ordering phases. Time zones are left out: one scanner has one clock."""

import re
from datetime import date

from pacs_agent.imaging.acquisition.elements import FrameElements
from pacs_agent.imaging.acquisition.terms import Answer

_DATE_TIMES = ("FrameAcquisitionDateTime", "FrameReferenceDateTime", "AcquisitionDateTime")
_TIMES = (("AcquisitionDate", "AcquisitionTime"), ("ContentDate", "ContentTime"))
_DT = re.compile(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)(?:[+-]\d{4})?")
_TM = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(\.\d{1,6})?")
_DAY_S = 86_400


def acquired_at_s(frame: FrameElements) -> Answer[float | None]:
    """Seconds since a fixed day, by the attribute nearest to the acquisition; None where none can be read.

    A time without its date counts from the day of the study. When the image was made counts for MR alone: CT is
    reconstructed again later, by another kernel.
    """
    for keyword in _DATE_TIMES:
        found = _DT.fullmatch(frame.text(keyword))
        if found and (time_s := _time_s(found[2])) is not None and (days := _days(found[1])) is not None:
            return Answer(days * _DAY_S + time_s, keyword)
    for date_keyword, time_keyword in _TIMES[:1] if frame.text("Modality") == "CT" else _TIMES:
        if (time_s := _time_s(frame.text(time_keyword))) is not None:
            days = _days(frame.text(date_keyword))
            days = _days(frame.text("StudyDate")) if days is None else days
            return Answer((days or 0) * _DAY_S + time_s, time_keyword)
    return Answer(None, "no acquisition time")


def bolus_start_s(frame: FrameElements) -> float | None:
    """When the contrast agent was started, on the day the frame was acquired. PS3.3 C.7.6.4."""
    start_s, frame_s = _time_s(frame.text("ContrastBolusStartTime")), acquired_at_s(frame).value
    if start_s is None or frame_s is None:
        return None
    return frame_s // _DAY_S * _DAY_S + start_s


def _days(text: str) -> int | None:
    """Day number of a DA. PS3.5 6.2."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])).toordinal() if len(text) == 8 else None
    except ValueError:
        return None


def _time_s(text: str) -> float | None:
    """Seconds since midnight of a TM, of which minutes and seconds may be missing. PS3.5 6.2."""
    found = _TM.fullmatch(text)
    if found is None:
        return None
    hours, minutes, seconds = int(found[1]), int(found[2] or 0), int(found[3] or 0)
    if hours > 23 or minutes > 59 or seconds > 60:
        return None
    return hours * 3600 + minutes * 60 + seconds + float(found[4] or 0)
