"""Connected pieces of a mask, measured: volume, diameter, elongation, place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.gtgm.facts.grid import Mask, Spacing, Values


@dataclass(frozen=True)
class Piece:
    """One connected piece. `centre` in voxels (z, y, x); `diameter_mm` of the ball of the same volume.

    `elongation` is the longest over the mean of the other two standard deviations of its voxels' positions in mm.
    """

    volume_mm3: float
    diameter_mm: float
    elongation: float
    centre: tuple[float, float, float]
    mean: float
    label: int


def pieces_of(
    mask: Mask, values: Values, step_mm: Spacing, smallest_mm3: float
) -> tuple[list[Piece], NDArray[np.int32]]:
    """The pieces of a mask from the largest to the smallest, and the label of every voxel (`Piece.label`)."""
    label, count = ndimage.label(mask)
    if count == 0:
        return [], label
    voxel = float(np.prod(step_mm))
    sizes = np.bincount(label.ravel(), minlength=count + 1)
    chosen = [int(n) for n in np.argsort(-sizes[1:], kind="stable") + 1 if sizes[n] * voxel >= smallest_mm3]
    boxes = ndimage.find_objects(label)
    return [_measured(label, boxes[n - 1], n, values, step_mm) for n in chosen], label


def _measured(label: NDArray[np.int32], box: Sequence[slice], number: int, values: Values, step_mm: Spacing) -> Piece:
    inside = label[tuple(box)] == number
    places = np.argwhere(inside)
    volume = len(places) * float(np.prod(step_mm))
    centre = places.mean(axis=0) + [part.start for part in box]
    mm = (places - places.mean(axis=0)) * step_mm
    # A voxel is not a point: its own spread keeps a flat piece from being endlessly elongated.
    spread = np.sqrt(np.linalg.eigvalsh(mm.T @ mm / len(mm) + np.diag(np.square(step_mm)) / 12.0))
    return Piece(
        volume_mm3=volume,
        diameter_mm=float((6.0 * volume / np.pi) ** (1.0 / 3.0)),
        elongation=float(spread[2] / np.sqrt(spread[0] * spread[1])),
        centre=(float(centre[0]), float(centre[1]), float(centre[2])),
        mean=float(values[tuple(box)][inside].mean()),
        label=number,
    )
