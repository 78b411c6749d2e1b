"""The study reader: local relation, Z-former, heads over slices and study, and resampler (`study_reader.onnx`)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.msvlm.heads import STREAM, Concluded, FindingHeads
from models.msvlm.preset import NetworkShape
from models.msvlm.relation import LocalRelation, StudyGeometry, log_span, study_geometry
from models.msvlm.resampler import Resampler
from models.msvlm.zformer import ZFormer

CLIP = 10.0
"""Standardised tokens are kept within so many standard deviations."""


class StudyFacts(NamedTuple):
    """What the heads conclude, and the inputs of the resampler."""

    concluded: Concluded
    resampler_inputs: tuple[Tensor, ...]


class StudyReader(nn.Module):
    """Slice tokens of a study → findings, evidence, attributes, visual tokens. Shapes: see `manifest.py`."""

    token_mean: Tensor
    token_std: Tensor

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.register_buffer("token_mean", torch.zeros(shape.token_width))
        self.register_buffer("token_std", torch.ones(shape.token_width))
        self.mask_token = nn.Parameter(torch.zeros(shape.token_width))
        self.relation = LocalRelation(shape, STREAM)
        self.zformer = ZFormer(shape, STREAM)
        self.heads = FindingHeads(shape)
        self.resampler = Resampler(shape)
        self.predict_token = nn.Linear(shape.reader_width, shape.token_width)

    def standardise(self, tokens: Tensor) -> Tensor:
        """Tokens in units of their spread over the training slices, clipped to ±10."""
        return ((tokens - self.token_mean) / self.token_std).clamp(-CLIP, CLIP)

    def forward(
        self, tokens: Tensor, z_mm: Tensor, plane: Tensor, sequence: Tensor, phase: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Finding logits [b, F], slice weights [b, F, L] in [0, 1], attention, attributes, visual tokens."""
        facts = self.facts(tokens, z_mm, plane, sequence, phase, mask)
        slices, attention, study, attributes, _ = facts.concluded
        weights = torch.sigmoid(slices) * mask[:, None, :].to(torch.float32)
        return study, weights, attention, attributes, self.resampler(*facts.resampler_inputs)

    def facts(
        self, tokens: Tensor, z_mm: Tensor, plane: Tensor, sequence: Tensor, phase: Tensor, mask: Tensor
    ) -> StudyFacts:
        """What is concluded of a study, before it becomes visual tokens."""
        geometry = study_geometry(z_mm, plane, sequence, phase, mask)
        standard = self.standardise(tokens)
        streams = self.relation(standard, self.heads.skip(tokens), geometry)
        features = self.zformer(standard, streams, geometry, plane, sequence, phase)
        numbers = self.relation.numbers(standard)
        concluded = self.heads(tokens, numbers, streams, features, geometry)
        return StudyFacts(concluded, self._resampler_inputs(concluded, features, standard, geometry))

    def _resampler_inputs(
        self, concluded: Concluded, features: Tensor, standard: Tensor, geometry: StudyGeometry
    ) -> tuple[Tensor, ...]:
        extent_dm = (torch.sigmoid(concluded.slices) * geometry.span_mm[:, None, :]).sum(2) / 100.0
        scores = torch.stack([concluded.study / 4.0, extent_dm], dim=2)
        scores = torch.cat([scores, concluded.attributes / 4.0], dim=2)
        return features, standard, geometry.z_mm, log_span(geometry), concluded.attention, scores

    def predict_masked(self, tokens: Tensor, z_mm: Tensor, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Masked embedding modelling: predicted and true standardised tokens [b, L, d].

        `hidden` [b, L] marks the slices replaced by the learned mask token (MS-VLM, stage 1); a slice's own skip and
        those of hidden neighbours are hidden with it.
        """
        true = self.standardise(tokens)
        seen = torch.where(hidden[..., None], self.mask_token, true)
        ids = torch.zeros_like(hidden, dtype=torch.long)
        geometry = study_geometry(z_mm, ids, ids, ids, mask)
        skip = self.heads.skip(seen * self.token_std + self.token_mean)
        streams = self.relation(seen, skip.detach(), geometry)
        features = self.zformer(seen, streams, geometry, ids, ids, ids)
        return self.predict_token(features), true
