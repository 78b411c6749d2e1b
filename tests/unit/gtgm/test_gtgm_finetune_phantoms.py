"""Thorax phantoms as labelled volumes."""

import numpy as np
import pytest

pytest.importorskip("torch")

from models.datasets.real_cases import CASES
from models.gtgm.finetune.examples import IGNORED
from models.gtgm.finetune.implanted import training_cases
from models.gtgm.finetune.phantoms import (
    EFFUSION,
    HEART,
    LUNG_LEFT,
    LUNG_RIGHT,
    NAMES,
    NODULE,
    phantom_volume,
    strongest,
)

pytestmark = pytest.mark.train
COARSE_MM = (8.0, 8.0, 8.0)


@pytest.fixture(scope="module")
def volume():
    return phantom_volume(101, COARSE_MM)


def test_the_same_seed_gives_the_same_voxels_and_labels(volume):
    again = phantom_volume(101, COARSE_MM)
    assert np.array_equal(volume.values, again.values)
    assert np.array_equal(volume.labels, again.labels)


def test_structures_lie_where_they_belong_and_look_as_they_do(volume):
    """LPS: x grows to the patient's left."""
    columns = {label: np.nonzero(volume.labels == label)[2].mean() for label in (LUNG_LEFT, HEART, LUNG_RIGHT)}
    assert columns[LUNG_RIGHT] < columns[HEART] < columns[LUNG_LEFT]
    assert volume.values[volume.labels == LUNG_LEFT].mean() < -600.0
    assert 0.0 < np.median(volume.values[volume.labels == HEART]) < 350.0
    assert 0.0 < np.median(volume.values[volume.labels == EFFUSION]) < 60.0
    assert len(volume.names) == len(NAMES) == NODULE + 1


def test_volumes_hardly_depend_on_the_grid(volume):
    fine = phantom_volume(101, (6.0, 6.0, 6.0))
    for label in (LUNG_LEFT, LUNG_RIGHT, HEART):
        coarse_ml, fine_ml = ((one.labels == label).sum() * one.voxel_ml for one in (volume, fine))
        assert coarse_ml == pytest.approx(fine_ml, rel=0.04)


def test_a_small_nodule_has_its_voxel_before_half_of_it_is_full():
    empty, nodule = np.zeros((1, 1, 2), np.float32), np.array([[[0.45, 0.38]]], np.float32)
    lung = 1.0 - nodule
    assert strongest([empty, lung, empty, empty, nodule], (1, 1, 2)).tolist() == [[[NODULE, LUNG_RIGHT]]]


def test_patients_kept_for_tests_get_no_lesions_to_learn_from():
    held_out = {case.patient for case in CASES if case.held_out}
    assert not held_out & {case.patient for case in training_cases()}
    assert len(NAMES) <= IGNORED
