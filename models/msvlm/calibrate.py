"""Calibration and operating points, from validation studies only.

A finding's logit becomes a probability by a scale and a bias (Platt 1999). Few studies carry a rare finding, so each
finding's fit is pulled towards the fit of all findings together; how strongly is chosen by cross-fitting.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from models.msvlm.network import OperatingPoint
from models.msvlm.reader import StudyReader
from models.msvlm.reading_loss import GROUPS, group_slice
from models.msvlm.studies import EncodedStudy, pad

Array = NDArray[np.float64]
Marks = NDArray[np.bool_]
PULLS = (1.0, 4.0, 16.0, 64.0, 1000.0)
"""Strengths of the pull, in studies; the last leaves each finding the common fit."""
FOLDS = 5
LIMITS = (0.2, 0.8)
"""An operating point from few validation cases is kept within these probabilities."""
SETTLED = 1e-7
FALSE_PER_NORMAL = 0.25
"""False findings that the operating points together may cost in a normal study."""
PRICES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)
"""What a false finding per normal study costs in F1, from free upwards until they are few enough."""
ENOUGH_NORMALS = 10
FOUND = 0.95
"""Share of a finding's positives that are called present or uncertain."""
BAND = (0.3, 0.8)
"""The uncertain band begins between these shares of the operating point."""
POINTS = np.linspace(-1.5, 1.5, 25)
"""Logits from which a side or a lobe may be said."""


@dataclass(frozen=True)
class Validation:
    """Logits, labels and whether they are known [n, F]; attribute logits and targets [n, F, A], known [n, F, 4]."""

    logits: Array
    labels: Array
    known: Marks
    attribute_logits: Array
    attributes: Array
    attributes_known: Marks


@torch.no_grad()
def validation_of(reader: StudyReader, studies: Sequence[EncodedStudy]) -> Validation:
    """What the reader says of validation studies, beside what is true."""
    concluded = [reader.facts(*pad([study]).inputs).concluded for study in studies]
    return Validation(
        logits=torch.cat([one.study for one in concluded]).double().numpy(),
        labels=torch.stack([study.labels for study in studies]).double().numpy(),
        known=torch.stack([study.known for study in studies]).numpy(),
        attribute_logits=torch.cat([one.attributes for one in concluded]).double().numpy(),
        attributes=torch.stack([study.attributes for study in studies]).double().numpy(),
        attributes_known=torch.stack([study.attributes_known for study in studies]).numpy(),
    )


def calibrated(reader: StudyReader, studies: Sequence[EncodedStudy]) -> tuple[OperatingPoint, ...]:
    """How each finding's logits become statements, from validation studies."""
    held = validation_of(reader.eval(), studies)
    points = calibrate(held.logits, held.labels, held.known)
    side, lobe = (set_point(held, kind) for kind in ("side", "lobe"))
    return tuple(replace(point, side_from=side, lobe_from=lobe) for point in points)


def calibrate(logits: Array, labels: Array, known: Marks | None = None) -> tuple[OperatingPoint, ...]:
    """Scale, bias, operating point and uncertain band of each finding; arrays [n, F]."""
    known = np.ones(labels.shape, bool) if known is None else known
    fits = fit(logits, labels, known, best_pull(logits, labels, known))
    probabilities = _sigmoid(logits * fits[:, 0] + fits[:, 1])
    present = operating_points(probabilities, labels, known)
    return tuple(
        OperatingPoint(round(scale, 5), round(bias, 5), round(point, 4), round(uncertain_from(p, y, point), 4))
        for (scale, bias), point, p, y in zip(
            fits.tolist(), present, *_columns(known, probabilities, labels), strict=True
        )
    )


def fit(logits: Array, labels: Array, known: Marks, pull: float) -> Array:
    """Scale and bias [F, 2] of each finding, pulled towards those of all together."""
    common = platt(logits[known], labels[known], np.array([1.0, 0.0]), 2.0)
    return np.array([platt(x, y, common, pull) for x, y in zip(*_columns(known, logits, labels), strict=True)])


def best_pull(logits: Array, labels: Array, known: Marks) -> float:
    """The pull whose fits say the labels of studies left out best (log-likelihood)."""
    return min(PULLS, key=lambda pull: _left_out_loss(logits, labels, known, pull))


def _left_out_loss(logits: Array, labels: Array, known: Marks, pull: float) -> float:
    loss = 0.0
    for fold in range(FOLDS):
        out = np.arange(len(logits)) % FOLDS == fold
        scale, bias = fit(logits[~out], labels[~out], known[~out], pull).T
        score = (logits[out] * scale + bias) * np.where(labels[out] > 0, 1.0, -1.0)
        loss += float(np.logaddexp(0.0, -score)[known[out]].sum())
    return loss


def platt(logits: Array, labels: Array, towards: Array, pull: float) -> Array:
    """Scale and bias of a logistic fit on [n], with a quadratic pull of weight `pull` towards others (Newton)."""
    design, weights = np.stack([logits, np.ones(len(logits))], axis=1), towards.copy()
    for _ in range(50):
        p = _sigmoid(design @ weights)
        gradient = design.T @ (p - labels) + pull * (weights - towards)
        curve = (design * (p * (1.0 - p))[:, None]).T @ design + pull * np.eye(2)
        step = np.clip(np.linalg.solve(curve, gradient), -1.0, 1.0)
        weights = weights - step
        if np.abs(step).max() < SETTLED:
            break
    return np.array([max(weights[0], 0.05), weights[1]])


def operating_points(probabilities: Array, labels: Array, known: Marks) -> list[float]:
    """The probabilities [F] with the best F1 that leave normal studies alone; arrays [n, F]."""
    normal = ((labels == 0) | ~known).all(1)
    points: list[float] = []
    for price in PRICES:
        columns = _columns(known, probabilities, labels)
        normals = [probabilities[normal, f] if normal.sum() >= ENOUGH_NORMALS else None for f in range(labels.shape[1])]
        points = [_point(p, y, free, price) for p, y, free in zip(*columns, normals, strict=True)]
        if _false_findings(probabilities[normal], points) <= FALSE_PER_NORMAL:
            break
    return points


def _point(probabilities: Array, labels: Array, normals: Array | None, price: float) -> float:
    """The middle of the probabilities with the highest gain, within LIMITS.

    F1 is the mean of what was counted and of what calibrated probabilities make expect, which varies less.
    """
    at = np.unique(np.clip(np.concatenate([[0.0], probabilities, [1.0]]), *LIMITS))
    middles = (at[:-1] + at[1:]) / 2.0 if len(at) > 1 else at
    cost = (probabilities[labels == 0] if normals is None else normals)[None] >= middles[:, None]
    gain = 0.5 * (_f1(probabilities, labels, middles) + _f1(probabilities, probabilities, middles))
    gain -= price * (cost.mean(1) if cost.size else 0.0)
    return float(middles[np.isclose(gain, gain.max())].mean())


def _f1(probabilities: Array, labels: Array, points: Array) -> Array:
    """F1 of saying a finding from each of these points on; labels may be expectations."""
    said = probabilities[None] >= points[:, None]
    f1: Array = 2.0 * (said * labels).sum(1) / np.maximum(said.sum(1) + labels.sum(), 1e-9)
    return f1


def _false_findings(normals: Array, points: Sequence[float]) -> float:
    return float((normals >= np.array(points)).sum(1).mean()) if len(normals) >= ENOUGH_NORMALS else 0.0


def uncertain_from(probabilities: Array, labels: Array, point: float) -> float:
    """Where the uncertain band begins: below lie no more than a twentieth of the finding's positives."""
    positives = probabilities[labels > 0]
    wanted = float(np.quantile(positives, 1.0 - FOUND)) if len(positives) else 0.5 * point
    return float(np.clip(wanted, BAND[0] * point, BAND[1] * point))


def set_point(held: Validation, kind: str) -> float:
    """The logit from which a side or a lobe is said, for all findings the same: best F1 of the values said."""
    there = held.known & (held.labels > 0) & held.attributes_known[..., GROUPS.index(kind)]
    logits, targets = (values[..., group_slice(kind)][there] for values in (held.attribute_logits, held.attributes))
    if not len(logits):
        return 0.0
    strongest = logits >= logits.max(1, keepdims=True)
    scores = []
    for point in POINTS:
        said = (logits >= point) | (strongest & ~(logits >= point).any(1, keepdims=True))
        scores.append(2.0 * (said * targets).sum() / (said.sum() + targets.sum()))
    return round(float(POINTS[np.isclose(scores, max(scores))].mean()), 4)


def _columns(known: Marks, *values: Array) -> list[list[Array]]:
    """Of each array [n, F] the known values of each finding."""
    return [[array[known[:, f], f] for f in range(known.shape[1])] for array in values]


def _sigmoid(x: Array) -> Array:
    p: Array = 1.0 / (1.0 + np.exp(-np.clip(x, -50.0, 50.0)))
    return p
