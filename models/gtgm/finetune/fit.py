"""Trains a segmenter on labelled volumes: seeded, resumable, with progress and curves."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from models.gtgm.finetune.examples import Crops, Example
from models.gtgm.finetune.heads import Segmenter
from models.gtgm.finetune.losses import affinity_loss, class_loss, hardest_loss
from models.gtgm.finetune.neighbours import NEAREST, offsets_of
from models.msvlm.distributed import device
from models.msvlm.loop import Stage, run_stage
from models.msvlm.preset import StageSettings

STAGE = "finetune"
LOSSES = {"balanced": class_loss, "hardest": hardest_loss}


class LossNotFinite(ArithmeticError):
    """Training went astray; says at which step and what to change."""


class FitSettings(StageSettings):
    """How a segmenter is trained. `steps`, `batch` and `rate` as in every stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    patch: tuple[int, int, int] = (64, 64, 64)
    seed: int = 0
    checkpoint_every: int = Field(default=100, gt=0)
    weight_decay: float = 0.01
    loss: Literal["balanced", "hardest"] = "balanced"
    """Of classes: `class_loss` or `hardest_loss`."""


class FitAccount(BaseModel):
    """What a checkpoint says of its training."""

    settings: FitSettings
    volumes: int
    encoder: str
    """Where the encoder started from."""


def fit(
    network: Segmenter,
    examples: Sequence[Example],
    settings: FitSettings,
    folder: Path,
    mistaken: Sequence[NDArray[np.intp]] = (),
) -> Segmenter:
    """Trains the network in place, from the checkpoint in `folder` if there is one, and gives it ready to segment.

    `mistaken`: places of every example that are to be seen more often, see `Crops`.
    Raises LossNotFinite, and ValueError for a patch that the network cannot halve as often as it does.
    """
    if any(size % network.stride for size in settings.patch):
        raise ValueError(f"a patch of {settings.patch} voxels: its sides must be multiples of {network.stride}")
    network.to(device()).train()
    offsets = offsets_of(network.last.out_channels) if network.output == "affinities" else NEAREST
    crops = Crops(examples, settings.patch, settings.batch, settings.seed, mistaken, offsets)

    def batches(steps: range) -> Iterator[tuple[Tensor, Tensor]]:
        return (crops.at(step) for step in steps)

    def loss_of(batch: tuple[Tensor, Tensor], step: int) -> Tensor:
        return loss_at(network, batch, step, settings)

    stage = Stage(STAGE, settings, network, batches, loss_of, weight_decay=settings.weight_decay, speed="crops_per_s")
    run_stage(stage, folder, settings.checkpoint_every)
    return network.eval()


def loss_at(network: Segmenter, batch: tuple[Tensor, Tensor], step: int, settings: FitSettings) -> Tensor:
    """The loss of the batch of a step. Raises LossNotFinite."""
    values, target = (part.to(device()) for part in batch)
    on_gpu = device().type == "cuda"  # on CPUs, bfloat16 gradients of 3D convolutions are not always finite
    with torch.autocast(device().type, torch.bfloat16, enabled=on_gpu):
        logits = network(values)
    measure = affinity_loss if network.output == "affinities" else LOSSES[settings.loss]
    loss = measure(logits.float(), target)
    if not torch.isfinite(loss):
        raise LossNotFinite(f"the loss of step {step} is {loss.item()}: lower the rate and go on from the checkpoint")
    return loss
