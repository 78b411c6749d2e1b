"""Files become frames: each slice's own position, orientation, spacing and rescale, from whichever module holds it.

Single-frame images keep them in the data set (PS3.3 C.7.6.2, C.8.2.1, C.11.1), Enhanced and Legacy Converted ones in
the shared or per-frame functional groups (PS3.3 C.7.6.16).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pydicom import Dataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from pacs_agent.imaging.attributes import MalformedAttribute, first_item, number, numbers, text, values, whole_number
from pacs_agent.imaging.geometry import Orientation, Vector, is_orientation
from pacs_agent.imaging.headers import HeaderFile, fact
from pacs_agent.imaging.refusal import ReasonCode, UnusableSeries

SLICE_CLASSES: dict[str, frozenset[str]] = {
    "CT": frozenset({CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage}),
    "MR": frozenset({MRImageStorage, EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage}),
}
"""Modality → SOP classes whose frames are slices with a place in the patient."""
ENHANCED = frozenset().union(*SLICE_CLASSES.values()) - {CTImageStorage, MRImageStorage}

MAX_FRAMES = 20_000


@dataclass(frozen=True)
class Frame:
    """One slice as its file describes it; `frame_number` counts from 1 and is None for a single-frame image."""

    header: HeaderFile
    frame_number: int | None
    position_mm: Vector
    orientation: Orientation
    spacing_mm: tuple[float, float]
    rows: int
    columns: int
    slope: float
    intercept: float


class _Described(NamedTuple):
    """A Frame without its header."""

    frame_number: int | None
    position_mm: Vector
    orientation: Orientation
    spacing_mm: tuple[float, float]
    rows: int
    columns: int
    slope: float
    intercept: float


def frames_of(header: HeaderFile) -> Iterator[Frame]:
    """The frames of a file, in stored order. Raises UnusableSeries when geometry, size or rescale cannot be used."""
    described = _described(header) if slices_in(header) > 1 else (_described_once(header),)
    return (Frame(header, *each) for each in described)


@fact
def _described_once(header: HeaderFile) -> _Described:
    """The only frame: those of a file of many would take more memory than all else of its header."""
    return next(_described(header))


def _is_enhanced(header: HeaderFile) -> bool:
    return header.dataset.get("SOPClassUID") in ENHANCED


def _described(header: HeaderFile) -> Iterator[_Described]:
    rows, columns = _size(header)
    enhanced = _is_enhanced(header)
    for number_of_frame in range(1, frame_count(header.dataset) + 1):
        groups = _Groups(header, number_of_frame if enhanced else None)
        slope, intercept = _rescale(groups)
        yield _Described(
            frame_number=number_of_frame if enhanced else None,
            position_mm=groups.position(),
            orientation=groups.orientation(),
            spacing_mm=groups.spacing(),
            rows=rows,
            columns=columns,
            slope=slope,
            intercept=intercept,
        )


def frame_count(dataset: Dataset) -> int:
    """Number of frames, 1 for a single-frame image. Raises UnusableSeries on a number that cannot be."""
    try:
        count = whole_number(dataset, "NumberOfFrames", 1)
    except MalformedAttribute as error:
        raise UnusableSeries(ReasonCode.UNREADABLE_PIXELS, str(error)) from error
    if not 1 <= count <= MAX_FRAMES:
        raise UnusableSeries(ReasonCode.UNREADABLE_PIXELS, f"NumberOfFrames is {count}; 1 to {MAX_FRAMES} are read")
    return count


@fact
def slices_in(header: HeaderFile) -> int:
    """Number of frames of a file, as `frame_count` gives it."""
    return frame_count(header.dataset)


@fact
def image_types(header: HeaderFile) -> tuple[frozenset[str], ...]:
    """Values of Image Type of the file, and of Frame Type of each of its frames. PS3.3 C.7.6.1.1.2, C.8.16.1."""
    return tuple(map(frozenset, _image_types(header)))


def _image_types(header: HeaderFile) -> Iterator[tuple[str, ...]]:
    yield values(header.dataset, "ImageType")
    keyword = "CTImageFrameTypeSequence" if text(header.dataset, "Modality") == "CT" else "MRImageFrameTypeSequence"
    for item in header.dataset.get("PerFrameFunctionalGroupsSequence") or ():
        if frame_type := first_item(item, keyword):
            yield values(frame_type, "FrameType")


def int16_shift(dataset: Dataset) -> int:
    """What is taken from stored values so that they fit int16: 32768 for unsigned 16-bit values, else 0.

    It follows from the header alone, so the intercept of a Slice and the array that `read_slices` gives always agree.
    """
    signed = whole_number(dataset, "PixelRepresentation") == 1
    return 32768 if not signed and whole_number(dataset, "BitsStored", 16) >= 16 else 0


def _size(header: HeaderFile) -> tuple[int, int]:
    """Rows and columns."""
    try:
        rows, columns = whole_number(header.dataset, "Rows"), whole_number(header.dataset, "Columns")
    except MalformedAttribute as error:
        raise UnusableSeries(ReasonCode.UNREADABLE_PIXELS, _in_image(header, str(error))) from error
    if rows < 1 or columns < 1:
        fault = f"{rows} rows and {columns} columns; at least 1 of each are needed"
        raise UnusableSeries(ReasonCode.UNREADABLE_PIXELS, _in_image(header, fault))
    return rows, columns


def _in_image(header: HeaderFile, fault: str) -> str:
    return f"image {header.name}: {fault}"


class _Groups:
    """Where the attributes of one frame are: in the data set itself, or in its functional groups."""

    def __init__(self, header: HeaderFile, frame_number: int | None) -> None:
        self.header = header
        self.frame_number = frame_number

    def macro(self, keyword: str) -> Dataset | None:
        """The data set that holds the attributes of a functional group macro: the frame's own before the shared one."""
        if self.frame_number is None:
            return self.header.dataset
        per_frame = self.header.dataset.get("PerFrameFunctionalGroupsSequence") or ()
        own = per_frame[self.frame_number - 1] if self.frame_number <= len(per_frame) else Dataset()
        shared = first_item(self.header.dataset, "SharedFunctionalGroupsSequence") or Dataset()
        return first_item(own, keyword) or first_item(shared, keyword)

    def position(self) -> Vector:
        """Image Position (Patient). PS3.3 C.7.6.16.2.3."""
        x, y, z = self._needed("PlanePositionSequence", "ImagePositionPatient", 3)
        return x, y, z

    def orientation(self) -> Orientation:
        """Image Orientation (Patient). PS3.3 C.7.6.16.2.4."""
        found = self._needed("PlaneOrientationSequence", "ImageOrientationPatient", 6)
        orientation: Orientation = (found[0], found[1], found[2], found[3], found[4], found[5])
        if not is_orientation(orientation):
            raise self.refuse(ReasonCode.NO_GEOMETRY, f"ImageOrientationPatient {found} is no pair of unit vectors")
        return orientation

    def spacing(self) -> tuple[float, float]:
        """Pixel Spacing. PS3.3 C.7.6.16.2.1, 10.7.1.3."""
        rows, columns = self._needed("PixelMeasuresSequence", "PixelSpacing", 2)
        if rows <= 0 or columns <= 0:
            raise self.refuse(ReasonCode.NO_GEOMETRY, f"PixelSpacing is {rows}\\{columns}; it must be above 0")
        return rows, columns

    def refuse(self, code: ReasonCode, fault: str) -> UnusableSeries:
        """The error that names the image, and the frame where there are several."""
        frame = f"frame {self.frame_number}: " if self.frame_number else ""
        return UnusableSeries(code, _in_image(self.header, frame + fault))

    def _needed(self, macro: str, keyword: str, count: int) -> tuple[float, ...]:
        holder = self.macro(macro)
        try:
            found = numbers(holder, keyword, count) if holder is not None else None
        except MalformedAttribute as error:
            raise self.refuse(ReasonCode.NO_GEOMETRY, str(error)) from error
        if found is None:
            raise self.refuse(ReasonCode.NO_GEOMETRY, f"{keyword} is missing; without it slices have no place")
        return found


def _rescale(groups: _Groups) -> tuple[float, float]:
    """Slope and intercept that turn the values of `read_slices` into HU (CT) or intensities (MR).

    PS3.3 C.7.6.16.2.9 and C.11.1. CT must have them and in HU; an MR image without them means its stored values.
    """
    dataset = groups.macro("PixelValueTransformationSequence")
    modality = text(groups.header.dataset, "Modality")
    try:
        slope = number(dataset, "RescaleSlope") if dataset is not None else None
        intercept = number(dataset, "RescaleIntercept") if dataset is not None else None
        shift = int16_shift(groups.header.dataset)
    except MalformedAttribute as error:
        raise groups.refuse(ReasonCode.UNUSABLE_RESCALE, str(error)) from error
    if modality == "CT" and (slope is None or intercept is None):
        raise groups.refuse(ReasonCode.UNUSABLE_RESCALE, "a CT without RescaleSlope and RescaleIntercept has no HU")
    slope, intercept = (1.0 if slope is None else slope), (intercept or 0.0)
    if slope == 0:
        raise groups.refuse(ReasonCode.UNUSABLE_RESCALE, "RescaleSlope is 0; every pixel would have the same value")
    _check_unit(groups, dataset, modality)
    return slope, intercept + slope * shift


def _check_unit(groups: _Groups, dataset: Dataset | None, modality: str) -> None:
    """Refuses values that no line leads to, and a CT in other units than HU (atomic number, density). PS3.3 C.11.1."""
    if groups.header.dataset.get("ModalityLUTSequence") is not None:
        raise groups.refuse(ReasonCode.UNUSABLE_RESCALE, "its values go through a Modality LUT; a slope is needed")
    unit = text(dataset, "RescaleType") if dataset is not None else ""
    if modality == "CT" and unit not in ("", "HU", "US"):
        raise groups.refuse(ReasonCode.UNUSABLE_RESCALE, f"RescaleType is {unit}; CT numbers in HU are needed")
