"""Instances as affinities and back: which neighbours belong together, and what a network says of it made instances.

An affinity of a voxel and an offset is 1 where the voxel and the one at that offset are of the same instance (Turaga et
al., Neural Comput. 22:511, 2010). Where one of them is not labelled it is not known.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from models.gtgm.finetune.mutex_watershed import mutex_watershed
from models.gtgm.finetune.neighbours import NEAREST, NEAREST_AND_FAR, Offset, offsets_of, paired

AXES = len(NEAREST)
UNKNOWN = -1
Grouping = Literal["watershed", "mutex_watershed"]
"""How affinities become instances: seeds that grow, or edges that attract and repel, which needs far affinities."""
SEED_SHARE = 0.9
"""From this mean affinity on, a voxel lies inside an instance for sure."""
SMALLEST_SEED_VOXELS = 30


def affinities_of(instances: NDArray[np.uint32], offsets: Sequence[Offset] = NEAREST) -> NDArray[np.int8]:
    """Affinities [offsets, z, y, x] to the voxels at these offsets, along z, y and x by default: 1, 0, or UNKNOWN."""
    found = np.full((len(offsets), *instances.shape), UNKNOWN, np.int8)
    for affinity, offset in zip(found, offsets, strict=True):
        here, there = paired(instances.shape, offset)
        known = (instances[here] > 0) & (instances[there] > 0)
        affinity[here][known] = (instances[here] == instances[there])[known]
    return found


def instances_of(affinities: NDArray[np.floating], grouping: Grouping = "watershed") -> NDArray[np.uint32]:
    """Instances numbered from 1 [z, y, x] from probabilities of affinities [3 or 9, z, y, x]; see `neighbours`.

    Raises ValueError for a number of affinities that the grouping cannot take.
    """
    offsets = offsets_of(len(affinities))
    if grouping == "mutex_watershed" and offsets is NEAREST:
        raise ValueError(
            f"the mutex watershed needs far affinities: train a network with {len(NEAREST_AND_FAR)} outputs, "
            "or group by watershed"
        )
    return _GROUPINGS[grouping](affinities)


def grown_seeds(affinities: NDArray[np.floating]) -> NDArray[np.uint32]:
    """Instances numbered from 1 [z, y, x] from probabilities of affinities [≥ 3, z, y, x]; only the nearest count.

    Seeds are pieces of voxels that hold together with all their neighbours; a watershed grows them until they meet.
    """
    inside = _mean_affinity(np.asarray(affinities[:AXES], np.float32))
    seeds, count = ndimage.label(inside > SEED_SHARE)
    if count == 0:
        return np.ones(inside.shape, np.uint32)
    sizes = np.bincount(seeds.ravel())
    small = sizes < SMALLEST_SEED_VOXELS
    small[1 + int(sizes[1:].argmax())] = False
    seeds[small[seeds]] = 0
    grown: NDArray[np.uint32] = watershed(1.0 - inside, seeds).astype(np.uint32)
    return grown


def _mean_affinity(affinities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each voxel to its six neighbours; beyond the border everything holds together."""
    total = np.zeros(affinities.shape[1:], np.float32)
    for axis in range(AXES):
        before = affinities[axis].copy()
        _from(before, axis, 0, 1)[...] = 1.0
        after = np.ones_like(before)
        _from(after, axis, 0)[...] = _from(affinities[axis], axis, 1)
        total += before + after
    return total / np.float32(2 * AXES)


def _from(array: NDArray[np.generic], axis: int, first: int, count: int | None = None) -> NDArray[np.generic]:
    """A view of all but one plane along an axis, or of `count` planes."""
    planes = array.shape[axis] - 1 if count is None else count
    index = [slice(None)] * array.ndim
    index[axis] = slice(first, first + planes)
    return array[tuple(index)]


_GROUPINGS: dict[Grouping, Callable[[NDArray[np.floating]], NDArray[np.uint32]]] = {
    "watershed": grown_seeds,
    "mutex_watershed": mutex_watershed,
}
