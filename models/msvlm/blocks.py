"""The transformer block all parts share: plain softmax attention and ReLU, which train fastest on a CPU."""

import torch
from torch import Tensor, nn

BLOCKED = -1.0e4
"""Added to the score of a place that must not be seen; finite, so that a study of padding alone gives no NaN."""


class Attention(nn.Module):
    """Multi-head attention of `queries` [b, q, width] over `context` [b, k, context_width]."""

    def __init__(self, width: int, heads: int, context_width: int | None = None) -> None:
        super().__init__()
        self.heads, self.head_width = heads, width // heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(context_width or width, 2 * width)
        self.output = nn.Linear(width, width)

    def split(self, x: Tensor) -> Tensor:
        """[b, t, width] → [b, heads, t, head width]."""
        parts: Tensor = x.unflatten(2, (self.heads, self.head_width))  # type: ignore[no-untyped-call]
        return parts.transpose(1, 2)

    def keys_values(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values, each [b, heads, k, head width]."""
        key, value = self.key_value(context).chunk(2, dim=2)
        return self.split(key), self.split(value)

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None = None) -> Tensor:
        """The attended values [b, q, width]; `bias` is added to the scores [b, heads, q, k]."""
        scores = self.split(self.query(queries)) @ keys.transpose(2, 3) * self.head_width**-0.5
        weights = torch.softmax(scores if bias is None else scores + bias, dim=3)
        attended: Tensor = self.output((weights @ values).transpose(1, 2).flatten(2))
        return attended

    def forward(self, queries: Tensor, context: Tensor, bias: Tensor | None = None) -> Tensor:
        """The attended context [b, q, width]."""
        return self.attend(queries, *self.keys_values(context), bias)


class FeedForward(nn.Sequential):
    """Two layers with ReLU, four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))


class Block(nn.Module):
    """Pre-norm transformer block over one sequence."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_attention, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm_forward, self.feed_forward = nn.LayerNorm(width), FeedForward(width)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """The sequence [b, t, width] one layer on."""
        normed = self.norm_attention(x)
        x = x + self.attention(normed, normed, bias)
        forward: Tensor = self.feed_forward(self.norm_forward(x))
        return x + forward


def start_small(module: nn.Module, std: float = 0.02) -> None:
    """Draw all linear and embedding weights from a narrow normal: decoders with wide starts learned nothing."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=std)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
