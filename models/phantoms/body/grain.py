"""Smooth random fields in space, the same for all grids: the grain of tissue."""

from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter

from models.phantoms.canvas import Floats

_SHAPE, _STEP_MM = (40, 160, 160), (3.0, 1.5, 1.5)


@lru_cache(maxsize=4)
def _tile(scale_mm: float) -> Floats:
    """A periodic field of unit spread whose waves are about `scale_mm` wide."""
    rng = np.random.default_rng(round(scale_mm * 100.0))
    white = rng.standard_normal(_SHAPE, dtype=np.float32)
    smooth = gaussian_filter(white, [scale_mm / step for step in _STEP_MM], mode="wrap")
    return np.asarray(smooth / smooth.std(), np.float32)


def grain(z_mm: float, y_mm: Floats, x_mm: Floats, scale_mm: float, shift_mm: tuple[float, float, float]) -> Floats:
    """The field at one level over rows and columns, unit spread. `shift_mm` makes persons differ."""
    tile = _tile(scale_mm)
    planes, rows, columns = (
        (np.floor((places + shift) / step)).astype(np.int64) % size
        for places, shift, step, size in zip((z_mm, y_mm, x_mm), shift_mm, _STEP_MM, _SHAPE, strict=True)
    )
    return tile[planes][rows[:, None], columns[None, :]]
