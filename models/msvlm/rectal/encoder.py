"""The slice encoder for MR: a convolutional front, transformer blocks at twice its stride, logits per patch.

One encoder for all series, as published; what a series is, the reader is told.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.msvlm.blocks import Block
from models.msvlm.encoder import CONVOLUTIONAL_STRIDE, Front
from models.msvlm.rectal.field import field_of_image
from models.msvlm.rectal.preset import SeriesShape
from models.msvlm.rectal.structures import TUMOUR
from models.msvlm.slice_token import RARE, SMALLEST_AREA, TOP_PATCHES, patch_place


class Marked(NamedTuple):
    """Slice token [n, d] and patch logits [n, S, gr, gc]."""

    token: Tensor
    patch_logits: Tensor


class SeriesEncoder(nn.Module):
    """Shares of the intensity range on the field, in [0, 1] [n, field rows, field columns] → `Marked`."""

    def __init__(self, shape: SeriesShape) -> None:
        super().__init__()
        width, front = shape.encoder_width, shape.front_channels
        self.front = Front(1, front)
        self.to_tokens = nn.Conv2d(front[-1], width, 3, 2, 1)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.grid = shape.patch_grid[0] // CONVOLUTIONAL_STRIDE, shape.patch_grid[1] // CONVOLUTIONAL_STRIDE
        self.positions = nn.Parameter(torch.randn(1, self.grid[0] * self.grid[1], width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, shape.encoder_heads) for _ in range(shape.encoder_blocks))
        self.norm = nn.LayerNorm(width)
        self.patch_fine = nn.Conv2d(front[-1], shape.structures, 1)
        self.patch_coarse = nn.Linear(width, shape.structures * CONVOLUTIONAL_STRIDE**2)
        nn.init.constant_(self.patch_fine.get_parameter("bias"), RARE)

    def forward(self, shares: Tensor) -> Marked:
        """Token and patch logits of slices."""
        fine = self.front(shares[:, None] * 2.0 - 1.0)
        tokens = self.to_tokens(fine).flatten(2).transpose(1, 2) + self.positions
        x = torch.cat([self.class_token.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        coarse = self.patch_coarse(x[:, 1:]).transpose(1, 2).unflatten(2, self.grid)
        logits = self.patch_fine(fine) + nn.functional.pixel_shuffle(coarse, CONVOLUTIONAL_STRIDE)
        return Marked(torch.cat([x[:, 0], structure_numbers(logits).flatten(1)], dim=1), logits)


def structure_numbers(patch_logits: Tensor) -> Tensor:
    """Of patch logits [n, S, gr, gc] each structure's pools, its place, and where the tumour meets it [n, S, ·].

    T stage, margin, peritoneum and sphincter are all questions of what the tumour touches: the weaker of the logits of
    tumour in a patch or beside it and of the structure there.
    """
    flat = patch_logits.flatten(2)
    area = torch.log(torch.sigmoid(flat).sum(2) + SMALLEST_AREA)
    beside = nn.functional.max_pool2d(patch_logits[:, TUMOUR : TUMOUR + 1], 3, 1, 1)
    meeting = torch.minimum(beside, patch_logits).flatten(2)
    return torch.cat([_strongest(flat), area[..., None], patch_place(patch_logits), _strongest(meeting)], dim=2)


def _strongest(logits: Tensor) -> Tensor:
    """The strongest of patches [n, S, p], and the mean of the strongest few, [n, S, 2]."""
    top = torch.topk(logits, TOP_PATCHES, dim=2).values
    return torch.stack([top[:, :, 0], top.mean(2)], dim=2)


class SeriesEncoderGraph(nn.Module):
    """`slice_encoder.onnx` of a bundle that reads several series; see `pacs_agent/inference/staging/manifest.py`."""

    def __init__(self, encoder: SeriesEncoder, shape: SeriesShape) -> None:
        super().__init__()
        self.encoder, self.shape = encoder, shape

    def forward(self, stored: Tensor, low: Tensor, high: Tensor, spacing_mm: Tensor) -> tuple[Tensor, Tensor]:
        """Token [n, d] and patch grid [n, S, gr, gc] of stored values int16 [n, rows, columns].

        `low` and `high` [n] are the stored values at 0 and 1 of the range of the slice's series.
        """
        low, width = low[:, None, None], (high - low)[:, None, None]
        shares = ((stored.to(torch.float32) - low) / width).clamp(0.0, 1.0)
        marked = self.encoder(field_of_image(shares, spacing_mm, self.shape.field_px, self.shape.pixel_mm))
        return marked.token, marked.patch_logits
