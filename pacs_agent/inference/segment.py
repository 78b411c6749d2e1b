"""A network's patch is moved over a volume on its grid; what it says of overlapping places is averaged.

Training and the agent use the same functions: there is one truth of how a volume is segmented. A network is anything
that gives probabilities [n, 1 + C, d, h, w] for patches [n, 1, d, h, w].
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, find_objects

Floats: TypeAlias = NDArray[np.float32]
Probabilities: TypeAlias = NDArray[np.float16]
Mask: TypeAlias = NDArray[np.bool_]
Network: TypeAlias = Callable[[Floats], Floats]
Progress: TypeAlias = Callable[[int, int], None]
"""Called with how many patches are done and how many there are; may raise to stop."""
Triple: TypeAlias = tuple[int, int, int]
Box: TypeAlias = tuple[slice, slice, slice]

BODY_ABOVE_HU = -500.0
_SIGMA_OF_PATCH = 1 / 8
_LEAST_WEIGHT = 1e-3
"""Of a patch's corner beside its middle: it must not be lost in rounding where no other patch reaches."""


@dataclass(frozen=True)
class Windows:
    """The patch [d, h, w] in voxels, by which share of it neighbours overlap at least, and how many run at once."""

    patch: Triple
    overlap: float = 0.5
    batch: int = 1


def body_of(values: Floats) -> Mask:
    """What of a CT on its grid [d, h, w], in HU, is body or touches it: whatever air surrounds, the lungs included."""
    return np.stack([binary_fill_holes(plane > BODY_ABOVE_HU) for plane in values])


def box_around(where: Mask) -> Box | None:
    """The smallest box that holds all of a mask [d, h, w]; None where there is nothing."""
    boxes = find_objects(where.astype(np.uint8), 1)
    return boxes[0] if boxes else None


def slab_bytes(shape: Triple, classes: int, windows: Windows) -> int:
    """Memory that a box of this shape takes in float32: sums of one layer of patches, and the answers of a batch."""
    depth, rows, columns = windows.patch[0], max(shape[1], windows.patch[1]), max(shape[2], windows.patch[2])
    return 4 * ((classes + 1) * depth * rows * columns + windows.batch * classes * math.prod(windows.patch))


def planes_of(
    values: Floats,
    network: Network,
    classes: int,
    windows: Windows,
    where: Mask | None = None,
    progress: Progress | None = None,
) -> Iterator[Probabilities]:
    """Probabilities of the classes, background first, of a volume on its grid [d, h, w]: d planes [classes, h, w].

    Patches lie over the box around `where` (the body of a CT; everything when None), and one that does not touch it is
    not computed: there is background. Overlapping answers are averaged with weights that fall off like a Gaussian
    towards a patch's edge (Isensee et al., nnU-Net, Nat. Methods 2021). A plane is given as soon as no further patch
    touches it: only one layer of patches lies in memory, see `slab_bytes`. A volume smaller than the patch is padded
    with its lowest value.
    """
    where = np.ones(values.shape, np.bool_) if where is None else where
    box = box_around(where)
    inside: Iterator[Floats] = iter(())
    if box is not None:
        inside = _Part(values[box], where[box], windows).planes(network, classes, progress or _ignore)
    for number in range(len(values)):
        plane = np.zeros((classes, *values.shape[1:]), np.float16)
        plane[0] = 1
        if box is not None and box[0].start <= number < box[0].stop:
            plane[:, box[1], box[2]] = next(inside)
        yield plane


def probabilities_of(
    values: Floats,
    network: Network,
    classes: int,
    windows: Windows,
    where: Mask | None = None,
    progress: Progress | None = None,
) -> Probabilities:
    """All planes that `planes_of` gives, [classes, d, h, w]: for volumes whose probabilities fit into memory."""
    found = np.empty((classes, *values.shape), np.float16)
    for number, plane in enumerate(planes_of(values, network, classes, windows, where, progress)):
        found[:, number] = plane
    return found


class _Part:
    """The part of a volume that patches are moved over."""

    def __init__(self, values: Floats, where: Mask, windows: Windows) -> None:
        self._shape = values.shape
        self._windows = windows
        paddings = [(0, max(0, edge - size)) for size, edge in zip(values.shape, windows.patch, strict=True)]
        if any(behind for _, behind in paddings):
            values, where = np.pad(values, paddings, constant_values=values.min()), np.pad(where, paddings)
        self._values = values
        along_z, along_y, along_x = (
            _starts(size, edge, windows.overlap) for size, edge in zip(values.shape, windows.patch, strict=True)
        )
        places = product(along_z, along_y, along_x)
        self._patches = [at for at in places if np.any(where[_window(at, windows.patch)])]

    def planes(self, network: Network, classes: int, progress: Progress) -> Iterator[Floats]:
        """Averaged probabilities [classes, h, w] of one plane after the other."""
        slab = _Slab(classes, (self._windows.patch[0], *self._values.shape[1:]))
        weight, done, base = _weight(self._windows.patch), 0, 0
        for batch in self._batches():
            for at, answer in zip(batch, self._answers(network, batch), strict=True):
                if at[0] > base:
                    yield from self._cut(slab.finished(at[0] - base))
                    base = at[0]
                slab.add(answer, weight, at)
            done += len(batch)
            progress(done, len(self._patches))
        yield from self._cut(slab.finished(self._shape[0] - base))

    def _cut(self, planes: Iterator[Floats]) -> Iterator[Floats]:
        """Without what was padded."""
        return (plane[:, : self._shape[1], : self._shape[2]] for plane in planes)

    def _batches(self) -> Iterator[list[Triple]]:
        for first in range(0, len(self._patches), self._windows.batch):
            yield self._patches[first : first + self._windows.batch]

    def _answers(self, network: Network, batch: list[Triple]) -> Floats:
        return network(np.stack([self._values[_window(at, self._windows.patch)] for at in batch])[:, np.newaxis])


class _Slab:
    """Weighted sums of the planes that patches still touch: as many as a patch is deep."""

    def __init__(self, classes: int, shape: Triple) -> None:
        self._sums = np.zeros((classes, *shape), np.float32)
        self._weights = np.zeros(shape, np.float32)

    def add(self, answer: Floats, weight: Floats, at: Triple) -> None:
        """Adds a patch that begins in the first plane. Class by class: a patch of all classes is not made anew."""
        _, rows, columns = _window(at, weight.shape)
        for sums, of_class in zip(self._sums, answer, strict=True):
            sums[:, rows, columns] += of_class * weight
        self._weights[:, rows, columns] += weight

    def finished(self, count: int) -> Iterator[Floats]:
        """The first planes, averaged; those behind them then take their places. Beyond the last there is background."""
        depth = len(self._weights)
        for number in range(count):
            known = number < depth
            yield self._averaged(number) if known else self._background()
        left = max(0, depth - count)
        for kept in (*self._sums, self._weights):
            kept[:left] = kept[depth - left :].copy()
            kept[left:] = 0

    def _averaged(self, number: int) -> Floats:
        sums, weights = self._sums[:, number], self._weights[number]
        averaged: Floats = np.divide(sums, weights, out=np.zeros_like(sums), where=weights > 0)
        averaged[0][weights == 0] = 1
        return averaged

    def _background(self) -> Floats:
        plane = np.zeros_like(self._sums[:, 0])
        plane[0] = 1
        return plane


def _starts(size: int, edge: int, overlap: float) -> list[int]:
    """Where patches begin along an axis: as few as overlap at least so much, evenly spread from end to end."""
    count = int(np.ceil(max(0, size - edge) / max(1.0, edge * (1 - overlap)))) + 1
    return sorted({int(start) for start in np.linspace(0, size - edge, count).round()})


def _window(at: Triple, patch: Triple) -> Box:
    z, y, x = (slice(start, start + edge) for start, edge in zip(at, patch, strict=True))
    return z, y, x


def _weight(patch: Triple) -> Floats:
    along = [np.exp(-0.5 * (_from_middle(edge) / (edge * _SIGMA_OF_PATCH)) ** 2) for edge in patch]
    weight = along[0][:, np.newaxis, np.newaxis] * along[1][:, np.newaxis] * along[2]
    return np.asarray(np.maximum(weight / weight.max(), _LEAST_WEIGHT), np.float32)


def _from_middle(edge: int) -> NDArray[np.float64]:
    return np.arange(edge, dtype=np.float64) - (edge - 1) / 2


def _ignore(done: int, total: int) -> None:
    """Nobody asked for the progress."""
