"""Lesions implanted into real CTs: reproducible, labelled honestly, hidden under the scan's own noise."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from scipy.special import erf

from models.datasets import implants as rooms
from models.datasets.background import background, edge_blur_px, noise_like
from models.datasets.implants import DRAW, implanted_study, implants
from models.datasets.real_cases import CASES
from models.phantoms.canvas import Region
from models.phantoms.findings import FINDINGS, Finding

SMALL = next(case for case in CASES if case.patient == "TotalSegmentator-CTA")


@pytest.mark.real_images
def test_the_splits_share_no_patient(shared_data: Path):
    train, test = implants("train", 6), implants("test", 6)
    assert {case.patient for case in train.cases}.isdisjoint(case.patient for case in test.cases)
    with pytest.raises(ValueError, match="no split 'valid'"):
        implants("valid", 1)


@pytest.mark.real_images
@pytest.mark.slow
def test_a_seed_gives_the_same_study_and_another_one_another(shared_data: Path):
    first, again, other = (implanted_study(SMALL, seed, shared_data) for seed in (3, 3, 4))
    assert np.array_equal(first.hu, again.hu)
    assert first.labels == again.labels
    assert first.hu.shape != other.hu.shape or not np.array_equal(first.hu, other.hu)


@pytest.mark.real_images
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_labels_masks_and_sentences_agree(shared_data: Path, seed: int):
    study = implanted_study(SMALL, seed, shared_data)
    own = SMALL.own
    assert not own & set(study.labels)
    assert set(study.labels) <= set(DRAW)
    assert {finding for finding, there in study.labels.items() if there} == set(study.masks) == set(study.attributes)
    assert list(study.labels) == [finding for finding in FINDINGS if finding in study.labels]
    for sentence in study.sentences:
        assert sentence.finding in study.labels
        assert (sentence.kind == "absent") != study.labels[sentence.finding]
    assert (np.diff(study.z_mm) > 0).all()
    assert study.hu.dtype == np.int16


@pytest.mark.real_images
@pytest.mark.slow
def test_outside_the_lesions_the_scan_is_untouched(shared_data: Path, monkeypatch: pytest.MonkeyPatch):
    wanted = frozenset({Finding.LUNG_NODULE})
    monkeypatch.setattr(rooms, "draw_kinds", lambda own, rng: wanted)
    study = implanted_study(SMALL, 11, shared_data)
    monkeypatch.setattr(rooms, "DRAW", {})
    plain = implanted_study(SMALL, 11, shared_data)
    changed = np.abs(study.hu.astype(int) - plain.hu) > 60
    mask = study.masks[Finding.LUNG_NODULE]
    assert (changed & mask).sum() > 0.5 * mask.sum()
    assert not changed[ndimage.distance_transform_edt(~mask) > 8.0].any()


@pytest.mark.real_images
@pytest.mark.slow
def test_a_lesion_has_the_noise_of_its_surroundings(shared_data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rooms, "draw_kinds", lambda own, rng: frozenset({Finding.PLEURAL_EFFUSION}))
    for seed in range(20, 40):
        study = implanted_study(SMALL, seed, shared_data)
        mask = study.masks.get(Finding.PLEURAL_EFFUSION)
        if mask is not None and mask.sum() > 3000:
            break
    else:
        pytest.fail("no effusion was drawn")
    detail = np.diff(study.hu.astype(float), axis=2)
    inside = mask[:, :, 1:] & mask[:, :, :-1]
    hu = study.hu[:, :, 1:]
    muscle = (hu > 20) & (hu < 90) & ~inside
    spread = [1.4826 * np.median(np.abs(detail[where])) for where in (inside, muscle)]
    assert 0.5 < spread[0] / spread[1] < 2.0


def test_made_noise_has_spread_and_grain_of_the_tissue():
    rng = np.random.default_rng(0)
    for sigma in (0.0, 0.8):
        detail = 20.0 * ndimage.gaussian_filter(rng.standard_normal((20, 60, 60)), (0, sigma, sigma)).astype(np.float32)
        made = noise_like(detail, np.ones(detail.shape, bool))
        assert made.std() == pytest.approx(detail.std(), rel=0.1)
        grain = [np.corrcoef(field[:, :, 1:].ravel(), field[:, :, :-1].ravel())[0, 1] for field in (detail, made)]
        assert grain[1] == pytest.approx(grain[0], abs=0.1)


def test_blur_is_measured_from_edges():
    region = np.zeros((4, 40, 60), np.uint8)
    region[:, :, :30] = Region.RIGHT_LUNG
    x = np.arange(60)[None, None, :] + np.zeros((4, 40, 1))
    for sigma in (0.5, 0.9, 1.3):
        hu = (-850 + 900 * 0.5 * (1 + erf((x - 29.5) / (np.sqrt(2) * sigma)))).astype(np.float32)
        assert edge_blur_px(hu, region) == pytest.approx(sigma, abs=0.25)


@pytest.mark.real_images
@pytest.mark.slow
def test_a_patients_own_findings_are_known_only_where_they_are_absent(shared_data: Path):
    case = replace(SMALL, own=frozenset({Finding.LUNG_NODULE}), clear_mm=(0.0, 150.0))
    known = [Finding.LUNG_NODULE in implanted_study(case, seed, shared_data).labels for seed in range(12)]
    assert {True, False} == set(known)


@pytest.mark.real_images
@pytest.mark.slow
def test_the_background_is_the_scan(shared_data: Path):
    ground = background(SMALL, shared_data)
    assert np.array_equal(ground.clean_hu + ground.noise_hu, ground.scan.volume.hu)
