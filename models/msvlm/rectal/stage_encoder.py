"""The slice encoder learns from masks of the structures, in processes that average their gradients."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from models.msvlm.distributed import device, placed, rank, train_in_processes, world_size
from models.msvlm.loop import Stage, run_stage, step_seed
from models.msvlm.losses import BalancedPatchLoss
from models.msvlm.rectal.encoder import SeriesEncoder
from models.msvlm.rectal.phantoms import load
from models.msvlm.rectal.preset import SeriesPreset

GAMMA, NOISE = (0.7, 1.4), 0.03
"""How the intensities of a slice vary beside what the phantoms' scanners do."""
SHIFT = 3
"""In patches, how far the field is moved; never mirrored, as left is not right."""


class SliceBatch(NamedTuple):
    """Shares of the intensity range [n, rows, columns] and of what patches show [n, S, gr, gc], both in [0, 1]."""

    shares: Tensor
    patches: Tensor


class SliceBank:
    """All slices of the encoder's split, in memory."""

    def __init__(self, paths: Sequence[Path], patch_stride_px: int) -> None:
        parts = [load(path).slices for path in paths]
        self.images = torch.from_numpy(np.concatenate([part.images for part in parts]))
        self.patches = torch.from_numpy(np.concatenate([part.patches for part in parts]))
        self.stride = patch_stride_px

    def batch(self, count: int, rng: np.random.Generator) -> SliceBatch:
        """Random slices, varied."""
        chosen = torch.from_numpy(rng.integers(len(self.images), size=count))
        shares, patches = self.images[chosen].float() / 255.0, self.patches[chosen].float() / 255.0
        gamma = torch.from_numpy(np.exp(rng.uniform(*np.log(GAMMA), size=count)).astype(np.float32))
        noise = torch.from_numpy(rng.normal(0.0, NOISE, shares.shape).astype(np.float32))
        shares = (shares ** gamma[:, None, None] + noise).clamp(0.0, 1.0)
        down, right = (int(shift) for shift in rng.integers(-SHIFT, SHIFT + 1, size=2))
        return SliceBatch(_moved(shares, down * self.stride, right * self.stride), _moved(patches, down, right))


def _moved(values: Tensor, down: int, right: int) -> Tensor:
    """Maps moved over their last two axes; what comes in at the edges is 0."""
    rows, columns = values.shape[-2:]
    moved = nn.functional.pad(values, (abs(right), abs(right), abs(down), abs(down)))
    top, left = abs(down) - down, abs(right) - right
    return moved[..., top : top + rows, left : left + columns]


class StructureLearning(nn.Module):
    """The slice encoder with its loss on patches, balanced by structure."""

    def __init__(self, encoder: SeriesEncoder, structures: int) -> None:
        super().__init__()
        self.encoder, self.loss = encoder, BalancedPatchLoss(structures)

    def forward(self, batch: SliceBatch, step: int) -> Tensor:
        """Loss of a batch."""
        place = device()
        patches = batch.patches.to(place)
        with torch.autocast(place.type, torch.bfloat16):
            logits = self.encoder(batch.shares.to(place)).patch_logits
        loss: Tensor = self.loss(logits.float(), patches, torch.ones(patches.shape[:2], device=place))
        return loss


def train_encoder(preset: SeriesPreset, encoder: SeriesEncoder, paths: Sequence[Path], folder: Path) -> None:
    """Trains the encoder in place; a run that was cut goes on from its checkpoint in `folder`."""
    train_in_processes(_train, encoder, (preset, tuple(paths)), preset.processes, folder / "encoder")


def _train(preset: SeriesPreset, paths: tuple[Path, ...], start: Path, end: Path) -> None:
    encoder = SeriesEncoder(preset.network)
    encoder.load_state_dict(torch.load(start, weights_only=True))
    learned = StructureLearning(encoder, preset.network.structures)
    placed(learned.train())
    bank, count = SliceBank(paths, preset.network.patch_stride_px), preset.encoder.batch // world_size()

    def batches(steps: range) -> Iterator[SliceBatch]:
        for step in steps:
            yield bank.batch(count, np.random.default_rng(step_seed(preset.seed, rank(), step)))

    stage = Stage("encoder", preset.encoder, learned, batches, learned)
    run_stage(stage, start.parent, preset.encoder.checkpoint_every)
    if rank() == 0:
        torch.save(encoder.cpu().state_dict(), end)
