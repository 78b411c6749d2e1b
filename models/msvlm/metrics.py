"""Figures with patient-level bootstrap intervals, and the controls beside them."""

from collections.abc import Callable
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BOOTSTRAPS = 500


class Figure(TypedDict):
    """A measured value, its 95 % interval over patients, and their number; None where it was not measured."""

    value: float | None
    low: float | None
    high: float | None
    n: int


NOT_MEASURED: Figure = {"value": None, "low": None, "high": None, "n": 0}


def auroc(labels: Array, scores: Array) -> float:
    """Area under the ROC curve by ranks, ties counted half; NaN where one class is missing."""
    positive = labels > 0
    if positive.all() or not positive.any():
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    n = float(positive.sum())
    return float((rank[positive].sum() - n * (n + 1) / 2.0) / (n * (len(labels) - n)))


def average_precision(labels: Array, scores: Array) -> float:
    """Area under the precision–recall curve by steps; NaN where nothing is positive."""
    hits = (labels > 0)[np.argsort(-scores, kind="stable")]
    if not hits.any():
        return float("nan")
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def f1(labels: Array, said: Array) -> float:
    """F1 of one finding; NaN where it is neither there nor said."""
    total = float((labels > 0).sum() + (said > 0).sum())
    return 2.0 * float(((labels > 0) & (said > 0)).sum()) / total if total else float("nan")


def macro(measure: Callable[[Array, Array], float], labels: Array, scores: Array) -> float:
    """Mean of a measure over the findings (columns), those without a value left out."""
    values = [measure(labels[:, f], scores[:, f]) for f in range(labels.shape[1])]
    return float(np.nanmean(values)) if not np.all(np.isnan(values)) else float("nan")


def worst(measure: Callable[[Array, Array], float], labels: Array, scores: Array) -> float:
    """The lowest of a measure over the findings."""
    return float(np.nanmin([measure(labels[:, f], scores[:, f]) for f in range(labels.shape[1])]))


def expected_calibration_error(labels: Array, probabilities: Array, bins: int = 10) -> float:
    """Mean gap of probability and frequency over equal bins, weighted by their size."""
    p, y = probabilities.ravel(), labels.ravel()
    which = np.minimum((p * bins).astype(int), bins - 1)
    gaps = [abs(p[which == b].mean() - y[which == b].mean()) * (which == b).mean() for b in np.unique(which)]
    return float(np.sum(gaps))


def figure(measure: Callable[[NDArray[np.intp]], float], n: int, seed: int = 0) -> Figure:
    """A measure over patients given by index, with its bootstrap interval."""
    rng = np.random.default_rng(seed)
    with np.errstate(invalid="ignore"):
        draws = np.array([measure(rng.integers(n, size=n)) for _ in range(BOOTSTRAPS)])
    low, high = np.nanpercentile(draws, [2.5, 97.5]) if np.isfinite(draws).any() else (np.nan, np.nan)
    value = measure(np.arange(n))
    return {"value": _rounded(value), "low": _rounded(low), "high": _rounded(high), "n": n}


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
