"""One labelled volume as many: blocks whose labels are known, and quarters that are tested one by one."""

import math
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from models.gtgm.finetune.examples import IGNORED, Example

Box = tuple[slice, slice, slice]


def blocks_of(shape: tuple[int, ...], side: int) -> list[Box]:
    """Boxes of about that side that fill a volume."""
    spans = [
        [slice(int(a), int(b)) for a, b in pairwise(edges)]
        for edges in (np.linspace(0, size, max(1, round(size / side)) + 1).astype(int) for size in shape)
    ]
    return [(z, y, x) for z, y, x in product(*spans)]


def with_block_share(example: Example, side: int, share: float, seed: int) -> Example:
    """The example with the labels of a share of its blocks, at least of one; those of a smaller share are among them.

    Blocks that hold nothing but background come last: a single one would teach nothing. The rest is not known:
    IGNORED, and 0 for instances.
    """
    blocks = blocks_of(example.labels.shape, side)
    order = np.random.default_rng((seed, 103)).permutation(len(blocks))
    full = [number for number in order if example.labels[blocks[number]].any()]
    count = max(1, math.ceil(share * len(full) - 1e-9))
    taken = full[:count] if share < 1.0 else list(order)
    labels: NDArray[np.uint8] | NDArray[np.uint32] = np.full_like(example.labels, 0 if example.instances else IGNORED)
    for number in taken:
        labels[blocks[number]] = example.labels[blocks[number]]
    return Example(example.values, labels, example.modality)


def quarters(example: Example) -> list[Example]:
    """Four parts along the two last axes."""
    _, rows, columns = example.labels.shape
    spans = product(*([slice(0, size // 2), slice(size // 2, size)] for size in (rows, columns)))
    return [Example(example.values[:, y, x], example.labels[:, y, x], example.modality) for y, x in spans]


def middle_of(example: Example, size: tuple[int, int, int]) -> Example:
    """So many voxels about the middle, or all along an axis that has fewer."""
    starts = [max(0, (there - wanted) // 2) for there, wanted in zip(example.labels.shape, size, strict=True)]
    box = tuple(slice(at, at + wanted) for at, wanted in zip(starts, size, strict=True))
    return Example(example.values[box], example.labels[box], example.modality)
