"""What is measured of a region of a series: volume, diameters and CT numbers, with the places they were taken at.

The outline of a region in a slice runs through the midpoints of the pixel edges that separate it from what is not it,
so that a pixel has its whole extent. Rows and columns of an array follow the Slice, as everywhere in this room.
"""

import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.ndimage import find_objects, label
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist, squareform

from pacs_agent.imaging.series import OrderedSeries, Slice

MM3_PER_ML = 1000.0
_CONNECTED = np.ones((3, 3), np.bool_)
_SAME_MM = 1e-6

Box: TypeAlias = tuple[slice, slice, slice]
Points: TypeAlias = NDArray[np.float64]
PlaceMm: TypeAlias = tuple[float, float, float]


class NothingToMeasure(ValueError):
    """A region without voxels, or of a series whose slices have no thickness."""


class Measured(BaseModel):
    """The measurements of one region. Places are in mm in the patient coordinate system, PS3.3 C.7.6.2.1.1."""

    model_config = ConfigDict(frozen=True)

    volume_ml: float
    """Sum over voxels of pixel area × extent along the slice normal; of a slice half the way to each neighbour."""
    longest_diameter_mm: float
    """Longest distance of two points of the outline of one connected part in one slice."""
    diameter_slice: int
    """Index in the series of the slice with the longest diameter."""
    diameter_ends_mm: tuple[PlaceMm, PlaceMm]
    short_diameter_mm: float
    """Extent of the same outline at right angles to the longest diameter, in the same slice."""
    mean_hu: float | None
    """None where the values are not HU."""
    sd_hu: float | None
    """Standard deviation over the voxels."""


def measure(crop: NDArray[np.bool_], box: Box, hu: Iterable[NDArray[np.float32]], series: OrderedSeries) -> Measured:
    """The measurements of a region of a series.

    `crop` [slices, rows, columns] is its mask inside `box`, a box of the series' slices; `hu` are the values there,
    slice by slice, and are asked for of CT alone. Raises NothingToMeasure when the region is empty or the series has
    one slice.
    """
    if not crop.any():
        raise NothingToMeasure("the region has no voxel")
    slices = series.slices[box[0]]
    longest = _longest(crop, slices)
    ends = tuple(_place(slices[longest.slice_index], end, box) for end in longest.ends_mm)
    mean, sd = _mean_and_sd(crop, hu) if series.modality == "CT" else (None, None)
    return Measured(
        volume_ml=_volume_ml(crop, box, series),
        longest_diameter_mm=longest.longest_mm,
        diameter_slice=box[0].start + longest.slice_index,
        diameter_ends_mm=(ends[0], ends[1]),
        short_diameter_mm=longest.short_mm,
        mean_hu=mean,
        sd_hu=sd,
    )


def voxel_ml(spacing_mm: Sequence[float]) -> float:
    """What a voxel of this spacing along its three axes holds."""
    return math.prod(spacing_mm) / MM3_PER_ML


def slice_extents_mm(series: OrderedSeries) -> NDArray[np.float64]:
    """How far each slice reaches along the normal: half the way to each neighbour, the outer ones as far outwards.

    Slice positions decide, never Slice Thickness, which says how thick the beam was. Raises NothingToMeasure for a
    series of one slice.
    """
    if len(series.slices) < 2:
        raise NothingToMeasure("a single slice has no volume; segment a series of several slices")
    gaps = np.diff([one.z_mm for one in series.slices])
    extents: NDArray[np.float64] = (np.concatenate([gaps[:1], gaps]) + np.concatenate([gaps, gaps[-1:]])) / 2
    return extents


def _volume_ml(crop: NDArray[np.bool_], box: Box, series: OrderedSeries) -> float:
    areas = np.array([math.prod(one.spacing_mm) for one in series.slices[box[0]]])
    voxels = crop.sum(axis=(1, 2), dtype=np.float64)
    return float((voxels * areas * slice_extents_mm(series)[box[0]]).sum() / MM3_PER_ML)


def _mean_and_sd(crop: NDArray[np.bool_], planes: Iterable[NDArray[np.float32]]) -> tuple[float, float]:
    """Over the voxels of a crop that is not empty, slice by slice (Chan, Golub and LeVeque, STAN-CS-79-773, 1979)."""
    count, mean, squares = 0, 0.0, 0.0
    for mask, plane in zip(crop, planes, strict=True):
        values = plane[mask].astype(np.float64)
        if len(values):
            own, together = float(values.mean()), count + len(values)
            squares += float(((values - own) ** 2).sum()) + (own - mean) ** 2 * count * len(values) / together
            mean += (own - mean) * len(values) / together
            count = together
    return mean, math.sqrt(squares / count)


class _Diameters(BaseModel):
    """Ends in mm from the centre of the crop's first pixel: along a column, along a row."""

    slice_index: int
    longest_mm: float
    short_mm: float
    ends_mm: tuple[tuple[float, float], tuple[float, float]]


def _longest(crop: NDArray[np.bool_], slices: Sequence[Slice]) -> _Diameters:
    """The longest diameter over all slices; parts that cannot have it are not looked at."""
    parts = [part for index, mask in enumerate(crop) for part in _parts(index, mask, slices[index].spacing_mm)]
    found: _Diameters | None = None
    for bound, index, first, part in sorted(parts, key=lambda part: (-part[0], part[1], part[2])):
        if found is not None and bound <= found.longest_mm + _SAME_MM:
            break
        diameters = _diameters(index, part, first, slices[index].spacing_mm)
        if found is None or diameters.longest_mm > found.longest_mm + _SAME_MM:
            found = diameters
    if found is None:  # a crop that is not empty has a part
        raise AssertionError
    return found


_Part: TypeAlias = tuple[float, int, tuple[int, int], NDArray[np.bool_]]


def _parts(index: int, mask: NDArray[np.bool_], spacing_mm: tuple[float, float]) -> list[_Part]:
    """Connected parts of a slice: the diagonal of its box in mm, the slice, the box's first pixel, the mask in it."""
    labels, count = label(mask, structure=_CONNECTED)
    parts: list[_Part] = []
    for number, box in enumerate(find_objects(labels, count), start=1):
        part = labels[box] == number
        diagonal = math.hypot(part.shape[0] * spacing_mm[0], part.shape[1] * spacing_mm[1])
        parts.append((diagonal, index, (box[0].start, box[1].start), part))
    return parts


def _diameters(
    index: int, part: NDArray[np.bool_], first: tuple[int, int], spacing_mm: tuple[float, float]
) -> _Diameters:
    points = _hull((outline_px(part) + first) * spacing_mm)
    distances = squareform(pdist(points))
    one, other = np.unravel_index(int(np.argmax(distances)), distances.shape)
    longest = float(distances[one, other])
    along = (points[other] - points[one]) / longest
    across = points @ np.array([-along[1], along[0]])
    ends = (float(points[one][0]), float(points[one][1])), (float(points[other][0]), float(points[other][1]))
    return _Diameters(slice_index=index, longest_mm=longest, short_mm=float(np.ptp(across)), ends_mm=ends)


def outline_px(mask: NDArray[np.bool_]) -> Points:
    """Midpoints of the outer pixel edges of a mask: row and column, whole numbers at centres of pixels, [n, 2].

    Of each row and each column its first and last pixel, which is all that a diameter can end at.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, right = mask[rows].argmax(axis=1), mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)
    top, bottom = mask[:, columns].argmax(axis=0), mask.shape[0] - 1 - mask[::-1, columns].argmax(axis=0)
    sides = ((rows, left - 0.5), (rows, right + 0.5), (top - 0.5, columns), (bottom + 0.5, columns))
    return np.concatenate([np.stack(side, axis=1) for side in sides]).astype(np.float64)


def _hull(points: Points) -> Points:
    """The points between which the longest distance must lie."""
    try:
        corners: Points = points[ConvexHull(points).vertices]
    except QhullError:  # numerically on one line
        return points
    return corners


def _place(one: Slice, end_mm: tuple[float, float], box: Box) -> PlaceMm:
    """A point of a slice in the patient, from mm along its columns and rows. PS3.3 C.7.6.2.1.1."""
    down = end_mm[0] + box[1].start * one.spacing_mm[0]
    right = end_mm[1] + box[2].start * one.spacing_mm[1]
    x, y, z = np.array(one.position_mm) + right * np.array(one.orientation[:3]) + down * np.array(one.orientation[3:])
    return float(x), float(y), float(z)
