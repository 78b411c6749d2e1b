"""How a study chooses among wordings that mean the same: by its visual tokens, the same way every time.

Greedy decoding gives every patient with the same findings the same words. Here the next word is drawn from the
decoder's own distribution, with noise that is a smooth function of the study's visual tokens (the Gumbel trick). What
may be said is fixed by the prompt; words that the decoder itself finds unlikely are never drawn.
"""

import math

import torch
from torch import Tensor, nn

STYLE = 16
"""Numbers that tell one study from another."""
MIXED = 64
LIKELY = math.log(3.0)
"""A word less than a third as likely as the likeliest is not drawn."""
NEVER = 50.0
EDGE = 1e-3
BOUND = 3.0
"""Standard deviations beyond which studies are no longer told apart: what is far from all others stays computable."""


class WordingChoice(nn.Module):
    """Next-word logits [b, V] → the same, moved so that the largest is the drawn word. Off until `fit` was called."""

    centre: Tensor
    directions: Tensor
    contexts: Tensor
    turns: Tensor
    words: Tensor
    on: Tensor

    def __init__(
        self, visual_tokens: int, visual_width: int, vocabulary: int, context_width: int | None = None
    ) -> None:
        super().__init__()
        generator, known = torch.Generator().manual_seed(7), context_width or visual_width

        def drawn(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        self.register_buffer("centre", torch.zeros(visual_tokens * visual_width))
        self.register_buffer("directions", torch.zeros(visual_tokens * visual_width, STYLE))
        self.register_buffer("contexts", drawn(known, MIXED) / known**0.5)
        self.register_buffer("turns", drawn(STYLE, MIXED) / STYLE**0.5)
        self.register_buffer("words", drawn(MIXED, vocabulary))
        self.register_buffer("on", torch.zeros(()))

    def forward(self, logits: Tensor, context: Tensor, visual_tokens: Tensor) -> Tensor:
        """`context` [b, known] is what the decoder knows before the word; `visual_tokens` [b, Q, k]."""
        style = (visual_tokens.flatten(1) - self.centre) @ self.directions
        style = BOUND * torch.tanh(style / BOUND)
        signs = torch.tanh(2.0 * context @ self.contexts)
        normal = ((style @ self.turns) * signs) @ self.words / (signs.square().sum(1, keepdim=True) + EDGE).sqrt()
        share = (0.5 * (1.0 + torch.erf(normal / 2.0**0.5))).clamp(EDGE, 1.0 - EDGE)
        gumbel = -torch.log(-torch.log(share))
        unlikely = torch.lt(logits, logits.amax(1, keepdim=True) - LIKELY).to(logits.dtype)
        return logits + self.on * (gumbel * (1.0 - unlikely) - NEVER * unlikely)

    @torch.no_grad()
    def fit(self, visual_tokens: Tensor) -> None:
        """Learns in which directions the visual tokens of studies [n, Q, k] differ, n > STYLE, and switches on."""
        flat = visual_tokens.flatten(1)
        centre = flat.mean(0)
        _, spread, directions = torch.linalg.svd(flat - centre, full_matrices=False)
        kept = min(STYLE, len(spread) - 1)
        scale = spread[:kept].clamp(min=1e-6) / len(flat) ** 0.5
        self.centre.copy_(centre)
        self.directions.zero_()
        self.directions[:, :kept] = directions[:kept].T / scale
        self.on.fill_(1.0)
