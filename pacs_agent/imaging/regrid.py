"""A series' slices are put on a model's grid, and what the model says of the grid comes back to the slices.

Both lie along the same axes, those of the series itself, so every step is a product with one sparse matrix for each
axis. Slices are taken and given one after the other: in memory lie the grid's values and one slice, and of the grid's
probabilities the two planes that a slice lies between.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pacs_agent.imaging.measure import voxel_ml
from pacs_agent.imaging.series import OrderedSeries

Floats = NDArray[np.float32]
Triple = tuple[float, float, float]
_SAME_SPACING = 1.001


@dataclass(frozen=True, eq=False)
class Lattice:
    """Where the voxels of a volume have their centres: in mm along slices, rows and columns, each ascending.

    In-plane positions count from the first pixel's centre; `z_mm` is that of the slices, evenly spaced or not.
    """

    z_mm: NDArray[np.float64]
    y_mm: NDArray[np.float64]
    x_mm: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return (len(self.z_mm), len(self.y_mm), len(self.x_mm))

    @property
    def axes(self) -> tuple[NDArray[np.float64], ...]:
        """The positions along slices, rows, columns."""
        return (self.z_mm, self.y_mm, self.x_mm)

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel, of a lattice that is evenly spaced."""
        return voxel_ml([_spacing_mm(axis) for axis in self.axes])


def lattice_of(series: OrderedSeries) -> Lattice:
    """Where the voxels of a series lie, in the layout that `read_slices` gives."""
    first = series.slices[0]
    z_mm = np.array([one.z_mm for one in series.slices], np.float64)
    return Lattice(z_mm, _even(first.rows, first.spacing_mm[0]), _even(first.columns, first.spacing_mm[1]))


def even_lattice(shape: tuple[int, int, int], spacing_mm: Triple) -> Lattice:
    """Where the voxels of an array of slices, rows, columns with even spacing lie."""
    return Lattice(*(_even(count, step_mm) for count, step_mm in zip(shape, spacing_mm, strict=True)))


def grid_over(source: Lattice, spacing_mm: Triple) -> Lattice:
    """The grid of a spacing that covers a volume, both with the same middle."""
    return Lattice(*(_covering(axis, step) for axis, step in zip(source.axes, spacing_mm, strict=True)))


def onto_grid(slices: Iterable[NDArray[Any]], source: Lattice, grid: Lattice) -> Floats:
    """Values on the grid [d, h, w] from slices (rows, columns) in their order; each may be anything numeric.

    Interpolated linearly where the grid is as fine as the source, else averaged under a triangle whose half width is
    the grid's spacing, so that nothing finer than the grid comes through as something else.
    """
    along_z, along_y, along_x = (_weights(*pair) for pair in zip(source.axes, grid.axes, strict=True))
    of_slice = along_z.tocsc()
    values = np.zeros(grid.shape, np.float32)
    for index, pixels in enumerate(slices):
        plane = (along_x @ (along_y @ pixels.astype(np.float32, copy=False)).T).T
        planes = slice(of_slice.indptr[index], of_slice.indptr[index + 1])
        for number, weight in zip(of_slice.indices[planes], of_slice.data[planes], strict=True):
            values[number] += weight * plane
    return values


def labels_on_source(planes: Iterable[NDArray[Any]], source: Lattice, grid: Lattice) -> Iterator[NDArray[np.uint8]]:
    """For each slice of the source the most probable class of each pixel, of the grid's planes [classes, h, w].

    Class 0 is background. Probabilities are interpolated linearly and only then compared, each class within the box
    where it can win at all: there it has at least an even share. Planes are taken when a slice needs them.
    """
    along_z, along_y, along_x = (_linear(*pair) for pair in zip(grid.axes, source.axes, strict=True))
    coming = _Coming(planes)
    for index in range(source.shape[0]):
        row = slice(along_z.indptr[index], along_z.indptr[index + 1])
        beside = coming.beside(along_z.indices[row])
        yield _winners(_Between(beside, along_z.data[row], along_y, along_x), source.shape[1:])


def nearest(source: Lattice, grid: Lattice) -> tuple[NDArray[np.intp], ...]:
    """For each slice, row and column of the source the index of the grid's nearest one."""
    pairs = zip(source.axes, grid.axes, strict=True)
    return tuple(_nearest(of_source, of_grid) for of_source, of_grid in pairs)


Reach = tuple[slice, slice] | None
"""The box in which a class can win, None where it cannot."""


@dataclass(frozen=True, eq=False)
class _Plane:
    """A plane of the grid: probabilities [classes, h, w]."""

    probabilities: NDArray[Any]

    @cached_property
    def reach(self) -> list[Reach]:
        """Of each class, in this plane."""
        share = 1 / len(self.probabilities)
        return [_reach(of_class >= share * 0.999) for of_class in self.probabilities]


class _Coming:
    """The planes of the grid as they come, and those that slices still lie beside."""

    def __init__(self, planes: Iterable[NDArray[Any]]) -> None:
        self._coming = enumerate(planes)
        self._held: dict[int, _Plane] = {}

    def beside(self, numbers: NDArray[np.int32]) -> list[_Plane]:
        """Planes by their numbers, which ascend from slice to slice."""
        self._held = {number: plane for number, plane in self._held.items() if number >= numbers[0]}
        while numbers[-1] not in self._held:
            number, probabilities = next(self._coming)
            if number >= numbers[0]:
                self._held[number] = _Plane(probabilities)
        return [self._held[number] for number in numbers]


@dataclass(frozen=True, eq=False)
class _Between:
    """The planes of the grid between which one slice lies, their weights, and how they are brought to its pixels."""

    planes: Sequence[_Plane]
    shares: Floats
    along_y: csr_array
    along_x: csr_array

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns of the grid."""
        return self.planes[0].probabilities.shape[1:]

    def reach(self) -> dict[int, tuple[slice, slice]]:
        """The box of each class that can win here."""
        boxes = enumerate(zip(*(plane.reach for plane in self.planes), strict=True))
        return {number: box for number, of_class in boxes if (box := _joined(list(of_class))) is not None}

    def pixels(self, of_class: int, box: tuple[slice, slice], at: tuple[slice, slice]) -> Floats:
        """Interpolated probabilities of the pixels `at`, to which only the grid's `box` contributes."""
        parts = (
            np.float32(share) * plane.probabilities[of_class][box].astype(np.float32)
            for plane, share in zip(self.planes, self.shares, strict=True)
        )
        plane = sum(parts, np.float32(0))
        across = self.along_y[at[0], box[0]] @ plane
        return np.ascontiguousarray((self.along_x[at[1], box[1]] @ across.T).T)


def _winners(between: _Between, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    labels = np.zeros(shape, np.uint8)
    found = {number: box for number, box in between.reach().items() if number}
    whole = _joined(list(found.values()))
    if whole is None:
        return labels
    at = _pixels_touched(between, whole)
    best = between.pixels(0, _widened(whole, between.shape), at)
    part = labels[at]
    for number, box in found.items():
        own = _pixels_touched(between, box)
        inside = tuple(slice(one.start - all_.start, one.stop - all_.start) for one, all_ in zip(own, at, strict=True))
        values = between.pixels(number, _widened(box, between.shape), own)
        wins = values > best[inside]
        part[inside][wins] = number
        np.maximum(best[inside], values, out=best[inside])
    return labels


def _reach(can_win: NDArray[np.bool_]) -> Reach:
    rows, columns = np.flatnonzero(can_win.any(axis=1)), np.flatnonzero(can_win.any(axis=0))
    return (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)) if len(rows) else None


def _joined(boxes: Sequence[Reach]) -> Reach:
    found = [box for box in boxes if box is not None]
    if not found:
        return None
    rows, columns = ([box[axis] for box in found] for axis in (0, 1))
    return _around(rows), _around(columns)


def _around(spans: list[slice]) -> slice:
    return slice(min(one.start for one in spans), max(one.stop for one in spans))


def _widened(box: tuple[slice, slice], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """With the neighbours that pixels beside the box are interpolated from."""
    rows, columns = (slice(max(0, s.start - 1), min(n, s.stop + 1)) for s, n in zip(box, shape, strict=True))
    return rows, columns


def _pixels_touched(between: _Between, box: tuple[slice, slice]) -> tuple[slice, slice]:
    """The pixels to whose value a voxel of the box contributes."""
    rows, columns = (_touched(m, s) for m, s in zip((between.along_y, between.along_x), box, strict=True))
    return rows, columns


def _touched(along: csr_array, span: slice) -> slice:
    hit = (along.indices >= span.start) & (along.indices < span.stop)
    rows = np.flatnonzero(np.diff(np.concatenate(([0], np.cumsum(hit)))[along.indptr]))
    return slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0, 0)


def _even(count: int, step_mm: float) -> NDArray[np.float64]:
    return np.arange(count, dtype=np.float64) * step_mm


def _covering(axis: NDArray[np.float64], step_mm: float) -> NDArray[np.float64]:
    cells = _cells_mm(axis, step_mm)
    begin, end = axis[0] - cells[0] / 2, axis[-1] + cells[-1] / 2
    count = max(1, int(np.ceil((end - begin) / step_mm - 1e-6)))
    return np.asarray((begin + end) / 2 + (np.arange(count) - (count - 1) / 2) * step_mm)


def _cells_mm(axis: NDArray[np.float64], alone_mm: float) -> NDArray[np.float64]:
    """Width of each sample's share of the axis; `alone_mm` for a single one."""
    if len(axis) < 2:
        return np.full(len(axis), alone_mm)
    gaps = np.diff(axis)
    return np.asarray((np.concatenate((gaps[:1], gaps)) + np.concatenate((gaps, gaps[-1:]))) / 2)


def _spacing_mm(axis: NDArray[np.float64]) -> float:
    return float(np.median(np.diff(axis))) if len(axis) > 1 else 1.0


def _weights(source: NDArray[np.float64], target: NDArray[np.float64]) -> csr_array:
    """Weights [targets, sources] that sum to 1 for each target."""
    step_mm = _spacing_mm(target)
    if len(source) < 2 or len(target) < 2 or step_mm <= _SAME_SPACING * _spacing_mm(source):
        return _linear(source, target)
    near = np.abs(target[:, np.newaxis] - source)
    weights = np.maximum(0, 1 - near / step_mm) * _cells_mm(source, step_mm)
    return csr_array((weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


def _linear(source: NDArray[np.float64], target: NDArray[np.float64]) -> csr_array:
    """Weights [targets, sources] of linear interpolation; beyond the ends the last sample holds."""
    shape = (len(target), len(source))
    if len(source) < 2:
        return csr_array(np.ones(shape, np.float32))
    left = np.clip(np.searchsorted(source, target, side="right") - 1, 0, len(source) - 2)
    share = np.clip((target - source[left]) / (source[left + 1] - source[left]), 0, 1)
    rows = np.repeat(np.arange(len(target)), 2)
    columns = np.stack((left, left + 1), axis=1).ravel()
    values = np.stack((1 - share, share), axis=1).ravel().astype(np.float32)
    weights = csr_array((values, (rows, columns)), shape=shape)
    weights.eliminate_zeros()
    return weights


def _nearest(source: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.intp]:
    middles = (grid[1:] + grid[:-1]) / 2
    return np.asarray(np.searchsorted(middles, source), np.intp)
