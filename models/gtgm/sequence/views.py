"""Two views of a study's slice tokens: slices dropped or sliced anew, z a little off, other windows."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.gtgm.sequence.variants import UnreportedStudy
from models.msvlm.augment import resliced
from models.msvlm.studies import EncodedStudy, StudyBatch, pad
from models.phantoms.findings import ATTRIBUTE_NAMES, FINDINGS

Z_JITTER = 0.2
"""Of the median slice distance: couches and breathing move slices against each other."""


@dataclass(frozen=True)
class StudyViews:
    """Two views of n studies, and the numbers of the studies [n]."""

    first: StudyBatch
    second: StudyBatch
    numbers: Tensor


def two_views(
    studies: Sequence[UnreportedStudy], chosen: Sequence[int], token_std: Tensor, generator: torch.Generator
) -> StudyViews:
    """Both views of the chosen studies."""
    first, second = ([view(studies[i], token_std, generator) for i in chosen] for _ in range(2))
    return StudyViews(pad(first), pad(second), torch.tensor(chosen))


def view(study: UnreportedStudy, token_std: Tensor, generator: torch.Generator) -> EncodedStudy:
    """One view: tokens of one window variant, through `resliced` (slice drop, thinning, stretch), z jittered."""
    variant = int(torch.randint(len(study.variants), (1,), generator=generator))
    sliced = resliced(without_report(study, variant), token_std, generator)
    z_mm = sliced.z_mm
    distance = (z_mm[1:] - z_mm[:-1]).abs().median() if len(z_mm) > 1 else torch.tensor(0.0)
    shift = Z_JITTER * distance * (2.0 * torch.rand(z_mm.shape, generator=generator) - 1.0)
    return EncodedStudy(**{**vars(sliced), "z_mm": z_mm + shift})


def without_report(study: UnreportedStudy, variant: int = 0) -> EncodedStudy:
    """A study as the reader's batches want it, with nothing known of its findings."""
    findings, attributes = len(FINDINGS), len(ATTRIBUTE_NAMES)
    return EncodedStudy(
        tokens=study.variants[variant],
        z_mm=study.z_mm,
        slices=torch.zeros(len(study.z_mm), findings),
        labels=torch.zeros(findings),
        known=torch.zeros(findings, dtype=torch.bool),
        located=torch.zeros(findings, dtype=torch.bool),
        attributes=torch.zeros(findings, attributes),
        attributes_known=torch.zeros(findings, 4, dtype=torch.bool),
        sentences=(),
    )
