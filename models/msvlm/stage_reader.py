"""Stages 2 and 3: masked embedding modelling, then finding classification, on slice tokens of unseen studies."""

import copy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.msvlm.augment import other_scans
from models.msvlm.distributed import device
from models.msvlm.heads import Concluded
from models.msvlm.loop import set_rate
from models.msvlm.losses import masked_embedding_loss, span_mask
from models.msvlm.preset import Preset, StageSettings
from models.msvlm.reader import StudyReader
from models.msvlm.reading_loss import attribute_loss, finding_loss, reading_loss
from models.msvlm.recorder import recorded
from models.msvlm.studies import EncodedStudy, StudyBatch, pad

CHECK_EVERY = 25
CHECK_BATCH = 16
AVERAGED_STEPS = 80
"""The weights that are kept are a running mean over about so many steps."""
SKIP_RATE = 0.1
"""The encoder's own slice logits are moved this much slower than the rest."""
WEIGHT_DECAY = 0.05


class Held(NamedTuple):
    """Validation losses of the findings and of their attributes."""

    findings: float
    attributes: float

    @property
    def total(self) -> float:
        """What the kept weights are chosen by; attributes are a small part, as in training."""
        return self.findings + 0.1 * self.attributes


def start_from_encoder(reader: StudyReader, encoder: nn.Module, studies: Sequence[EncodedStudy]) -> None:
    """Sets the spread of the tokens and the skip from the encoder's slice head."""
    tokens = torch.cat([study.tokens for study in studies])
    reader.token_mean.copy_(tokens.mean(0))
    reader.token_std.copy_(tokens.std(0).clamp(min=1e-3))
    reader.heads.skip.load_state_dict(encoder.get_submodule("slice_head").state_dict())


def train_masked(
    preset: Preset, reader: StudyReader, studies: Sequence[EncodedStudy], folder: Path | None = None
) -> list[float]:
    """Masked embedding modelling (MS-VLM, stage 1) in contiguous spans on standardised tokens; the loss of every step.

    Curves go to `folder`.
    """
    settings, generator = preset.masked, torch.Generator().manual_seed(preset.seed + 2)
    parts = [reader.relation, reader.zformer, reader.predict_token]
    parameters = [reader.mask_token, *(p for part in parts for p in part.parameters())]
    optimiser = torch.optim.AdamW(parameters, lr=settings.rate, weight_decay=WEIGHT_DECAY)
    reader.to(device()).train()
    std = reader.token_std.cpu()

    def loss_of() -> Tensor:
        batch = _placed(other_scans(studies, settings.batch, std, generator))
        hidden = span_mask(batch.mask.cpu(), settings.share, generator).to(device())
        predicted, true = reader.predict_masked(batch.tokens, batch.z_mm, hidden, batch.mask)
        return masked_embedding_loss(predicted, true, hidden)

    with recorded("masked", settings, folder) as record:
        losses = [record(step, loss) for step, loss in _steps(settings, [optimiser], parameters, loss_of)]
    reader.cpu()
    return losses


def train_findings(
    preset: Preset,
    reader: StudyReader,
    studies: Sequence[EncodedStudy],
    validation: Sequence[EncodedStudy],
    folder: Path | None = None,
) -> float:
    """Finding classification; keeps the averaged weights with the lowest validation loss, the start included.

    Gives that loss; curves go to `folder`.
    """
    settings, generator = preset.findings, torch.Generator().manual_seed(preset.seed + 3)
    reader.to(device()).train()
    std = reader.token_std.cpu()
    optimisers, parameters = _optimisers(reader, settings.rate)
    running_mean = get_ema_multi_avg_fn(1.0 - 1.0 / AVERAGED_STEPS)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(reader, multi_avg_fn=running_mean)
    best, kept = held_loss(reader, validation).total, copy.deepcopy(reader.state_dict())

    def loss_of() -> Tensor:
        batch = _placed(other_scans(studies, settings.batch, std, generator))
        return reading_loss(reader.facts(*batch.inputs).concluded, batch)

    with recorded("findings", settings, folder) as record:
        for step, loss in _steps(settings, optimisers, parameters, loss_of):
            averaged.update_parameters(reader)
            if (step + 1) % CHECK_EVERY:
                record(step, loss)
                continue
            held = held_loss(cast(StudyReader, averaged.module), validation)
            record(step, loss, validation=held.findings, attributes=held.attributes)
            if held.total < best:
                best, kept = held.total, copy.deepcopy(averaged.module.state_dict())
    reader.load_state_dict(kept)
    reader.cpu().eval()
    return best


@torch.no_grad()
def held_loss(reader: StudyReader, studies: Sequence[EncodedStudy]) -> Held:
    """Losses of findings and attributes on whole studies, without dropout."""
    training = reader.training
    reader.eval()
    parts = [_placed(pad(studies[at : at + CHECK_BATCH])) for at in range(0, len(studies), CHECK_BATCH)]
    losses = [(len(part.labels), *_losses(reader.facts(*part.inputs).concluded, part)) for part in parts]
    reader.train(training)
    count, findings, attributes = torch.tensor(losses).T
    return Held(float((count * findings).sum() / count.sum()), float((count * attributes).sum() / count.sum()))


def _losses(concluded: Concluded, batch: StudyBatch) -> tuple[float, float]:
    return float(finding_loss(concluded.study, batch)), float(attribute_loss(concluded.attributes, batch))


def _optimisers(reader: StudyReader, rate: float) -> tuple[list[torch.optim.Optimizer], list[Tensor]]:
    """One for the encoder's own slice logits, one for the rest; and all parameters they move."""
    skip = list(reader.heads.skip.parameters())
    slow = {id(parameter) for parameter in skip}
    parts = [reader.relation, reader.zformer, reader.heads]
    rest = [p for part in parts for p in part.parameters() if id(p) not in slow]
    return [
        torch.optim.AdamW(rest, lr=rate, weight_decay=WEIGHT_DECAY),
        torch.optim.AdamW(skip, lr=rate * SKIP_RATE, weight_decay=0.0),
    ], [*rest, *skip]


def _steps(
    settings: StageSettings,
    optimisers: Sequence[torch.optim.Optimizer],
    parameters: Sequence[Tensor],
    loss_of: Callable[[], Tensor],
) -> Iterator[tuple[int, float]]:
    """Trains step by step and gives the loss of each."""
    rates = [optimiser.param_groups[0]["lr"] for optimiser in optimisers]
    for step in range(settings.steps):
        for optimiser, rate in zip(optimisers, rates, strict=True):
            set_rate(optimiser, rate, step, settings.steps)
            optimiser.zero_grad()
        loss = loss_of()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimiser in optimisers:
            optimiser.step()
        yield step, loss.item()


def _placed(batch: StudyBatch) -> StudyBatch:
    return StudyBatch(**{name: value.to(device()) for name, value in vars(batch).items()})
