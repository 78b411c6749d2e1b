"""Which pairs of voxels an affinity speaks of: offsets in voxels along z, y and x, near ones and far ones."""

from collections.abc import Sequence

Offset = tuple[int, int, int]
NEAREST: tuple[Offset, ...] = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
"""To the voxel before along each axis."""
FAR: tuple[Offset, ...] = ((-3, 0, 0), (0, -3, 0), (0, 0, -3), (-9, 0, 0), (0, -9, 0), (0, 0, -9))
"""Across a membrane and across a thin process; for voxels of equal sides."""
NEAREST_AND_FAR = NEAREST + FAR
Place = tuple[slice, ...]


def offsets_of(count: int) -> tuple[Offset, ...]:
    """The offsets of so many affinities per voxel, in the order of a network's outputs.

    Raises ValueError for another number than that of the nearest ones, or of the nearest and far ones.
    """
    for offsets in (NEAREST, NEAREST_AND_FAR):
        if len(offsets) == count:
            return offsets
    raise ValueError(
        f"{count} affinities per voxel: give {len(NEAREST)} outputs for the nearest voxels, "
        f"or {len(NEAREST_AND_FAR)} for far ones too"
    )


def paired(shape: Sequence[int], offset: Offset, strides: Offset = (1, 1, 1)) -> tuple[Place, Place]:
    """Where the voxels lie that have a partner at `offset` inside the volume, and where these partners lie.

    With strides, every so manieth of these voxels along each axis. Both are empty for an offset that leaves the volume.
    """
    here, there = [], []
    for size, step, stride in zip(shape, offset, strides, strict=True):
        first = max(0, -step)
        after = max(first, min(size, size - step))
        here.append(slice(first, after, stride))
        there.append(slice(first + step, after + step, stride))
    return tuple(here), tuple(there)
