"""The longest extent of a structure between two of its marked points, in the patient.

On sagittal slices within one slice, as a reader measures a rectal tumour; where there are none over the slices of an
axial stack. Only the largest connected part counts: a mark elsewhere is no end of the tumour.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, label
from scipy.spatial.distance import cdist

from pacs_agent.inference.staging.margin import MARKED, Point, finer, in_patches

MOST_POINTS = 2000
"""Of the outline; of more only as many, evenly taken."""


@dataclass(frozen=True)
class Outlined:
    """Points on the outline of what is marked: slice, and row and column in patches; whole numbers are centres."""

    slices: NDArray[np.intp]
    points: tuple[Point, ...]


def outlined(patch_logits: NDArray[np.float32]) -> Outlined | None:
    """The outline of the largest connected part of a structure over slices [n, gr, gc]; None where none is marked."""
    marked = np.stack([finer(grid) > MARKED for grid in patch_logits])
    parts, count = label(marked, np.ones((3, 3, 3)))
    if not count:
        return None
    largest = parts == 1 + int(np.bincount(parts.ravel())[1:].argmax())
    inner = np.stack([binary_erosion(one) for one in largest])
    places = np.argwhere(largest & ~inner)
    places = places[np.unique(np.linspace(0, len(places) - 1, min(len(places), MOST_POINTS)).astype(int))]
    return Outlined(places[:, 0], tuple(in_patches(int(row), int(column)) for _, row, column in places))


def farthest(points_mm: NDArray[np.float64]) -> tuple[int, int, float]:
    """The two of some points [n, 3] that lie farthest from each other, and how far."""
    away = cdist(points_mm, points_mm)
    first, second = np.unravel_index(int(away.argmax()), away.shape)
    return int(first), int(second), float(away[first, second])
