"""The Z-former: dense attention over the slices of a study, placed by their physical z in mm."""

import torch
from torch import Tensor, nn

from models.msvlm.blocks import Block, key_bias
from models.msvlm.preset import NetworkShape

WAVELENGTHS_MM = (8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
Z_FEATURES = 2 * len(WAVELENGTHS_MM) + 1
PLANES, SEQUENCES, PHASES = 4, 16, 8
"""Sizes of the id tables. Plane ids follow the order of `imaging.series.Plane`; sequence 0 and phase 0: not given."""


def centred_z_mm(z_mm: Tensor, mask: Tensor) -> Tensor:
    """Z about the mean of the study's real slices [b, L]: where the scanner's zero lies tells nothing."""
    real = mask.to(torch.float32)
    mean = (z_mm * real).sum(1, keepdim=True) / real.sum(1, keepdim=True).clamp(min=1.0)
    return (z_mm - mean) * real


def z_features(z_mm: Tensor) -> Tensor:
    """Sine and cosine of z at eight wavelengths, and z in decimetres: [...] → [..., 17]."""
    waves = torch.tensor(WAVELENGTHS_MM, device=z_mm.device)
    angle = 2.0 * torch.pi * z_mm[..., None] / waves
    return torch.cat([angle.sin(), angle.cos(), z_mm[..., None] / 100.0], dim=-1)


class ZFormer(nn.Module):
    """Standardised slice tokens [b, L, d] → slice features in the context of the study [b, L, width]."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        width = shape.reader_width
        self.project = nn.Linear(shape.token_width, width)
        self.position = nn.Linear(Z_FEATURES, width)
        self.plane = nn.Embedding(PLANES, width)
        self.sequence = nn.Embedding(SEQUENCES, width)
        self.phase = nn.Embedding(PHASES, width)
        self.blocks = nn.ModuleList(Block(width, shape.reader_heads) for _ in range(shape.reader_blocks))
        self.norm = nn.LayerNorm(width)
        for table in (self.plane, self.sequence, self.phase):
            nn.init.normal_(table.weight, std=0.02)

    def forward(
        self, tokens: Tensor, z_mm: Tensor, plane: Tensor, sequence: Tensor, phase: Tensor, mask: Tensor
    ) -> Tensor:
        """Features of every place; those of padding mean nothing."""
        x = self.project(tokens) + self.position(z_features(z_mm))
        x = x + self.plane(plane) + self.sequence(sequence) + self.phase(phase)
        bias = key_bias(mask)
        for block in self.blocks:
            x = block(x, bias)
        return self.norm(x)
