from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.datasets.study import LabelledStudy
from models.evaluation.heldout import encode, load, patch_of, save
from models.msvlm.runtime import Encoding
from models.phantoms.findings import FINDINGS, Finding

MANIFEST = SimpleNamespace(field_px=(32, 48), patch_grid=(4, 6), pixel_mm=2.0)
OPACITY = FINDINGS.index(Finding.LUNG_OPACITY)


def test_a_study_comes_back_as_it_was_kept(study, tmp_path):
    save(study, tmp_path / "0.npz")
    again = load(tmp_path / "0.npz")
    for name in ("tokens", "z_mm", "peaks", "lesion_patches", "area_mm2", "labels", "located"):
        np.testing.assert_array_equal(getattr(again, name), getattr(study, name))
    for name in ("study", "patient", "traits", "attributes", "sentences"):
        assert getattr(again, name) == getattr(study, name)
    assert [path.name for path in tmp_path.iterdir()] == ["0.npz"]


@settings(deadline=None)
@given(st.integers(0, 200), st.floats(50.0, 150.0), st.floats(0.4, 1.5))
def test_a_patch_is_where_its_pixels_are(pixel, centre, spacing):
    place = patch_of(np.array([pixel]), np.array([centre], np.float32), spacing, MANIFEST, 0)[0]
    from_centre_mm = (pixel - centre) * spacing
    assert place * 16.0 - 32.0 <= from_centre_mm + 1e-3
    assert from_centre_mm - 1e-3 <= (place + 1) * 16.0 - 32.0


class _Runtime:
    """An encoder whose strongest patch of every finding is the first, and whose field is the middle of the slice."""

    manifest = MANIFEST

    def encode(self, series):
        slices = len(series.stored)
        grids = np.zeros((slices, len(FINDINGS), 4, 6), np.float32)
        grids[:, :, 0, 0] = 1.0
        centre = np.tile(np.array([31.5, 47.5], np.float32), (slices, 1))
        return Encoding(np.zeros((slices, 3), np.float32), grids, centre)


def test_the_truth_of_a_study_lies_in_its_slices_and_patches():
    mask = np.zeros((3, 64, 96), np.bool_)
    mask[1, :16, 80:] = True
    hu = np.full(mask.shape, -1000, np.int16)
    labels = {Finding.LUNG_OPACITY: True, Finding.EMPHYSEMA: False}
    labelled = LabelledStudy(
        "p", "s", "test", hu, np.arange(3, dtype=np.float32), (1.0, 1.0), labels, {Finding.LUNG_OPACITY: mask}
    )
    study = encode(_Runtime(), labelled)
    assert study.slices[OPACITY].tolist() == [0.0, 1.0, 0.0]
    assert study.area_mm2[1, OPACITY] == 256.0
    assert np.argwhere(study.lesion_patches[1, OPACITY]).tolist() == [[0, 5]]
    assert study.labels[OPACITY] == 1.0 and np.isnan(study.labels[FINDINGS.index(Finding.CONSOLIDATION)])
    assert study.located.tolist() == [finding == Finding.LUNG_OPACITY for finding in FINDINGS]


@pytest.mark.parametrize(("intercept", "lowest"), [(-1024.0, 24)])
def test_a_phantom_is_stored_as_a_scanner_stores_it(intercept, lowest):
    from models.evaluation.heldout import stored_series

    hu = np.full((1, 2, 2), -1000, np.int16)
    series = stored_series(LabelledStudy("p", "s", "test", hu, np.zeros(1, np.float32), (1.0, 1.0)))
    assert series.stored.min() == lowest and series.stored.min() * series.slope + series.intercept == -1000
    assert series.intercept == intercept
