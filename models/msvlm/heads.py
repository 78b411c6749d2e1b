"""What the reader concludes: logits per finding and slice, per finding, and the attributes of each finding."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.msvlm.amounts import AmountRegression, amount_facts
from models.msvlm.preset import REGION_POOLS, NetworkShape
from models.msvlm.relation import OWN, MostlyShared, PerFinding, StudyGeometry, log_span, neighbours
from models.msvlm.slice_token import SliceHead
from models.phantoms.findings import ATTRIBUTE_NAMES, Side

STREAM = 16
"""Width H of a finding's own stream along z."""
DROPOUT = 0.2
SMOOTH_MM = 1.5
"""Slice logits are averaged over so many mm before they are pooled: thin slices are noisier, not richer."""
SHARPNESS = (0.5, 1.0, 2.0)
ZONES = 8
"""Learned zones of the chest, half of them over the image's left and half over its right."""
IMAGE_LEFT_TOP, IMAGE_RIGHT_TOP = REGION_POOLS + 1, 2 * REGION_POOLS + 1
"""Among a finding's pooled logits: top-8 mean of the image's left half (the patient's right) and of its right half."""


class Concluded(NamedTuple):
    """Slice logits [b, F, L], slice attention [b, F, L], study logits [b, F], attribute logits [b, F, A].

    `amounts` [b, F, ·] is what grades and counts are read from.
    """

    slices: Tensor
    attention: Tensor
    study: Tensor
    attributes: Tensor
    amounts: Tensor


class FindingHeads(nn.Module):
    """Slice, study and attribute logits per finding.

    A slice's logit is the encoder's own (the skip) plus what its neighbours add, which starts at zero; the study's is
    their mean under an attention that starts as a soft maximum, plus what the pooled streams add, again from zero. So
    the reader starts at the level of pooled slice logits, and every step from there is a gain of the relation between
    slices. All pooling is an integral over mm, so it does not depend on how many slices there are.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        width, findings = shape.reader_width, shape.findings
        self.findings = findings
        self.skip = SliceHead(shape)
        self.context = nn.Linear(width, findings * STREAM)
        self.refine = PerFinding(findings, STREAM, 1)
        self.attend = PerFinding(findings, STREAM, 1)
        self.sharpness = nn.Parameter(torch.full((findings,), 2.0))
        self.drop = nn.Dropout(DROPOUT)
        pooled = 1 + len(SHARPNESS) + 1 + 2 * STREAM
        self.study_first, self.study_last = MostlyShared(findings, pooled, 32), PerFinding(findings, 32, 1)
        self.attributes = AttributeHead(shape, pooled)
        self.amounts = AmountRegression(findings, pooled)
        for layer in (self.refine, self.attend, self.study_last):
            nn.init.zeros_(layer.weight)

    def forward(
        self, tokens: Tensor, numbers: Tensor, streams: Tensor, features: Tensor, geometry: StudyGeometry
    ) -> Concluded:
        """From raw tokens [b, L, d], each finding's standardised numbers [b, L, F, OWN - 1], streams and features."""
        streams = torch.relu(streams + self.context(self.drop(features)).unflatten(2, (self.findings, STREAM)))
        streams = self.drop(streams)
        slices = self.skip(tokens) + self.refine(streams)[..., 0]
        smooth = _smoothed(slices, geometry).transpose(1, 2)
        span = log_span(geometry)[:, None, :]
        scores = self.sharpness[None, :, None] * smooth + self.attend(streams)[..., 0].transpose(1, 2)
        attention = torch.softmax(scores + span, dim=2)
        level = (attention * smooth).sum(2)
        pooled = self._pooled(level, smooth, attention, streams, geometry)
        study = level + self.study_last(torch.relu(self.study_first(pooled)))[..., 0]
        facts = amount_facts(smooth, numbers, pooled, attention, geometry)
        attributes = self.attributes(pooled, numbers, streams, features, attention, geometry)
        return Concluded(slices.transpose(1, 2), attention, study, self.amounts(facts, attributes), facts)

    def _pooled(
        self, level: Tensor, smooth: Tensor, attention: Tensor, streams: Tensor, geometry: StudyGeometry
    ) -> Tensor:
        """Numbers per finding [b, F, ·]: soft maxima of the slice logits, extent in dm, streams met and integrated."""
        span_dm = geometry.span_mm[:, None, :] / 100.0
        integral = log_span(geometry)[:, None, :] - 4.6
        maxima = [torch.logsumexp(sharp * smooth + integral, dim=2) / sharp for sharp in SHARPNESS]
        extent = (torch.sigmoid(smooth) * span_dm).sum(2)
        met = torch.einsum("bfl,blfh->bfh", attention, streams)
        whole = torch.einsum("bl,blfh->bfh", span_dm[:, 0], streams)
        numbers = torch.stack([level, *maxima, torch.log(extent + 0.01)], dim=2)
        return torch.cat([0.3 * numbers, met, 0.3 * whole], dim=2)


def side_of_attribute() -> Tensor:
    """1 where an attribute is a side, or a lobe of that side [2, A]; right first, as the image's columns run."""
    sides = [(f"side:{side.value}", f"lobe:{side.value} ") for side in Side]
    return torch.tensor([[float(name.startswith(prefixes)) for name in ATTRIBUTE_NAMES] for prefixes in sides])


class AttributeHead(nn.Module):
    """Side, lobe, grade and count of each finding: [b, F, A] in the order of ATTRIBUTE_NAMES.

    A side starts from how the finding's patch logits in its image half compare with those in the other, a lobe from its
    side; the rest is learned. For lobes the patch logits of either half are pooled within learned zones of z. Most
    weights are shared by all findings, as a lobe is a lobe whatever lies in it.
    """

    of_side: Tensor

    def __init__(self, shape: NetworkShape, pooled: int) -> None:
        super().__init__()
        width, findings, hidden = shape.reader_width, shape.findings, 96
        self.zone = nn.Linear(width, ZONES)
        self.zone_of_finding = PerFinding(findings, STREAM, ZONES)
        halves = torch.zeros(OWN - 1, ZONES)
        halves[IMAGE_LEFT_TOP, : ZONES // 2], halves[IMAGE_RIGHT_TOP, ZONES // 2 :] = 1.0, 1.0
        self.of_half = nn.Parameter(halves)
        self.around = nn.Linear(width, 24)
        self.shared = nn.Sequential(
            nn.Linear(2 * ZONES + pooled + OWN - 1 + 24, hidden), nn.ReLU(), nn.Linear(hidden, len(ATTRIBUTE_NAMES))
        )
        self.own = PerFinding(findings, 2 * ZONES + pooled, len(ATTRIBUTE_NAMES))
        nn.init.zeros_(self.own.weight)
        self.side_gain = nn.Parameter(torch.full((findings, 1), 1.5))
        self.side_bias = nn.Parameter(torch.full((findings, 1), 1.5))
        self.register_buffer("of_side", side_of_attribute(), persistent=False)

    def forward(
        self,
        pooled: Tensor,
        numbers: Tensor,
        streams: Tensor,
        features: Tensor,
        attention: Tensor,
        geometry: StudyGeometry,
    ) -> Tensor:
        """Logits from what is pooled per finding [b, F, ·] and the slices that the finding attends to."""
        zones = self._zones(numbers, streams, features, geometry)
        met = torch.einsum("bfl,blfi->bfi", attention, numbers)
        facts = torch.cat([zones, pooled], dim=2)
        around = self.around(attention @ features)
        logits: Tensor = self.shared(torch.cat([facts, 0.3 * met, around], dim=2)) + self.own(facts)
        return logits + self._sides(numbers, geometry) @ self.of_side

    def _sides(self, numbers: Tensor, geometry: StudyGeometry) -> Tensor:
        """Logits [b, F, 2] of right and left from the image halves: the stronger is there, the other if it compares."""
        halves = numbers[..., [IMAGE_LEFT_TOP, IMAGE_RIGHT_TOP]]
        strength = torch.logsumexp(2.0 * halves + log_span(geometry)[:, :, None, None], dim=1) / 2.0
        return self.side_gain * (strength - strength.amax(2, keepdim=True)) + self.side_bias

    def _zones(self, numbers: Tensor, streams: Tensor, features: Tensor, geometry: StudyGeometry) -> Tensor:
        """Strength of each finding in each zone, and how far it stands above the other zones [b, F, 2 × ZONES]."""
        inside = self.zone(features)[:, :, None] + self.zone_of_finding(streams)
        strength = numbers @ self.of_half + nn.functional.logsigmoid(inside)
        strength = torch.logsumexp(strength + log_span(geometry)[:, :, None, None], dim=1) - 3.0
        return torch.cat([0.5 * strength, strength - strength.mean(2, keepdim=True)], dim=2)


def _smoothed(slices: Tensor, geometry: StudyGeometry) -> Tensor:
    return neighbours(geometry, 0.0, SMOOTH_MM) @ slices
