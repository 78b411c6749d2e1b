"""Smooth random fields in space, the same for all grids: the grain of tissue."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from models.phantoms.canvas import Floats

_SHAPE, _STEP_MM = (40, 160, 160), (3.0, 1.5, 1.5)
_EVERYWHERE = slice(None)


@lru_cache(maxsize=8)
def _tile(scale_mm: float) -> Floats:
    """A periodic field of unit spread whose waves are about `scale_mm` wide."""
    rng = np.random.default_rng(round(scale_mm * 100.0))
    white = rng.standard_normal(_SHAPE, dtype=np.float32)
    smooth = gaussian_filter(white, [scale_mm / step for step in _STEP_MM], mode="wrap")
    return np.asarray(smooth / smooth.std(), np.float32)


@dataclass(frozen=True, eq=False)
class Grain:
    """The fields over the rows and columns of a grid, for one person."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    lift_mm: float

    def at(self, z_mm: float, scale_mm: float, rows: slice = _EVERYWHERE, columns: slice = _EVERYWHERE) -> Floats:
        """The field at one level, of unit spread; on a part of the rows and columns if they are given."""
        plane = _tile(scale_mm)[int((z_mm + self.lift_mm) // _STEP_MM[0]) % _SHAPE[0]]
        field: Floats = plane.take(self.rows[rows], axis=0).take(self.columns[columns], axis=1)
        return field


def grain_over(x_mm: Floats, y_mm: Floats, shift_mm: tuple[float, float, float]) -> Grain:
    """The grain over a grid; `shift_mm` (x, y, z) makes persons differ."""
    rows = ((y_mm + shift_mm[1]) // _STEP_MM[1]).astype(np.intp) % _SHAPE[1]
    columns = ((x_mm + shift_mm[0]) // _STEP_MM[2]).astype(np.intp) % _SHAPE[2]
    return Grain(rows, columns, shift_mm[2])
