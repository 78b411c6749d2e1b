import time

import numpy as np
import pytest

from models.phantoms import FINDINGS, Finding, generate
from models.phantoms.blood import Phase
from models.phantoms.findings import Side
from models.phantoms.plan import draw_case

ALL = frozenset(FINDINGS)


@pytest.fixture(scope="module")
def full():
    return generate(5, slices=60, size_px=160, findings=ALL)


def test_the_same_seed_gives_the_same_phantom():
    first, second = (generate(11, slices=12, size_px=96) for _ in range(2))
    assert first.hu.tobytes() == second.hu.tobytes()
    assert first.report == second.report
    assert first.masks.keys() == second.masks.keys()
    assert all(np.array_equal(first.masks[finding], second.masks[finding]) for finding in first.masks)


def test_another_seed_gives_another_phantom():
    assert not np.array_equal(generate(1, slices=8, size_px=64).hu, generate(2, slices=8, size_px=64).hu)


def test_every_finding_asked_for_has_a_label_a_mask_and_a_slice_range(full):
    assert all(full.labels.values())
    assert full.masks.keys() == ALL
    for finding, (first, last) in full.slice_ranges.items():
        there = full.masks[finding].any(axis=(1, 2))
        assert there[first] and there[last], finding
        assert not there[:first].any() and not there[last + 1 :].any(), finding


def test_a_normal_phantom_has_no_mask():
    normal = generate(3, slices=20, size_px=96, findings=())
    assert normal.masks == {}
    assert not any(normal.labels.values())


def test_person_and_truth_do_not_depend_on_the_grid():
    coarse, fine = (generate(8, slices=20, size_px=px) for px in (64, 128))
    assert coarse.truths == fine.truths
    assert np.array_equal(coarse.z_mm, fine.z_mm)
    halved = fine.hu.reshape(20, 64, 2, 64, 2).mean(axis=(2, 4))
    inside = slice(8, -8)
    difference = np.abs(np.clip(halved, -1000, 300) - np.clip(coarse.hu, -1000, 300))[:, inside, inside]
    assert np.median(difference) < 40


def test_what_a_scan_is_does_not_depend_on_the_findings():
    cases = [draw_case(seed, findings).anatomy for seed in range(6) for findings in (frozenset(), ALL)]
    for healthy, ill in zip(cases[::2], cases[1::2], strict=True):
        for name in ("female", "scale", "fat_mm", "cavity_x_mm", "blood", "arms_up", "lung_hu", "seed", "height_mm"):
            assert getattr(healthy, name) == getattr(ill, name), name
    healthy, ill = (generate(6, slices=4, size_px=64, findings=findings) for findings in ((), ALL))
    for name in ("pixel_mm", "first_pixel_mm", "thickness_mm", "tilt_deg", "phase"):
        assert getattr(healthy, name) == getattr(ill, name), name


@pytest.mark.parametrize("seed", range(3))
def test_the_side_that_is_true_is_the_side_of_the_mask(seed):
    phantom = generate(seed, slices=40, size_px=112, findings=[Finding.CONSOLIDATION])
    columns = np.nonzero(phantom.masks[Finding.CONSOLIDATION])[2]
    x_mm = phantom.first_pixel_mm[0] + columns * phantom.pixel_mm
    sides = phantom.truths[0].attributes.sides
    assert (Side.LEFT in sides) >= ((x_mm > 0).mean() > 0.5)
    assert (Side.RIGHT in sides) >= ((x_mm < 0).mean() > 0.5)


def test_ct_numbers_are_those_of_a_thorax(full):
    lung = full.hu[(full.hu < -700) & (full.hu > -960)]
    assert lung.size > 0.05 * full.hu.size
    assert full.hu.min() >= -1024 and full.hu.max() <= 3071
    fluid = full.hu[full.masks[Finding.PLEURAL_EFFUSION]]
    assert -10 < np.median(fluid) < 60
    calcium = full.hu[full.masks[Finding.ARTERIAL_CALCIFICATION]]
    assert np.median(calcium) > 150


def test_slices_ascend_and_cover_the_lungs(full):
    assert (np.diff(full.z_mm) > 0).all()
    assert 60 <= len(generate(17, size_px=64).z_mm) <= 120


def test_kept_slices_are_mostly_through_findings():
    phantom = generate(9, size_px=64, findings=[Finding.LUNG_NODULE], kept_slices=12)
    assert len(phantom.z_mm) == 12
    assert phantom.masks[Finding.LUNG_NODULE].any(axis=(1, 2)).sum() >= 2


def test_a_phantom_is_a_labelled_study(full):
    study = full.study()
    assert study.patient == "phantom-5"
    assert study.hu is full.hu and study.spacing_mm == (full.pixel_mm, full.pixel_mm)
    assert study.attributes.keys() == {truth.finding for truth in full.truths}
    assert study.labels == full.labels


def test_contrast_is_said_as_it_was_drawn():
    phantoms = [generate(seed, slices=2, size_px=64, findings=()) for seed in range(8)]
    assert {phantom.contrast for phantom in phantoms} == {True, False}
    assert all(phantom.contrast == (phantom.phase != Phase.NONE) for phantom in phantoms)


def test_thickness_can_be_asked_for():
    thin, thick = (generate(4, slices=30, size_px=96, thickness_mm=mm) for mm in (1.0, 5.0))
    assert (thin.thickness_mm, thick.thickness_mm) == (1.0, 5.0)
    assert np.array_equal(thin.z_mm, thick.z_mm)


@pytest.mark.alone
@pytest.mark.slow
def test_a_phantom_is_cheap():
    generate(0, slices=4)
    started = time.process_time()
    for seed in range(4):
        generate(seed, slices=80)
    # Half a second on a quiet core with one thread; the bound leaves room for a busy machine.
    assert (time.process_time() - started) / 4 < 2.0
