"""The text side of pretraining: a small transformer over words that learns together with the encoder.

It is the default because the text is a small grammar about numbers: which number belongs to which organ is a matter of
word order, which a bag of words loses, and a sentence encoder trained on web text hardly tells 400 mL from 900 mL. It
costs about a hundredth of a step. A frozen sentence encoder stands in `sentence_encoder.py`.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from models.gtgm.pretrain.words import PADDING, VOCABULARY, numbered, wave_features

LONGEST_WORDS = 320
EMBEDDING_STD = 0.1


class TextTower(Protocol):
    """What pretraining needs of a text encoder; every one is an `nn.Module` too."""

    width: int

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """One vector [n, width] of each text."""


class WordTransformer(nn.Module):
    """Words by hash, their places, a few transformer layers; mean and maximum over the words."""

    def __init__(self, channels: int, heads: int, layers: int) -> None:
        super().__init__()
        self.width = 2 * channels
        self.embedding = nn.Embedding(VOCABULARY, channels, padding_idx=PADDING)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)
        layer = nn.TransformerEncoderLayer(channels, heads, 2 * channels, 0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(channels)
        self.places: Tensor
        self.register_buffer("places", EMBEDDING_STD * wave_features(LONGEST_WORDS, channels), persistent=False)

    def forward(self, texts: Sequence[str]) -> Tensor:
        """One vector [n, width] of each text."""
        ids = numbered(texts, LONGEST_WORDS).to(self.places.device)
        padded = ids == PADDING
        x = self.norm(self.layers(self.embedding(ids) + self.places[: ids.shape[1]], src_key_padding_mask=padded))
        there = ~padded[..., None]
        mean = (x * there).sum(1) / there.sum(1)
        return torch.cat([mean, x.masked_fill(~there, -torch.inf).amax(1)], dim=1)
