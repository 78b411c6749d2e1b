import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.msvlm.extract import findings_of_report
from models.phantoms import FINDINGS, Finding, generate
from models.phantoms.plan import draw_case
from models.phantoms.report import write_report

ALL = frozenset(FINDINGS)


@pytest.fixture(scope="module")
def full():
    return generate(5, slices=60, size_px=160, findings=ALL)


def test_the_same_seed_gives_the_same_phantom():
    first, second = (generate(11, slices=12, size_px=96) for _ in range(2))
    assert np.array_equal(first.hu, second.hu)
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


def test_a_normal_phantom_has_no_mask_and_says_so():
    normal = generate(3, slices=20, size_px=96, findings=())
    assert normal.masks == {}
    assert not any(normal.labels.values())
    assert findings_of_report(normal.report.split("\n")) == set()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_the_report_states_exactly_the_findings_that_are_there(seed):
    case = draw_case(seed)
    sentences = write_report(case.truths, np.random.default_rng(seed))
    stated = findings_of_report(sentence.text for sentence in sentences if sentence.kind != "impression")
    assert stated == case.findings
    impression = findings_of_report(sentence.text for sentence in sentences if sentence.kind == "impression")
    assert impression == case.findings


def test_case_and_truth_do_not_depend_on_the_grid():
    coarse, fine = (generate(8, slices=20, size_px=px) for px in (64, 128))
    assert coarse.truths == fine.truths
    assert np.array_equal(coarse.z_mm, fine.z_mm)


@pytest.mark.parametrize("seed", range(4))
def test_the_side_in_the_words_is_the_side_of_the_mask(seed):
    phantom = generate(seed, slices=60, size_px=128, findings=[Finding.CONSOLIDATION])
    columns = np.nonzero(phantom.masks[Finding.CONSOLIDATION])[2]
    x_mm = phantom.first_pixel_mm[0] + columns.mean() * phantom.pixel_mm
    side = "left" if x_mm > 0 else "right"
    assert side in phantom.truths[0].place


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
