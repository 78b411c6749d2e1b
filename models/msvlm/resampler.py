"""The bridge: a study of any length becomes a fixed number of visual tokens for the decoder."""

import torch
from torch import Tensor, nn

from models.msvlm.blocks import Attention, FeedForward
from models.msvlm.preset import NetworkShape
from models.msvlm.zformer import Z_FEATURES, z_features
from models.phantoms.findings import ATTRIBUTE_NAMES


class Resampler(nn.Module):
    """One visual token per finding, from the slices that finding attends to, and learned queries over all slices.

    Gives visual tokens [b, Q, k].
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        width = shape.visual_width
        facts = shape.reader_width + shape.token_width + Z_FEATURES + 2 + len(ATTRIBUTE_NAMES)
        self.from_finding = nn.Sequential(nn.Linear(facts, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.finding = nn.Parameter(torch.randn(shape.findings, width) * 0.02)
        self.queries = nn.Parameter(torch.randn(1, shape.zone_queries, width) * 0.02)
        self.attention = Attention(width, shape.reader_heads, context_width=shape.reader_width)
        self.norm_forward, self.feed_forward = nn.LayerNorm(width), FeedForward(width)
        self.norm = nn.LayerNorm(width)

    def forward(
        self, features: Tensor, tokens: Tensor, z_mm: Tensor, log_span: Tensor, attention: Tensor, scores: Tensor
    ) -> Tensor:
        """Visual tokens from `log_span` [b, L] (see `relation.py`), `attention` [b, F, L] and `scores` [b, F, 2 + A].

        Scores are finding logit, extent and attribute logits.
        """
        place = z_features((attention * z_mm[:, None]).sum(2))
        facts = torch.cat([attention @ features, attention @ tokens, place, scores], dim=2)
        findings = self.from_finding(facts) + self.finding
        zones = self.queries.expand(features.shape[0], -1, -1)
        zones = zones + self.attention(zones, features, log_span[:, None, None, :])
        zones = zones + self.feed_forward(self.norm_forward(zones))
        visual: Tensor = self.norm(torch.cat([findings, zones], dim=1))
        return visual
