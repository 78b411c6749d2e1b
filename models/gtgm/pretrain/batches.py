"""Batches of view pairs with captions. What is in one depends on seed, step and place in it alone.

So the number of worker processes changes nothing, and two training processes see between them what one would have seen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from models.gtgm.intensity import OUTSIDE, WINDOWS
from models.gtgm.pretrain.augment import Floats, varied, varied_windows
from models.gtgm.pretrain.captions import caption
from models.gtgm.pretrain.crops import Placement, central, cut, two_placements
from models.gtgm.pretrain.prepare import STEPS_PER_UNIT, PreparedVolume
from models.gtgm.pretrain.preset import GtgmPreset, ViewSettings
from models.msvlm.distributed import rank, world_size


class BatchTooLarge(ValueError):
    """Fewer volumes of every modality than a batch needs."""


@dataclass(frozen=True, eq=False)
class ViewBatch:
    """Two views of n volumes: standard values [2, n, 1, d, h, w], windows [2, n, CHANNELS, 2], texts and numbers."""

    values: Tensor
    windows: Tensor
    texts: tuple[str, ...]
    numbers: Tensor
    """Which volume each is [n]."""

    def channels(self, place: torch.device) -> Tensor:
        """Windowed channels [2n, CHANNELS, d, h, w] in −1..1, first views first, as `ScaledIntensity` makes them."""
        values, windows = self.values.to(place).float().flatten(0, 1), self.windows.to(place).flatten(0, 1)
        low, high = windows[..., 0, None, None, None], windows[..., 1, None, None, None]
        return (2.0 * (values - low) / (high - low) - 1.0).clamp(-1.0, 1.0)


class ViewBatches(Dataset[ViewBatch]):
    """The batch of each step, as this process sees it."""

    def __init__(self, volumes: Sequence[PreparedVolume], preset: GtgmPreset) -> None:
        self.volumes, self.preset = volumes, preset
        self.rank, self.share = rank(), preset.training.batch // world_size()
        kinds = sorted({volume.modality for volume in volumes})
        groups = [[n for n, volume in enumerate(volumes) if volume.modality is kind] for kind in kinds]
        self.groups = [group for group in groups if len(group) >= preset.training.batch]
        if not self.groups:
            raise BatchTooLarge(
                f"{max(map(len, groups))} volumes of a modality for batches of {preset.training.batch}: "
                "give more volumes, or a smaller batch"
            )
        if preset.training.batch % world_size():
            raise BatchTooLarge(f"a batch of {preset.training.batch} cannot be shared by {world_size()} processes")

    def __len__(self) -> int:
        return int(self.preset.training.steps)

    def __getitem__(self, step: int) -> ViewBatch:
        """The batch of a step: volumes of one modality, for another one is too easily told apart."""
        rng = np.random.default_rng((self.preset.seed, step))
        sizes = np.array([len(group) for group in self.groups], np.float64)
        group = self.groups[rng.choice(len(self.groups), p=sizes / sizes.sum())]
        drawn = rng.choice(group, self.preset.training.batch, replace=False)
        first = self.rank * self.share
        pairs = [self._pair(int(drawn[at]), step, at) for at in range(first, first + self.share)]
        values, windows, texts = zip(*pairs, strict=True)
        return ViewBatch(
            torch.from_numpy(np.stack(values, axis=1)[:, :, None]),
            torch.from_numpy(np.stack(windows, axis=1)),
            texts,
            torch.from_numpy(drawn[first : first + self.share].astype(np.int64)),
        )

    def _pair(self, number: int, step: int, at: int) -> tuple[Floats, Floats, str]:
        """Both views [2, d, h, w], their windows, and the caption of a volume."""
        volume, rng = self.volumes[number], np.random.default_rng((self.preset.seed, step, at))
        text = volume.file_name if self.preset.captions == "file_name" else caption(volume.writings, rng)
        placements = two_placements(volume.body, self.preset.views, volume.modality, rng)
        views = [varied(_values(volume, place, self.preset.views), volume.modality, rng) for place in placements]
        windows = [varied_windows(volume.modality, rng) for _ in views]
        return np.stack(views), np.stack(windows), text


def _values(volume: PreparedVolume, place: Placement, settings: ViewSettings) -> Floats:
    unit = STEPS_PER_UNIT[volume.modality]
    return cut(volume.values(), place, settings.crop_voxels, OUTSIDE[volume.modality] * unit) / np.float32(unit)


def view_batches(batches: ViewBatches, steps: range, workers: int) -> Iterable[ViewBatch]:
    """The batches of these steps, cut by so many further processes; 0 cuts them in this one."""
    spawn: Literal["spawn"] | None = "spawn" if workers else None
    return DataLoader(batches, batch_size=None, sampler=steps, num_workers=workers, multiprocessing_context=spawn)


def central_view(volume: PreparedVolume, preset: GtgmPreset) -> ViewBatch:
    """The middle of a volume as it is, with its whole text, as a batch of one pair."""
    values = np.repeat(_values(volume, central(volume.body), preset.views)[None, None, None], 2, axis=0)
    windows = np.repeat(np.array(WINDOWS[volume.modality], np.float32)[None, None], 2, axis=0)
    text = volume.file_name if preset.captions == "file_name" else " ".join(volume.writings[0])
    return ViewBatch(torch.from_numpy(values), torch.from_numpy(windows), (text,), torch.zeros(1, dtype=torch.long))
