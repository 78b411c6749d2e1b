"""The heat of a finding in one slice of a study that was read."""

from pathlib import Path

from werkzeug.exceptions import NotFound

from pacs_agent.console.readings.models import HeatOfSlice
from pacs_agent.inference import Heat, HeatGone, StudyReading, heat_of_reading

HEAT_DIGITS = 4
NOT_KEPT = "there is no heat of this reading: its model shows none, or read the study before heat was kept"


def heat_of_slice(
    reading: StudyReading, finding: str, sop_instance_uid: str, frame_number: int | None, token_root: Path
) -> HeatOfSlice:
    """Where a finding (key) lies in a slice. Raises NotFound with what is not there and what to do."""
    index = _index(reading, sop_instance_uid, frame_number)
    if reading.tokens is None:
        raise NotFound(NOT_KEPT)
    try:
        return _on_the_wire(heat_of_reading(reading, finding, index, token_root))
    except KeyError:
        known = ", ".join(one.label.key for one in reading.findings)
        raise NotFound(f"this model knows no such finding; it knows {known}") from None
    except HeatGone as gone:
        raise NotFound(f"{gone}; it comes back when the study is read again") from gone


def _index(reading: StudyReading, sop_instance_uid: str, frame_number: int | None) -> int:
    """The place of a slice among those of all series. A frame need not be told of an instance that is one slice."""
    of_instance = [
        (index, one.frame_number)
        for index, one in enumerate(reading.all_slices)
        if one.sop_instance_uid == sop_instance_uid
    ]
    found = [index for index, number in of_instance if number in (frame_number, None)]
    if len(found) == 1:
        return found[0]
    if of_instance and frame_number is None:
        raise NotFound("the instance has several frames; say which with ?frame=, from 1")
    raise NotFound("this slice was not read; those that were are in `result.series` and `result.further_series`")


def _on_the_wire(heat: Heat) -> HeatOfSlice:
    rows = tuple(tuple(round(float(value), HEAT_DIGITS) for value in row) for row in heat.values)
    return HeatOfSlice(**{**vars(heat), "values": rows})
