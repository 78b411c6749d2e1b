"""What makes a set of files a stack of slices; each check raises UnusableSeries with the values that are wrong."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from pydicom.pixels.decoders.base import get_decoder

from pacs_agent.imaging.attributes import MalformedAttribute, whole_number
from pacs_agent.imaging.frames import Frame, image_types
from pacs_agent.imaging.geometry import angle_deg, canonical_normal
from pacs_agent.imaging.headers import HeaderFile, fact
from pacs_agent.imaging.refusal import ReasonCode, UnusableSeries

SAME_POSITION_MM = 0.01
MISSING_ABOVE = 1.5
"""A gap of more than this many median gaps is a missing slice."""
UNEVEN_ABOVE = 0.2
"""A gap further than this share from the median gap is irregular."""
SAME_DIRECTION_DEG = 0.5
MAX_TILT_DEG = 2.0
"""Angle between the stack and the slice normal; a tilted gantry has more."""
_SAME_SPACING = 0.01

_PROJECTIONS = frozenset({"MIP", "MINIP", "MAX_IP", "MIN_IP", "MAXIP", "MEAN_IP", "VOLREN", "PROJECTION IMAGE"})


def check_image_types(headers: Sequence[HeaderFile]) -> None:
    """Refuses localizers and intensity projections. PS3.3 C.8.2.1.1.1, C.8.16.1.3."""
    kinds = [kind for header in headers for kind in image_types(header)]
    if localizers := sum("LOCALIZER" in kind for kind in kinds):
        raise UnusableSeries(ReasonCode.LOCALIZER, f"{localizers} of {len(kinds)} images are localizers")
    if projections := frozenset[str]().union(*kinds) & _PROJECTIONS:
        raise UnusableSeries(ReasonCode.PROJECTION, f"the images are projections ({', '.join(sorted(projections))})")


def check_pixel_format(headers: Iterable[HeaderFile]) -> None:
    """Refuses images that are not grey values of at most 16 bits, or in a transfer syntax that cannot be decoded."""
    for header in headers:
        try:
            fault = _pixel_fault(header)
        except MalformedAttribute as error:
            fault = str(error)
        if fault:
            raise UnusableSeries(ReasonCode.UNREADABLE_PIXELS, f"image {header.name}: {fault}")


def check_same_frame(frames: Sequence[Frame]) -> None:
    """Refuses slices of several series, frames of reference, sizes, pixel spacings or orientations."""
    if len(series := _occurring(frames, "SeriesInstanceUID")) > 1:
        raise UnusableSeries(ReasonCode.NO_GEOMETRY, f"images of several series: {_listed(series)}")
    _check_frames_of_reference(frames)
    sizes = Counter(f"{frame.rows} × {frame.columns}" for frame in frames)
    if len(sizes) > 1:
        raise UnusableSeries(ReasonCode.MIXED_SIZES, f"rows × columns differ: {_listed(sizes)}")
    spacings = np.array([frame.spacing_mm for frame in frames])
    if np.any(np.ptp(spacings, axis=0) > _SAME_SPACING * spacings[0]):
        low, high = spacings.min(axis=0), spacings.max(axis=0)
        raise UnusableSeries(ReasonCode.MIXED_SIZES, f"pixel spacings differ: from {low} to {high} mm")
    _check_orientations(frames)


def check_gaps(z_mm: Sequence[float]) -> None:
    """Refuses ascending positions in mm that coincide, leave out a slice or are unevenly spaced."""
    gaps = np.diff(np.array(z_mm))
    if not len(gaps):
        return
    if coincide := int(np.sum(gaps < SAME_POSITION_MM)):
        fault = f"{coincide} of {len(z_mm)} slices lie where another one does"
        raise UnusableSeries(ReasonCode.DUPLICATE_POSITIONS, fault)
    median = float(np.median(gaps))
    if missing := np.flatnonzero(gaps > MISSING_ABOVE * median).tolist():
        where = ", ".join(f"z {z_mm[i]:.1f} to {z_mm[i + 1]:.1f} mm" for i in missing[:3])
        fault = f"slices are missing in {len(missing)} places ({where}); the usual distance is {median:.2f} mm"
        raise UnusableSeries(ReasonCode.MISSING_SLICES, fault)
    if np.any(np.abs(gaps - median) > UNEVEN_ABOVE * median):
        fault = f"slice distances run from {gaps.min():.2f} to {gaps.max():.2f} mm; they must be even"
        raise UnusableSeries(ReasonCode.IRREGULAR_SPACING, fault)


def check_tilt(frames: Sequence[Frame]) -> None:
    """Refuses sorted frames whose stack is not perpendicular to them, as a tilted gantry leaves it. PS3.3 C.8.2.1."""
    if len(frames) < 2:
        return
    stack = np.array(frames[-1].position_mm) - np.array(frames[0].position_mm)
    tilt = angle_deg(stack, canonical_normal(frames[0].orientation))
    if tilt > MAX_TILT_DEG:
        fault = (
            f"the stack leans {tilt:.1f} degrees from the slice normal (gantry tilt); at most {MAX_TILT_DEG} are read"
        )
        raise UnusableSeries(ReasonCode.GANTRY_TILT, fault)


@fact
def _pixel_fault(header: HeaderFile) -> str:
    """What is wrong with how the pixels of an image are stored, or nothing. PS3.3 C.7.6.3, PS3.5 8."""
    allocated = whole_number(header.dataset, "BitsAllocated", 16)
    stored = whole_number(header.dataset, "BitsStored", allocated)
    if whole_number(header.dataset, "SamplesPerPixel", 1) != 1:
        return "colour images are no CT or MR slices; one sample per pixel is needed"
    if allocated not in (8, 16) or not 1 <= stored <= allocated:
        return f"{stored} bits stored in {allocated} allocated; 8 or 16 allocated are read"
    syntax = header.transfer_syntax_uid
    return _syntax_fault(syntax) if syntax else ""


def _syntax_fault(transfer_syntax_uid: str) -> str:
    try:
        available = get_decoder(transfer_syntax_uid).is_available
    except NotImplementedError:
        available = False
    return "" if available else f"no decoder for transfer syntax {transfer_syntax_uid}"


def _check_frames_of_reference(frames: Sequence[Frame]) -> None:
    """Refuses a series in several frames of reference; their positions cannot be compared. PS3.3 C.7.4.1.

    A value of its own in every image is what careless de-identification leaves (LIDC-IDRI does) and says nothing.
    """
    found = _occurring(frames, "FrameOfReferenceUID")
    if 1 < len(found) < len(frames):
        fault = f"{len(found)} frames of reference in one series: {_listed(found)}"
        raise UnusableSeries(ReasonCode.MIXED_FRAMES_OF_REFERENCE, fault)


def _occurring(frames: Sequence[Frame], keyword: str) -> Counter[str]:
    return Counter(frame.header.text(keyword) for frame in frames)


def _check_orientations(frames: Sequence[Frame]) -> None:
    directions = np.array(list(dict.fromkeys(frame.orientation for frame in frames))).reshape(-1, 2, 3)
    for axis in (0, 1):
        angles = [angle_deg(directions[0, axis], other) for other in directions[:, axis]]
        if max(angles) > SAME_DIRECTION_DEG:
            fault = f"slices of one series are turned against each other by up to {max(angles):.1f} degrees"
            raise UnusableSeries(ReasonCode.MIXED_ORIENTATION, fault)


def _listed(counts: Counter[str]) -> str:
    """Values and how often each occurs, the most frequent first."""
    return ", ".join(f"{value or '(none)'} ({n}×)" for value, n in counts.most_common(3))
