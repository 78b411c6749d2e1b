"""Class probabilities of a volume become regions: connected parts, sides, the smallest left out, lesions one by one.

What belongs together is decided on the model's grid, which is small; which voxels of the slices belong to it is decided
by the probabilities interpolated there. Probabilities are seen plane by plane, and never lie in memory as a whole.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion, find_objects, label, maximum_filter

from pacs_agent.imaging import Lattice, canonical_normal, labels_on_source, nearest
from pacs_agent.imaging.series import OrderedSeries
from pacs_agent.inference.segmented import Box, SegmentedRegion, Side
from pacs_agent.inference.segmenter_manifest import StructureEntry

MOST_LESIONS = 20
"""Regions of one structure: a model that finds more finds noise; the largest are kept."""
_CONNECTED = np.ones((3, 3, 3), np.bool_)
_REACH_VOXELS = 2
"""How far from a part's grid voxels a pixel may still belong to it."""
_CLEARLY = 0.85
"""Share of a part on one side from which all of it is of that side."""
_EROSIONS = 4
_CORE = 0.1
"""Share of what is left that a piece must have to be a side of its own."""

Mask = NDArray[np.bool_]
Ids = NDArray[np.uint16]


@dataclass(frozen=True)
class Midline:
    """Which array axis runs between right and left, whether it ascends to the left, and the index of the middle."""

    axis: int
    to_left: bool
    index: float

    def left_of(self, box: Box) -> Mask:
        """Which indices of the axis within a box are left, in a shape that goes with the box's arrays."""
        indices = np.arange(box[self.axis].start, box[self.axis].stop)
        shape = [1, 1, 1]
        shape[self.axis] = -1
        left: Mask = ((indices > self.index) == self.to_left).reshape(shape)
        return left


def midline_of(series: OrderedSeries, body: Mask) -> Midline:
    """The midline of a series on its grid: through the middle of `body`, or of the volume where there is none."""
    orientation = series.slices[0].orientation
    to_left = np.array([canonical_normal(orientation)[0], orientation[3], orientation[0]])
    axis = int(np.argmax(np.abs(to_left)))
    others = tuple(other for other in range(3) if other != axis)
    along = body.sum(axis=others, dtype=np.float64)
    along = along if along.any() else np.ones_like(along)
    middle = float(along @ np.arange(len(along)) / along.sum())
    return Midline(axis, bool(to_left[axis] > 0), middle)


def regions_of(
    probabilities: NDArray[np.float16],
    source: Lattice,
    grid: Lattice,
    structures: Sequence[StructureEntry],
    midline: Midline,
) -> tuple[SegmentedRegion, ...]:
    """The regions that probabilities [1 + C, d, h, w] on the grid show in the source's slices, all in memory."""
    on_source = np.zeros(source.shape, np.uint8)
    return regions_of_planes(probabilities.swapaxes(0, 1), Grids(source, grid), structures, midline, on_source)


@dataclass(frozen=True, eq=False)
class Grids:
    """Where the series' own voxels lie, and those of the model's grid."""

    source: Lattice
    grid: Lattice


def regions_of_planes(
    planes: Iterable[NDArray[np.float16]],
    of: Grids,
    structures: Sequence[StructureEntry],
    midline: Midline,
    on_source: NDArray[np.uint8],
) -> tuple[SegmentedRegion, ...]:
    """The regions that planes of probabilities [1 + C, h, w], one for each of the grid, show in the source's slices.

    Of each plane only the winning classes are kept. `on_source` [slices, rows, columns] is room for each voxel's class.
    """
    labels, parts = np.empty(of.grid.shape, np.uint8), list[_Part]()
    noted = _noted(planes, labels)
    for index, of_slice in enumerate(labels_on_source(noted, of.source, of.grid)):
        on_source[index] = of_slice
    deque(noted, maxlen=0)  # planes that lie behind the last slice
    for number, (entry, box) in enumerate(zip(structures, find_objects(labels, len(structures)), strict=True), 1):
        if box is not None:
            wide = _widened(box, labels.shape)
            parts += _parts_of(labels[wide] == number, wide, number, entry, of.grid.voxel_ml, midline)
    near = nearest(of.source, of.grid)
    drawn = [_Drawn(part, near) for part in parts]
    for index, of_slice in enumerate(on_source if drawn else ()):
        for one in drawn:
            one.draw(index, of_slice)
    return tuple(_regions(drawn))


def _noted(planes: Iterable[NDArray[np.float16]], labels: NDArray[np.uint8]) -> Iterator[NDArray[np.float16]]:
    """The planes as they come, whose winning classes are noted."""
    for of_plane, plane in zip(labels, planes, strict=True):
        of_plane[:] = plane.astype(np.float32).argmax(axis=0)
        yield plane


@dataclass(frozen=True, eq=False)
class _Part:
    """A part of a class on the grid: the voxels of `ids` [d, h, w], which fill `box`, that hold its `identity`."""

    of_class: int
    entry: StructureEntry
    side: Side
    ids: Ids
    identity: int
    box: Box


class _Drawn:
    """A part as it appears on the source's slices, taken one after the other."""

    def __init__(self, part: _Part, near: tuple[NDArray[np.intp], ...]) -> None:
        self.part = part
        z, y, x = (_within(of_axis, span) for of_axis, span in zip(near, part.box, strict=True))
        self.box: Box = (z, y, x)
        self.crop = np.zeros(tuple(one.stop - one.start for one in self.box), np.bool_)
        self._nearest = [of[own] - span.start for of, own, span in zip(near, self.box, part.box, strict=True)]

    def draw(self, index: int, labels: NDArray[np.uint8]) -> None:
        """Takes the labels of a slice."""
        z, y, x = self.box
        if z.start <= index < z.stop:
            at_z, at_y, at_x = self._nearest
            own = self.part.ids[at_z[index - z.start]] == self.part.identity
            self.crop[index - z.start] = (labels[y, x] == self.part.of_class) & own[at_y][:, at_x]


def _regions(drawn: Sequence[_Drawn]) -> Iterator[SegmentedRegion]:
    """The parts that a slice shows, numbered within their structures."""
    counts: dict[int, int] = {}
    for one in drawn:
        if one.crop.any():
            part = one.part
            counts[part.of_class] = number = counts.get(part.of_class, 0) + 1
            box, crop = _trimmed(one.box, one.crop)
            yield SegmentedRegion(part.entry.structure(), number, part.side, box, crop)


def _parts_of(
    mask: Mask, box: Box, of_class: int, entry: StructureEntry, voxel_ml: float, midline: Midline
) -> list[_Part]:
    """What of a class is large enough: an organ in one, by sides where it has some, a lesion part by part."""
    ids, count = label(mask, _CONNECTED)
    sizes = np.bincount(ids.ravel(), minlength=count + 1)
    kept = [one for one in np.argsort(-sizes[1:], kind="stable") + 1 if sizes[one] * voxel_ml >= entry.smallest_ml]
    if entry.kind == "lesion":
        kept = kept[:MOST_LESIONS]
        parts = _renumbered(ids, [[one] for one in kept])
        left_of = midline.left_of(box)
        sides: list[Side] = [_side_of(parts == one, left_of) if entry.laterality else "" for one in _numbers(parts)]
    elif entry.laterality:
        parts, sides = _by_sides(ids, kept, midline.left_of(box)), ["right", "left"]
    else:
        parts, sides = _renumbered(ids, [kept]), [""]
    reaching = _reaching(parts)
    own = find_objects(reaching)
    return [
        _Part(of_class, entry, sides[one - 1], reaching[own[one - 1]], one, _moved(own[one - 1], box))
        for one in _numbers(parts)
    ]


def _moved(inner: Box, outer: Box) -> Box:
    """A box within another one, as a box of what the other one lies in."""
    z, y, x = (slice(base.start + one.start, base.start + one.stop) for one, base in zip(inner, outer, strict=True))
    return z, y, x


def _numbers(parts: Ids) -> list[int]:
    """The numbers of the parts that are there."""
    return [int(one) for one in np.unique(parts) if one]


def _renumbered(ids: NDArray[np.int32], groups: list[list[int]]) -> Ids:
    """Components with the number of their group, from 1; those of no group with 0."""
    to = np.zeros(int(ids.max()) + 1, np.uint16)
    for number, group in enumerate(groups, 1):
        to[group] = number
    return to[ids]


def _by_sides(ids: NDArray[np.int32], kept: list[int], left_of: Mask) -> Ids:
    """1 on the right, 2 on the left. A component that lies clearly on one side is of that side as a whole."""
    sides = np.zeros(ids.shape, np.uint16)
    for one in kept:
        mask = ids == one
        share = _share(mask, left_of)
        left = _parted(mask, left_of) if 1 - _CLEARLY < share < _CLEARLY else mask & (share > 0.5)
        sides[mask] = 1
        sides[left] = 2
    return sides


def _parted(mask: Mask, left_of: Mask) -> Mask:
    """The left part of two that touch: they are worn down until they come apart, then grown again; else by midline."""
    worn = mask
    for worn_off in range(1, _EROSIONS + 1):
        worn = binary_erosion(worn)
        pieces, count = label(worn, _CONNECTED)
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)
        cores = [number for number in range(1, count + 1) if sizes[number] >= _CORE * worn.sum()]
        left = [number for number in cores if _side_of(pieces == number, left_of) == "left"]
        right = [number for number in cores if number not in left]
        if left and right:
            return _grown(np.isin(pieces, left), np.isin(pieces, right), mask, left_of, 2 * worn_off)
    return mask & left_of


def _grown(left: Mask, right: Mask, mask: Mask, left_of: Mask, steps: int) -> Mask:
    """Two cores grown within a mask, none into the other; what neither reaches goes by the midline."""
    for _ in range(steps):
        left = left | (binary_dilation(left) & mask & ~right)
        right = right | (binary_dilation(right) & mask & ~left)
    return left | (mask & ~right & left_of)


def _share(mask: Mask, left_of: Mask) -> float:
    return float((mask & left_of).sum() / mask.sum())


def _side_of(mask: Mask, left_of: Mask) -> Side:
    """On which side most of a part lies."""
    return "left" if _share(mask, left_of) > 0.5 else "right"


def _reaching(ids: Ids) -> Ids:
    """Parts with the voxels around them, so that a pixel at their edge finds the part that it belongs to."""
    for _ in range(_REACH_VOXELS):
        ids = np.where(ids == 0, maximum_filter(ids, 3), ids)
    return ids


def _widened(box: Box, shape: tuple[int, ...]) -> Box:
    z, y, x = (
        slice(max(0, span.start - _REACH_VOXELS), min(size, span.stop + _REACH_VOXELS))
        for span, size in zip(box, shape, strict=True)
    )
    return z, y, x


def _within(nearest_of: NDArray[np.intp], span: slice) -> slice:
    """The indices of the source whose nearest one on the grid lies within a span."""
    first, last = np.searchsorted(nearest_of, (span.start, span.stop))
    return slice(int(first), int(last))


def _trimmed(box: Box, crop: Mask) -> tuple[Box, Mask]:
    """The smallest box around what is there."""
    inner = find_objects(crop.astype(np.uint8))[0]
    return _moved(inner, box), crop[inner].copy()
