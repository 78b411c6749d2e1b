"""The shortest distance of tumour and mesorectal fascia, measured on what the slice encoder marks on axial slices.

As a reader measures it: in the plane of the slice, from the tumour's outline to the fascia. Patches are coarser than
the millimetre that matters, so their logits are interpolated; what the measure is worth is told in the evaluation.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, zoom

Point = tuple[float, float]
"""Row and column in patches; whole numbers are their centres."""

FINER = 4
"""Points per patch along one side."""
MARKED = 0.5
FASCIA_MARKED = 0.2
"""The fascia is thinner than a patch and never marked as surely as what fills one."""
LEAST_MM2 = 12.0
"""A smaller area of tumour on a slice is not measured from."""


@dataclass(frozen=True)
class MarginStructures:
    """Places of the three structures among those that are marked."""

    tumour: int
    within: int
    """What lies within the fascia."""
    fascia: int


@dataclass(frozen=True)
class Margin:
    """The distance on the slice where it is shortest, and its ends: of the tumour, then of the fascia."""

    distance_mm: float
    index: int
    ends: tuple[Point, Point]


def measured_margin(patch_logits: NDArray[np.float32], patch_mm: float, structures: MarginStructures) -> Margin | None:
    """The margin over slices [n, S, gr, gc] of patches with sides of `patch_mm`.

    None where no slice shows both tumour and fascia.
    """
    found = [_on_slice(index, grid, patch_mm, structures) for index, grid in enumerate(patch_logits)]
    return min((one for one in found if one is not None), key=lambda one: one.distance_mm, default=None)


def finer(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities at FINER points per patch, from logits interpolated linearly."""
    fine = zoom(logits, FINER, order=1, mode="nearest", grid_mode=True)
    shares: NDArray[np.float32] = 1.0 / (1.0 + np.exp(-np.clip(fine, -30.0, 30.0)))
    return shares


def in_patches(row: int, column: int) -> Point:
    """The place in patches of a point of `finer`."""
    return (row + 0.5) / FINER - 0.5, (column + 0.5) / FINER - 0.5


def _on_slice(index: int, grid: NDArray[np.float32], patch_mm: float, structures: MarginStructures) -> Margin | None:
    if grid[structures.tumour].max() < 0.0:
        return None
    step_mm = patch_mm / FINER
    tumour, within, fascia = (finer(grid[at]) for at in (structures.tumour, structures.within, structures.fascia))
    inside = (within > MARKED) | (tumour > MARKED)
    edge = inside & (distance_transform_edt(inside) <= 1.5) & (fascia > FASCIA_MARKED)
    there = tumour > MARKED
    if there.sum() * step_mm**2 < LEAST_MM2 or not edge.any():
        return None
    away, nearest = distance_transform_edt(~edge, return_indices=True)
    row, column = np.unravel_index(np.where(there, away, np.inf).argmin(), away.shape)
    to_row, to_column = nearest[:, row, column]
    ends = in_patches(int(row), int(column)), in_patches(int(to_row), int(to_column))
    return Margin(float(away[row, column] * step_mm), index, ends)
