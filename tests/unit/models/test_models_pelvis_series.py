"""Series of one pelvis: planes that agree where they cross, contrasts, reports licensed by the truth."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion

from models.phantoms.pelvis import Item, PelvisPhantom, Series, Tissue, Volume, generate_pelvis
from models.phantoms.pelvis.geometry import centred, crop_for, sample
from models.phantoms.pelvis.report import hour
from models.phantoms.pelvis.series import rician


@pytest.fixture(scope="module")
def phantom() -> PelvisPhantom:
    return generate_pelvis(43, t_stage=3, fineness=0.5)


def pixels_of(series: Series, *tissues: Tissue) -> np.ndarray:
    """Stored values well within some tissues."""
    inside = np.isin(series.labels, [int(tissue) for tissue in tissues])
    return series.pixels[binary_erosion(inside, np.ones((1, 3, 3)))].astype(float)


def test_the_same_seed_gives_the_same_study():
    first, second = (generate_pelvis(5, fineness=0.25, voxel_mm=2.0) for _ in range(2))
    assert first.truth == second.truth
    assert first.report == second.report
    for one, other in zip(first.series, second.series, strict=True):
        assert one.geometry == other.geometry
        assert np.array_equal(one.pixels, other.pixels)


def test_neither_person_nor_scanner_depend_on_the_tumour():
    healthy, ill = (generate_pelvis(5, tumour=there, fineness=0.25, voxel_mm=2.0) for there in (False, True))
    assert [s.geometry for s in healthy.series] == [s.geometry for s in ill.series]
    assert healthy.person == ill.person


def test_every_series_shows_the_one_volume(phantom: PelvisPhantom):
    rng = np.random.default_rng(1)
    volume = phantom.volume
    for series in phantom.series:
        index = np.stack([rng.integers(0, n, 400) for n in series.geometry.shape])
        where = np.asarray(series.geometry.first_mm)[:, None] + series.geometry.steps_mm @ index
        x, y, z = np.rint((where - np.asarray(volume.origin_mm)[:, None]) / volume.voxel_mm).astype(int)
        depth, rows, columns = volume.labels.shape
        held = (x >= 0) & (x < columns) & (y >= 0) & (y < rows) & (z >= 0) & (z < depth)
        there = volume.labels[z[held], y[held], x[held]]
        assert held.sum() > 150
        assert (series.labels[tuple(index)][held] == there).mean() > 0.99


@pytest.mark.parametrize("other", ["t2_sagittal", "t2_coronal", "dwi_b1000", "t1"])
def test_planes_agree_where_they_cross(phantom: PelvisPhantom, other: str):
    """Pixels of the axial T2 that lie in a slice of another series show the same tissue there."""
    axial, crossing = phantom.one("t2_axial"), phantom.one(other)
    rng = np.random.default_rng(2)
    index = np.stack([rng.integers(0, n, 30_000) for n in axial.geometry.shape])
    where = np.asarray(axial.geometry.first_mm)[:, None] + axial.geometry.steps_mm @ index
    back = np.linalg.solve(crossing.geometry.steps_mm, where - np.asarray(crossing.geometry.first_mm)[:, None])
    nearest = np.rint(back).astype(int)
    shape = np.asarray(crossing.geometry.shape)[:, None]
    close = (np.abs(back[0] - nearest[0]) < 0.1) & ((nearest >= 0) & (nearest < shape)).all(axis=0)
    assert close.sum() > 300
    mine, others = axial.labels[tuple(index)][close], crossing.labels[tuple(nearest[:, close])]
    assert (mine == others).mean() > 0.75


def test_the_axial_stack_covers_the_tumour(phantom: PelvisPhantom):
    held = phantom.volume.mask(Tissue.TUMOUR).sum() * phantom.volume.voxel_mm**3
    for key in ("t2_axial", "t2_sagittal", "t2_coronal", "dwi_b1000", "t1"):
        series = phantom.one(key)
        voxel = abs(float(np.linalg.det(series.geometry.steps_mm)))
        assert (series.labels == Tissue.TUMOUR).sum() * voxel == pytest.approx(held, rel=0.15)


@pytest.mark.parametrize("key", ["t2_axial", "t2_sagittal", "t2_coronal"])
def test_t2_shows_fat_over_tumour_over_muscle(phantom: PelvisPhantom, key: str):
    series = phantom.one(key)
    fat, tumour = pixels_of(series, Tissue.FAT, Tissue.MESORECTAL_FAT), pixels_of(series, Tissue.TUMOUR)
    muscle = pixels_of(series, Tissue.MUSCLE)
    assert np.median(fat) > 1.2 * np.median(tumour) > 1.3 * np.median(muscle)


def test_diffusion_is_restricted_in_the_tumour(phantom: PelvisPhantom):
    adc, high = phantom.one("adc"), phantom.one("dwi_b1000")
    tumour = np.median(pixels_of(adc, Tissue.TUMOUR))
    assert 600 < tumour < 1150
    assert np.median(pixels_of(adc, Tissue.URINE)) > 1.8 * tumour
    assert np.median(pixels_of(high, Tissue.TUMOUR)) > 1.5 * np.median(pixels_of(high, Tissue.MUSCLE))


def test_contrast_medium_is_taken_up_by_the_tumour_and_not_by_urine(phantom: PelvisPhantom):
    before, after = phantom.one("t1"), phantom.one("t1_contrast")
    ratio = {t: np.median(pixels_of(after, t)) / np.median(pixels_of(before, t)) for t in (Tissue.TUMOUR, Tissue.URINE)}
    assert ratio[Tissue.TUMOUR] > 1.3
    assert ratio[Tissue.URINE] < 1.1


def test_air_has_rician_noise():
    noise = rician(np.zeros((40, 200, 200), np.float32), 2.0, np.random.default_rng(0))
    assert noise.mean() == pytest.approx(2.0 * np.sqrt(np.pi / 2.0), rel=0.01)
    assert noise.std() == pytest.approx(2.0 * np.sqrt(2.0 - np.pi / 2.0), rel=0.01)


@settings(max_examples=25, deadline=None)
@given(st.floats(-40.0, 40.0), st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_a_ramp_is_sampled_exactly_on_turned_slices(tilt, slices, pixels, upright):
    """Linear values are their own mean over a slice's thickness and a pixel's area."""
    cos, sin = float(np.cos(np.deg2rad(tilt))), float(np.sin(np.deg2rad(tilt)))
    across, down = ((0.0, cos, sin), (0.0, sin, -cos)) if upright else ((1.0, 0.0, 0.0), (0.0, cos, -sin))
    geometry = centred((1.0, 2.0, 3.0), across, down, 0.7, (5, 4.0, 3.5), 20)
    volume = Volume.empty((-30.0, -30.0, -30.0), (30.0, 30.0, 30.0), 1.0)
    z, y, x = (volume.axis_mm(axis) for axis in (2, 1, 0))
    ramp = (x + 2.0 * y[:, None] - 3.0 * z[:, None, None]).astype(np.float32)
    crop = crop_for(volume, geometry)
    image = sample(ramp[crop.index], crop, geometry, slices, pixels)
    index = np.indices(geometry.shape).reshape(3, -1)
    where = np.asarray(geometry.first_mm)[:, None] + geometry.steps_mm @ index
    assert image.ravel() == pytest.approx(np.array([1.0, 2.0, -3.0]) @ where, abs=2e-3)


def test_slices_turned_about_more_than_x_are_refused():
    volume = Volume.empty((-9.0, -9.0, -9.0), (9.0, 9.0, 9.0), 1.0)
    half = float(np.sqrt(0.5))
    geometry = centred((0.0, 0.0, 0.0), (half, half, 0.0), (0.0, 0.0, -1.0), 0.7, (2, 4.0, 3.5), 4)
    crop = crop_for(volume, geometry)
    with pytest.raises(ValueError, match="more than x"):
        sample(np.zeros(volume.labels.shape, np.float32)[crop.index], crop, geometry, 1, 1)


def test_an_unknown_series_is_a_key_error(phantom: PelvisPhantom):
    with pytest.raises(KeyError, match="flair"):
        phantom.one("flair")


@pytest.mark.parametrize("seed", range(4))
def test_the_report_says_what_the_truth_says(seed: int):
    phantom = generate_pelvis(seed, fineness=0.1, voxel_mm=2.0)
    said = {sentence.item: sentence.text for sentence in phantom.sentences}
    tumour = phantom.truth.tumour
    assert (phantom.truth.suspicious_nodes == 0) == bool(re.search(r"^No|not suspicious", said[Item.NODES]))
    if tumour is None:
        assert set(said) == {Item.TUMOUR, Item.NODES, Item.IMPRESSION}
        assert re.search(r"[Nn]o |without", said[Item.TUMOUR])
        return
    assert tumour.t_category in said[Item.T_STAGE]
    assert tumour.t_category in said[Item.IMPRESSION]
    assert bool(re.search(r"clear|not involved|free", said[Item.CRM])) != tumour.fascia_involved
    assert bool(re.search(r"^No|not involved|without", said[Item.PERITONEUM])) != tumour.peritoneal
    assert bool(re.search(r"^No |negative|free", said[Item.EMVI])) == (tumour.emvi is None)
    assert bool(re.search(r"free|^No |not involved", said[Item.SPHINCTER])) == (tumour.sphincter == 0)
    assert f"{tumour.height_mm / 10.0:.1f}" in said[Item.LOCATION]


@pytest.mark.parametrize(("value", "said"), [(0.2, 12), (12.0, 12), (11.7, 12), (3.4, 3)])
def test_hours_are_those_of_a_clock(value, said):
    assert hour(value) == said
