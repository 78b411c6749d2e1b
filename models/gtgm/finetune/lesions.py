"""Lesions counted one by one: how many are found, and how many are named that are none."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from models.gtgm.finetune.metrics import Mask
from models.gtgm.finetune.mistakes import TOUCHING


class LesionCounts(NamedTuple):
    """Of one structure in one volume. A lesion is found when what was named touches it."""

    there: int
    found: int
    false: int
    """Parts that were named and touch no lesion."""


def without_small(found: NDArray[np.uint8], smallest_voxels: Mapping[int, float]) -> NDArray[np.uint8]:
    """Labels without the connected parts that are smaller than their structure's least, as the agent shows them."""
    kept = found.copy()
    for structure, voxels in smallest_voxels.items():
        parts, _ = label(found == structure, TOUCHING)
        small = np.bincount(parts.ravel()) < voxels
        small[0] = False
        kept[small[parts]] = 0
    return kept


def lesion_counts(found: Mask, truth: Mask, smallest_voxels: float) -> LesionCounts:
    """Lesions of the truth that are at least so large; what touches a smaller one is not false."""
    lesions, _ = label(truth, TOUCHING)
    named, count = label(found, TOUCHING)
    large = np.flatnonzero(np.bincount(lesions.ravel()) >= smallest_voxels)
    large = large[large > 0]
    right = np.setdiff1d(named[truth], 0)
    return LesionCounts(len(large), int(np.isin(large, lesions[found]).sum()), count - len(right))
