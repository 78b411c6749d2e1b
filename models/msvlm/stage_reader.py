"""Stages 2 and 3: masked embedding modelling, then finding classification, on slice tokens of unseen phantoms."""

import copy
from collections.abc import Sequence

import torch
from rich.progress import track
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from models.msvlm.encoder import SliceEncoder
from models.msvlm.losses import masked_embedding_loss, span_mask
from models.msvlm.preset import Preset
from models.msvlm.reader import StudyReader
from models.msvlm.stage_encoder import set_rate
from models.msvlm.studies import EncodedStudy, StudyBatch, pad, random_batch

MASKED_SHARE = 0.3
SLICE_WEIGHT = 0.5
CHECK_EVERY = 25
SKIP_RATE = 0.1
"""The encoder's own slice logits are moved this much slower than the rest."""


def start_from_encoder(reader: StudyReader, encoder: SliceEncoder, studies: Sequence[EncodedStudy]) -> None:
    """Sets the spread of the tokens and the skip from the encoder's slice head."""
    tokens = torch.cat([study.tokens for study in studies])
    reader.token_mean.copy_(tokens.mean(0))
    reader.token_std.copy_(tokens.std(0).clamp(min=1e-3))
    reader.heads.skip.load_state_dict(encoder.slice_head.state_dict())


def train_masked(preset: Preset, reader: StudyReader, studies: Sequence[EncodedStudy]) -> list[float]:
    """Masked embedding modelling; gives the loss of every step."""
    generator = torch.Generator().manual_seed(preset.seed + 2)
    parts = [*reader.zformer.parameters(), *reader.predict_token.parameters(), reader.mask_token]
    optimiser = torch.optim.AdamW(parts, lr=preset.findings.rate, weight_decay=0.02)
    losses = []
    for step in track(range(preset.masked.steps), "masked embeddings"):
        set_rate(optimiser, preset.findings.rate, step, preset.masked.steps)
        batch = random_batch(studies, preset.findings.batch, generator)
        hidden = span_mask(batch.mask, MASKED_SHARE, generator)
        loss = masked_embedding_loss(*reader.predict_masked(batch.tokens, batch.z_mm, hidden, batch.mask), hidden)
        _step(optimiser, loss, parts)
        losses.append(loss.item())
    return losses


def _step(optimiser: torch.optim.Optimizer, loss: Tensor, parameters: Sequence[Tensor]) -> None:
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimiser.step()


def reading_loss(reader: StudyReader, batch: StudyBatch) -> Tensor:
    """Study labels, and slice targets of the slices that are there."""
    slices, study, _ = reader.read(*batch.inputs)
    real = batch.mask[..., None].float()
    by_slice = binary_cross_entropy_with_logits(slices.transpose(1, 2), batch.slices, reduction="none")
    slice_loss = (by_slice * real).sum() / (real.sum() * batch.slices.shape[2])
    return binary_cross_entropy_with_logits(study, batch.labels) + SLICE_WEIGHT * slice_loss


def train_findings(
    preset: Preset, reader: StudyReader, studies: Sequence[EncodedStudy], validation: Sequence[EncodedStudy]
) -> float:
    """Finding classification; keeps the weights with the lowest validation loss, the start included, and gives it."""
    generator = torch.Generator().manual_seed(preset.seed + 3)
    skip, rest = list(reader.heads.skip.parameters()), [*reader.zformer.parameters(), *_head_parameters(reader)]
    rate, steps = preset.findings.rate, preset.findings.steps
    optimiser = torch.optim.AdamW(rest, lr=rate, weight_decay=0.05)
    slow = torch.optim.AdamW(skip, lr=rate * SKIP_RATE, weight_decay=0.0)
    held = pad(validation)
    best, kept = _held_loss(reader, held), copy.deepcopy(reader.state_dict())
    for step in track(range(steps), "findings"):
        set_rate(optimiser, rate, step, steps)
        set_rate(slow, rate * SKIP_RATE, step, steps)
        slow.zero_grad()
        loss = reading_loss(reader, random_batch(studies, preset.findings.batch, generator))
        _step(optimiser, loss, rest)
        slow.step()
        if (step + 1) % CHECK_EVERY == 0 and (now := _held_loss(reader, held)) < best:
            best, kept = now, copy.deepcopy(reader.state_dict())
    reader.load_state_dict(kept)
    return best


def _head_parameters(reader: StudyReader) -> list[Tensor]:
    heads = reader.heads
    return [*heads.refine.parameters(), *heads.attend.parameters(), heads.sharpness, heads.study]


@torch.no_grad()
def _held_loss(reader: StudyReader, held: StudyBatch) -> float:
    return float(reading_loss(reader, held))
