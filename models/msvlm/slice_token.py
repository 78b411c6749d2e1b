"""The slice token: [CLS], and per finding what its patches say and where; shared by all kinds of slice encoder."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.msvlm.preset import PLACES, POOLS, NetworkShape

TOP_PATCHES = 8
SMALLEST_AREA = 0.1
"""In patches, below which areas are not told apart."""
RARE = -3.0
"""Patch logits start here: most patches show nothing."""


class Encoded(NamedTuple):
    """Slice token [n, d], patch logits [n, F, gr, gc], slice logits [n, F]."""

    token: Tensor
    patch_logits: Tensor
    slice_logits: Tensor


def pool_patch_logits(patch_logits: Tensor) -> Tensor:
    """Patch logits [n, F, gr, gc] → [n, F, POOLS], of the field, of its image-left and of its image-right half."""
    half = patch_logits.shape[3] // 2
    shares = torch.sigmoid(patch_logits)
    peaks = shares * (patch_logits >= torch.nn.functional.max_pool2d(patch_logits, 3, 1, 1)).to(shares.dtype)
    parts = [(part, part[..., :half], part[..., half:]) for part in (patch_logits, shares, peaks)]
    return torch.cat([_pool(*(part.flatten(2) for part in region)) for region in zip(*parts, strict=True)], dim=2)


def _pool(logits: Tensor, shares: Tensor, peaks: Tensor) -> Tensor:
    """How strong, how large and how many: [n, F, REGION_POOLS] of the patches [n, F, p] of a region."""
    top = torch.topk(logits, TOP_PATCHES, dim=2).values
    log_mean = torch.logsumexp(logits, dim=2) - math.log(logits.shape[2])
    log_area = torch.log(shares.sum(2) + SMALLEST_AREA)
    return torch.stack([top[:, :, 0], top.mean(2), log_mean, log_area, peaks.sum(2)], dim=2)


def patch_place(patch_logits: Tensor) -> Tensor:
    """Row and column [n, F, 2] in [-1, 1] of the soft maximum of patch logits [n, F, gr, gc]; 0 is the field's centre.

    With it the reader can follow a structure from slice to slice: a vessel runs on, a nodule ends.
    """
    rows, columns = patch_logits.shape[2:]
    weights = torch.softmax(patch_logits.flatten(2), dim=2).unflatten(2, (rows, columns))  # type: ignore[no-untyped-call]
    return torch.stack([weights.sum(3) @ _centres(rows, weights), weights.sum(2) @ _centres(columns, weights)], dim=2)


def _centres(count: int, like: Tensor) -> Tensor:
    return (torch.arange(count, dtype=like.dtype, device=like.device) * 2.0 + 1.0) / count - 1.0


def slice_token(class_token: Tensor, patch_logits: Tensor) -> Tensor:
    """Token [n, d]: [CLS], then per finding its pools, its row and its column."""
    per_finding = torch.cat([pool_patch_logits(patch_logits), patch_place(patch_logits)], dim=2)
    return torch.cat([class_token, per_finding.flatten(1)], dim=1)


class SliceHead(nn.Module):
    """Slice logits [n, F] from a token: linear in [CLS] plus each finding's own weights on its pooled logits."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.width, self.findings, self.pooled = shape.encoder_width, shape.findings, shape.patch_pools
        self.from_class = nn.Linear(self.width, self.findings)
        self.from_pools = nn.Parameter(torch.tensor([0.3, 0.4, 0.3] + [0.0] * (POOLS - 3)).repeat(self.findings, 1))

    def forward(self, token: Tensor) -> Tensor:
        """Slice logits [..., F] of tokens [..., d]."""
        logits: Tensor = self.from_class(token[..., : self.width])
        if not self.pooled:
            return logits
        per_finding: Tensor = token[..., self.width :].unflatten(-1, (self.findings, POOLS + PLACES))  # type: ignore[no-untyped-call]
        return logits + (per_finding[..., :POOLS] * self.from_pools).sum(-1)


def resized_positions(positions: Tensor, grid: tuple[int, int], wanted: tuple[int, int]) -> Tensor:
    """Position embeddings [1, rows × columns, width] of one grid interpolated to another."""
    maps = positions.transpose(1, 2).unflatten(2, grid)  # type: ignore[no-untyped-call]
    maps = nn.functional.interpolate(maps, wanted, mode="bicubic", align_corners=False)
    return maps.flatten(2).transpose(1, 2)
