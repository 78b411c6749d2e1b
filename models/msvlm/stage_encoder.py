"""Stage 1: the slice encoder learns from masks, in processes that average their gradients."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, Dataset

from models.datasets.cache import Shard
from models.datasets.slices import FindingSampler, SliceBank, SliceBatch
from models.msvlm.distributed import device, placed, rank, train_in_processes, world_size
from models.msvlm.encoder import new_encoder
from models.msvlm.loop import Stage, run_stage, step_seed
from models.msvlm.losses import BalancedPatchLoss, known_only
from models.msvlm.planted import plant
from models.msvlm.preset import NetworkShape, Preset
from models.msvlm.slice_augment import vary

SLICE_WEIGHT = 2.0
ACCELERATOR_READERS = 4


class StepBatches(Dataset[SliceBatch]):
    """The batches of some steps, as stored; each depends on seed, process and step alone."""

    def __init__(self, bank: SliceBank, sampler: FindingSampler, batch: int, seed: int, steps: range) -> None:
        self.bank, self.sampler = bank, sampler
        self.count, self.seed, self.process, self.steps = batch, seed, rank(), steps

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, item: int) -> SliceBatch:
        rng = np.random.default_rng(step_seed(self.seed, self.process, self.steps[item]))
        return self.bank.batch(self.sampler.draw(self.count, rng))


class MaskedLearning(nn.Module):
    """The slice encoder with its losses on patches and slices."""

    def __init__(self, encoder: nn.Module, shape: NetworkShape, seed: int) -> None:
        super().__init__()
        self.encoder, self.patch_loss, self.seed = encoder, BalancedPatchLoss(shape.findings), seed
        self.pixel_mm = shape.pixel_mm

    def forward(self, batch: SliceBatch, step: int) -> Tensor:
        """Loss of a batch as stored, with nodules planted and varied as the step's seed says."""
        place = device()
        generator = torch.Generator(place).manual_seed(step_seed(self.seed, rank(), step))
        batch = vary(plant(batch.to(place), self.pixel_mm, generator), generator)
        with torch.autocast(place.type, torch.bfloat16):
            encoded = self.encoder(batch.hu)
        by_slice = binary_cross_entropy_with_logits(encoded.slice_logits.float(), batch.slices, reduction="none")
        patches: Tensor = self.patch_loss(encoded.patch_logits.float(), batch.patches, batch.located)
        return patches + SLICE_WEIGHT * known_only(by_slice, batch.located)


def train_encoder(preset: Preset, encoder: nn.Module, shards: Sequence[Shard], folder: Path) -> None:
    """Trains the encoder in place; a run that was cut goes on from its checkpoint in `folder`."""
    train_in_processes(_train, encoder, (preset, tuple(shards)), preset.processes, folder / "encoder")


def _train(preset: Preset, shards: tuple[Shard, ...], start: Path, end: Path) -> None:
    encoder = new_encoder(preset.network)
    encoder.load_state_dict(torch.load(start, weights_only=True))
    learned = MaskedLearning(encoder, preset.network, preset.seed)
    placed(learned.train())
    bank, batch = SliceBank(shards), preset.encoder.batch // world_size()
    sampler = FindingSampler(bank, preset.encoder.drawn)

    def batches(steps: range) -> DataLoader[SliceBatch]:
        readers = ACCELERATOR_READERS if device().type == "cuda" else 0
        return DataLoader(StepBatches(bank, sampler, batch, preset.seed, steps), batch_size=None, num_workers=readers)

    run_stage(
        Stage("encoder", preset.encoder, learned, batches, learned), start.parent, preset.encoder.checkpoint_every
    )
    if rank() == 0:
        torch.save(encoder.state_dict(), end)
