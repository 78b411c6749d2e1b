"""The mutex watershed: instances from attractive edges between near voxels and repulsive ones between far voxels.

Wolf et al., "The Mutex Watershed: Efficient, Parameter-Free Image Partitioning", ECCV 2018, and "The Mutex Watershed
and its Objective: Efficient, Parameter-Free Graph Partitioning", arXiv 1904.12654, algorithm 1. It needs neither seeds
nor a threshold: Kruskal's algorithm over all edges by falling weight, where a repulsive edge forbids two clusters to be
joined from then on. One leak in a membrane then joins two neurons only where no stronger edge said that they are two.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.gtgm.finetune.neighbours import NEAREST, NEAREST_AND_FAR, Offset, paired

STRIDES: Offset = (2, 2, 2)
"""Repulsive edges start at every second voxel along each axis: an eighth of them says nearly the same."""


class Edges(NamedTuple):
    """Edges by falling weight: the two voxels of each, as flat indices, and whether it attracts or repels."""

    firsts: NDArray[np.intp]
    seconds: NDArray[np.intp]
    attractive: NDArray[np.bool_]


def mutex_watershed(
    affinities: NDArray[np.floating], offsets: Sequence[Offset] = NEAREST_AND_FAR, strides: Offset = STRIDES
) -> NDArray[np.uint32]:
    """Instances numbered from 1 [z, y, x] of affinities [offsets, z, y, x], each a probability in 0..1.

    An affinity p to one of the six next voxels is an attractive edge of weight p, any other one a repulsive edge of
    weight 1 − p. Affinities to voxels outside the volume count for nothing. Raises ValueError where there is not one
    affinity per offset.
    """
    if affinities.ndim != 4 or len(affinities) != len(offsets):
        raise ValueError(f"affinities of shape {affinities.shape} for {len(offsets)} offsets: give one for each")
    shape = affinities.shape[1:]
    roots = clusters(int(np.prod(shape)), edges_of(affinities, offsets, strides))
    numbers: NDArray[np.uint32] = np.unique(roots, return_inverse=True)[1].reshape(shape).astype(np.uint32)
    return numbers + np.uint32(1)


def edges_of(affinities: NDArray[np.floating], offsets: Sequence[Offset], strides: Offset) -> Edges:
    """The edges of affinities; one of weight 0 says nothing and is left out. Of equal weights, the attractive first."""
    voxels = np.arange(affinities[0].size).reshape(affinities.shape[1:])
    firsts, seconds, weights, attractive = [], [], [], []
    for values, offset in sorted(zip(affinities, offsets, strict=True), key=lambda one: not _is_near(one[1])):
        near = _is_near(offset)
        here, there = paired(voxels.shape, offset, (1, 1, 1) if near else strides)
        said = values[here].astype(np.float32).ravel()
        weight = said if near else np.float32(1.0) - said
        counts = weight > 0.0
        firsts.append(voxels[here].ravel()[counts])
        seconds.append(voxels[there].ravel()[counts])
        weights.append(weight[counts])
        attractive.append(np.full(int(counts.sum()), near))
    order = np.argsort(-np.concatenate(weights), kind="stable")
    return Edges(*(np.concatenate(parts)[order] for parts in (firsts, seconds, attractive)))


def clusters(count: int, edges: Edges) -> NDArray[np.intp]:
    """For each of `count` voxels one voxel that stands for its cluster.

    `apart` holds, for the voxel that stands for a cluster, those of the clusters that it must not be joined with.
    """
    parents = list(range(count))
    apart: defaultdict[int, set[int]] = defaultdict(set)
    for first, second, attracts in zip(*(part.tolist() for part in edges), strict=True):
        one, other = _root(parents, first), _root(parents, second)
        if one == other:
            continue
        if not attracts:
            apart[one].add(other)
            apart[other].add(one)
        elif one not in apart or other not in apart[one]:
            _join(parents, apart, one, other)
    return _all_roots(np.array(parents, np.intp))


def _root(parents: list[int], voxel: int) -> int:
    """The voxel that stands for a cluster; the way to it is halved for the next one who asks."""
    while (parent := parents[voxel]) != voxel:
        parents[voxel] = voxel = parents[parent]
    return voxel


def _join(parents: list[int], apart: defaultdict[int, set[int]], one: int, other: int) -> None:
    """The cluster with fewer exclusions goes into the other one and takes them along."""
    if len(apart.get(one, ())) < len(apart.get(other, ())):
        one, other = other, one
    parents[other] = one
    for excluded in apart.pop(other, ()):
        apart[excluded].discard(other)
        apart[excluded].add(one)
        apart[one].add(excluded)


def _all_roots(parents: NDArray[np.intp]) -> NDArray[np.intp]:
    while (parents[parents] != parents).any():
        parents = parents[parents]
    return parents


def _is_near(offset: Offset) -> bool:
    return offset in NEAREST or tuple(-step for step in offset) in NEAREST
