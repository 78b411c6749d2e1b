"""The study reader over all series: one sequence of slice tokens, placed in the patient (`study_reader.onnx`).

As in MS-VLM the tokens of all series are concatenated. Each is told its plane, sequence, contrast, phase and b-value,
and where it lies; the structures that its patches mark become points of the patient, so that what a sagittal and an
axial slice show of one tumour lies at one place.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.msvlm.blocks import BLOCKED, Attention, Block, FeedForward
from models.msvlm.rectal.items import ITEM_OF_STEP, SCALES, STEPS
from models.msvlm.rectal.places import (
    POSITION_FEATURES,
    StudyPlaces,
    gap_mm,
    patient_points,
    position_features,
    study_places,
)
from models.msvlm.rectal.preset import PLACES, POOLS, SeriesShape
from models.msvlm.relation import MostlyShared, PerFinding
from pacs_agent.inference.staging.acquired import PHASES, PLANES, ContrastId, SequenceId

CLIP = 10.0
"""Standardised tokens are kept within so many standard deviations."""
DROPOUT = 0.2
NEAREST_MM, FARTHEST_MM = 4.0, 200.0
"""Reach of the first and of the last attention head across parallel slices."""
DIFFUSION_UNIT = 500.0
SHARPNESS = 2.0
"""How much sooner than by its own probability the strongest slice tells where a structure lies."""
LEVEL = 48
"""Width of what is known of the study as a whole."""


class SeriesInputs(NamedTuple):
    """Slices of studies padded to one length, as of `study_reader.onnx`; see the manifest of `inference/staging`."""

    tokens: Tensor
    centre_mm: Tensor
    orientation: Tensor
    plane: Tensor
    sequence: Tensor
    contrast: Tensor
    phase: Tensor
    b_value: Tensor
    mask: Tensor


class StagingRead(NamedTuple):
    """Step logits [b, C], slice attention of each item [b, I, L], and what the bridge makes visual tokens of."""

    steps: Tensor
    attention: Tensor
    for_bridge: tuple[Tensor, Tensor, Tensor, Tensor]


class SeriesReader(nn.Module):
    """Slice tokens of all series of a study → items, evidence, visual tokens."""

    token_mean: Tensor
    token_std: Tensor
    item_of_step: Tensor

    def __init__(self, shape: SeriesShape) -> None:
        super().__init__()
        self.shape, width = shape, shape.reader_width
        self.register_buffer("token_mean", torch.zeros(shape.token_width))
        self.register_buffer("token_std", torch.ones(shape.token_width))
        self.register_buffer("item_of_step", torch.tensor(ITEM_OF_STEP), persistent=False)
        points = 3 * shape.structures
        self.project = nn.Linear(shape.token_width + points + POSITION_FEATURES + 1, width)
        sizes = (len(PLANES), len(SequenceId), len(ContrastId), PHASES)
        self.tables = nn.ModuleList(nn.Embedding(size, width) for size in sizes)
        for table in self.tables:
            nn.init.normal_(table.weight, std=0.02)
        self.drop = nn.Dropout(DROPOUT)
        reach = torch.logspace(0.0, 1.0, shape.reader_heads, base=FARTHEST_MM / NEAREST_MM) * NEAREST_MM
        self.log_reach = nn.Parameter(reach.log())
        self.blocks = nn.ModuleList(Block(width, shape.reader_heads) for _ in range(shape.reader_blocks))
        self.norm = nn.LayerNorm(width)
        self.attend = nn.Linear(width, len(SCALES))
        whole = shape.structures * (shape.per_structure - PLACES + 3)
        self.whole = nn.Sequential(nn.Linear(whole, LEVEL), nn.ReLU())
        self.first, self.last = MostlyShared(STEPS, width + LEVEL, 48), PerFinding(STEPS, 48, 1)
        nn.init.zeros_(self.last.weight)
        self.bridge = Bridge(shape)

    def forward(
        self,
        tokens: Tensor,
        centre_mm: Tensor,
        orientation: Tensor,
        plane: Tensor,
        sequence: Tensor,
        contrast: Tensor,
        phase: Tensor,
        b_value: Tensor,
        mask: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Step logits, slice attention and visual tokens."""
        given = SeriesInputs(tokens, centre_mm, orientation, plane, sequence, contrast, phase, b_value, mask)
        read = self.read(given)
        return read.steps, read.attention, self.bridge(*read.for_bridge)

    def read(self, given: SeriesInputs) -> StagingRead:
        """What is said of studies, before it becomes visual tokens."""
        places = study_places(given.centre_mm, given.orientation, given.mask)
        standard = ((given.tokens - self.token_mean) / self.token_std).clamp(-CLIP, CLIP)
        points = self._points(given.tokens, places)
        features = self._features(standard, points, places, given)
        hidden = (1.0 - given.mask.to(torch.float32)) * BLOCKED
        attention = torch.softmax(self.attend(features).transpose(1, 2) + hidden[:, None], dim=2)
        met = attention @ features
        whole = self.whole(self.drop(self._whole(standard, given.tokens, points, hidden)))
        facts = torch.cat([met[:, self.item_of_step], whole[:, None].expand(-1, STEPS, -1)], dim=2)
        steps = self.last(torch.relu(self.first(self.drop(facts))))[..., 0]
        return StagingRead(steps, attention, (features, met, whole, hidden))

    def _numbers(self, tokens: Tensor) -> Tensor:
        """The numbers of each structure [b, L, S, ·] of tokens."""
        flat = tokens[..., self.shape.encoder_width :]
        return flat.unflatten(2, (self.shape.structures, self.shape.per_structure))  # type: ignore[no-untyped-call]

    def _points(self, tokens: Tensor, places: StudyPlaces) -> Tensor:
        """Where each slice shows each structure [b, L, S, 3], in dm about the study's origin."""
        place = self._numbers(tokens)[..., POOLS : POOLS + PLACES]
        return patient_points(places, place, self.shape.half_field_mm) / 100.0

    def _features(self, standard: Tensor, points: Tensor, places: StudyPlaces, given: SeriesInputs) -> Tensor:
        diffusion = torch.log1p(given.b_value / DIFFUSION_UNIT)[..., None]
        told = [self.drop(standard), points.flatten(2), position_features(places), diffusion]
        x = self.project(torch.cat(told, dim=2))
        for table, ids in zip(self.tables, given[3:7], strict=True):
            x = x + table(ids)
        gap, alike = gap_mm(places)
        fading = (gap * alike)[:, None] / self.log_reach.exp()[None, :, None, None]
        bias = (1.0 - given.mask.to(torch.float32))[:, None, None] * BLOCKED - fading
        for block in self.blocks:
            x = block(x, bias)
        features: Tensor = self.norm(x)
        return features

    def _whole(self, standard: Tensor, tokens: Tensor, points: Tensor, hidden: Tensor) -> Tensor:
        """Of the study as a whole: the most of each structure's numbers, and where in the patient it lies."""
        numbers = self._numbers(standard)
        kept = torch.cat([numbers[..., :POOLS], numbers[..., POOLS + PLACES :]], dim=3)
        most = (kept + hidden[:, :, None, None]).amax(1)
        strength = SHARPNESS * self._numbers(tokens)[..., 1] + hidden[:, :, None]
        where = (torch.softmax(strength, dim=1)[..., None] * points).sum(1)
        return torch.cat([most.flatten(1), where.flatten(1)], dim=1)


class Bridge(nn.Module):
    """Studies of any length → visual tokens [b, Q, k]: one per item, and learned queries over all slices."""

    def __init__(self, shape: SeriesShape) -> None:
        super().__init__()
        width = shape.visual_width
        self.from_item = nn.Sequential(
            nn.Linear(shape.reader_width + LEVEL, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        )
        self.item = nn.Parameter(torch.randn(len(SCALES), width) * 0.02)
        self.queries = nn.Parameter(torch.randn(1, shape.zone_queries, width) * 0.02)
        self.attention = Attention(width, shape.reader_heads, context_width=shape.reader_width)
        self.norm_forward, self.feed_forward = nn.LayerNorm(width), FeedForward(width)
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Tensor, met: Tensor, whole: Tensor, hidden: Tensor) -> Tensor:
        """From features [b, L, ·], what each item met [b, I, ·], the whole study [b, ·] and hidden places [b, L]."""
        items = self.from_item(torch.cat([met, whole[:, None].expand(-1, len(SCALES), -1)], dim=2)) + self.item
        zones = self.queries.expand(features.shape[0], -1, -1)
        zones = zones + self.attention(zones, features, hidden[:, None, None])
        zones = zones + self.feed_forward(self.norm_forward(zones))
        visual: Tensor = self.norm(torch.cat([items, zones], dim=1))
        return visual
