import numpy as np
import pytest

from models.msvlm.metrics import auroc, average_precision, expected_calibration_error, f1, figure, macro

LABELS = np.array([0.0, 0.0, 1.0, 1.0])


def test_auroc_of_right_wrong_and_tied_order():
    assert auroc(LABELS, np.array([0.1, 0.2, 0.8, 0.9])) == 1.0
    assert auroc(LABELS, np.array([0.9, 0.8, 0.2, 0.1])) == 0.0
    assert auroc(LABELS, np.zeros(4)) == 0.5
    assert auroc(LABELS, np.array([0.1, 0.35, 0.3, 0.8])) == 0.75
    assert np.isnan(auroc(np.ones(3), np.arange(3.0)))


def test_average_precision():
    assert average_precision(LABELS, np.array([0.1, 0.2, 0.8, 0.9])) == 1.0
    assert average_precision(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 0.5


def test_f1_and_macro_leave_out_what_cannot_be_measured():
    assert f1(LABELS, np.array([0.0, 1.0, 1.0, 1.0])) == pytest.approx(0.8)
    both = np.stack([LABELS, np.zeros(4)], axis=1)
    assert macro(f1, both, both) == 1.0


def test_calibration_error():
    assert expected_calibration_error(LABELS, LABELS) == 0.0
    assert expected_calibration_error(LABELS, np.full(4, 0.9)) == pytest.approx(0.4)


def test_a_figure_has_an_interval_about_its_value():
    hits = np.array([1.0] * 30 + [0.0] * 10)
    shown = figure(lambda i: float(hits[i].mean()), 40)
    assert shown["value"] == 0.75 and shown["n"] == 40
    assert shown["low"] < 0.75 < shown["high"]
