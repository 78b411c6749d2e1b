"""What is said of the items against the truth, each figure with its 95 % bootstrap interval over studies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics import Array, Figure, Indices, auroc, figure
from models.msvlm.rectal.items import SCALES, SEVEN, steps_of
from models.msvlm.rectal.studies import SeriesStudy
from models.phantoms.pelvis import Item
from models.phantoms.pelvis.truth import INVOLVED_MM
from models.phantoms.pelvis.tumour import AROUND_MM

Truths = dict[Item, NDArray[np.intp]]
"""The level of each item of n studies [n], -1 where it means nothing."""
Patients = Sequence[str] | None
"""The patient of each study; None where each study has its own."""


@dataclass(frozen=True)
class Read:
    """What is said of n studies: the probability of each level of each item [n, K]."""

    levels: dict[Item, Array]

    def said(self, item: Item) -> NDArray[np.intp]:
        """The likeliest level of each study [n]."""
        return self.levels[item].argmax(1)


def truths_of(studies: Sequence[SeriesStudy]) -> Truths:
    """The level of each item of each study [n], -1 where it means nothing or is not known exactly."""
    taken = np.stack([study.taken.numpy() for study in studies])
    known = np.stack([study.known.numpy() for study in studies])
    levels = {}
    for scale in SCALES:
        steps = steps_of(scale.item)
        level = taken[:, steps].sum(1)
        is_exact = known[:, steps].sum(1) == np.minimum(level + 1, len(scale.levels) - 1)
        levels[scale.item] = np.where(is_exact, level, -1).astype(np.intp)
    return levels


def item_figures(read: Read, truth: Truths, item: Item, patients: Patients = None) -> dict[str, Figure]:
    """Accuracy, balanced accuracy, and area under the ROC curve: of more than two levels, the mean of `at least k`."""
    level = truth[item]
    there = np.flatnonzero(level >= 0)
    said, levels = read.said(item), read.levels[item]

    def of(measure: Callable[[Indices], float]) -> Figure:
        whose = [patients[index] for index in there] if patients else len(there)
        return figure(lambda drawn: measure(there[drawn]), whose)

    return {
        "accuracy": of(lambda i: float((said[i] == level[i]).mean())),
        "balanced_accuracy": of(lambda i: _balanced(said[i], level[i])),
        "auroc": of(lambda i: _ranked(levels[i], level[i])),
    }


def _balanced(said: NDArray[np.intp], level: NDArray[np.intp]) -> float:
    """Mean over the levels that are there of how often they were said."""
    return float(np.mean([(said[level == one] == one).mean() for one in np.unique(level)]))


def _ranked(levels: Array, level: NDArray[np.intp]) -> float:
    """Mean over k of the area for `at least k` by its probability; NaN where no level divides the studies."""
    at_least = np.cumsum(levels[:, ::-1], axis=1)[:, ::-1][:, 1:]
    areas = auroc((level[:, None] >= np.arange(1, levels.shape[1])).astype(float), at_least)
    return float(np.nanmean(areas)) if np.isfinite(areas).any() else float("nan")


def macro(read: Read, truth: Truths, name: Literal["accuracy", "auroc"], patients: Patients = None) -> Figure:
    """Mean of a measure over the seven items, with its interval over studies."""

    def over(drawn: Indices) -> float:
        values = []
        for item in SEVEN:
            i = drawn[truth[item][drawn] >= 0]
            if not len(i):
                continue
            right = read.said(item)[i] == truth[item][i]
            values.append(float(right.mean()) if name == "accuracy" else _ranked(read.levels[item][i], truth[item][i]))
        return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

    return figure(over, patients or len(truth[Item.NODES]))


def margin_figures(studies: Sequence[SeriesStudy]) -> dict[str, Any]:
    """How far the measured distance of tumour and fascia is from the true one, where both are told."""
    true = np.array([study.margin_mm for study in studies])
    measured = np.array([study.measured_mm for study in studies])
    told = np.flatnonzero(np.isfinite(true) & (true < AROUND_MM))
    both = told[np.isfinite(measured[told])]
    error = np.abs(measured - true)
    found = np.isfinite(measured[told]).astype(float)
    within = (measured <= INVOLVED_MM) == (true <= INVOLVED_MM)
    return {
        "median_error_mm": figure(lambda i: float(np.median(error[both[i]])), len(both)),
        "measured_share": figure(lambda i: float(found[i].mean()), len(told)),
        "involved_agreement": figure(lambda i: float(within[both[i]].mean()), len(both)),
    }
