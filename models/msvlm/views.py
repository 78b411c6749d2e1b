"""Views of slices for self-supervision: crops of several sizes of a slice and of its neighbour, each scanned anew."""

import torch
from torch import Tensor

from models.msvlm.preprocess import AIR_HU, triangle_weights
from models.msvlm.slice_augment import vary_hu

GLOBAL_AREA, LOCAL_AREA = (0.5, 1.0), (0.1, 0.35)
"""Share of the field that a global or a local view shows."""
LOCAL_VIEWS = 4
LOCAL_SHRINK = 2
"""A local view is computed on a field this much smaller along each side."""


def crop(hu: Tensor, area: tuple[float, float], size_px: tuple[int, int], generator: torch.Generator) -> Tensor:
    """A random part of each slice [n, rows, columns] at `size_px`; never mirrored."""
    draw = torch.rand(3, len(hu), generator=generator, device=generator.device)
    side = (area[0] + (area[1] - area[0]) * draw[0]).sqrt()
    weights = []
    for axis in (0, 1):
        count = hu.shape[axis + 1]
        centre_px = (count - 1) / 2.0 + (draw[axis + 1] - 0.5) * (1.0 - side) * count
        weights.append(triangle_weights(centre_px, count, size_px[axis] / (side * count), size_px[axis], 1.0))
    part: Tensor = weights[0] @ (hu - AIR_HU) @ weights[1].transpose(1, 2) + AIR_HU
    return part


def global_views(here: Tensor, beside: Tensor, generator: torch.Generator) -> Tensor:
    """One large part of each slice and one of its neighbour [2n, rows, columns], of the field's size."""
    both = torch.cat([here, beside])
    return vary_hu(crop(both, GLOBAL_AREA, (both.shape[1], both.shape[2]), generator), generator)


def local_views(here: Tensor, beside: Tensor, generator: torch.Generator) -> Tensor:
    """Small parts, alternately of each slice and of its neighbour [LOCAL_VIEWS × n, rows / 2, columns / 2]."""
    slices = torch.cat([(here, beside)[view % 2] for view in range(LOCAL_VIEWS)])
    size_px = slices.shape[1] // LOCAL_SHRINK, slices.shape[2] // LOCAL_SHRINK
    return vary_hu(crop(slices, LOCAL_AREA, size_px, generator), generator)
