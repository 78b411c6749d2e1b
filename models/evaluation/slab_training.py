"""Training of the sub-volume encoder: random slabs of phantoms, with the losses of the slice encoder.

In fp32: in bfloat16 the gradients of its convolutions in three dimensions were not finite on a CPU (torch 2.13).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from models.datasets.cache import Shard
from models.datasets.slices import SliceBank, SliceBatch
from models.evaluation.evaluate import console
from models.evaluation.slabs import SLAB_SLICES, SlabEncoder
from models.msvlm.loop import CLIP, set_rate
from models.msvlm.losses import BalancedPatchLoss, known_only
from models.msvlm.preset import Preset
from models.msvlm.slice_augment import Placement, vary_hu
from models.phantoms.findings import FINDINGS

SLICE_WEIGHT = 2.0
SCHEDULE = 1000
"""The rate follows the share of the minutes that has passed, in so many steps."""
WEIGHT_DECAY = 0.02


@dataclass(frozen=True, eq=False)
class Slabs:
    """A batch: HU [n, 8, rows, columns], and targets as those of slices."""

    hu: Tensor
    patches: Tensor
    slices: Tensor
    located: Tensor


def batches(shards: list[Shard], count: int, seed: int) -> Iterator[Slabs]:
    """Random slabs without end, half of them drawn by finding; a slab shows what any of its slices shows."""
    bank, rng = SliceBank(shards), np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    shown = bank.slices.reshape(-1, SLAB_SLICES, len(FINDINGS)).max(1)
    having = [there for column in shown.T if len(there := np.flatnonzero(column > 127))]
    while True:
        drawn = [int(rng.choice(having[int(rng.integers(len(having)))])) for _ in range(count // 2)] if having else []
        chosen = np.array(drawn + rng.integers(len(shown), size=count - len(drawn)).tolist())
        rows = (chosen[:, None] * SLAB_SLICES + np.arange(SLAB_SLICES)).ravel()
        yield _slabs(bank.batch(rows), generator)


def _slabs(batch: SliceBatch, generator: torch.Generator) -> Slabs:
    """Slices as slabs, varied as slices are; one scanner and one place per slab."""
    hu, patches, slices = (
        part.float().reshape(-1, SLAB_SLICES, *part.shape[1:]) for part in (batch.hu, batch.patches, batch.slices)
    )
    patches, slices = patches.amax(1) / 255.0, slices.amax(1) / 255.0
    placement, stride_px = Placement.draw(len(hu), generator), hu.shape[-1] // patches.shape[-1]
    # One above the other: what varies from scan to scan is drawn once for a slab, not once for each slice.
    tall = vary_hu(placement.apply(hu).flatten(1, 2), generator)
    return Slabs(tall.reshape(hu.shape), placement.apply(patches, stride_px), slices, batch.located[::SLAB_SLICES])


def train_slab_encoder(
    preset: Preset, shards: list[Shard], minutes: float, clock: Callable[[], float] = monotonic
) -> tuple[SlabEncoder, int]:
    """A sub-volume encoder after so many minutes by a clock in seconds, and how many steps they were."""
    torch.manual_seed(preset.seed)
    encoder = SlabEncoder(preset.network).train()
    patch_loss = BalancedPatchLoss(len(FINDINGS))
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=preset.encoder.rate, weight_decay=WEIGHT_DECAY)
    source = batches(shards, max(preset.encoder.batch // SLAB_SLICES, 2), preset.seed)
    began_s, steps, passed = clock(), 0, 0.0
    with Progress(console=console) as progress:
        task = progress.add_task("sub-volume encoder", total=1.0)
        while passed < 1.0:
            set_rate(optimiser, preset.encoder.rate, round(passed * SCHEDULE), SCHEDULE)
            loss = _loss(encoder, patch_loss, next(source))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(encoder.parameters(), CLIP)
            optimiser.step()
            steps, passed = steps + 1, (clock() - began_s) / 60.0 / minutes
            progress.update(task, completed=min(passed, 1.0), description=f"sub-volume encoder, loss {loss.item():.3f}")
    return encoder.eval(), steps


def _loss(encoder: SlabEncoder, patch_loss: BalancedPatchLoss, batch: Slabs) -> Tensor:
    found = encoder(batch.hu)
    by_slice = binary_cross_entropy_with_logits(found.slice_logits.float(), batch.slices, reduction="none")
    patches: Tensor = patch_loss(found.patch_logits.float(), batch.patches, batch.located)
    return patches + SLICE_WEIGHT * known_only(by_slice, batch.located)
