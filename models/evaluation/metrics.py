"""Measures over studies [n] and findings [n, F], and their bootstrap intervals over patients.

Columns are findings. A finding whose measure cannot be taken (one class is missing) is NaN and left out of means. The
area under the ROC curve is taken from ranks for all findings at once, since the bootstrap takes it 500 times.
"""

from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, matthews_corrcoef, precision_recall_fscore_support

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Measure = Callable[[Array, Array], Array]
"""Labels and scores [n, F] → one value per finding [F]."""
BOOTSTRAPS = 500
LEVEL = (2.5, 97.5)


class Figure(TypedDict):
    """A measured value, its 95 % interval over patients, and the number of studies; None where it was not measured."""

    value: float | None
    low: float | None
    high: float | None
    n: int


NOT_MEASURED: Figure = {"value": None, "low": None, "high": None, "n": 0}


def of_known(measure: Measure) -> Measure:
    """The measure of each finding over the studies whose label is known (NaN: not known)."""

    def measured(labels: Array, scores: Array) -> Array:
        known = np.isfinite(labels)
        if known.all():
            return measure(labels, scores)
        columns = range(labels.shape[1])
        return np.concatenate(
            [measure(labels[known[:, f], f : f + 1], scores[known[:, f], f : f + 1]) for f in columns]
        )

    return measured


@of_known
def auroc(labels: Array, scores: Array) -> Array:
    """Area under the ROC curve of each finding, ties counted half (Mann–Whitney U)."""
    positive = labels > 0
    p, n = positive.sum(0), (~positive).sum(0)
    ranks = (rankdata(scores, axis=0) * positive).sum(0) if len(scores) else p
    with np.errstate(invalid="ignore", divide="ignore"):
        area: Array = np.where((p > 0) & (n > 0), (ranks - p * (p + 1) / 2.0) / (p * n), np.nan)
    return area


@of_known
def auprc(labels: Array, scores: Array) -> Array:
    """Average precision of each finding."""
    return np.array([average_precision(labels[:, f], scores[:, f]) for f in range(labels.shape[1])])


def average_precision(labels: Array, scores: Array) -> float:
    """Average precision of one column; NaN where nothing is positive."""
    return float(average_precision_score(labels > 0, scores)) if (labels > 0).any() else float("nan")


@of_known
def f1(labels: Array, said: Array) -> Array:
    """F1 of each finding; NaN where it is neither there nor said."""
    total = (labels > 0).sum(0) + (said > 0).sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, 2.0 * ((labels > 0) & (said > 0)).sum(0) / total, np.nan)


def agreement(labels: Array, said: Array) -> dict[str, float]:
    """Precision, recall, F1 and Matthews' correlation of one column."""
    precision, recall, score, _ = precision_recall_fscore_support(
        labels > 0, said > 0, average="binary", zero_division=0.0
    )
    mcc = matthews_corrcoef(labels > 0, said > 0)
    return {"precision": float(precision), "recall": float(recall), "f1": float(score), "mcc": float(mcc)}


def macro(measure: Measure, labels: Array, scores: Array) -> float:
    """Mean of a measure over the findings that have one."""
    values = measure(labels, scores)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def worst(measure: Measure, labels: Array, scores: Array) -> float:
    """The lowest of a measure over the findings that have one."""
    values = measure(labels, scores)
    return float(np.nanmin(values)) if np.isfinite(values).any() else float("nan")


class ReliabilityBin(TypedDict):
    """A bin of probabilities: their mean, the share that was right, and how many there were."""

    probability: float
    frequency: float
    count: int


def reliability(labels: Array, probabilities: Array, bins: int = 10) -> list[ReliabilityBin]:
    """Bins of equal width over all findings together; empty ones are left out."""
    known = np.isfinite(labels)
    p, y = probabilities[known], labels[known]
    which = np.minimum((p * bins).astype(int), bins - 1)
    return [
        {
            "probability": float(p[which == b].mean()),
            "frequency": float(y[which == b].mean()),
            "count": int((which == b).sum()),
        }
        for b in np.unique(which)
    ]


def calibration_error(labels: Array, probabilities: Array, bins: int = 10) -> float:
    """Expected calibration error: mean gap of probability and frequency over the bins, weighted by their size."""
    rows = reliability(labels, probabilities, bins)
    total = sum(row["count"] for row in rows)
    return sum(abs(row["probability"] - row["frequency"]) * row["count"] for row in rows) / total


def figure(
    measure: Callable[[Indices], float], patients: Sequence[str] | int, draws: int = BOOTSTRAPS, seed: int = 0
) -> Figure:
    """A measure of the studies given by index, with its interval: patients are drawn, with all their studies.

    `patients` names the patient of each study, or is the number of studies where each has its own.
    """
    n = patients if isinstance(patients, int) else len(patients)
    if n == 0:
        return NOT_MEASURED
    rng, groups = np.random.default_rng(seed), _groups(patients)
    values = [measure(_drawn(groups, rng)) for _ in range(draws)]
    finite = [value for value in values if np.isfinite(value)]
    low, high = np.percentile(finite, LEVEL) if finite else (np.nan, np.nan)
    return {"value": rounded(measure(np.arange(n))), "low": rounded(low), "high": rounded(high), "n": n}


def _groups(patients: Sequence[str] | int) -> list[Indices]:
    if isinstance(patients, int):
        return [np.array([index]) for index in range(patients)]
    names = np.asarray(patients)
    return [np.flatnonzero(names == name) for name in dict.fromkeys(patients)]


def _drawn(groups: list[Indices], rng: np.random.Generator) -> Indices:
    return np.concatenate([groups[g] for g in rng.integers(len(groups), size=len(groups))])


def mean_figure(values: Sequence[float], patients: Sequence[str] | None = None) -> Figure:
    """The mean of a value per study, with its interval; those that are NaN are left out."""
    kept = [index for index, value in enumerate(values) if np.isfinite(value)]
    column = np.array([values[index] for index in kept], float)
    names = [patients[index] for index in kept] if patients else len(kept)
    return figure(lambda i: float(column[i].mean()), names)


def rounded(value: float) -> float | None:
    """Four decimals, None for what is not finite: JSON has no NaN."""
    return round(float(value), 4) if np.isfinite(value) else None
