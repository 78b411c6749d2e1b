"""Calibration and operating points on made-up logits whose truth is known."""

import numpy as np
import pytest

pytest.importorskip("torch")
from hypothesis import given, settings
from hypothesis import strategies as st

from models.msvlm.calibrate import (
    BAND,
    LIMITS,
    POINTS,
    PULLS,
    Validation,
    best_pull,
    calibrate,
    fit,
    operating_points,
    set_point,
    uncertain_from,
)
from models.msvlm.reading_loss import GROUPS, group_slice
from models.phantoms.findings import ATTRIBUTE_NAMES

pytestmark = pytest.mark.train
F = 6


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def drawn(n, scales, biases, seed=0):
    """Logits and labels that follow sigmoid(scale × logit + bias)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1.0, 3.0, (n, len(scales)))
    return logits, (rng.random(logits.shape) < sigmoid(logits * scales + biases)).astype(float)


def known_of(labels):
    return np.ones(labels.shape, bool)


def test_a_shifted_scale_is_recovered():
    logits, labels = drawn(4000, np.array([0.6]), np.array([-1.0]))
    (point,) = calibrate(logits, labels)
    assert point.scale == pytest.approx(0.6, abs=0.1) and point.bias == pytest.approx(-1.0, abs=0.15)
    assert point.uncertain_from < point.operating_point


def test_findings_that_are_alike_share_their_fit():
    logits, labels = drawn(60, np.full(F, 0.7), np.full(F, -0.5), seed=3)
    assert best_pull(logits, labels, known_of(labels)) >= PULLS[2]


def test_findings_that_differ_keep_their_own():
    scales, biases = np.array([0.3, 0.3, 0.3, 2.5, 2.5, 2.5]), np.array([2.0, -2.0, 0.0, 2.0, -2.0, 0.0])
    logits, labels = drawn(800, scales, biases, seed=4)
    fits = fit(logits, labels, known_of(labels), best_pull(logits, labels, known_of(labels)))
    assert np.allclose(fits[:3, 0], 0.3, atol=0.15) and (fits[3:, 0] > 1.5).all()


def test_calibration_is_better_than_the_raw_logits_on_unseen_studies():
    scales, biases = np.full(F, 0.4), np.linspace(-2.0, 1.0, F)
    logits, labels = drawn(150, scales, biases, seed=5)
    unseen, truth = drawn(3000, scales, biases, seed=6)
    points = calibrate(logits, labels)
    fitted = sigmoid(unseen * [p.scale for p in points] + [p.bias for p in points])
    assert np.abs(fitted - sigmoid(unseen * scales + biases)).mean() < 0.07
    assert ((fitted - truth) ** 2).mean() < ((sigmoid(unseen) - truth) ** 2).mean()


def test_unknown_labels_do_not_count():
    logits, labels = drawn(200, np.full(F, 0.7), np.zeros(F), seed=7)
    known = np.random.default_rng(0).random(labels.shape) < 0.7
    changed = np.where(known, labels, 1.0 - labels)
    assert calibrate(logits, labels, known) == calibrate(logits, changed, known)


def test_normals_raise_the_operating_points():
    rng = np.random.default_rng(8)
    labels = (rng.random((300, 18)) < 0.25).astype(float)
    labels[:60] = 0.0
    p = sigmoid(rng.normal(0.0, 1.2, labels.shape) + 3.0 * labels - 1.5)
    points = np.array(operating_points(p, labels, known_of(labels)))
    assert (p[:60] >= points).sum(1).mean() <= 0.25 or (points > LIMITS[1] - 0.05).all()
    free = np.array(operating_points(p[60:], labels[60:], known_of(labels[60:])))
    assert free.mean() < points.mean()


@given(seed=st.integers(0, 1000), n=st.integers(12, 80), share=st.floats(0.0, 0.5))
@settings(max_examples=10, deadline=None)
def test_points_are_always_usable(seed, n, share):
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, 4)) < share).astype(float)
    labels[:, 0] = 0.0
    logits = np.where(labels > 0, 40.0, -40.0) * rng.random((n, 4))
    for point in calibrate(logits, labels):
        assert LIMITS[0] - 1e-3 <= point.operating_point <= LIMITS[1] + 1e-3
        assert 0.0 < point.uncertain_from < point.operating_point
        assert np.isfinite([point.scale, point.bias]).all() and point.scale > 0.0


def test_the_uncertain_band_holds_the_weak_positives():
    p = np.concatenate([np.full(90, 0.9), np.full(10, 0.3), np.full(100, 0.02)])
    labels = np.concatenate([np.ones(100), np.zeros(100)])
    assert uncertain_from(p, labels, 0.5) == pytest.approx(0.3)
    assert uncertain_from(p, np.zeros(200), 0.5) == pytest.approx(0.25)
    assert BAND[0] * 0.5 <= uncertain_from(np.zeros(200), labels, 0.5)


def test_the_point_of_lobes_follows_their_logits():
    rng = np.random.default_rng(9)
    a = len(ATTRIBUTE_NAMES)
    targets = np.zeros((80, F, a))
    targets[..., group_slice("lobe")] = rng.random((80, F, 5)) < 0.3
    known = np.zeros((80, F, 4), bool)
    known[..., GROUPS.index("lobe")] = True
    logits = np.where(targets > 0, 1.2, 0.4) + rng.normal(0.0, 0.1, targets.shape)
    held = Validation(np.zeros((80, F)), np.ones((80, F)), np.ones((80, F), bool), logits, targets, known)
    assert 0.6 < set_point(held, "lobe") < 1.0
    assert set_point(held, "side") == 0.0
    assert POINTS[0] < 0.0 < POINTS[-1]
