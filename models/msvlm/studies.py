"""Whole studies as slice tokens, padded into batches for the reader and the decoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import track
from torch import Tensor

from models.msvlm.cases import load_study
from models.msvlm.encoder import SliceEncoder


@dataclass(frozen=True)
class EncodedStudy:
    """Tokens [L, d], z in mm [L], slice targets [L, F] in [0, 1], labels [F], sentences as (tag, words)."""

    tokens: Tensor
    z_mm: Tensor
    slices: Tensor
    labels: Tensor
    sentences: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class StudyBatch:
    """Studies padded to one length; `mask` is true where a slice is there."""

    tokens: Tensor
    z_mm: Tensor
    mask: Tensor
    slices: Tensor
    labels: Tensor

    @property
    def ids(self) -> Tensor:
        """Plane, sequence and phase ids of an axial CT: all zero [b, L]."""
        return torch.zeros_like(self.z_mm, dtype=torch.long)

    @property
    def inputs(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The inputs of the study reader."""
        return self.tokens, self.z_mm, self.ids, self.ids, self.ids, self.mask


@torch.no_grad()
def encode_studies(encoder: SliceEncoder, paths: Sequence[Path], title: str) -> list[EncodedStudy]:
    """Slice tokens of cached phantoms."""
    encoder.eval().to(memory_format=torch.channels_last)
    studies = []
    for path in track(paths, f"slice tokens: {title}"):
        case = load_study(path)
        hu = torch.from_numpy(case.field.hu).float()
        with torch.autocast("cpu", torch.bfloat16):
            tokens = torch.cat([encoder(part).token.float() for part in hu.split(32)])
        slices = torch.from_numpy(case.field.slices).float() / 255.0
        labels = torch.from_numpy(case.labels)
        studies.append(EncodedStudy(tokens, torch.from_numpy(case.field.z_mm), slices, labels, case.sentences))
    return studies


def pad(studies: Sequence[EncodedStudy], keep: Sequence[Tensor] | None = None) -> StudyBatch:
    """A batch of studies; `keep` names the slices to take of each."""
    keep = keep or [torch.arange(len(study.tokens)) for study in studies]

    def padded(parts: list[Tensor]) -> Tensor:
        return torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)

    return StudyBatch(
        tokens=padded([study.tokens[k] for study, k in zip(studies, keep, strict=True)]),
        z_mm=padded([study.z_mm[k] for study, k in zip(studies, keep, strict=True)]),
        mask=padded([torch.ones(len(k), dtype=torch.bool) for k in keep]),
        slices=padded([study.slices[k] for study, k in zip(studies, keep, strict=True)]),
        labels=torch.stack([study.labels for study in studies]),
    )


def random_batch(studies: Sequence[EncodedStudy], count: int, generator: torch.Generator) -> StudyBatch:
    """Random studies, each with up to a third of its slices dropped and its z stretched by up to 5 %."""
    chosen = [studies[i] for i in torch.randint(len(studies), (count,), generator=generator).tolist()]
    keep = [_dropped(len(study.tokens), generator) for study in chosen]
    batch = pad(chosen, keep)
    stretch = 0.95 + 0.1 * torch.rand(count, 1, generator=generator)
    return StudyBatch(batch.tokens, batch.z_mm * stretch, batch.mask, batch.slices, batch.labels)


def _dropped(length: int, generator: torch.Generator) -> Tensor:
    share = 0.67 + 0.33 * torch.rand(1, generator=generator).item()
    count = max(round(share * length), 1)
    return torch.randperm(length, generator=generator)[:count].sort().values
