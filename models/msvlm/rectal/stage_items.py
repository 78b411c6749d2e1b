"""The reader learns the items from slice tokens, each time from another subset of a study's series."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from models.msvlm.distributed import device
from models.msvlm.loop import Stage, run_stage, step_seed
from models.msvlm.rectal.items import SCALES, steps_of
from models.msvlm.rectal.preset import SeriesPreset
from models.msvlm.rectal.reader import SeriesReader
from models.msvlm.rectal.studies import SeriesBatch, SeriesStudy, pad, some_series

WEIGHT_DECAY = 0.05
PROCESS = 7
"""Keeps what this stage draws apart from what the slice encoder's processes draw."""


def set_token_scale(reader: SeriesReader, studies: Sequence[SeriesStudy]) -> None:
    """Sets the spread of the tokens over the slices of these studies."""
    tokens = torch.cat([study.tokens for study in studies])
    reader.token_mean.copy_(tokens.mean(0))
    reader.token_std.copy_(tokens.std(0).clamp(min=1e-3))


def item_losses(steps: Tensor, batch: SeriesBatch) -> Tensor:
    """The loss of each item [I]: mean over its steps of their binary cross-entropy, where a step is known.

    Each step counts the same however rarely it is known: few studies have a tumour that can reach the sphincter.
    """
    known = batch.known.to(steps.dtype)
    loss = binary_cross_entropy_with_logits(steps, batch.taken, reduction="none") * known
    by_step = loss.sum(0) / known.sum(0).clamp(min=1.0)
    return torch.stack([by_step[steps_of(scale.item)].mean() for scale in SCALES])


class ItemLearning(nn.Module):
    """The reader with the loss of its items; keeps the last of each for the curves."""

    def __init__(self, reader: SeriesReader, noise: float, seed: int) -> None:
        super().__init__()
        self.reader, self.noise, self.seed = reader, noise, seed
        self.last: dict[str, float] = {}

    def forward(self, batch: SeriesBatch, step: int) -> Tensor:
        """Loss of a batch; its noise and its dropout are drawn as the step's seed says."""
        torch.manual_seed(step_seed(self.seed, PROCESS, step))
        batch = batch.placed(device())
        noise = self.noise * self.reader.token_std * torch.randn_like(batch.inputs.tokens)
        inputs = batch.inputs._replace(tokens=batch.inputs.tokens + noise)
        losses = item_losses(self.reader.read(inputs).steps, batch)
        self.last = {scale.item.value: float(loss) for scale, loss in zip(SCALES, losses.detach(), strict=True)}
        return losses.mean()


def train_items(
    preset: SeriesPreset,
    reader: SeriesReader,
    studies: Sequence[SeriesStudy],
    folder: Path,
    archived: Sequence[SeriesStudy] = (),
    share: float = 0.0,
) -> None:
    """Trains the reader in place; a run that was cut goes on from its checkpoint in `folder`.

    `share` of the studies of a step are of those of an archive.
    """
    set_token_scale(reader, [*studies, *archived])
    learned = ItemLearning(reader, preset.items.noise, preset.seed).to(device()).train()

    def batches(steps: range) -> Iterator[SeriesBatch]:
        for step in steps:
            yield drawn(studies, preset, np.random.default_rng(step_seed(preset.seed, PROCESS, step)), archived, share)

    stage = Stage(
        *("items", preset.items, learned, batches, learned),
        weight_decay=WEIGHT_DECAY,
        speed="studies_per_s",
        more=lambda: learned.last,
    )
    run_stage(stage, folder, preset.items.checkpoint_every)
    reader.cpu().eval()


def drawn(
    studies: Sequence[SeriesStudy],
    preset: SeriesPreset,
    rng: np.random.Generator,
    archived: Sequence[SeriesStudy] = (),
    share: float = 0.0,
) -> SeriesBatch:
    """A batch of random studies, `share` of them of an archive, each without some of its series and slices."""
    stage = preset.items
    chosen = [studies[index] for index in rng.integers(len(studies), size=stage.batch)]
    if archived:
        own = rng.integers(len(archived), size=stage.batch)
        chosen = [archived[k] if rng.random() < share else study for k, study in zip(own, chosen, strict=True)]
    return pad(chosen, [some_series(study, stage.series_dropout, stage.slice_dropout, rng) for study in chosen])
