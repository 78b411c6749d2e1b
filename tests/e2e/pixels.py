"""Pictures of a viewport compared, and places in them told as places of the slice."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

BLUR_PX = 9
"""Side of the square over which a difference is averaged before its maximum is looked for."""


@dataclass(frozen=True)
class Placement:
    """How the pixels of a slice, as (row, column), lie in a picture of the viewport, as (x, y)."""

    origin: NDArray[np.float64]
    along: NDArray[np.float64]
    """[2, 2]: the way in the picture of one row down, and of one column to the side."""

    @classmethod
    def of_corners(cls, corners: Sequence[Sequence[float]]) -> "Placement":
        """From where (0, 0), (100, 0) and (0, 100) lie."""
        first, down, side = (np.array(corner, float) for corner in corners)
        return cls(first, np.stack([(down - first) / 100, (side - first) / 100], axis=1))

    def in_slice(self, x: float, y: float) -> tuple[float, float]:
        """Row and column of a place of the picture."""
        row, column = np.linalg.solve(self.along, np.array([x, y]) - self.origin)
        return float(row), float(column)


def change(before: Path, after: Path, without: Sequence[dict[str, float]]) -> NDArray[np.float64]:
    """How much each pixel changed, 0 to 255, averaged over a small square; `without` are boxes that do not count."""
    pictures = [np.asarray(Image.open(path).convert("RGB"), dtype=float) for path in (before, after)]
    changed: NDArray[np.float64] = np.abs(pictures[1] - pictures[0]).max(axis=2)
    for box in without:
        left, top = max(0, int(box["x"]) - 1), max(0, int(box["y"]) - 1)
        changed[top : int(box["y"] + box["height"]) + 2, left : int(box["x"] + box["width"]) + 2] = 0
    smooth: NDArray[np.float64] = ndimage.uniform_filter(changed, BLUR_PX)
    return smooth


def strongest(changed: NDArray[Any]) -> tuple[float, float]:
    """Where the change is largest: x and y."""
    y, x = np.unravel_index(int(changed.argmax()), changed.shape)
    return float(x), float(y)


def distance_px(mask: NDArray[np.bool_], place: tuple[float, float]) -> float:
    """From a place (row, column) to the nearest pixel of a mask; 0 within it."""
    lit = np.argwhere(mask)
    return float(max(0.0, np.hypot(*(lit - np.array(place)).T).min() - 0.71))
