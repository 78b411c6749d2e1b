"""Frames become an ordered series: sorted by position along the slice normal, laid out as they are read."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pacs_agent.imaging.attributes import text
from pacs_agent.imaging.body_part import body_part_of
from pacs_agent.imaging.checks import check_gaps, check_image_types, check_pixel_format, check_same_frame, check_tilt
from pacs_agent.imaging.frames import Frame, frames_of
from pacs_agent.imaging.geometry import Turn, canonical_normal, display_turn, plane_of
from pacs_agent.imaging.headers import HeaderFile
from pacs_agent.imaging.part import SeriesPart
from pacs_agent.imaging.refusal import ReasonCode, UnusableSeries
from pacs_agent.imaging.series import OrderedSeries, Slice


def order_series(headers: Sequence[HeaderFile], part: SeriesPart | None = None) -> OrderedSeries:
    """The slices of one series, or of a part of it, in ascending z, whatever the order and numbers of its files.

    z is the position projected on the slice normal, which points to the head (axial), left (sagittal) or posterior
    (coronal). Every slice is laid out for reading: the patient's left to the right of the image, head or front up.
    Raises UnusableSeries for everything that a stack of parallel, evenly spaced slices with known geometry is not.
    """
    headers = headers if part is None else part.files(headers)
    if not headers:
        raise UnusableSeries(ReasonCode.NO_IMAGES, "the series has no images")
    check_image_types(headers)
    check_pixel_format(headers)
    frames = [frame for header in headers for frame in frames_of(header) if part is None or part.has(frame)]
    check_same_frame(frames)
    normal, turn = canonical_normal(frames[0].orientation), display_turn(frames[0].orientation)
    placed = sorted(((_z_mm(frame, normal), frame) for frame in frames), key=lambda one: one[0])
    frames = [frame for _, frame in placed]
    slices = tuple(_slice(frame, z_mm, turn) for z_mm, frame in placed)
    check_gaps([one.z_mm for one in slices])
    check_tilt(frames)
    return _series(frames, slices)


def slices_of_header(header: HeaderFile) -> tuple[Slice, ...]:
    """The slices of one file as `order_series` will give them when the rest of the series is there, by z.

    They differ from those only where the first file of the series is laid out otherwise than this one: then directions
    lie within SAME_DIRECTION_DEG of each other and on both sides of a diagonal. Raises UnusableSeries.
    """
    check_image_types([header])
    check_pixel_format([header])
    frames = list(frames_of(header))
    normal, turn = canonical_normal(frames[0].orientation), display_turn(frames[0].orientation)
    slices = (_slice(frame, _z_mm(frame, normal), turn) for frame in frames)
    return tuple(sorted(slices, key=lambda one: one.z_mm))


def _z_mm(frame: Frame, normal: NDArray[np.float64]) -> float:
    return float(np.dot(frame.position_mm, normal))


def _slice(frame: Frame, z_mm: float, turn: Turn) -> Slice:
    """A slice as `read_slices` gives it; one normal and one turn for all, so that rounding cannot part them."""
    shape = (frame.rows, frame.columns)
    rows, columns = turn.pair(shape)
    return Slice(
        path=frame.header.path,
        sop_instance_uid=frame.header.sop_instance_uid,
        sop_class_uid=frame.header.text("SOPClassUID"),
        frame_number=frame.frame_number,
        z_mm=z_mm,
        position_mm=turn.position(frame.position_mm, frame.orientation, frame.spacing_mm, shape),
        orientation=turn.orientation(frame.orientation),
        rows=rows,
        columns=columns,
        spacing_mm=turn.pair(frame.spacing_mm),
        slope=frame.slope,
        intercept=frame.intercept,
    )


def _series(frames: Sequence[Frame], slices: tuple[Slice, ...]) -> OrderedSeries:
    lowest = frames[0].header.dataset
    references = {frame.header.text("FrameOfReferenceUID") for frame in frames}
    return OrderedSeries(
        study_instance_uid=text(lowest, "StudyInstanceUID"),
        series_instance_uid=text(lowest, "SeriesInstanceUID"),
        frame_of_reference_uid=references.pop() if len(references) == 1 else "",
        modality=text(lowest, "Modality"),
        plane=plane_of(slices[0].orientation),
        description=text(lowest, "SeriesDescription"),
        body_part=body_part_of(lowest),
        slices=slices,
    )
