"""The two losses of GTGM (arXiv 2306.04811, section 3.3): volumes against text, and one view against the other."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

TEMPERATURE = 0.07
CORRELATION_SHARE = 0.01
"""Weight of the cross-correlation term beside the contrastive ones."""
OFF_DIAGONAL = 0.0051
VARIANCE_FLOOR = 1e-5
"""Added to the variance of a feature: one that is constant over the batch is 0 everywhere, with a finite gradient."""


def info_nce(
    volumes: Tensor,
    texts: Tensor,
    same: Tensor | None = None,
    earlier_volumes: Tensor | None = None,
    earlier_texts: Tensor | None = None,
    same_earlier: Tensor | None = None,
) -> Tensor:
    """Contrastive loss of n volumes and their n texts [n, d], both directions summed.

    −log(exp(v_i·t_i/τ) / Σ_j exp(v_i·t_j/τ)), mean over i, and the same with volumes and texts exchanged; vectors are
    normalised here. Earlier ones of a queue [m, d] are further negatives. `same` [n, n] and `same_earlier` [n, m] mark
    pairs of one volume, which are no negatives.
    """
    v, t = normalize(volumes, dim=1), normalize(texts, dim=1)
    other = None if same is None else same & ~torch.eye(len(v), dtype=torch.bool, device=v.device)
    return _direction(v, t, other, earlier_texts, same_earlier) + _direction(t, v, other, earlier_volumes, same_earlier)


def _direction(
    asked: Tensor, answers: Tensor, other: Tensor | None, earlier: Tensor | None, same_earlier: Tensor | None
) -> Tensor:
    """Cross entropy of finding its own answer among all."""
    scores = asked @ answers.T / TEMPERATURE
    if other is not None:
        scores = scores.masked_fill(other, -torch.inf)
    if earlier is not None and len(earlier):
        past = asked @ normalize(earlier, dim=1).T / TEMPERATURE
        scores = torch.cat([scores, past if same_earlier is None else past.masked_fill(same_earlier, -torch.inf)], 1)
    return cross_entropy(scores, torch.arange(len(asked), device=asked.device))


def standardised(features: Tensor) -> Tensor:
    """Each feature [n, d] with mean 0 and variance 1 over the batch; a constant one is 0."""
    centred = features - features.mean(0)
    return centred / (centred.square().mean(0) + VARIANCE_FLOOR).sqrt()


def cross_correlation_loss(first: Tensor, second: Tensor) -> Tensor:
    """½ [Σ_i (C_ii − 1)² + 0.0051 Σ_{i≠j} C_ij²] of two views' features [n, d].

    C = Z₁ᵀ Z₂ / n of the standardised features. It needs no negatives.
    """
    correlation = standardised(first).T @ standardised(second) / len(first)
    diagonal = correlation.diagonal()
    on = (diagonal - 1.0).square().sum()
    off = correlation.square().sum() - diagonal.square().sum()
    return 0.5 * (on + OFF_DIAGONAL * off)


def retrieval(volumes: Tensor, texts: Tensor) -> Tensor:
    """Share of the texts [n, d] whose nearest volume [n, d] is their own."""
    nearest = (normalize(texts, dim=1) @ normalize(volumes, dim=1).T).argmax(1)
    return (nearest == torch.arange(len(texts), device=texts.device)).float().mean()
