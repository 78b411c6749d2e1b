"""How much and how many: grade and count of each finding, from sums over its slices, by regression under a penalty.

Few studies have a finding in a given grade, so few that heads with layers of their own learn them by heart. What is
left to learn here is one linear layer per finding; `stage_amounts` fits it and chooses its penalty on validation.
"""

import torch
from torch import Tensor, nn

from models.msvlm.relation import OWN, StudyGeometry
from models.phantoms.findings import ATTRIBUTE_NAMES

AMOUNTS: tuple[int, ...] = tuple(
    place for place, name in enumerate(ATTRIBUTE_NAMES) if name.startswith(("grade:", "count:"))
)
"""Places of grades and counts on the attribute axis."""
LEVELS = (-2.0, 0.0, 2.0)
"""Slice logits above which a finding's extent is measured."""
HIDDEN = -1.0e4


def amount_facts(smooth: Tensor, numbers: Tensor, pooled: Tensor, attention: Tensor, geometry: StudyGeometry) -> Tensor:
    """What grades and counts are read from, per finding [b, F, ·].

    Of the smoothed slice logits [b, F, L] maximum, mean over mm and extents in log mm; of the finding's own numbers
    [b, L, F, OWN - 1] mean, maximum and value where the finding attends; and what the heads pooled [b, F, ·].
    """
    span_mm = geometry.span_mm
    there = torch.gt(span_mm, 0.0).to(smooth.dtype)
    share = span_mm / span_mm.sum(1, keepdim=True).clamp(min=1e-3)
    extents = [torch.log1p((torch.gt(smooth, level) * span_mm[:, None]).sum(2)) for level in LEVELS]
    highest = (smooth + HIDDEN * (1.0 - there[:, None])).amax(2)
    levels = torch.stack([highest, torch.einsum("bfl,bl->bf", smooth, share), *extents], dim=2)
    mean = torch.einsum("blfi,bl->bfi", numbers, share)
    most = (numbers + HIDDEN * (1.0 - there[:, :, None, None])).amax(1)
    met = torch.einsum("bfl,blfi->bfi", attention, numbers)
    return torch.cat([levels, mean, most, met, pooled], dim=2)


class AmountRegression(nn.Module):
    """A linear layer per finding on standardised facts, which takes the place of logits that were learned otherwise.

    A finding whose amounts were not fitted keeps the logits that it was given.
    """

    mean: Tensor
    spread: Tensor
    weight: Tensor
    bias: Tensor
    fitted: Tensor

    def __init__(self, findings: int, pooled: int) -> None:
        super().__init__()
        facts, names = 2 + len(LEVELS) + 3 * (OWN - 1) + pooled, len(ATTRIBUTE_NAMES)
        self.register_buffer("mean", torch.zeros(findings, facts))
        self.register_buffer("spread", torch.ones(findings, facts))
        self.register_buffer("weight", torch.zeros(findings, facts, names))
        self.register_buffer("bias", torch.zeros(findings, names))
        self.register_buffer("fitted", torch.zeros(findings, names))

    def forward(self, facts: Tensor, logits: Tensor) -> Tensor:
        """Attribute logits [b, F, A]: regressions of these facts [b, F, ·] where they were fitted, else those given."""
        standard = (facts - self.mean) / self.spread
        regressed = torch.einsum("bfi,fia->bfa", standard, self.weight) + self.bias
        return torch.lerp(logits, regressed, self.fitted)
