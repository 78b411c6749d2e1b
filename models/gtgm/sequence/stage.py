"""The stage: the reader's relation and Z-former learn from unreported studies, before any label is seen."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from models.gtgm.pretrain.captions import caption
from models.gtgm.sequence.settings import SequenceSettings
from models.gtgm.sequence.term import SequenceTerm
from models.gtgm.sequence.variants import UnreportedStudy
from models.gtgm.sequence.views import two_views
from models.msvlm.distributed import device
from models.msvlm.loop import set_rate
from models.msvlm.reader import StudyReader
from models.msvlm.recorder import recorded
from models.msvlm.studies import StudyBatch

WEIGHT_DECAY = 0.05


def train_sequence(
    settings: SequenceSettings,
    reader: StudyReader,
    studies: Sequence[UnreportedStudy],
    seed: int,
    folder: Path | None = None,
) -> list[float]:
    """Trains the reader in place on two views and the texts of the studies; the loss of every step.

    The reader must know the spread of the tokens (`start_from_encoder`). Curves go to `folder`. Raises LossNotFinite,
    and ValueError where there are fewer studies than a batch holds.
    """
    if len(studies) < settings.batch:
        raise ValueError(
            f"{len(studies)} unreported studies for batches of {settings.batch}: give more, or a smaller batch"
        )
    torch.manual_seed(seed)
    term = SequenceTerm(reader, settings).to(device()).train()
    parameters = [p for part in _trained(term) for p in part.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=settings.rate, weight_decay=WEIGHT_DECAY)
    generator, rng, std = torch.Generator().manual_seed(seed), np.random.default_rng(seed), reader.token_std.cpu()
    losses = []
    with recorded("sequence", settings, folder) as record:
        for step in range(settings.steps):
            chosen = torch.randperm(len(studies), generator=generator)[: settings.batch].tolist()
            views = two_views(studies, chosen, std, generator)
            texts = tuple(caption(studies[number].writings, rng) for number in chosen)
            set_rate(optimiser, settings.rate, step, settings.steps)
            optimiser.zero_grad()
            loss = term(_placed(views.first), _placed(views.second), texts, views.numbers.to(device()))
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            losses.append(record(step, loss.item()))
    reader.cpu()
    return losses


def _trained(term: SequenceTerm) -> list[nn.Module]:
    """What the findings later build on, and what is thrown away after the stage."""
    return [term.reader.relation, term.reader.zformer, term.pool, term.study_head, term.text, term.text_head]


def _placed(batch: StudyBatch) -> StudyBatch:
    return StudyBatch(**{name: value.to(device()) for name, value in vars(batch).items()})
