"""Measures of segmentations against what can be told by hand, and shares of labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from models.gtgm.finetune.examples import IGNORED
from models.gtgm.finetune.fractions import with_share
from models.gtgm.finetune.instances import UNKNOWN, affinities_of, instances_of
from models.gtgm.finetune.metrics import agreements, dice, hd95_mm, instance_agreement
from models.gtgm.volume import Modality, Volume

pytestmark = pytest.mark.train
SPACING = (3.0, 2.0, 1.0)


def cube(first: int, last: int) -> np.ndarray:
    mask = np.zeros((12, 12, 12), bool)
    mask[first:last, 2:8, 2:8] = True
    return mask


def test_dice_of_half_an_overlap():
    assert dice(cube(2, 6), cube(4, 8)) == 0.5
    assert dice(cube(2, 6), cube(2, 6)) == 1.0
    assert np.isnan(dice(cube(0, 0), cube(0, 0)))
    assert dice(cube(0, 0), cube(2, 6)) == 0.0


def test_hd95_is_in_mm_along_each_axis():
    for axis, step in enumerate(SPACING):
        found, truth = np.zeros((2, 9, 9, 9), bool)
        truth[4, 4, 4] = True
        found[tuple(6 if a == axis else 4 for a in range(3))] = True
        assert hd95_mm(found, truth, SPACING) == pytest.approx(2.0 * step)
    assert np.isnan(hd95_mm(cube(0, 0), cube(1, 2), SPACING))


def test_what_the_truth_leaves_open_counts_for_nothing():
    truth = np.where(cube(2, 6), 1, 0).astype(np.uint8)
    found = truth.copy()
    truth[6:] = IGNORED
    found[6:] = 1
    (one,) = agreements(found, truth, 2, SPACING)
    assert (one.dice, one.hd95_mm) == (1.0, 0.0)


def test_instances_that_were_split_or_merged():
    truth = np.ones((4, 4, 4), np.uint32)
    truth[2:] = 2
    assert instance_agreement(truth + 5, truth) == pytest.approx((0.0, 0.0, 0.0))
    merged = instance_agreement(np.ones_like(truth), truth)
    assert (merged.voi_split, merged.voi_merge) == pytest.approx((0.0, 1.0))
    split = truth.copy()
    split[0] = 9
    assert instance_agreement(split, truth).voi_split == pytest.approx(0.5)


def test_perfect_affinities_give_the_instances_back():
    truth = np.ones((10, 10, 12), np.uint32)
    truth[:, :, 6:] = 2
    found = affinities_of(truth)
    assert found[2, :, :, 6].max() == 0
    assert instance_agreement(instances_of(np.where(found == UNKNOWN, 1, found)), truth) == pytest.approx((0, 0, 0))


def test_affinities_to_what_is_not_labelled_are_unknown():
    truth = np.array([[[1, 1, 0, 2]]], np.uint32)
    assert affinities_of(truth)[2].tolist() == [[[UNKNOWN, 1, UNKNOWN, UNKNOWN]]]
    assert (affinities_of(truth)[:2] == UNKNOWN).all()


def volumes(count: int) -> list[Volume]:
    one = np.zeros((1, 1, 1), np.float32)
    return [Volume(one, SPACING, Modality.CT, patient=f"P{index // 2}", study=str(index)) for index in range(count)]


@given(st.integers(1, 60), st.integers(0, 5), st.floats(0.001, 1.0), st.floats(0.001, 1.0))
def test_shares_are_nested_and_never_part_a_patient(count: int, seed: int, first: float, second: float):
    small, large = sorted((first, second))
    given_volumes = volumes(count)
    few, many = (with_share(given_volumes, share, seed) for share in (small, large))
    assert 0 < len(few) <= len(many)
    assert {volume.study for volume in few} <= {volume.study for volume in many}
    patients = {volume.patient for volume in many}
    assert len(many) == sum(volume.patient in patients for volume in given_volumes)


def test_all_labels_are_all_and_impossible_shares_are_refused():
    assert len(with_share(volumes(7), 1.0, 3)) == 7
    for share, given_volumes in ((0.0, volumes(2)), (1.5, volumes(2)), (0.5, [])):
        with pytest.raises(ValueError, match="label"):
            with_share(given_volumes, share, 0)
