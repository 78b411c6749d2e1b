"""Trivial statistics of the images do not tell a tumour, its stage or its margin."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.phantoms.pelvis import PelvisPhantom, generate_pelvis

STUDIES, FIRST_SEED = 100, 31_000
HIGHEST_AUROC = 0.70
"""With 100 studies of which a quarter has none, chance alone has a spread of .06."""


def statistics(phantom: PelvisPhantom) -> list[float]:
    """Level, spread and quantiles of each series, its field and its place."""
    values: list[float] = []
    for series in phantom.series:
        pixels = series.pixels.astype(float)
        values += [pixels.mean(), pixels.std(), *np.quantile(pixels, (0.05, 0.5, 0.95))]
        values += [*series.geometry.first_mm, series.geometry.pixel_mm, float(series.geometry.shape[1])]
    return values


def predicted_auroc(values: np.ndarray, labels: np.ndarray) -> float:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=500))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return float(roc_auc_score(labels, cross_val_predict(model, values, labels, cv=folds, method="decision_function")))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_intensities_and_fields_do_not_tell_the_tumour():
    studies = [generate_pelvis(FIRST_SEED + n, fineness=0.25, voxel_mm=2.5) for n in range(STUDIES)]
    values = np.array([statistics(study) for study in studies])
    tumours = [study.truth.tumour for study in studies]
    there = np.array([tumour is not None for tumour in tumours])
    assert predicted_auroc(values, there) < HIGHEST_AUROC
    late = np.array([tumour.t_stage >= 3 for tumour in tumours if tumour])
    threatened = np.array([tumour.fascia_involved for tumour in tumours if tumour])
    assert predicted_auroc(values[there], late) < HIGHEST_AUROC
    assert predicted_auroc(values[there], threatened) < HIGHEST_AUROC
