"""Every finding alone: its mask lies where it belongs, and its attributes are those of its mask."""

from functools import lru_cache

import numpy as np
import pytest

from models.phantoms import FINDINGS, Finding, Phantom, generate
from models.phantoms.anatomy import Anatomy
from models.phantoms.findings import DESCRIBABLE, Attributes, Count, Grade, Side
from models.phantoms.lesions import Layer
from models.phantoms.lobes import LOBES, lobe_at
from models.phantoms.plan import draw_case, draw_findings
from models.phantoms.plan.sizes import THRESHOLDS, grade_of

SEEDS = (4, pytest.param(3, marks=pytest.mark.slow))
LUNG_FINDINGS = (
    Finding.LUNG_NODULE,
    Finding.LUNG_OPACITY,
    Finding.CONSOLIDATION,
    Finding.ATELECTASIS,
    Finding.FIBROTIC_SEQUELA,
    Finding.EMPHYSEMA,
    Finding.MOSAIC_ATTENUATION,
    Finding.SEPTAL_THICKENING,
    Finding.BRONCHIECTASIS,
    Finding.PERIBRONCHIAL_THICKENING,
    Finding.PLEURAL_EFFUSION,
)
CENTRAL = (
    Finding.CARDIOMEGALY,
    Finding.PERICARDIAL_EFFUSION,
    Finding.CORONARY_CALCIFICATION,
    Finding.ARTERIAL_CALCIFICATION,
    Finding.HIATAL_HERNIA,
)


@lru_cache(maxsize=40)
def alone(finding: Finding, seed: int) -> tuple[Phantom, Anatomy, Attributes]:
    """A phantom with one finding, its person, and what is true of the finding."""
    case = draw_case(seed, frozenset({finding}))
    phantom = generate(seed, slices=70, size_px=112, findings=[finding])
    return phantom, case.anatomy, phantom.truths[0].attributes


def places(phantom: Phantom, finding: Finding) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y, z in mm of the voxels of a mask."""
    index, row, column = np.nonzero(phantom.masks[finding])
    shift = np.array([phantom.row_shift_mm(k) for k in range(len(phantom.z_mm))], np.float32)
    x = phantom.first_pixel_mm[0] + column * phantom.pixel_mm
    y = phantom.first_pixel_mm[1] + row * phantom.pixel_mm + shift[index]
    return x.astype(np.float32), y.astype(np.float32), phantom.z_mm[index]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("finding", FINDINGS)
def test_a_finding_alone_has_its_mask_and_no_other(finding, seed):
    phantom, _, _ = alone(finding, seed)
    assert phantom.masks.keys() == {finding}
    assert [each for each, there in phantom.labels.items() if there] == [finding]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("finding", [f for f in FINDINGS if DESCRIBABLE[f].sides])
def test_sides_and_lobes_are_those_of_the_mask(finding, seed):
    phantom, anatomy, attributes = alone(finding, seed)
    x, y, z = places(phantom, finding)
    # A small nodule beside a large one holds little of the mask.
    least = 0.0 if DESCRIBABLE[finding].count else 0.02
    share = np.bincount(lobe_at(x, y, z, anatomy), minlength=5) / len(x)
    for side, part in ((Side.RIGHT, (x < 0).mean()), (Side.LEFT, (x >= 0).mean())):
        assert part > least if side in attributes.sides else part < 0.2, side
    if DESCRIBABLE[finding].lobes:
        for lobe, part in zip(LOBES, share, strict=True):
            assert part > least if lobe in attributes.lobes else part < 0.3, lobe
        assert attributes.sides == {lobe.side for lobe in attributes.lobes}
    else:
        assert not attributes.lobes


@pytest.mark.parametrize("finding", LUNG_FINDINGS)
def test_what_is_of_the_lung_lies_in_the_thorax(finding):
    phantom, anatomy, _ = alone(finding, 4)
    x, y, z = places(phantom, finding)
    assert (np.abs(x) < 1.15 * anatomy.cavity_x_mm).mean() > 0.99
    assert (np.abs(y) < 1.3 * anatomy.cavity_y_mm).mean() > 0.99
    assert (z < 1.05 * anatomy.height_mm).all() and (z > -70.0).all()


@pytest.mark.parametrize("finding", CENTRAL)
def test_what_is_of_heart_and_vessels_lies_in_the_middle(finding):
    phantom, anatomy, _ = alone(finding, 4)
    x, _, _ = places(phantom, finding)
    assert np.abs(np.median(x)) < 0.6 * anatomy.cavity_x_mm


@pytest.mark.parametrize(
    ("finding", "low", "high"),
    [
        (Finding.CONSOLIDATION, -200, 150),
        (Finding.PLEURAL_EFFUSION, -30, 60),
        (Finding.EMPHYSEMA, -1024, -850),
        (Finding.ARTERIAL_CALCIFICATION, 110, 1500),
        (Finding.LUNG_OPACITY, -800, -300),
    ],
)
def test_ct_numbers_in_the_mask_are_those_of_the_finding(finding, low, high):
    phantom, _, _ = alone(finding, 4)
    assert low < np.median(phantom.hu[phantom.masks[finding]]) < high


@pytest.mark.parametrize("finding", FINDINGS)
def test_attributes_are_those_that_a_finding_can_have(finding):
    can = DESCRIBABLE[finding]
    for seed in range(6):
        attributes = draw_case(seed, frozenset({finding})).truths[0].attributes
        assert bool(attributes.sides) == can.sides
        assert bool(attributes.lobes) == can.lobes
        assert (attributes.grade is not None) == can.grade
        assert (attributes.count is not None) == can.count


@pytest.mark.parametrize("finding", [Finding.LUNG_NODULE, Finding.LYMPHADENOPATHY])
def test_the_count_is_the_number_of_shapes(finding):
    expected = {Count.ONE: range(1, 2), Count.FEW: range(2, 5), Count.MANY: range(5, 99)}
    seen = set()
    for seed in range(24):
        case = draw_case(seed, frozenset({finding}))
        count = case.truths[0].attributes.count
        seen.add(count)
        assert sum(lesion.finding == finding for lesion in case.lesions) in expected[count]
    assert seen == set(Count)


def test_a_grade_follows_from_the_size():
    assert THRESHOLDS.keys() == {finding for finding in FINDINGS if DESCRIBABLE[finding].grade}
    assert [grade_of(Finding.LUNG_NODULE, size) for size in (5.0, 9.0, 20.0)] == list(Grade)


def test_distractors_are_drawn_with_and_without_findings_and_mark_nothing():
    normal, ill = draw_case(9, frozenset()), draw_case(9, frozenset(FINDINGS))
    for case in (normal, ill):
        assert sum(lesion.finding is None for lesion in case.lesions) >= 2
    assert generate(9, slices=20, size_px=64, findings=()).masks == {}


def test_lesions_say_when_they_are_painted_and_where_they_lie():
    case = draw_case(5, frozenset(FINDINGS))
    for lesion in case.lesions:
        low, high = lesion.z_range(case.anatomy)
        assert low <= high
        assert lesion.layer in Layer


def test_the_same_seed_gives_the_same_case():
    assert draw_case(21) == draw_case(21)
    assert draw_case(21).truths != draw_case(22).truths


def test_prevalences_are_as_meant():
    rng = np.random.default_rng(1)
    drawn = [draw_findings(rng) for _ in range(2000)]
    assert 0.10 < np.mean([not found for found in drawn]) < 0.15
    for finding in FINDINGS:
        assert 0.24 < np.mean([finding in found for found in drawn]) < 0.33
