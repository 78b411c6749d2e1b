"""The study reader: Z-former, per-finding attention heads over slices, and resampler (`study_reader.onnx`)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.msvlm.blocks import BLOCKED
from models.msvlm.encoder import SliceHead
from models.msvlm.preset import NetworkShape
from models.msvlm.resampler import Resampler
from models.msvlm.zformer import ZFormer, centred_z_mm


class StudyFacts(NamedTuple):
    """Slice logits [b, F, L], study logits [b, F], and the inputs of the resampler."""

    slices: Tensor
    study: Tensor
    resampler_inputs: tuple[Tensor, ...]


class FindingHeads(nn.Module):
    """Slice and study logits per finding.

    A slice's logit is the encoder's own (the skip) plus what its neighbours add, which starts at zero; the study's
    is their mean under an attention that starts as a soft maximum. So the reader starts at the level of pooled slice
    logits, and every step from there is a gain of the relation between slices.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        width, findings = shape.reader_width, shape.findings
        self.skip = SliceHead(shape.encoder_width, findings)
        self.refine = nn.Linear(width, findings)
        self.attend = nn.Linear(width, findings)
        self.sharpness = nn.Parameter(torch.ones(findings))
        self.study = nn.Parameter(torch.zeros(findings, width))
        for layer in (self.refine, self.attend):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Slice logits [b, F, L], attention [b, F, L] that sums to 1 over slices, study logits [b, F]."""
        slices = (self.skip(tokens) + self.refine(features)).transpose(1, 2)
        scores = self.sharpness[None, :, None] * slices + self.attend(features).transpose(1, 2)
        hidden = (1.0 - mask.to(torch.float32))[:, None, :] * BLOCKED
        attention = torch.softmax(scores + hidden, dim=2)
        study = (attention * slices).sum(2) + ((attention @ features) * self.study).sum(2)
        return slices, attention, study


class StudyReader(nn.Module):
    """Slice tokens of a study → finding logits, slice weights, visual tokens. Shapes: see `manifest.py`."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.register_buffer("token_mean", torch.zeros(shape.token_width))
        self.register_buffer("token_std", torch.ones(shape.token_width))
        self.mask_token = nn.Parameter(torch.zeros(shape.token_width))
        self.zformer = ZFormer(shape)
        self.heads = FindingHeads(shape)
        self.resampler = Resampler(shape)
        self.predict_token = nn.Linear(shape.reader_width, shape.token_width)

    def standardise(self, tokens: Tensor) -> Tensor:
        """Tokens in units of their spread over the training slices, clipped to ±10."""
        return ((tokens - self.token_mean) / self.token_std).clamp(-10.0, 10.0)

    def forward(
        self, tokens: Tensor, z_mm: Tensor, plane: Tensor, sequence: Tensor, phase: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Finding logits [b, F], slice weights [b, F, L] in [0, 1], visual tokens [b, Q, k]."""
        slices, study, visual = self.read(tokens, z_mm, plane, sequence, phase, mask)
        return study, torch.sigmoid(slices) * mask[:, None, :].to(torch.float32), visual

    def read(
        self, tokens: Tensor, z_mm: Tensor, plane: Tensor, sequence: Tensor, phase: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Slice logits [b, F, L], study logits [b, F], visual tokens [b, Q, k]."""
        facts = self.facts(tokens, z_mm, plane, sequence, phase, mask)
        return facts.slices, facts.study, self.resampler(*facts.resampler_inputs)

    def facts(
        self, tokens: Tensor, z_mm: Tensor, plane: Tensor, sequence: Tensor, phase: Tensor, mask: Tensor
    ) -> "StudyFacts":
        """Everything the resampler is made from."""
        z_mm, standard = centred_z_mm(z_mm, mask), self.standardise(tokens)
        features = self.zformer(standard, z_mm, plane, sequence, phase, mask)
        slices, attention, study = self.heads(tokens, features, mask)
        real = mask.to(torch.float32)[:, None, :]
        extent = (torch.sigmoid(slices) * real).sum(2) / real.sum(2).clamp(min=1.0)
        scores = torch.stack([study / 4.0, extent * 4.0], dim=2)
        return StudyFacts(slices, study, (features, standard, z_mm, mask, attention, scores))

    def predict_masked(self, tokens: Tensor, z_mm: Tensor, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Masked embedding modelling: predicted and true standardised tokens [b, L, d].

        `hidden` [b, L] marks the slices replaced by the learned mask token (MS-VLM, stage 1).
        """
        true = self.standardise(tokens)
        seen = torch.where(hidden[..., None], self.mask_token, true)
        ids = torch.zeros_like(hidden, dtype=torch.long)
        features = self.zformer(seen, centred_z_mm(z_mm, mask), ids, ids, ids, mask)
        return self.predict_token(features), true
