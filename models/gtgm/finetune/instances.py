"""Instances as affinities and back: which neighbours belong together, and a watershed over what a network says of it.

An affinity of a voxel and an axis is 1 where the voxel and the one before it along that axis are of the same instance
(Turaga et al., Neural Comput. 22:511, 2010). Where one of them is not labelled it is not known.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

AXES = 3
UNKNOWN = -1
SEED_SHARE = 0.9
"""From this mean affinity on, a voxel lies inside an instance for sure."""
SMALLEST_SEED_VOXELS = 30


def affinities_of(instances: NDArray[np.uint32]) -> NDArray[np.int8]:
    """Affinities [3, z, y, x] to the voxel before along z, y and x: 1, 0, or UNKNOWN."""
    found = np.full((AXES, *instances.shape), UNKNOWN, np.int8)
    for axis in range(AXES):
        here, before = _from(instances, axis, 1), _from(instances, axis, 0)
        known = (here > 0) & (before > 0)
        _from(found[axis], axis, 1)[known] = (here == before)[known]
    return found


def instances_of(affinities: NDArray[np.floating]) -> NDArray[np.uint32]:
    """Instances numbered from 1 [z, y, x] from probabilities of affinities [3, z, y, x].

    Seeds are pieces of voxels that hold together with all their neighbours; a watershed grows them until they meet.
    """
    inside = _mean_affinity(np.asarray(affinities, np.float32))
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
