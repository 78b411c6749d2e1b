"""What the images of each series of a reading show, in the words of those who read them: `T2`, `CT arterial`."""

from sqlalchemy.orm import Session

from pacs_agent.archive import Archive
from pacs_agent.imaging import (
    Contrast,
    Corrections,
    OrderedSeries,
    Stack,
    UnusableSlice,
    Weighting,
    group_study,
    no_corrections,
    read_headers,
)
from pacs_agent.inference import StudyReading
from pacs_agent.route import WrongRules, rules_in_force

MR, CT = "MR", "CT"


def sequences(session: Session, archive: Archive, reading: StudyReading) -> tuple[str, ...]:
    """Of each series by the header of its middle slice; empty where that tells nothing or is gone.

    Of a reading of one series it is told where that is of MR.
    """
    if len(reading.all_series) == 1 and reading.series.modality != MR:
        return ("",) * len(reading.all_series)
    corrections = _corrections(session)
    return tuple(_sequence(archive, series, corrections) for series in reading.all_series)


def _corrections(session: Session) -> Corrections:
    try:
        return rules_in_force(session).corrector()
    except WrongRules:
        return no_corrections


def _sequence(archive: Archive, series: OrderedSeries, corrections: Corrections) -> str:
    if series.modality not in (MR, CT) or not series.slices:
        return ""
    middle = series.slices[len(series.slices) // 2]
    try:
        study = group_study(read_headers([archive.path(middle.path.stem)]), corrections)
    except (UnusableSlice, OSError, ValueError):
        return ""
    stacks = (
        stack for stack in study.stacks if any(frame.frame_number == middle.frame_number for frame in stack.frames)
    )
    return next(map(_words, stacks), "")


def _words(stack: Stack) -> str:
    if stack.weighting.value is Weighting.UNKNOWN:
        return ""
    if stack.bolus_phase.value is not None:
        return f"{stack.weighting.value} {stack.bolus_phase.value}"
    b_value = "" if stack.b_value.value is None else f" b{stack.b_value.value:g}"
    contrast = " after contrast" if stack.contrast.value is Contrast.AFTER else ""
    return f"{stack.weighting.value}{b_value}{contrast}"
