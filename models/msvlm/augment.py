"""The same study as other scanners would have sliced it: thinner, thicker, with gaps, shorter or longer."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from models.msvlm.studies import EncodedStudy, StudyBatch, pad

STRETCH = 0.1
"""People differ in length: z is stretched by up to this share."""
THINNEST_MM = 0.8
MOST_SLICES = 160
"""Denser sampling stops here, so that a step's cost stays bounded."""
NOISE = 0.1
"""Of a token's standard deviation over the studies, added where slices are interpolated."""


def other_scans(
    studies: Sequence[EncodedStudy], count: int, token_std: Tensor, generator: torch.Generator
) -> StudyBatch:
    """A batch of random studies, each sliced anew by `resliced`."""
    chosen = torch.randint(len(studies), (count,), generator=generator).tolist()
    return pad([resliced(studies[i], token_std, generator) for i in chosen])


def resliced(study: EncodedStudy, token_std: Tensor, generator: torch.Generator) -> EncodedStudy:
    """One study with its slices thinned out, dropped, trimmed or interleaved, and its z stretched."""
    draw = torch.rand(4, generator=generator).tolist()
    if draw[0] < 0.25:
        study = _interleaved(study, token_std, generator)
    elif draw[0] < 0.5:
        study = _every(study, 2 + int(draw[1] > 0.6), generator)
    elif draw[0] < 0.75:
        study = taken(study, _dropped(len(study.tokens), generator))
    if draw[2] < 0.3:
        study = _trimmed(study, generator)
    return replace(study, z_mm=study.z_mm * (1.0 + STRETCH * (2.0 * draw[3] - 1.0)))


def taken(study: EncodedStudy, slices: Tensor) -> EncodedStudy:
    """The study with these slices only."""
    return replace(study, tokens=study.tokens[slices], z_mm=study.z_mm[slices], slices=study.slices[slices])


def _dropped(length: int, generator: torch.Generator) -> Tensor:
    share = 0.6 + 0.4 * torch.rand(1, generator=generator).item()
    return torch.randperm(length, generator=generator)[: max(round(share * length), 1)].sort().values


def _every(study: EncodedStudy, step: int, generator: torch.Generator) -> EncodedStudy:
    """Every second or third slice, where they lie densely enough."""
    if len(study.tokens) < 20 * step:
        return study
    start = int(torch.randint(step, (1,), generator=generator))
    return taken(study, torch.arange(start, len(study.tokens), step))


def _trimmed(study: EncodedStudy, generator: torch.Generator) -> EncodedStudy:
    """Without up to a tenth of the slices at either end, unless a finding lies there."""
    length = len(study.tokens)
    low, high = (0.1 * length * torch.rand(2, generator=generator)).long().tolist()
    ends = torch.cat([study.slices[:low], study.slices[length - high :]])
    return study if (ends > 0.0).any() else taken(study, torch.arange(low, length - high))


def _interleaved(study: EncodedStudy, token_std: Tensor, generator: torch.Generator) -> EncodedStudy:
    """Slices between the slices, with tokens and targets interpolated and noise on the tokens."""
    length = len(study.tokens)
    spacing_mm = float((study.z_mm[1:] - study.z_mm[:-1]).abs().median()) if length > 1 else 1.0
    most = min(int(spacing_mm / THINNEST_MM), MOST_SLICES // length, 4)
    if most < 2:
        return study
    factor = int(torch.randint(2, most + 1, (1,), generator=generator))
    place = torch.arange((length - 1) * factor + 1) / factor
    below = place.floor().long().clamp(max=length - 2)
    share = (place - below)[:, None]
    tokens = _between(study.tokens, below, share)
    tokens = tokens + NOISE * token_std * torch.randn(tokens.shape, generator=generator)
    z_mm = _between(study.z_mm[:, None], below, share)[:, 0]
    return replace(study, tokens=tokens, z_mm=z_mm, slices=_between(study.slices, below, share))


def _between(values: Tensor, below: Tensor, share: Tensor) -> Tensor:
    return values[below] * (1.0 - share) + values[below + 1] * share
