import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score, roc_auc_score

from models.evaluation.metrics import (
    agreement,
    auprc,
    auroc,
    average_precision,
    calibration_error,
    f1,
    figure,
    macro,
    mean_figure,
    reliability,
    worst,
)

LABELS = np.array([0.0, 0.0, 1.0, 1.0])


def column(*values: float) -> np.ndarray:
    return np.array(values, float)[:, None]


def test_auroc_of_right_wrong_and_tied_order():
    labels = LABELS[:, None]
    assert auroc(labels, column(0.1, 0.2, 0.8, 0.9)) == 1.0
    assert auroc(labels, column(0.9, 0.8, 0.2, 0.1)) == 0.0
    assert auroc(labels, np.zeros((4, 1))) == 0.5
    assert auroc(labels, column(0.1, 0.35, 0.3, 0.8)) == 0.75
    assert np.isnan(auroc(np.ones((3, 1)), column(0, 1, 2)))


@settings(deadline=None)
@given(arrays(float, (12, 3), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])), st.integers(0, 2**12 - 1))
def test_measures_are_those_of_scikit_learn(scores, bits):
    labels = np.array([bits >> k & 1 for k in range(12)], float)[:, None].repeat(3, 1)
    if 0 < labels[:, 0].sum() < 12:
        assert auroc(labels, scores) == pytest.approx([roc_auc_score(labels[:, f], scores[:, f]) for f in range(3)])
    said = scores > 0.4
    expected = [f1_score(labels[:, f], said[:, f], zero_division=np.nan) for f in range(3)]
    assert f1(labels, said.astype(float)) == pytest.approx(expected, nan_ok=True)


def test_average_precision():
    assert average_precision(LABELS, np.array([0.1, 0.2, 0.8, 0.9])) == 1.0
    assert average_precision(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 0.5
    assert np.isnan(auprc(np.zeros((4, 1)), np.zeros((4, 1))))


def test_macro_and_worst_leave_out_what_cannot_be_measured():
    assert f1(LABELS[:, None], column(0, 1, 1, 1)) == pytest.approx(0.8)
    both = np.stack([LABELS, np.zeros(4)], axis=1)
    assert macro(f1, both, both) == worst(auroc, both, both) == 1.0


def test_agreement_of_statements():
    assert agreement(LABELS, LABELS) == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "mcc": 1.0}
    assert agreement(LABELS, np.zeros(4))["f1"] == 0.0


def test_calibration():
    assert calibration_error(LABELS, LABELS) == 0.0
    assert calibration_error(LABELS, np.full(4, 0.9)) == pytest.approx(0.4)
    assert reliability(LABELS, np.full(4, 0.9)) == [{"probability": pytest.approx(0.9), "frequency": 0.5, "count": 4}]


def test_a_figure_has_an_interval_about_its_value():
    hits = [1.0] * 30 + [0.0] * 10
    shown = mean_figure(hits)
    assert shown["value"] == 0.75 and shown["n"] == 40
    assert shown["low"] < 0.75 < shown["high"]
    assert mean_figure([]) == {"value": None, "low": None, "high": None, "n": 0}


def test_studies_of_one_patient_are_drawn_together():
    hits = np.array([1.0] * 20 + [0.0] * 20)
    patients = ["a"] * 20 + ["b"] * 20
    shown = figure(lambda i: float(hits[i].mean()), patients)
    assert (shown["low"], shown["high"]) == (0.0, 1.0)
