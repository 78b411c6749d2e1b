"""Coarser grids to measure on: means of blocks of voxels, and masks brought back to the finer grid."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Values = NDArray[np.float32]
Spacing = tuple[float, float, float]


def factors_for(spacing_mm: Spacing, wanted_mm: float, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """How many voxels along z, y, x make one of about `wanted_mm`, never coarser than 1.3 times that."""
    z, y, x = (max(1, min(count, int(1.3 * wanted_mm / mm))) for mm, count in zip(spacing_mm, shape, strict=True))
    return z, y, x


def blocks(values: NDArray[np.generic], factors: tuple[int, int, int]) -> Values:
    """Means over blocks of voxels; what does not fill a block at the far ends is left out."""
    out = np.asarray(values)
    for axis, factor in enumerate(factors):
        if factor == 1:
            continue
        whole = out.shape[axis] // factor * factor
        parts = [out[(slice(None),) * axis + (slice(start, whole, factor),)] for start in range(factor)]
        total = parts[0].astype(np.float32)
        for part in parts[1:]:
            total += part
        out = total * np.float32(1.0 / factor)
    return np.ascontiguousarray(out, np.float32)


def scaled(spacing_mm: Spacing, factors: tuple[int, int, int]) -> Spacing:
    """Spacing of the blocks."""
    z, y, x = (mm * factor for mm, factor in zip(spacing_mm, factors, strict=True))
    return z, y, x


def spread(mask: Mask, factors: tuple[int, int, int], shape: tuple[int, ...]) -> Mask:
    """A mask of blocks on the grid they were made from; its last voxels go on where a block was not full."""
    out = mask
    for axis, (factor, count) in enumerate(zip(factors, shape, strict=True)):
        index = np.minimum(np.arange(count) // factor, mask.shape[axis] - 1)
        out = np.take(out, index, axis=axis)
    return out
