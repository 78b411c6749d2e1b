"""The computation with the whole grid in memory, as it was before it went plane by plane, which must change nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from scipy.sparse import csr_array

from pacs_agent.imaging.regrid import Lattice, _joined, _linear, _touched, _widened, nearest
from pacs_agent.inference.segment import Floats, Mask, Network, Progress, Triple, Windows, _ignore, _starts, _weight
from pacs_agent.inference.segment import _window as window_of
from pacs_agent.inference.segmented import SegmentedRegion
from pacs_agent.inference.segmented_regions import Midline, _Drawn, _parts_of, _regions
from pacs_agent.inference.segmented_regions import _widened as widened
from pacs_agent.inference.segmenter_manifest import StructureEntry


def probabilities_of(
    values: Floats,
    network: Network,
    classes: int,
    windows: Windows,
    where: Mask | None = None,
    progress: Progress | None = None,
) -> NDArray[np.float16]:
    """Probabilities of the classes, background first, [classes, d, h, w], of a volume on its grid [d, h, w].

    Patches lie over the box around `where` (the body of a CT; everything when None), and one that does not touch it is
    not computed: there is background. Overlapping answers are averaged with weights that fall off like a Gaussian
    towards a patch's edge (Isensee et al., nnU-Net, Nat. Methods 2021). In float32 only one layer of patches lies in
    memory. A volume smaller than the patch is padded with its lowest value.
    """
    found = np.zeros((classes, *values.shape), np.float16)
    found[0] = 1
    where = np.ones(values.shape, np.bool_) if where is None else where
    for box in find_objects(where.astype(np.uint8)):  # one, or none where there is nothing
        part = _Part(values[box], where[box], windows)
        planes = part.planes(network, classes, progress or _ignore)
        for number, plane in zip(range(box[0].start, box[0].stop), planes, strict=False):
            found[:, number, box[1], box[2]] = plane[:, : part.shape[1], : part.shape[2]]
    return found


class _Part:
    """The part of a volume that patches are moved over."""

    def __init__(self, values: Floats, where: Mask, windows: Windows) -> None:
        self.shape = values.shape
        self.windows = windows
        paddings = [(0, max(0, edge - size)) for size, edge in zip(values.shape, windows.patch, strict=True)]
        self._values = np.pad(values, paddings, constant_values=values.min())
        where = np.pad(where, paddings)
        shape = self._values.shape
        along_z, along_y, along_x = (
            _starts(size, edge, windows.overlap) for size, edge in zip(shape, windows.patch, strict=True)
        )
        places = product(along_z, along_y, along_x)
        self._patches = [at for at in places if np.any(where[window_of(at, windows.patch)])]

    def planes(self, network: Network, classes: int, progress: Progress) -> Iterator[Floats]:
        """Averaged probabilities [classes, h, w] of one plane after the other."""
        depth, rows, columns = self.windows.patch[0], *self._values.shape[1:]
        sums = np.zeros((classes, depth, rows, columns), np.float32)
        weights = np.zeros((depth, rows, columns), np.float32)
        weight, done, base = _weight(self.windows.patch), 0, 0
        for batch in self._batches():
            for at, answer in zip(batch, self._answers(network, batch), strict=True):
                if at[0] > base:
                    yield from _finished(sums, weights, at[0] - base)
                    base = at[0]
                _, rows_at, columns_at = window_of(at, self.windows.patch)
                sums[:, :, rows_at, columns_at] += answer * weight
                weights[:, rows_at, columns_at] += weight
            done += len(batch)
            progress(done, len(self._patches))
        yield from _finished(sums, weights, depth)

    def _batches(self) -> Iterator[list[Triple]]:
        for first in range(0, len(self._patches), self.windows.batch):
            yield self._patches[first : first + self.windows.batch]

    def _answers(self, network: Network, batch: list[Triple]) -> Floats:
        return network(np.stack([self._values[window_of(at, self.windows.patch)] for at in batch])[:, np.newaxis])


def _finished(sums: Floats, weights: Floats, count: int) -> Iterator[Floats]:
    """The first planes, averaged; those behind them then take their places. Beyond the last there is background."""
    depth = len(weights)
    for number in range(count):
        known = number < depth
        yield _averaged(sums[:, number] if known else sums[:, 0] * 0, weights[number] if known else weights[0] * 0)
    left = max(0, depth - count)
    for kept in (sums, weights[np.newaxis]):
        kept[:, :left] = kept[:, depth - left :].copy()
        kept[:, left:] = 0


def _averaged(sums: Floats, weights: Floats) -> Floats:
    averaged: Floats = np.divide(sums, weights, out=np.zeros_like(sums), where=weights > 0)
    averaged[0][weights == 0] = 1
    return averaged


def labels_on_source(probabilities: NDArray[Any], source: Lattice, grid: Lattice) -> Iterator[NDArray[np.uint8]]:
    """For each slice of the source the most probable class of each pixel, of probabilities [classes, d, h, w].

    Class 0 is background. Probabilities are interpolated linearly and only then compared, each class within the box
    where it can win at all: there it has at least an even share.
    """
    along_z, along_y, along_x = (_linear(*pair) for pair in zip(grid.axes, source.axes, strict=True))
    reach = [_boxes_of_planes(of_class, 1 / len(probabilities)) for of_class in probabilities]
    for index in range(source.shape[0]):
        row = slice(along_z.indptr[index], along_z.indptr[index + 1])
        planes = _Planes(probabilities, along_z.indices[row], along_z.data[row], along_y, along_x)
        yield _winners(planes, reach, source.shape[1:])


@dataclass(frozen=True, eq=False)
class _Planes:
    """The planes of the grid between which one slice lies, their weights, and how they are brought to its pixels."""

    probabilities: NDArray[Any]
    numbers: NDArray[np.int32]
    shares: Floats
    along_y: csr_array
    along_x: csr_array

    def pixels(self, of_class: int, box: tuple[slice, slice], at: tuple[slice, slice]) -> Floats:
        """Interpolated probabilities of the pixels `at`, to which only the grid's `box` contributes."""
        parts = (
            np.float32(share) * self.probabilities[of_class, number][box].astype(np.float32)
            for number, share in zip(self.numbers, self.shares, strict=True)
        )
        plane = sum(parts, np.float32(0))
        across = self.along_y[at[0], box[0]] @ plane
        return np.ascontiguousarray((self.along_x[at[1], box[1]] @ across.T).T)


Reach = list[tuple[slice, slice] | None]
"""For each plane of the grid the box in which a class can win, None where it cannot."""


def _winners(planes: _Planes, reach: list[Reach], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    labels = np.zeros(shape, np.uint8)
    boxes = {number: _joined([of_class[plane] for plane in planes.numbers]) for number, of_class in enumerate(reach)}
    found = {number: box for number, box in boxes.items() if number and box is not None}
    whole = _joined(list(found.values()))
    if whole is None:
        return labels
    at = _pixels_touched(planes, whole)
    best = planes.pixels(0, _widened(whole, planes.probabilities.shape[2:]), at)
    part = labels[at]
    for number, box in found.items():
        own = _pixels_touched(planes, box)
        inside = tuple(slice(one.start - all_.start, one.stop - all_.start) for one, all_ in zip(own, at, strict=True))
        values = planes.pixels(number, _widened(box, planes.probabilities.shape[2:]), own)
        wins = values > best[inside]
        part[inside][wins] = number
        np.maximum(best[inside], values, out=best[inside])
    return labels


def _boxes_of_planes(probabilities: NDArray[Any], share: float) -> Reach:
    boxes: Reach = []
    for plane in probabilities:
        can_win = plane >= share * 0.999
        rows, columns = np.flatnonzero(can_win.any(axis=1)), np.flatnonzero(can_win.any(axis=0))
        boxes.append((slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)) if len(rows) else None)
    return boxes


def _pixels_touched(planes: _Planes, box: tuple[slice, slice]) -> tuple[slice, slice]:
    """The pixels to whose value a voxel of the box contributes."""
    rows, columns = (_touched(m, s) for m, s in zip((planes.along_y, planes.along_x), box, strict=True))
    return rows, columns


def regions_of(
    probabilities: NDArray[np.float16],
    source: Lattice,
    grid: Lattice,
    structures: Sequence[StructureEntry],
    midline: Midline,
) -> tuple[SegmentedRegion, ...]:
    """The regions that probabilities [1 + C, d, h, w] on the grid show in the source's slices."""
    labels, parts = probabilities.astype(np.float32).argmax(axis=0).astype(np.uint8), []
    for number, (entry, box) in enumerate(zip(structures, find_objects(labels, len(structures)), strict=True), 1):
        if box is not None:
            wide = widened(box, labels.shape)
            parts += _parts_of(labels[wide] == number, wide, number, entry, grid.voxel_ml, midline)
    near = nearest(source, grid)
    drawn = [_Drawn(part, near) for part in parts]
    for index, of_slice in enumerate(labels_on_source(probabilities, source, grid) if drawn else ()):
        for one in drawn:
            one.draw(index, of_slice)
    return tuple(_regions(drawn))
