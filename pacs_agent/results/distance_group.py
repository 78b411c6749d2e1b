"""One measured distance as a measurement group: how long, of which finding, and between which points. TID 1501, 300.

The points are a POLYLINE in the patient, PS3.3 C.18.9, from which TID 320 infers the number; the image that shows them
best is the source image of the group. Where the images of the series share no frame of reference, points would lie
nowhere: the number then stands alone.
"""

import math

import numpy as np
from highdicom.sr import (
    ContainerContentItem,
    CoordinatesForMeasurement3D,
    GraphicTypeValues3D,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)

from pacs_agent.imaging.series import Slice
from pacs_agent.inference.reading import FindingReading, MeasuredDistance, StudyReading
from pacs_agent.results.attributes import finding_sites
from pacs_agent.results.author import Author
from pacs_agent.results.codes import CLINICAL_FINDING, MILLIMETRE, PRESENCE, PRESENCE_OF_PROPERTY, concept
from pacs_agent.results.facts import UnusableEvidence
from pacs_agent.results.measurement_group import algorithm
from pacs_agent.results.sources import SourceSlice
from pacs_agent.results.text import fit_long_string
from pacs_agent.results.uids import distance_tracking_uid

_METHOD = "straight, between two points in the patient"


def distance_groups(reading: StudyReading, author: Author) -> list[ContainerContentItem]:
    """A group for each distance that the model measured, in the order of the reading.

    Each has code, site and presence of its finding. Raises UnusableEvidence for a distance of an unknown finding, on a
    series that was not read, or with a number that is none.
    """
    return [_group(one, number, reading, author) for number, one in enumerate(reading.distances, start=1)]


def shown_on(distance: MeasuredDistance, reading: StudyReading) -> SourceSlice:
    """The slice that shows a distance best: of its series the one whose plane is nearest to both ends.

    Raises UnusableEvidence when its series was not read.
    """
    slices = [
        SourceSlice(one, of)
        for of in reading.all_series
        if of.series_instance_uid == distance.series_instance_uid
        for one in of.slices
    ]
    if not slices:
        raise UnusableEvidence(
            f"{distance.name} was measured on series {distance.series_instance_uid}, which was not read"
        )
    return min(slices, key=lambda each: _away_mm(each.slice, distance))


def _away_mm(one: Slice, distance: MeasuredDistance) -> float:
    """How far the end lies from the plane of a slice that lies farther from it."""
    normal = np.cross(one.orientation[:3], one.orientation[3:])
    return max(abs(float(np.dot(np.subtract(end, one.position_mm), normal))) for end in distance.ends_mm)


def _group(distance: MeasuredDistance, number: int, reading: StudyReading, author: Author) -> ContainerContentItem:
    _check(distance)
    finding = _finding(distance, reading)
    source = shown_on(distance, reading)
    study_uid = reading.series.study_instance_uid
    uid = distance_tracking_uid(study_uid, author.device_uid, distance.finding, distance.type.value, number)
    frame = source.slice.frame_number
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=uid, identifier=fit_long_string(distance.name) or "distance"),
        finding_category=CLINICAL_FINDING,
        finding_type=concept(finding.label.code),
        finding_sites=finding_sites(finding),
        algorithm_id=algorithm(author),
        measurements=[_number(distance, source, author)],
        qualitative_evaluations=[QualitativeEvaluation(PRESENCE_OF_PROPERTY, PRESENCE[finding.presence])],
        source_images=[
            SourceImageForMeasurementGroup(
                source.slice.sop_class_uid, source.slice.sop_instance_uid, None if frame is None else [frame]
            )
        ],
    )
    container: ContainerContentItem = group[0]
    return container


def _check(distance: MeasuredDistance) -> None:
    if not all(math.isfinite(each) for each in (distance.value_mm, *distance.ends_mm[0], *distance.ends_mm[1])):
        raise UnusableEvidence(f"{distance.name} is {distance.value_mm} mm between {distance.ends_mm}")
    if distance.value_mm < 0:
        raise UnusableEvidence(f"{distance.name} is {distance.value_mm} mm; a distance is not negative")


def _finding(distance: MeasuredDistance, reading: StudyReading) -> FindingReading:
    try:
        return reading.finding(distance.finding)
    except KeyError:
        raise UnusableEvidence(
            f"{distance.name} measures {distance.finding}, which is no finding of the model"
        ) from None


def _number(distance: MeasuredDistance, source: SourceSlice, author: Author) -> Measurement:
    """The number in mm. It has its method as content in any case: OHIF up to 3.13 reads the content of each."""
    return Measurement(
        name=concept(distance.type),
        value=round(distance.value_mm, 2),
        unit=MILLIMETRE,
        algorithm_id=algorithm(author, _METHOD),
        referenced_coordinates=_points(distance, source),
    )


def _points(distance: MeasuredDistance, source: SourceSlice) -> list[CoordinatesForMeasurement3D] | None:
    """Both ends, in the frame of reference of the series. Raises UnusableEvidence when they are given in another."""
    frame_uid = source.series.frame_of_reference_uid
    if distance.frame_of_reference_uid != frame_uid:
        raise UnusableEvidence(
            f"{distance.name} is given in frame of reference {distance.frame_of_reference_uid or 'none'}, its series "
            f"has {frame_uid or 'none'}"
        )
    if not frame_uid:
        return None
    return [CoordinatesForMeasurement3D(GraphicTypeValues3D.POLYLINE, np.array(distance.ends_mm), frame_uid)]
