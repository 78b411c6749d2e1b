"""How well a segmentation fits the truth: Dice and HD95 of structures, VOI and ARAND of instances."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt
from skimage.metrics import adapted_rand_error, variation_of_information

from models.gtgm.finetune.examples import IGNORED

Mask = NDArray[np.bool_]
NOT_THERE = float("nan")


class Agreement(NamedTuple):
    """Of one structure; NaN where it is in neither (Dice) or not in both (HD95)."""

    dice: float
    hd95_mm: float


class InstanceAgreement(NamedTuple):
    """Of all instances; 0 is best for each."""

    voi_split: float
    voi_merge: float
    arand: float


def agreements(
    found: NDArray[np.uint8], truth: NDArray[np.uint8], classes: int, spacing_mm: tuple[float, float, float]
) -> tuple[Agreement, ...]:
    """Of structures 1 to `classes` − 1; voxels that the truth says nothing of count for neither."""
    found = np.where(truth == IGNORED, 0, found)
    pairs = ((found == label, truth == label) for label in range(1, classes))
    return tuple(Agreement(dice(*pair), hd95_mm(*pair, spacing_mm)) for pair in pairs)


def dice(found: Mask, truth: Mask) -> float:
    """2 |A ∩ B| / (|A| + |B|); NaN when both are empty."""
    total = int(found.sum()) + int(truth.sum())
    return 2.0 * int((found & truth).sum()) / total if total else NOT_THERE


def hd95_mm(found: Mask, truth: Mask, spacing_mm: tuple[float, float, float]) -> float:
    """95th percentile of the distances from either surface to the other, both ways together; NaN unless both exist.

    Surfaces are the voxels that an erosion with the six neighbours takes away, as in medpy and most challenges.
    """
    if not found.any() or not truth.any():
        return NOT_THERE
    box = _box(found | truth)
    first, second = _surface(found[box]), _surface(truth[box])
    there = distance_transform_edt(~second, spacing_mm)[first]
    back = distance_transform_edt(~first, spacing_mm)[second]
    return float(np.percentile(np.concatenate((there, back)), 95))


def instance_agreement(found: NDArray[np.uint32], truth: NDArray[np.uint32]) -> InstanceAgreement:
    """Variation of information (bits) and adapted Rand error over the voxels whose instance is known."""
    known = truth > 0
    merge, split = variation_of_information(found[known], truth[known])
    error, _, _ = adapted_rand_error(truth[known], found[known])
    return InstanceAgreement(float(split), float(merge), float(error))


def _surface(mask: Mask) -> Mask:
    inner: Mask = binary_erosion(np.pad(mask, 1))[1:-1, 1:-1, 1:-1]
    return mask & ~inner


def _box(mask: Mask) -> tuple[slice, ...]:
    places = (np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3))
    return tuple(slice(int(at[0]), int(at[-1]) + 1) for at in places)
