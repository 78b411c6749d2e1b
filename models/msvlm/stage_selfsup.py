"""Stage 0: the slice encoder learns from slices without labels that neighbouring slices show the same anatomy."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.datasets.cache import Shard
from models.datasets.neighbours import NeighbourSampler
from models.datasets.slices import SliceBank
from models.msvlm.distributed import device, placed, rank, train_in_processes, world_size
from models.msvlm.encoder import new_encoder
from models.msvlm.loop import Stage, run_stage, step_seed
from models.msvlm.preset import Preset
from models.msvlm.selfsup import Dino, LeJepa
from models.msvlm.views import global_views, local_views

CHECKPOINT_EVERY = 50
WEIGHT_DECAY = 0.04
Pair = tuple[Tensor, Tensor]


def train_selfsup(preset: Preset, encoder: nn.Module, shards: Sequence[Shard], folder: Path) -> None:
    """Trains the encoder in place; leaves it as it is where the preset wants no self-supervision."""
    if preset.selfsup.method == "none" or not preset.selfsup.steps:
        return
    train_in_processes(_train, encoder, (preset, tuple(shards)), preset.processes, folder / "selfsup")


def _train(preset: Preset, shards: tuple[Shard, ...], start: Path, end: Path) -> None:
    settings = preset.selfsup
    encoder = new_encoder(preset.network)
    encoder.load_state_dict(torch.load(start, weights_only=True))
    torch.manual_seed(preset.seed)
    kind = Dino if settings.method == "dino" else LeJepa
    method = kind(encoder, preset.network.encoder_width)
    placed(method.train())
    sampler, batch = NeighbourSampler(SliceBank(shards), settings.isolated), settings.batch // world_size()

    def batches(steps: range) -> Iterator[Pair]:
        for step in steps:
            yield sampler.pair(batch, np.random.default_rng(step_seed(preset.seed, rank(), step)))

    def loss_of(pair: Pair, step: int) -> Tensor:
        generator = torch.Generator(device()).manual_seed(step_seed(preset.seed, rank(), step))
        here, beside = (part.to(device()).float() for part in pair)
        wide, narrow = global_views(here, beside, generator), local_views(here, beside, generator)
        loss: Tensor = method(wide, narrow) if isinstance(method, Dino) else method(wide, narrow, generator)
        return loss

    def after_step(step: int) -> None:
        if isinstance(method, Dino):
            method.follow(step / settings.steps)

    stage = Stage("selfsup", settings, method, batches, loss_of, after_step, WEIGHT_DECAY)
    run_stage(stage, start.parent, CHECKPOINT_EVERY)
    if rank() == 0:
        torch.save(method.encoder.state_dict(), end)
