"""A network's patch is moved over a volume on its grid; what it says of overlapping places is averaged.

Training and the agent use the same functions: there is one truth of how a volume is segmented. A network is anything
that gives probabilities [n, 1 + C, d, h, w] for patches [n, 1, d, h, w].
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, find_objects

Floats: TypeAlias = NDArray[np.float32]
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
        self._patches = [at for at in places if np.any(where[_window(at, windows.patch)])]

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
                _, rows_at, columns_at = _window(at, self.windows.patch)
                sums[:, :, rows_at, columns_at] += answer * weight
                weights[:, rows_at, columns_at] += weight
            done += len(batch)
            progress(done, len(self._patches))
        yield from _finished(sums, weights, depth)

    def _batches(self) -> Iterator[list[Triple]]:
        for first in range(0, len(self._patches), self.windows.batch):
            yield self._patches[first : first + self.windows.batch]

    def _answers(self, network: Network, batch: list[Triple]) -> Floats:
        return network(np.stack([self._values[_window(at, self.windows.patch)] for at in batch])[:, np.newaxis])


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
