"""The Z-former: dense attention over the slices of a study, placed by their physical z in mm."""

import torch
from torch import Tensor, nn

from models.msvlm.blocks import Block
from models.msvlm.preset import NetworkShape
from models.msvlm.relation import StudyGeometry, log_span

WAVELENGTHS_MM = (64.0, 128.0, 256.0, 512.0, 1024.0)
Z_FEATURES = 2 * len(WAVELENGTHS_MM) + 1
PLANES, SEQUENCES, PHASES = 4, 16, 8
"""Sizes of the id tables. Plane ids follow the order of `imaging.series.Plane`; sequence 0 and phase 0: not given."""
DROPOUT = 0.2
"""Of a token's numbers in training: studies are few, and tokens tell them apart."""
NEAREST_MM, FARTHEST_MM = 6.0, 400.0
"""Reach of the first and of the last attention head."""


def z_features(z_mm: Tensor) -> Tensor:
    """Sine and cosine of z at five wavelengths, and z in decimetres: [...] → [..., 11]."""
    waves = torch.tensor(WAVELENGTHS_MM, device=z_mm.device)
    angle = 2.0 * torch.pi * z_mm[..., None] / waves
    return torch.cat([angle.sin(), angle.cos(), z_mm[..., None] / 100.0], dim=-1)


class ZFormer(nn.Module):
    """Standardised slice tokens [b, L, d] → slice features in the context of the study [b, L, width].

    Attention is an integral over z: each slice weighs the mm it stands for, and each head fades with distance at a rate
    of its own. Both make a study of 400 thin slices look like the same study in 60 thick ones.
    """

    def __init__(self, shape: NetworkShape, stream_width: int) -> None:
        super().__init__()
        width, heads = shape.reader_width, shape.reader_heads
        self.project = nn.Linear(shape.token_width, width)
        self.drop = nn.Dropout(DROPOUT)
        self.streams = nn.Linear(shape.findings * stream_width, width)
        self.position = nn.Linear(Z_FEATURES, width)
        self.plane = nn.Embedding(PLANES, width)
        self.sequence = nn.Embedding(SEQUENCES, width)
        self.phase = nn.Embedding(PHASES, width)
        reach = torch.logspace(0.0, 1.0, heads, base=FARTHEST_MM / NEAREST_MM) * NEAREST_MM
        self.log_reach = nn.Parameter(reach.log())
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(shape.reader_blocks))
        self.norm = nn.LayerNorm(width)
        for table in (self.plane, self.sequence, self.phase):
            nn.init.normal_(table.weight, std=0.02)

    def forward(
        self,
        tokens: Tensor,
        streams: Tensor,
        geometry: StudyGeometry,
        plane: Tensor,
        sequence: Tensor,
        phase: Tensor,
    ) -> Tensor:
        """Features of every place; those of padding mean nothing."""
        x = (
            self.project(self.drop(tokens))
            + self.streams(streams.flatten(2))
            + self.position(z_features(geometry.z_mm))
        )
        x = x + self.plane(plane) + self.sequence(sequence) + self.phase(phase)
        bias = self._bias(geometry, plane)
        for block in self.blocks:
            x = block(x, bias)
        features: Tensor = self.norm(x)
        return features

    def _bias(self, geometry: StudyGeometry, plane: Tensor) -> Tensor:
        """Score bias [b, heads, L, L]; distance counts between slices of one plane only."""
        comparable = (plane[:, None, :] == plane[:, :, None]).to(torch.float32)
        distance = geometry.apart_mm.abs() * comparable
        fading = distance[:, None] / self.log_reach.exp()[None, :, None, None]
        return log_span(geometry)[:, None, None, :] - fading
