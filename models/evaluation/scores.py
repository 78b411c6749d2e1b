"""Figures of the finding scores: discrimination, agreement at the operating points, calibration."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.evaluation.metrics import (
    Array,
    Figure,
    agreement,
    auprc,
    auroc,
    calibration_error,
    f1,
    figure,
    macro,
    reliability,
    rounded,
    worst,
)
from models.evaluation.outcomes import Measured
from models.phantoms.findings import FINDINGS

FEW_DRAWS = 200
"""Bootstrap draws of measures that cost more."""


def macro_auroc(labels: Array, scores: Array, patients: list[str] | int) -> Figure:
    """Macro AUROC of any scores [n, F]."""
    return figure(lambda i: macro(auroc, labels[i], scores[i]), patients)


def discrimination(labels: Array, scores: Array, patients: list[str] | int) -> dict[str, Figure]:
    """Macro and worst AUROC of any scores [n, F]."""
    return {
        "macro_auroc": macro_auroc(labels, scores, patients),
        "worst_auroc": figure(lambda i: worst(auroc, labels[i], scores[i]), patients),
    }


def score_figures(measured: Measured) -> dict[str, Any]:
    """The figures of the bundle's scores."""
    labels, scores, called, patients = measured.labels, measured.probabilities, measured.called, measured.patients
    return {
        **discrimination(labels, scores, patients),
        "macro_auprc": figure(lambda i: macro(auprc, labels[i], scores[i]), patients, FEW_DRAWS),
        "macro_f1": figure(lambda i: macro(f1, labels[i], called[i]), patients),
        "ece": figure(lambda i: calibration_error(labels[i], scores[i]), patients),
        "reliability": reliability(labels, scores),
    }


def per_finding(measured: Measured, baselines: Mapping[str, Array]) -> dict[str, dict[str, Any]]:
    """One row per finding: its figures and, beside them, the AUROC of each baseline's scores [n, F]."""
    return {finding.value: _row(measured, baselines, number) for number, finding in enumerate(FINDINGS)}


def _row(measured: Measured, baselines: Mapping[str, Array], number: int) -> dict[str, Any]:
    labels = measured.labels[:, [number]]
    scores, patients = measured.probabilities[:, [number]], measured.patients
    known = np.isfinite(labels[:, 0])
    stated = agreement(labels[known, 0], measured.stated[known, number])
    return {
        "positives": int((labels > 0).sum()),
        "auroc": figure(lambda i: float(auroc(labels[i], scores[i])[0]), patients),
        "auprc": rounded(float(auprc(labels, scores)[0])),
        "f1": rounded(float(f1(labels, measured.called[:, [number]])[0])),
        "ece": rounded(calibration_error(labels, scores)),
        "report": {name: rounded(value) for name, value in stated.items()},
        "baseline_auroc": {
            name: rounded(float(auroc(labels, column[:, [number]])[0])) for name, column in baselines.items()
        },
    }


def gain(labels: Array, ours: Array, others: Array, patients: list[str] | int) -> Figure:
    """By how much the macro AUROC of one set of scores exceeds that of another, on the same draws of patients."""
    return figure(lambda i: macro(auroc, labels[i], ours[i]) - macro(auroc, labels[i], others[i]), patients)
