"""What each slice of a phantom truly shows of each structure, and whether the bundle marks it where it lies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from models.msvlm.rectal.phantoms import on_field
from models.msvlm.rectal.preset import SeriesShape
from models.msvlm.rectal.structures import STRUCTURES
from models.phantoms.pelvis import PelvisPhantom, Series, Tissue

Floats = NDArray[np.float32]
TOLERANCE = np.ones((1, 1, 3, 3), np.bool_)
"""One patch beside counts as on it."""


@dataclass(frozen=True, eq=False)
class Shown:
    """Of L slices of all series and S structures, in the order of `STRUCTURES`."""

    area_mm2: Floats
    """Area of a structure in a slice [L, S]."""
    hits: NDArray[np.bool_]
    """Whether the patch that is marked strongest lies on the structure or one patch beside it [L, S]."""
    near: Floats
    """Share of the patches that do so: what a random patch gives [L, S]."""


def shown_of(phantom: PelvisPhantom, shape: SeriesShape, patch_logits: Floats) -> Shown:
    """The truth of a phantom's slices beside what was marked on their patches [L, S, gr, gc]."""
    every = sum(len(series.pixels) for series in phantom.series)
    patches = on_field(phantom, shape, every).slices.patches > 0
    near = binary_dilation(patches, TOLERANCE)
    flat = near.reshape(*near.shape[:2], -1)
    strongest = patch_logits.reshape(flat.shape).argmax(2)
    return Shown(
        area_mm2=np.concatenate([_areas_mm2(series) for series in phantom.series]),
        hits=np.take_along_axis(flat, strongest[:, :, None], axis=2)[:, :, 0],
        near=flat.mean(2, dtype=np.float32),
    )


def _areas_mm2(series: Series) -> Floats:
    """Area of each structure in each slice [n, S]."""
    counts = np.stack([np.bincount(labels.ravel(), minlength=len(Tissue)) for labels in series.labels])
    areas = [counts[:, _labels(tissues)].sum(1) for tissues in STRUCTURES.values()]
    return (np.stack(areas, axis=1) * series.geometry.pixel_mm**2).astype(np.float32)


def _labels(tissues: Sequence[Tissue]) -> list[int]:
    return [int(tissue) for tissue in tissues]
