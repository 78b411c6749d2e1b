"""Calibration and operating points, from validation phantoms only."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.msvlm.network import OperatingPoint
from models.msvlm.reader import StudyReader
from models.msvlm.studies import EncodedStudy, pad

LIMITS = (0.25, 0.75)
"""An operating point from few validation cases is kept within these probabilities."""
PRIOR = 2.0
"""Weight of the pull towards scale 1: few cases that happen to be separable must not give endless certainty."""


@torch.no_grad()
def study_logits(reader: StudyReader, studies: Sequence[EncodedStudy]) -> NDArray[np.float64]:
    """Finding logits [studies, F]."""
    logits: torch.Tensor = reader(*pad(studies).inputs)[0]
    return logits.double().numpy()


def calibrate(logits: NDArray[np.float64], labels: NDArray[np.float64]) -> tuple[OperatingPoint, ...]:
    """Per finding scale, bias, operating point; logits and labels [studies, F]."""
    return tuple(_calibrate_one(logits[:, f], labels[:, f]) for f in range(logits.shape[1]))


def _calibrate_one(logits: NDArray[np.float64], labels: NDArray[np.float64]) -> OperatingPoint:
    scale, bias = platt(logits, labels)
    probabilities = 1.0 / (1.0 + np.exp(-(scale * logits + bias)))
    point = best_threshold(probabilities, labels)
    return OperatingPoint(round(scale, 5), round(bias, 5), round(point, 4), round(0.5 * point, 4))


def platt(logits: NDArray[np.float64], labels: NDArray[np.float64]) -> tuple[float, float]:
    """Scale and bias of a logistic fit (Platt 1999, with his smoothed targets and a pull towards scale 1)."""
    positive, n = labels.sum(), len(labels)
    targets = np.where(labels > 0, (positive + 1) / (positive + 2), 1.0 / (n - positive + 2))
    design, weights = np.stack([logits, np.ones(n)], axis=1), np.array([1.0, 0.0])
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-design @ weights))
        gradient = design.T @ (p - targets) + PRIOR * np.array([weights[0] - 1.0, 0.0])
        curve = (design * (p * (1 - p))[:, None]).T @ design + np.diag([PRIOR, 1e-3])
        weights = weights - np.clip(np.linalg.solve(curve, gradient), -1.0, 1.0)
    return float(max(weights[0], 0.05)), float(weights[1])


def best_threshold(probabilities: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    """The probability with the best F1, in the middle of the gap it lies in, within LIMITS."""
    order = np.unique(np.concatenate([[0.0], probabilities, [1.0]]))
    middles = (order[:-1] + order[1:]) / 2.0
    scores = [f1(labels, probabilities >= middle) for middle in middles]
    best = np.flatnonzero(np.isclose(scores, max(scores)))
    return float(np.clip(middles[best].mean(), *LIMITS))


def f1(labels: NDArray[np.float64], said: NDArray[np.bool_]) -> float:
    """F1; 0 where nothing is there and nothing is said."""
    hits = float((said & (labels > 0)).sum())
    return 2.0 * hits / max(float(said.sum() + labels.sum()), 1.0)
