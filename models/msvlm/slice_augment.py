"""Variations of slices on the field that a scanner could have made; never a flip: left stays left."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.datasets.slices import SliceBatch
from models.msvlm.preprocess import AIR_HU, TOP_HU

SHIFT_PX = 6.0
SCALE = 0.06
GAIN = 0.03
OFFSET_HU = 15.0
NOISE_HU = 18.0
SHARPNESS = 0.6
"""Share of the difference from the local mean that is added (sharper) or taken away (smoother)."""


@dataclass(frozen=True)
class Placement:
    """Shift [n, 2] in pixels (rows, columns) and scale [n] of each slice of a batch."""

    shift_px: Tensor
    scale: Tensor

    @classmethod
    def draw(cls, count: int, generator: torch.Generator) -> "Placement":
        """Small random shifts and scales."""
        values = torch.rand(count, 3, generator=generator, device=generator.device) * 2.0 - 1.0
        return cls(values[:, :2] * SHIFT_PX, 1.0 + values[:, 2] * SCALE)

    def weights(self, axis: int, count: int, stride_px: int) -> Tensor:
        """Linear interpolation along one axis of `count` places as a matrix [n, count, count]; the border goes on."""
        places = torch.arange(count, dtype=torch.float32, device=self.scale.device)
        middle = (count - 1) / 2.0
        target = middle + (places - middle)[None] / self.scale[:, None] + self.shift_px[:, axis, None] / stride_px
        target = target.clamp(0.0, count - 1.0)
        return torch.relu(1.0 - (places[None, None, :] - target[:, :, None]).abs())

    def apply(self, maps: Tensor, stride_px: int = 1) -> Tensor:
        """The maps [n, …, rows, columns] moved; one place of a map is `stride_px` field pixels."""
        rows = self.weights(0, maps.shape[-2], stride_px)
        columns = self.weights(1, maps.shape[-1], stride_px).transpose(1, 2)
        if maps.dim() == 4:
            rows, columns = rows[:, None], columns[:, None]
        return rows @ maps @ columns


def vary_hu(hu: Tensor, generator: torch.Generator) -> Tensor:
    """Another kernel, tube and dose: sharpness, gain, offset and noise of each slice [n, rows, columns]."""
    sharpness, gain, offset, noise = _uniform(len(hu), generator)
    smooth = torch.nn.functional.avg_pool2d(hu[:, None], 3, 1, 1, count_include_pad=False)[:, 0]
    hu = hu + sharpness * (hu - smooth)
    hu = (hu - AIR_HU) * gain + (AIR_HU + offset)
    hu += noise * torch.randn(hu.shape, generator=generator, device=generator.device)
    return hu.clamp_(AIR_HU, TOP_HU)


def _uniform(count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    ranges = ((-SHARPNESS, SHARPNESS), (1.0 - GAIN, 1.0 + GAIN), (-OFFSET_HU, OFFSET_HU), (0.0, NOISE_HU))
    values = torch.rand(len(ranges), count, 1, 1, generator=generator, device=generator.device)
    return tuple(low + (high - low) * value for (low, high), value in zip(ranges, values, strict=True))


def vary(batch: SliceBatch, generator: torch.Generator) -> SliceBatch:
    """The batch moved, scaled and seen by another scanner, its patch targets with it."""
    placement = Placement.draw(len(batch.hu), generator)
    stride_px = batch.hu.shape[-1] // batch.patches.shape[-1]
    hu = vary_hu(placement.apply(batch.hu), generator)
    return SliceBatch(hu, placement.apply(batch.patches, stride_px), batch.slices, batch.located)
