"""One frame with everything that decides into which stack it belongs."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pydicom.uid import UID

from pacs_agent.imaging.acquisition.attenuation import component_of_ct, kernel_of, weighting_of_ct
from pacs_agent.imaging.acquisition.b_value import b_value_of
from pacs_agent.imaging.acquisition.bolus import bolus_phase_of
from pacs_agent.imaging.acquisition.clock import acquired_at_s
from pacs_agent.imaging.acquisition.component import component_of
from pacs_agent.imaging.acquisition.contrast import contrast_of
from pacs_agent.imaging.acquisition.correction import Correction, Corrections, corrected, no_corrections
from pacs_agent.imaging.acquisition.elements import FrameElements, elements_of
from pacs_agent.imaging.acquisition.terms import Answer, BolusPhase, Component, Contrast, Nulling, Weighting
from pacs_agent.imaging.acquisition.timing import Timing
from pacs_agent.imaging.acquisition.weighting import description_of, nulling_by, weighting_of
from pacs_agent.imaging.acquisition.words import Description
from pacs_agent.imaging.frames import SLICE_CLASSES
from pacs_agent.imaging.geometry import OBLIQUE_BELOW, Orientation, Vector, canonical_normal, is_orientation, plane_of
from pacs_agent.imaging.headers import HeaderFile
from pacs_agent.imaging.refusal import UnusableSeries
from pacs_agent.imaging.series import Plane

TEMPORAL = (
    *("TemporalPositionIndex", "TemporalPositionIdentifier", "TemporalPositionTimeOffset", "TriggerTime"),
    *("NominalCardiacTriggerDelayTime", "FrameAcquisitionNumber", "AcquisitionNumber"),
)
"""Attributes that number or time the phases of a series, the plainest first. PS3.3 C.8.3.1, C.7.6.16.2.2."""

_NO_BOLUS: Answer[BolusPhase | None] = Answer(None, "it is told of CT alone")
_OBLIQUE_DEG = math.degrees(math.acos(OBLIQUE_BELOW))


@dataclass(frozen=True)
class LeftOut:
    """An image, or one frame of it, that is in no stack, and why."""

    header: HeaderFile
    frame_number: int | None
    reason: str


@dataclass(frozen=True)
class AcquiredFrame:
    """A frame with a place in the patient. Times in ms of the sequence, in s of the clock."""

    header: HeaderFile
    frame_number: int | None
    series_instance_uid: str
    modality: str
    description: Description
    position_mm: Vector
    orientation: Orientation
    size_px: tuple[int, int]
    plane: Answer[Plane]
    """Of this frame; a stack asks for its own, but where the plane is corrected."""
    stack_id: str
    """Stack ID of an Enhanced image. PS3.3 C.7.6.16.2.2."""
    weighting: Answer[Weighting]
    nulling: Answer[Nulling]
    component: Answer[Component]
    is_derived: bool
    """Whether Image Type says DERIVED."""
    contrast: Answer[Contrast]
    bolus_phase: Answer[BolusPhase | None]
    """Of CT alone."""
    kernel: str
    """Convolution Kernel of CT."""
    irradiation_uid: str
    """Irradiation Event UID: what was reconstructed of one scan has the same. PS3.3 C.7.10.1."""
    b_value: Answer[float | None]
    """In s/mm²."""
    echo_number: int | None
    timing: Timing
    acquired_s: Answer[float | None]
    temporal: tuple[float | None, ...]
    """Values of TEMPORAL."""
    instance_number: float


def acquired_frames(header: HeaderFile, corrections: Corrections = no_corrections) -> Iterator[AcquiredFrame | LeftOut]:
    """The frames of a CT or MR image, or why they are no slices."""
    dataset = header.dataset
    whole = FrameElements(dataset)
    modality = whole.text("Modality")
    if whole.text("SOPClassUID") not in SLICE_CLASSES.get(modality, frozenset()):
        yield LeftOut(header, None, f"no slice of CT or MR: {_what_else(whole, modality)}")
        return
    try:
        elements = list(elements_of(dataset))
    except UnusableSeries as error:
        yield LeftOut(header, None, error.reason)
        return
    for frame in elements:
        yield _acquired(header, frame, modality, corrections(frame.values))


def _what_else(whole: FrameElements, modality: str) -> str:
    """What an image is that is no slice; screenshots and dose reports have the modality of their study."""
    if modality not in SLICE_CLASSES:
        return f"its modality is {modality or 'not given'}"
    page = ", by its description a page that nobody reads" if _is_page(whole) else ""
    return f"it is of {UID(whole.text('SOPClassUID')).name}{page}"


def _is_page(whole: FrameElements) -> bool:
    """Whether an image without a place is a localizer, a dose report or a protocol."""
    return weighting_of_ct(whole, description_of(whole)).value is Weighting.LOCALIZER


def _acquired(
    header: HeaderFile, frame: FrameElements, modality: str, said: Sequence[Correction]
) -> AcquiredFrame | LeftOut:
    position, orientation = frame.numbers("ImagePositionPatient", 3), frame.numbers("ImageOrientationPatient", 6)
    if position is None or orientation is None:
        return LeftOut(header, frame.frame_number, "without ImagePositionPatient and ImageOrientationPatient no place")
    x, y, z = position
    directions: Orientation = (*orientation[:3], *orientation[3:])  # type: ignore[assignment]
    if not is_orientation(directions):
        return LeftOut(header, frame.frame_number, "ImageOrientationPatient is no pair of perpendicular unit vectors")
    description, b_value, is_ct = description_of(frame), b_value_of(frame), modality == "CT"
    plane = corrected(by_geometry(directions), said, "plane")
    weighting = weighting_of_ct(frame, description) if is_ct else weighting_of(frame, b_value.value)
    component = component_of_ct(frame, description, plane.value) if is_ct else component_of(frame, description)
    bolus_phase = bolus_phase_of(frame, description) if is_ct else _NO_BOLUS
    echo_numbers = frame.values("EchoNumbers")
    return AcquiredFrame(
        header=header,
        frame_number=frame.frame_number,
        series_instance_uid=frame.text("SeriesInstanceUID"),
        modality=modality,
        description=description,
        position_mm=(x, y, z),
        orientation=directions,
        size_px=(int(frame.number("Rows") or 0), int(frame.number("Columns") or 0)),
        plane=plane,
        stack_id=frame.text("StackID"),
        weighting=corrected(weighting, said, "weighting"),
        nulling=corrected(_nulling(frame, modality), said, "nulling"),
        component=corrected(component, said, "component"),
        is_derived="DERIVED" in frame.frame_type,
        contrast=corrected(contrast_of(frame, description), said, "contrast"),
        bolus_phase=corrected(bolus_phase, said, "bolus_phase"),
        kernel=kernel_of(frame) if is_ct else "",
        irradiation_uid=frame.text("IrradiationEventUID") if is_ct else "",
        b_value=corrected(b_value, said, "b_value"),
        echo_number=int(frame.number("EchoNumbers") or 0) if len(echo_numbers) == 1 else None,
        timing=Timing.of(frame),
        acquired_s=acquired_at_s(frame),
        temporal=tuple(frame.number(keyword) for keyword in TEMPORAL),
        instance_number=frame.number("InstanceNumber") or 0.0,
    )


def tilt_deg(orientation: Orientation) -> float:
    """Angle between the slice normal and the nearest axis of the patient."""
    across = np.sort(np.abs(canonical_normal(orientation)))
    return float(np.degrees(np.arctan2(np.hypot(across[0], across[1]), across[2])))


@lru_cache(maxsize=4096)
def by_geometry(orientation: Orientation) -> Answer[Plane]:
    """The plane, and how far it leans."""
    leans = f"its normal leans {tilt_deg(orientation):.1f}° from the nearest axis"
    reason = f"by ImageOrientationPatient {leans}, oblique from {_OBLIQUE_DEG:.1f}°"
    return Answer(plane_of(orientation), reason)


def _nulling(frame: FrameElements, modality: str) -> Answer[Nulling]:
    return nulling_by(frame) if modality == "MR" else Answer(Nulling.NONE, "CT nulls nothing")
