"""Unreported studies: their slice tokens under several window variants, and the text of their computed facts.

A token is made after the windows, so other windows cannot be had from it: the slices are encoded once more by the same
encoder with the edges of its windows moved, each by up to WINDOW_JITTER of the window's width. The moves are drawn once
per variant, for every study the same, so a variant is like another hospital's display preset; a view takes all its
slices from one variant. This costs one pass of the slice encoder per variant, before training, none in it.
"""

import copy
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn

from models.datasets.cache import Shard, code_digest, stream
from models.datasets.fields import FieldStudy
from models.gtgm.pretrain.captions import writings_of
from models.gtgm.volume import Modality, Volume
from models.msvlm.encoder import SliceEncoder
from models.msvlm.preprocess import Windows
from models.msvlm.studies import encode_study
from models.msvlm.vit import VitSliceEncoder

WINDOW_JITTER = 0.08
VARIANTS = 2
"""The encoder's own windows, and one other set."""
CODE = ("gtgm/facts", "gtgm/text", "gtgm/sequence/variants.py", "gtgm/pretrain/captions.py")


@dataclass(frozen=True)
class UnreportedStudy:
    """Tokens [L, d] of the same slices under each window variant, their z [L], and texts as sentences."""

    variants: tuple[Tensor, ...]
    z_mm: Tensor
    writings: tuple[tuple[str, ...], ...]


def with_moved_windows(encoder: nn.Module, seed: int) -> nn.Module:
    """The slice encoder with other edges of its windows; weights are the same."""
    moved = copy.deepcopy(encoder).eval()
    windows = _windows(moved)
    generator = torch.Generator().manual_seed(seed)
    width = windows.high - windows.low
    for edge in (windows.low, windows.high):
        edge += WINDOW_JITTER * width * (2.0 * torch.rand(edge.shape, generator=generator) - 1.0)
    return moved


def unreported_study(encoders: Sequence[nn.Module], study: FieldStudy, pixel_mm: float, seed: int) -> UnreportedStudy:
    """A rendered study through each of the encoders, and its texts. Its labels and report are not looked at."""
    encoded = [encode_study(encoder, study) for encoder in encoders]
    return UnreportedStudy(
        tuple(one.tokens for one in encoded), encoded[0].z_mm, writings_of(field_volume(study, pixel_mm), seed)
    )


def field_volume(study: FieldStudy, pixel_mm: float) -> Volume:
    """The field of a study as a volume [z, y, x] of which facts can be computed; slices in ascending z."""
    order = np.argsort(study.slices["z_mm"], kind="stable")
    z_mm = study.slices["z_mm"][order]
    distance = float(np.median(np.diff(z_mm))) if len(z_mm) > 1 else pixel_mm
    return Volume(study.slices["hu"][order].astype(np.float32), (max(distance, 0.1), pixel_mm, pixel_mm), Modality.CT)


def unreported_studies(
    encoder: nn.Module, shards: Sequence[Shard], count: int, pixel_mm: float, folder: Path, seed: int
) -> list[UnreportedStudy]:
    """The first `count` studies of the shards; kept in `folder` under a digest of all that they depend on."""
    weights = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in encoder.state_dict().values())).hexdigest()
    parts = (weights, code_digest(CODE), [str(shard.path) for shard in shards], count, seed)
    path = folder / f"unreported-{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}.pt"
    if not path.is_file():
        encoders = [encoder.eval(), *(with_moved_windows(encoder, seed + n) for n in range(1, VARIANTS))]
        studies = track(_first(stream(shards), count), "unreported studies", total=count)
        _save((unreported_study(encoders, one, pixel_mm, n) for n, one in enumerate(studies)), path)
    return _load(path)


def _first(studies: Iterable[FieldStudy], count: int) -> Iterator[FieldStudy]:
    return islice(iter(studies), count)


def _windows(encoder: nn.Module) -> Windows:
    if not isinstance(encoder, SliceEncoder | VitSliceEncoder):
        raise TypeError(f"{type(encoder).__name__} has no windows to move")
    return encoder.windows


def _save(studies: Iterable[UnreportedStudy], path: Path) -> None:
    draft = path.with_suffix(".part")
    torch.save([vars(study) for study in studies], draft)
    draft.replace(path)


def _load(path: Path) -> list[UnreportedStudy]:
    return [UnreportedStudy(**row) for row in torch.load(path, weights_only=True)]
