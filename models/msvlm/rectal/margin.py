"""The shortest distance of tumour and mesorectal fascia, measured on what the slice encoder marks on axial slices.

As a reader measures it: in the plane of the slice, from the tumour's outline to the fascia. Patches are coarser than
the millimetre that matters, so their logits are interpolated; what the measure is worth is told in the evaluation.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, zoom

from models.msvlm.rectal.structures import FASCIA, TUMOUR, WITHIN

FINER = 4
"""Points per patch along one side."""
MARKED = 0.5
FASCIA_MARKED = 0.2
"""The fascia is thinner than a patch and never marked as surely as what fills one."""
LEAST_MM2 = 12.0
"""A smaller area of tumour on a slice is not measured from."""


def measured_margin_mm(patch_logits: NDArray[np.float32], patch_mm: float) -> float:
    """The distance in mm over slices [n, S, gr, gc] of patches with sides of `patch_mm`.

    NaN where no slice shows both tumour and fascia.
    """
    distances = [_on_slice(grid, patch_mm) for grid in patch_logits]
    finite = [distance for distance in distances if np.isfinite(distance)]
    return min(finite) if finite else float("nan")


def _on_slice(grid: NDArray[np.float32], patch_mm: float) -> float:
    if grid[TUMOUR].max() < 0.0:
        return float("nan")
    step_mm = patch_mm / FINER
    tumour, within, fascia = (_finer(grid[place]) for place in (TUMOUR, WITHIN, FASCIA))
    inside = (within > MARKED) | (tumour > MARKED)
    edge = inside & (distance_transform_edt(inside) <= 1.5) & (fascia > FASCIA_MARKED)
    there = tumour > MARKED
    if there.sum() * step_mm**2 < LEAST_MM2 or not edge.any():
        return float("nan")
    return float(distance_transform_edt(~edge)[there].min() * step_mm)


def _finer(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities at FINER points per patch, from logits interpolated linearly."""
    fine = zoom(logits, FINER, order=1, mode="nearest", grid_mode=True)
    shares: NDArray[np.float32] = 1.0 / (1.0 + np.exp(-np.clip(fine, -30.0, 30.0)))
    return shares
