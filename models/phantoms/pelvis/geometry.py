"""The planes of a series in patient coordinates (PS3.3 C.7.6.2.1.1), and how a volume is sampled on them."""

import functools
import itertools
import operator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform
from scipy.sparse import csr_array

from models.phantoms.canvas import Floats, Point
from models.phantoms.pelvis.volume import Volume

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Geometry:
    """Parallel slices; `first_mm` is the centre of the first pixel of the first slice."""

    first_mm: Point
    along_rows: Vector
    """Direction in which the column index grows: the first triple of ImageOrientationPatient."""
    along_columns: Vector
    pixel_mm: float
    distance_mm: float
    """From slice to slice, along rows x columns."""
    thickness_mm: float
    shape: tuple[int, int, int]
    """Slices, rows, columns."""

    @property
    def normal(self) -> Vector:
        """Direction in which the slice index grows."""
        x, y, z = np.cross(self.along_rows, self.along_columns)
        return float(x), float(y), float(z)

    @property
    def orientation(self) -> tuple[float, ...]:
        """ImageOrientationPatient."""
        return (*self.along_rows, *self.along_columns)

    @property
    def steps_mm(self) -> NDArray[np.float64]:
        """Columns: what one slice, one row, one column further means in x, y, z."""
        steps = (self.distance_mm, self.pixel_mm, self.pixel_mm)
        directions = (self.normal, self.along_columns, self.along_rows)
        return np.stack([np.multiply(d, s) for d, s in zip(directions, steps, strict=True)], 1)

    def position_mm(self, index: int) -> Point:
        """ImagePositionPatient of a slice."""
        x, y, z = np.asarray(self.first_mm) + index * self.steps_mm[:, 0]
        return float(x), float(y), float(z)

    def moved(self, by_mm: Point) -> "Geometry":
        """The same slices elsewhere."""
        x, y, z = (a + b for a, b in zip(self.first_mm, by_mm, strict=True))
        return replace(self, first_mm=(x, y, z))


def centred(
    middle_mm: Point,
    along_rows: Vector,
    along_columns: Vector,
    pixel_mm: float,
    slices: tuple[int, float, float],
    size_px: int,
) -> Geometry:
    """Square slices about a point; `slices` are their count, distance and thickness."""
    count, distance, thickness = slices
    normal = np.cross(along_rows, along_columns)
    corner = np.asarray(middle_mm) - 0.5 * (count - 1) * distance * normal
    corner = corner - 0.5 * (size_px - 1) * pixel_mm * (np.asarray(along_rows) + np.asarray(along_columns))
    x, y, z = (float(v) for v in corner)
    return Geometry((x, y, z), along_rows, along_columns, pixel_mm, distance, thickness, (count, size_px, size_px))


@dataclass(frozen=True, eq=False)
class Crop:
    """The part of a volume that some slices touch: its index ranges, and the way from slice indices into it."""

    index: tuple[slice, slice, slice]
    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]


def crop_for(volume: Volume, geometry: Geometry) -> Crop:
    """The part of a volume about a stack of slices; beyond the volume its border goes on."""
    matrix = geometry.steps_mm[::-1] / volume.voxel_mm
    offset = (np.asarray(geometry.first_mm) - np.asarray(volume.origin_mm))[::-1] / volume.voxel_mm
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in geometry.shape])).reshape(3, -1)
    reached = matrix @ corners + offset[:, None]
    margin = 2.0 + geometry.thickness_mm / volume.voxel_mm
    spans = []
    for axis, count in enumerate(volume.labels.shape):
        low = int(np.clip(np.floor(reached[axis].min() - margin), 0, count - 2))
        high = int(np.clip(np.ceil(reached[axis].max() + margin), low + 2, count))
        spans.append(slice(low, high))
    starts = np.array([span.start for span in spans])
    return Crop((spans[0], spans[1], spans[2]), matrix, offset - starts)


def sample(values: Floats, crop: Crop, geometry: Geometry, slices: int, pixels: int) -> Floats:
    """Values of a cropped volume on the slices, each the mean over its thickness and over its pixels' areas.

    Linear between voxels. One axis of the slices must run along x, as in all planes that are turned about x alone; the
    others then mix y and z only, and both parts are products with sparse matrices. Raises ValueError otherwise.
    """
    along_x = np.abs(crop.matrix[2]) > 1e-9
    if along_x.sum() != 1 or np.abs(crop.matrix[:2, along_x]).max() > 1e-9:
        raise ValueError(f"slices along {geometry.orientation} are turned about more than x; choose others")
    own = int(np.argmax(along_x))
    others = [axis for axis in range(3) if axis != own]
    steps = _offsets(geometry, slices, pixels)
    weights = _weights(crop, geometry, others, steps, values.shape[:2])
    across = _line_weights(crop, geometry, own, steps[own], values.shape[2])
    mixed = weights @ values.reshape(-1, values.shape[2])
    image = (across @ np.ascontiguousarray(mixed.T)).reshape(geometry.shape[own], *(geometry.shape[k] for k in others))
    return np.ascontiguousarray(np.moveaxis(image, 0, own))


def _offsets(geometry: Geometry, slices: int, pixels: int) -> tuple[NDArray[np.float64], ...]:
    """Where the samples of one pixel lie, in steps of its axes."""
    through = (np.arange(slices) - 0.5 * (slices - 1)) * geometry.thickness_mm / slices / geometry.distance_mm
    within = (np.arange(pixels) - 0.5 * (pixels - 1)) / pixels
    return through, within, within


def _weights(
    crop: Crop,
    geometry: Geometry,
    axes: list[int],
    offsets: tuple[NDArray[np.float64], ...],
    shape: tuple[int, ...],
) -> csr_array:
    """Weights of the places y, z of a volume for the pixels over two axes of the slices, [pixels, places]."""
    first, second = axes
    parts = []
    for step, other in itertools.product(offsets[first], offsets[second]):
        i = (np.arange(geometry.shape[first]) + step)[:, None]
        j = (np.arange(geometry.shape[second]) + other)[None, :]
        z, y = (crop.offset[k] + crop.matrix[k, first] * i + crop.matrix[k, second] * j for k in (0, 1))
        parts.append(_bilinear(z.ravel(), y.ravel(), shape))
    return _mean(parts)


def _bilinear(z: NDArray[np.float64], y: NDArray[np.float64], shape: tuple[int, ...]) -> csr_array:
    (low_z, high_z), (low_y, high_y) = _neighbours(z, shape[0]), _neighbours(y, shape[1])
    pairs = itertools.product((low_z, high_z), (low_y, high_y))
    columns, weights = zip(*((a[0] * shape[1] + b[0], a[1] * b[1]) for a, b in pairs), strict=True)
    rows = np.tile(np.arange(len(z)), 4)
    entries = (np.concatenate(weights).astype(np.float32), (rows, np.concatenate(columns)))
    return csr_array(entries, shape=(len(z), shape[0] * shape[1]))


def _line_weights(crop: Crop, geometry: Geometry, axis: int, offsets: NDArray[np.float64], count: int) -> csr_array:
    """Weights of the places along x, [pixels along the axis, places]."""
    parts = []
    for step in offsets:
        x = crop.offset[2] + crop.matrix[2, axis] * (np.arange(geometry.shape[axis]) + step)
        low, high = _neighbours(x, count)
        rows = np.tile(np.arange(len(x)), 2)
        entries = (np.concatenate([low[1], high[1]]).astype(np.float32), (rows, np.concatenate([low[0], high[0]])))
        parts.append(csr_array(entries, shape=(len(x), count)))
    return _mean(parts)


def _mean(parts: list[csr_array]) -> csr_array:
    return functools.reduce(operator.add, parts) / np.float32(len(parts))


def _neighbours(
    place: NDArray[np.float64], count: int
) -> tuple[tuple[NDArray[np.intp], NDArray[np.float64]], tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """The voxel before and the one behind each place, each with its weight; beyond the ends the border goes on."""
    place = np.clip(place, 0.0, count - 1.0)
    before = np.minimum(place.astype(np.intp), count - 2)
    share = place - before
    return (before, 1.0 - share), (before + 1, share)


def sample_labels(volume: Volume, geometry: Geometry) -> NDArray[np.uint8]:
    """The label at the centre of each pixel."""
    crop = crop_for(volume, geometry)
    labels = volume.labels[crop.index]
    out = affine_transform(labels, crop.matrix, crop.offset, geometry.shape, np.uint8, order=0, mode="nearest")
    return np.asarray(out, np.uint8)
