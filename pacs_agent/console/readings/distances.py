"""Distances that a model measured, on the wire: between which points, and on which slice to look at them."""

import numpy as np
from numpy.typing import NDArray

from pacs_agent.console.readings.models import Coded, DistanceMeasured
from pacs_agent.imaging import Slice
from pacs_agent.inference import StudyReading
from pacs_agent.inference.reading import MeasuredDistance


def distances_shown(reading: StudyReading) -> tuple[DistanceMeasured, ...]:
    """The distances of a reading, in its order."""
    return tuple(_shown(one, reading) for one in reading.distances)


def _shown(one: MeasuredDistance, reading: StudyReading) -> DistanceMeasured:
    return DistanceMeasured(
        finding=one.finding,
        name=one.name,
        type=Coded(**one.type.model_dump()),
        value_mm=one.value_mm,
        ends_mm=one.ends_mm,
        series_instance_uid=one.series_instance_uid,
        frame_of_reference_uid=one.frame_of_reference_uid or None,
        index=_slice_of_middle(one, reading),
    )


def _slice_of_middle(one: MeasuredDistance, reading: StudyReading) -> int | None:
    """The place of the nearest slice of its series; a DICOM series may be several that were read."""
    middle = np.asarray(one.ends_mm).mean(axis=0)
    away_mm: dict[int, float] = {}
    first = 0
    for series in reading.all_series:
        if series.series_instance_uid == one.series_instance_uid:
            away_mm |= {first + at: _away_mm(each, middle) for at, each in enumerate(series.slices)}
        first += len(series.slices)
    return min(away_mm, key=away_mm.__getitem__, default=None)


def _away_mm(one: Slice, point: NDArray[np.float64]) -> float:
    """How far a point lies from the plane of a slice. PS3.3 C.7.6.2.1.1."""
    normal = np.cross(one.orientation[:3], one.orientation[3:])
    return float(abs((point - one.position_mm) @ normal))
