"""What all painters of one axial level share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.phantoms.anatomy import Anatomy
from models.phantoms.body.grain import Grain
from models.phantoms.body.shape import Frame
from models.phantoms.canvas import Floats

FAT_HU, MUSCLE_HU = -105.0, 52.0
Patch = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Level:
    """One axial level of a part of the grid; arrays [rows, columns], lengths in mm."""

    anatomy: Anatomy
    frame: Frame
    z: float
    share: float
    """z as a share of the lung's height."""
    pixel_mm: float
    tissue: Grain

    def grain(self, scale_mm: float, of: Patch = (slice(None), slice(None))) -> Floats:
        """Random field of unit spread over the level."""
        return self.tissue.at(self.z, scale_mm, *of)

    def patch(self, low: tuple[float, float], high: tuple[float, float]) -> Patch | None:
        """Rows and columns between two corners (x, y); None where there are none."""
        x, y = self.frame.x[0], self.frame.y[:, 0]
        columns = slice(int(np.searchsorted(x, low[0])), int(np.searchsorted(x, high[0])))
        rows = slice(int(np.searchsorted(y, low[1])), int(np.searchsorted(y, high[1])))
        return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None

    def near(self, x: float, y: float, reach_x: float, reach_y: float) -> tuple[Patch, Floats, Floats] | None:
        """The patch about a place with x and y relative to it."""
        of = self.patch((x - reach_x, y - reach_y), (x + reach_x, y + reach_y))
        if of is None:
            return None
        return of, self.frame.x[:, of[1]] - np.float32(x), self.frame.y[of[0]] - np.float32(y)

    def fill(self, inside_mm: Floats) -> Floats:
        """How far pixels are filled by what lies `inside_mm` (positive) behind its edge."""
        share: Floats = np.clip(inside_mm * np.float32(1.0 / self.pixel_mm) + np.float32(0.5), 0.0, 1.0)
        return share


def blend(hu: Floats, share: Floats, value: float | Floats) -> None:
    """Moves CT numbers towards a value by a share."""
    hu += share * (value - hu)


def capsule_mm(x: Floats, y: Floats, start: tuple[float, float], end: tuple[float, float]) -> tuple[Floats, Floats]:
    """Distance to a segment in the plane, and the place along it in [0, 1]."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / np.float32(dx * dx + dy * dy + 1e-6), 0.0, 1.0)
    distance = np.hypot(x - start[0] - along * np.float32(dx), y - start[1] - along * np.float32(dy))
    return np.asarray(distance, np.float32), np.asarray(along, np.float32)


def ellipse(x: Floats, y: Floats, a: float, b: float) -> Floats:
    """Distance from the centre in units of the half axes."""
    return np.sqrt((x * np.float32(1.0 / a)) ** 2 + (y * np.float32(1.0 / b)) ** 2)


Mask = NDArray[np.bool_]
