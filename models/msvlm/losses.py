"""The losses of the stages."""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

FOCAL_POWER = 2.0


class BalancedPatchLoss(nn.Module):
    """Focal loss on patches, summed per finding and divided by the running mean of that finding's positive mass.

    Small findings own a few per cent of the positive patches; without the balance no gradient ever sees them.
    """

    def __init__(self, findings: int, momentum: float = 0.95) -> None:
        super().__init__()
        self.momentum = momentum
        self.mass: Tensor
        self.register_buffer("mass", torch.full((findings,), 8.0))

    def forward(self, logits: Tensor, share: Tensor, located: Tensor) -> Tensor:
        """Logits and soft targets [n, F, gr, gc], and whether a finding's patches are known [n, F] → scalar."""
        weight = located.to(logits.dtype)[:, :, None, None]
        with torch.no_grad():
            self.mass.lerp_((share * weight).sum((0, 2, 3)), 1.0 - self.momentum)
            weight = weight * (share - torch.sigmoid(logits)).abs() ** FOCAL_POWER
        loss = binary_cross_entropy_with_logits(logits, share, reduction="none") * weight
        return (loss.sum((0, 2, 3)) / self.mass.clamp(min=1.0)).mean()


def known_only(loss: Tensor, known: Tensor) -> Tensor:
    """Mean of a loss over the places where the target is known; both of one shape."""
    weight = known.to(loss.dtype)
    return (loss * weight).sum() / weight.sum().clamp(min=1.0)


def masked_embedding_loss(predicted: Tensor, true: Tensor, hidden: Tensor) -> Tensor:
    """L1 over the hidden slices only (MS-VLM, masked embedding modelling); tokens [b, L, d], hidden [b, L]."""
    weight = hidden.to(predicted.dtype)[..., None]
    error = ((predicted - true.detach()).abs() * weight).sum()
    return error / (weight.sum() * predicted.shape[2]).clamp(min=1.0)


def span_mask(mask: Tensor, share: float, generator: torch.Generator, longest: int = 8) -> Tensor:
    """Hides about `share` of the real slices [b, L] in contiguous spans: a neighbour must not give the answer away."""
    hidden = torch.zeros_like(mask)
    for row, real in enumerate(mask.sum(1).tolist()):
        while hidden[row].sum() < share * real:
            length = int(torch.randint(2, longest + 1, (1,), generator=generator))
            start = int(torch.randint(0, max(int(real) - length, 1), (1,), generator=generator))
            hidden[row, start : min(start + length, int(real))] = True
    return hidden


def sentence_loss(logits: Tensor, words: Tensor, pad: int) -> Tensor:
    """Cross-entropy of each next word; logits [b, w, V] from words [b, w + 1]."""
    return cross_entropy(logits.flatten(0, 1), words[:, 1:].flatten(), ignore_index=pad)
