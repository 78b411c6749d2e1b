import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.phantoms import generate
from models.phantoms.scan import Detector, Scan, blurred, draw_scan, metal_streaks, scanned, sheared
from models.phantoms.thorax import row_shift_mm

AXIS = ((np.arange(96) - 47.5) * 3.0).astype(np.float32)


def scan(**changes: object) -> Scan:
    settings_of = vars(draw_scan(np.random.default_rng(1), 350.0)) | {"circle": False, "edge_gain": 0.0} | changes
    return Scan(**settings_of)


def detector(**changes: object) -> Detector:
    return Detector(scan(**changes), AXIS, AXIS, 3.0, 2.0)


def flat(count: int = 4, hu: float = 0.0) -> np.ndarray:
    return np.full((count, 96, 96), hu, np.float32)


def seen(volume: np.ndarray, samples: int = 1, shoulders: float = 0.0, **changes: object) -> np.ndarray:
    count = len(volume) // samples
    widths, raised = np.full(count, 330.0, np.float32), np.full(count, shoulders, np.float32)
    return scanned(volume, detector(**changes), samples, widths, raised)


def test_noise_is_as_strong_as_asked_for_in_the_middle():
    strong, weak = (seen(flat(), noise_hu=hu)[:, 40:56, 40:56].std() for hu in (40.0, 10.0))
    assert strong == pytest.approx(4.0 * weak, rel=0.15)
    assert 10.0 < strong < 60.0


def test_noise_is_stronger_through_the_shoulders_and_runs_along_the_rows():
    chest, shoulders = (seen(flat(8), shoulders=s, noise_hu=20.0)[:, 30:66, 30:66].astype(float) for s in (0.0, 1.0))
    assert shoulders.std() > 1.3 * chest.std()
    along, across = (np.abs(np.diff(shoulders, axis=axis)).mean() for axis in (2, 1))
    assert across > 1.05 * along


def test_a_thick_slice_is_the_mean_of_its_levels():
    levels = flat(8)
    levels[1::2] = 200.0
    thick = seen(levels, samples=2, noise_hu=5.0)
    assert thick.shape == (4, 96, 96)
    assert thick.mean() == pytest.approx(100.0, abs=4.0)


def test_a_sharp_kernel_overshoots_at_an_edge():
    step = flat(6)
    step[:, :, 48:] = 1000.0
    soft, sharp = (seen(step, noise_hu=2.0, edge_gain=gain, kernel_mm=0.4).mean(axis=(0, 1)) for gain in (0.0, 1.0))
    assert sharp.max() > soft.max() + 30.0
    assert sharp.min() < soft.min() - 30.0


def test_outside_the_circle_is_nothing():
    hu = seen(flat(), circle=True, field_mm=280.0)
    assert (hu[:, 0, 0] == -1024).all()
    assert (hu[:, 48, 48] > -500).all()


@settings(max_examples=20, deadline=None)
@given(st.floats(0.0, 0.3))
def test_a_blur_keeps_the_mean(weight):
    image = np.random.default_rng(0).normal(0.0, 100.0, (32, 32)).astype(np.float32)
    image[:2] = image[-2:] = image[:, :2] = image[:, -2:] = 0.0
    out = blurred(image, weight)
    assert out.mean() == pytest.approx(image.mean(), abs=0.5)
    assert out.std() <= image.std() + 1e-3


def test_metal_throws_streaks_and_tissue_does_not():
    hu = flat(1, 40.0)[0]
    hu[46:50, 46:50] = 3500.0
    added = metal_streaks(hu, detector(), np.random.default_rng(0))
    assert added.min() < -50.0 and added.max() > 50.0
    assert np.abs(added[:8]).max() < np.abs(added).max() / 3.0
    without = seen(flat(1, 40.0), noise_hu=2.0)
    assert without.std() < 10.0


@settings(max_examples=20, deadline=None)
@given(st.floats(-5.0, 5.0))
def test_a_shear_moves_each_slice_by_its_own_rows(rows):
    volume = np.tile((np.arange(40, dtype=np.int16) * 10)[None, :, None], (2, 1, 6))
    moved = sheared(volume, np.array([0.0, rows], np.float32))
    assert np.array_equal(moved[0], volume[0])
    assert moved[1, 20, 0] == pytest.approx(200.0 - 10.0 * rows, abs=1.0)


def test_a_tilted_scan_leans_and_says_so():
    tilted = next(p for p in (generate(seed, slices=2, size_px=64, findings=()) for seed in range(200)) if p.tilt_deg)
    rise = float(tilted.z_mm[1] - tilted.z_mm[0])
    assert tilted.row_shift_mm(0) == 0.0
    assert tilted.row_shift_mm(1) == pytest.approx(row_shift_mm(tilted.tilt_deg, rise))
    assert 4.0 <= abs(tilted.tilt_deg) <= 14.0


def test_edges_are_as_soft_as_pixels_make_them():
    """Steps between neighbours of more than 600 HU belong to bone and air; blocks would have many more."""
    phantom = generate(21, slices=10, size_px=160, findings=())
    steps = np.abs(np.diff(phantom.hu.astype(int), axis=2))
    assert (steps > 600).mean() < 0.03
    assert (steps > 200).mean() < 0.12
