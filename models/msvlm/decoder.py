"""The report decoder: a small causal transformer that sees the visual tokens at every word, with a key/value cache."""

import torch
from torch import Tensor, nn

from models.msvlm.blocks import BLOCKED, Attention, FeedForward, start_small
from models.msvlm.preset import NetworkShape
from models.msvlm.wording_choice import WordingChoice

PROMPT_WORDS = 4
"""A sentence is decoded from tag, place, grade and count (`pacs_agent.inference.attributes.prompt`)."""


class DecoderBlock(nn.Module):
    """Attention over the words so far, attention over the visual tokens, feed-forward; pre-norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_words, self.words = nn.LayerNorm(width), Attention(width, heads)
        self.norm_visual, self.visual = nn.LayerNorm(width), Attention(width, heads)
        self.norm_forward, self.feed_forward = nn.LayerNorm(width), FeedForward(width)

    def forward(
        self, x: Tensor, visual: Tensor, past: tuple[Tensor, Tensor] | None, bias: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """New x [b, w, width] and the keys and values [b, m, t + w, a] of all words so far."""
        normed = self.norm_words(x)
        keys, values = self.words.keys_values(normed)
        if past is not None:
            keys, values = torch.cat([past[0], keys], dim=2), torch.cat([past[1], values], dim=2)
        x = x + self.words.attend(normed, keys, values, bias)
        x = x + self.visual(self.norm_visual(x), visual)
        return x + self.feed_forward(self.norm_forward(x)), (keys, values)


class Decoder(nn.Module):
    """Words [b, w] → logits of the next word; whole sentences in training, one step with a cache in the graph."""

    wording: WordingChoice

    def forward(self, words: Tensor, visual_tokens: Tensor) -> Tensor:
        """Logits [b, w, V] for teacher forcing."""
        raise NotImplementedError

    def empty_cache(self, sentences: int) -> tuple[Tensor, Tensor]:
        """Keys and values before the first word, [e, b, m, 0, a] each."""
        raise NotImplementedError

    def step(
        self, word: Tensor, visual_tokens: Tensor, past_keys: Tensor, past_values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One word on: logits [b, V] and the cache [e, b, m, t + 1, a], from a cache of t ≥ 0 words.

        The largest logit is the word that the study chooses among those that the decoder finds likely.
        """
        raise NotImplementedError


class ReportDecoder(Decoder):
    """The decoder from scratch: visual tokens are seen by cross-attention at every word."""

    def __init__(self, shape: NetworkShape, vocabulary: int) -> None:
        super().__init__()
        width, self.heads = shape.visual_width, shape.decoder_heads
        self.embed = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(PROMPT_WORDS + shape.max_words + 1, width)
        self.blocks = nn.ModuleList(DecoderBlock(width, shape.decoder_heads) for _ in range(shape.decoder_blocks))
        self.norm = nn.LayerNorm(width)
        self.to_words = nn.Linear(width, vocabulary)
        start_small(self)
        self.wording = WordingChoice(shape.visual_tokens, width, vocabulary)

    def forward(self, words: Tensor, visual_tokens: Tensor) -> Tensor:
        """Logits [b, w, V] for teacher forcing."""
        count = words.shape[1]
        ahead = torch.ones(count, count, device=words.device).triu(1) * BLOCKED
        x = self.embed(words) + self.position.weight[:count]
        for block in self.blocks:
            x, _ = block(x, visual_tokens, None, ahead)
        logits: Tensor = self.to_words(self.norm(x))
        return logits

    def empty_cache(self, sentences: int) -> tuple[Tensor, Tensor]:
        """Keys and values before the first word, [e, b, m, 0, a] each."""
        head_width = self.embed.embedding_dim // self.heads
        none = self.embed.weight.new_zeros(len(self.blocks), sentences, self.heads, 0, head_width)
        return none, none

    def step(
        self, word: Tensor, visual_tokens: Tensor, past_keys: Tensor, past_values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One word on, in the context of the words in the cache."""
        at = past_keys.shape[3]
        x = self.embed(word) + self.position.weight[at : at + 1]
        cache = []
        for layer, block in enumerate(self.blocks):
            x, both = block(x, visual_tokens, (past_keys[layer], past_values[layer]), None)
            cache.append(both)
        keys, values = (torch.stack(part) for part in zip(*cache, strict=True))
        known = self.norm(x)[:, 0]
        return self.wording(self.to_words(known), known, visual_tokens), keys, values


class DecoderGraph(nn.Module):
    """`report_decoder.onnx`: `Decoder.step` as a graph."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, word: Tensor, visual_tokens: Tensor, past_keys: Tensor, past_values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the next word and the grown cache."""
        return self.decoder.step(word, visual_tokens, past_keys, past_values)
