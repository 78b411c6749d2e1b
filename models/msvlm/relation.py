"""How slices of a study stand to each other in mm, and what each finding does across neighbouring slices.

Nothing here counts slices: a slice weighs as many mm as it stands for, and a neighbour is what lies some mm away. So a
study says the same at 1 mm and at 5 mm.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.msvlm.blocks import BLOCKED
from models.msvlm.preset import PLACES, POOLS, REGION_POOLS, NetworkShape

DENSITY_MM = 4.0
"""Width of the kernel that measures how densely slices lie."""
OFFSETS_MM = (-20.0, -12.0, -7.0, -3.5, 3.5, 7.0, 12.0, 20.0)
"""Where the local relation looks: nodules end within them, vessels wander through."""
OWN = POOLS + PLACES + 1
"""Numbers of a finding in a slice: pooled patch logits, row and column of the strongest patches, slice logit."""
FOLLOWED = REGION_POOLS + PLACES + 1
"""Of these, followed along z: the pools of the whole field, row and column, slice logit."""


class StudyGeometry(NamedTuple):
    """Where the slices of a study lie: z about the middle [b, L], differences z_j - z_i [b, L, L], spans [b, L].

    `related` [b, L, L] is true where slice j is there and belongs to the same plane, sequence and phase as i. A span is
    the mm of the body that a slice stands for.
    """

    z_mm: Tensor
    apart_mm: Tensor
    related: Tensor
    span_mm: Tensor


def study_geometry(z_mm: Tensor, plane: Tensor, sequence: Tensor, phase: Tensor, mask: Tensor) -> StudyGeometry:
    """The geometry of studies padded to one length; inputs as of `study_reader.onnx`."""
    z_mm = centred_z_mm(z_mm, mask)
    apart = z_mm[:, None, :] - z_mm[:, :, None]
    series = (plane * 64 + sequence) * 64 + phase
    related = (series[:, None, :] == series[:, :, None]) & mask[:, None, :]
    near = torch.exp(-0.5 * (apart / DENSITY_MM) ** 2) * related.to(torch.float32)
    span = DENSITY_MM * math.sqrt(2.0 * math.pi) / near.sum(2).clamp(min=1.0)
    return StudyGeometry(z_mm, apart, related, span * mask.to(torch.float32))


def centred_z_mm(z_mm: Tensor, mask: Tensor) -> Tensor:
    """Z about the middle of the study's real slices [b, L]: where the scanner's zero lies tells nothing."""
    far = (1.0 - mask.to(torch.float32)) * 1.0e6
    lowest = (z_mm + far).amin(1, keepdim=True)
    highest = (z_mm - far).amax(1, keepdim=True)
    return (z_mm - 0.5 * (lowest + highest)) * mask.to(torch.float32)


def log_span(geometry: StudyGeometry) -> Tensor:
    """What a softmax over slices adds to its scores, so that it integrates over mm; hides padding [b, L]."""
    nothing = torch.le(geometry.span_mm, 0.0).to(torch.float32)
    return torch.log(geometry.span_mm.clamp(min=1e-3)) + nothing * BLOCKED


def neighbours(geometry: StudyGeometry, offset_mm: float, width_mm: float) -> Tensor:
    """Weights [b, L, L] with which slice i sees what lies `offset_mm` above it.

    A row sums to 1, to 0 where nothing lies there.
    """
    kernel = torch.exp(-0.5 * ((geometry.apart_mm - offset_mm) / width_mm) ** 2)
    kernel = kernel * geometry.related.to(torch.float32) * geometry.span_mm[:, None, :]
    return kernel / (kernel.sum(2, keepdim=True) + 0.02)


def _width_mm(offset_mm: float) -> float:
    return max(1.5, 0.3 * abs(offset_mm))


class PerFinding(nn.Module):
    """A linear layer with weights of its own for each finding: [..., F, i] → [..., F, o]."""

    def __init__(self, findings: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(findings, inputs, outputs) * inputs**-0.5)
        self.bias = nn.Parameter(torch.zeros(findings, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """The layer at every place."""
        return torch.einsum("...fi,fio->...fo", x, self.weight) + self.bias


class MostlyShared(nn.Module):
    """A linear layer that all findings share, with a gain and a bias of each finding's own: [..., F, i] → [..., F, o].

    A finding that few studies have learns from all others what a structure that ends looks like.
    """

    def __init__(self, findings: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.shared = nn.Linear(inputs, outputs)
        self.gain = nn.Parameter(torch.ones(findings, outputs))
        self.bias = nn.Parameter(torch.zeros(findings, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """The layer at every place."""
        return torch.addcmul(self.bias, self.shared(x), self.gain)


class LocalRelation(nn.Module):
    """What each finding does along z about a slice: does it stay in its place and end, or wander on like a vessel?

    Standardised tokens [b, L, d] and slice logits [b, L, F] → streams [b, L, F, H].
    """

    def __init__(self, shape: NetworkShape, width: int, hidden: int = 64) -> None:
        super().__init__()
        findings = shape.findings
        self.findings, self.class_width, self.pools = findings, shape.encoder_width, shape.patch_pools
        self.from_class = None if shape.patch_pools else nn.Linear(shape.encoder_width, findings * (OWN - 1))
        inputs = OWN + (len(OFFSETS_MM) + 1) * (FOLLOWED + 1)
        self.first, self.second = MostlyShared(findings, inputs, hidden), MostlyShared(findings, hidden, width)

    def forward(self, tokens: Tensor, logits: Tensor, geometry: StudyGeometry) -> Tensor:
        """The streams of every slice."""
        own = torch.cat([self.numbers(tokens), 0.3 * logits[..., None]], dim=3)
        streams: Tensor = self.second(torch.relu(self.first(torch.cat([own, self._along(own, geometry)], dim=3))))
        return streams

    def numbers(self, tokens: Tensor) -> Tensor:
        """Pooled logits and place of each finding [b, L, F, OWN - 1], standardised."""
        flat: Tensor = tokens[..., self.class_width :] if self.from_class is None else self.from_class(tokens)
        return flat.view(*flat.shape[:2], self.findings, OWN - 1)

    def _along(self, own: Tensor, geometry: StudyGeometry) -> Tensor:
        """Differences of the followed numbers to those at each offset, and how far the place moved [b, L, F, ·]."""
        followed = torch.cat([own[..., :REGION_POOLS], own[..., POOLS:]], dim=3)
        flat, parts = followed.flatten(2), []
        for offset in (0.0, *OFFSETS_MM):
            weights = neighbours(geometry, offset, _width_mm(offset))
            there = weights @ flat - weights.sum(2, keepdim=True) * flat
            change = there.view(followed.shape)
            moved = torch.sqrt(change[..., REGION_POOLS : REGION_POOLS + PLACES].square().sum(3, keepdim=True) + 1e-4)
            parts += [change, moved]
        return torch.cat(parts, dim=3)
