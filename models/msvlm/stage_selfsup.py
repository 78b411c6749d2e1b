"""Stage 0: the slice encoder learns from slices without labels."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from models.datasets.cache import Shard
from models.msvlm.preset import Preset


def train_selfsup(preset: Preset, encoder: nn.Module, shards: Sequence[Shard], folder: Path) -> None:
    """Trains the encoder in place; leaves it as it is where the preset wants no self-supervision."""
    if preset.selfsup.method == "none" or not preset.selfsup.steps:
        return
    raise NotImplementedError(preset.selfsup.method, shards, folder, encoder)
