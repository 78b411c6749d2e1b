"""Nodules planted into the lungs of training slices: no two batches show the same nodule.

A few hundred phantoms hold too few nodules for an encoder to learn from: it remembers the large ones and never sees the
small ones. A round shadow in a random place of the lung is easily made, and is as good a cross-section as any.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.datasets.fields import VISIBLE_MM2, enough_mm2
from models.datasets.slices import SliceBatch
from models.phantoms.findings import FINDINGS, Finding

SHARE = 0.4
"""Share of the slices that are planted."""
MOST = 3
"""Nodules planted into one slice at most."""
DIAMETERS_MM = 3.5, 22.0
LUNG_HU = -970.0, -650.0
"""Smoothed values of aerated lung: denser than the air about the patient, thinner than vessels and walls."""
SMOOTHED_PX = 3
REACH_PX = 7
"""No air of the surroundings may be this near to a nodule's centre: the skin's edge is as grey as lung."""
REPLACED_HU = -300.0
"""A nodule takes the place of what is thinner than this, not of vessels and walls."""
GROUND_GLASS = 0.15
"""Share of the larger nodules that are ground glass."""
GROUND_GLASS_FROM_MM = 8.0
"""Diameter from which a nodule may be ground glass."""
EDGE_PX = 0.7
_NODULE = FINDINGS.index(Finding.LUNG_NODULE)


@dataclass(frozen=True)
class Shadows:
    """A cross-section of a nodule for each slice: centres [n, 2], half axes [n, 2] in pixels, turn [n], HU [n]."""

    centre_px: Tensor
    axes_px: Tensor
    turn: Tensor
    hu: Tensor

    def share(self, rows: int, columns: int) -> Tensor:
        """How much of each pixel is nodule [n, rows, columns], with a soft edge."""
        row = torch.arange(rows, device=self.turn.device)[None, :, None] - self.centre_px[:, 0, None, None]
        column = torch.arange(columns, device=self.turn.device)[None, None, :] - self.centre_px[:, 1, None, None]
        cos, sin = self.turn.cos()[:, None, None], self.turn.sin()[:, None, None]
        along, across = row * cos + column * sin, column * cos - row * sin
        a, b = self.axes_px[:, 0, None, None], self.axes_px[:, 1, None, None]
        radius = ((along / a) ** 2 + (across / b) ** 2).sqrt()
        return torch.sigmoid((1.0 - radius) * torch.sqrt(a * b) / (0.5 * EDGE_PX))


def plant(batch: SliceBatch, pixel_mm: float, generator: torch.Generator) -> SliceBatch:
    """The batch with nodules planted into some of its slices, patch and slice targets with them.

    Only slices whose nodules are all known are planted: elsewhere a target would claim what nobody knows.
    """
    hu, patches, slices = batch.hu.clone(), batch.patches.clone(), batch.slices.clone()
    lung = _lung(hu) * batch.located[:, _NODULE, None, None]
    chosen = _uniform(len(hu), generator) < SHARE
    for number in range(MOST):
        wanted = chosen & (_uniform(len(hu), generator) < 0.5**number) & lung.flatten(1).any(1)
        at = torch.nonzero(wanted)[:, 0]
        if not len(at):
            continue
        shadows = _drawn(lung[at], pixel_mm, generator)
        share = shadows.share(*hu.shape[1:]) * (hu[at] < REPLACED_HU)
        hu[at] = hu[at] + share * torch.relu(shadows.hu[:, None, None] - hu[at])
        _mark(patches, slices, at, share, pixel_mm)
    return replace(batch, hu=hu, patches=patches, slices=slices)


def _lung(hu: Tensor) -> Tensor:
    """Where the slices [n, rows, columns] show aerated lung, as 0 or 1."""
    smooth = torch.nn.functional.avg_pool2d(hu[:, None], SMOOTHED_PX, 1, SMOOTHED_PX // 2, count_include_pad=False)
    thinnest = -torch.nn.functional.max_pool2d(-smooth, REACH_PX, 1, REACH_PX // 2)
    return ((thinnest > LUNG_HU[0]) & (smooth < LUNG_HU[1])).float()[:, 0]


def _drawn(lung: Tensor, pixel_mm: float, generator: torch.Generator) -> Shadows:
    """One nodule for each slice, its centre in the lung [n, rows, columns]."""
    n, columns = len(lung), lung.shape[2]
    place = torch.multinomial(lung.flatten(1), 1, generator=generator)[:, 0]
    low, high = DIAMETERS_MM
    diameter_mm = low * (high / low) ** _uniform(n, generator)
    ratio = 0.8 + 0.45 * _uniform(n, generator)
    axes_px = 0.5 * diameter_mm[:, None] / pixel_mm * torch.stack([ratio.sqrt(), 1.0 / ratio.sqrt()], 1)
    solid = -30.0 + 110.0 * _uniform(n, generator)
    glass = -580.0 + 150.0 * _uniform(n, generator)
    is_glass = (_uniform(n, generator) < GROUND_GLASS) & (diameter_mm >= GROUND_GLASS_FROM_MM)
    centre_px = torch.stack([place // columns, place % columns], 1).float() + _uniform((n, 2), generator) - 0.5
    return Shadows(centre_px, axes_px, torch.pi * _uniform(n, generator), torch.where(is_glass, glass, solid))


def _mark(patches: Tensor, slices: Tensor, at: Tensor, share: Tensor, pixel_mm: float) -> None:
    """Raises the nodule's targets of these slices in place by what was planted."""
    stride_px = share.shape[2] // patches.shape[3]
    inside = (share > 0.4).float() * pixel_mm**2
    area_mm2 = torch.nn.functional.avg_pool2d(inside[:, None], stride_px)[:, 0] * stride_px**2
    patches[at, _NODULE] = (patches[at, _NODULE] + area_mm2 / enough_mm2(Finding.LUNG_NODULE)).clamp(max=1.0)
    slices[at, _NODULE] = (slices[at, _NODULE] + inside.sum((1, 2)) / VISIBLE_MM2).clamp(max=1.0)


def _uniform(size: int | tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(size, generator=generator, device=generator.device)
