"""Reading real CTs: orientation, regions and the frame in which lesions are painted."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.datasets.fitted import fit, in_heart
from models.datasets.real_cases import CASES
from models.datasets.real_ct import RealDataMissing, Volume, at_pixel_size, cases_there, load_scan, read_nifti
from models.datasets.thorax_regions import regions_of
from models.phantoms.canvas import Region


def chest(rows: int = 100, columns: int = 120, slices: int = 30) -> np.ndarray:
    """HU of a body with two lungs, a spine, a trachea and a table."""
    y, x = np.mgrid[:rows, :columns]
    level = np.full((rows, columns), -1000, np.int16)
    level[((x - 60) / 52) ** 2 + ((y - 48) / 42) ** 2 < 1] = 40
    for centre in (36, 84):
        level[((x - centre) / 18) ** 2 + ((y - 48) / 28) ** 2 < 1] = -850
    level[(x - 60) ** 2 + (y - 80) ** 2 < 36] = 400
    level[(x - 60) ** 2 + (y - 44) ** 2 < 16] = -1000
    level[96:98, 10:110] = 200
    noise = np.random.default_rng(0).normal(0, 15, (slices, rows, columns))
    hu = np.repeat(level[None], slices, 0) + noise
    hu[:, :, :][np.repeat((level == -1000)[None], slices, 0)] = -1000
    return hu.astype(np.int16)


def test_lungs_are_found_on_their_sides_and_airway_table_and_air_are_not():
    region = regions_of(chest(), (3.0, 3.0), np.arange(30, dtype=np.float32) * 5.0)
    middle = region[15]
    assert middle[48, 36] == Region.RIGHT_LUNG
    assert middle[48, 84] == Region.LEFT_LUNG
    assert middle[44, 60] == Region.MEDIASTINUM
    assert middle[97, 60] == Region.OUTSIDE
    assert middle[2, 2] == Region.OUTSIDE
    lung = (chest()[15] < -700) & (chest()[15] > -950)
    found = (middle == Region.RIGHT_LUNG) | (middle == Region.LEFT_LUNG)
    assert (lung & found).sum() / (lung | found).sum() > 0.9


@settings(deadline=None, max_examples=10)
@given(st.floats(0.5, 1.0), st.floats(0.5, 1.0))
def test_resampling_keeps_the_field_and_the_mean(rows_mm, columns_mm):
    volume = Volume(chest(), np.arange(30, dtype=np.float32), (rows_mm, columns_mm))
    coarse = at_pixel_size(volume, 1.25)
    field = coarse.hu.shape[1] * coarse.spacing_mm[0], coarse.hu.shape[2] * coarse.spacing_mm[1]
    assert field == pytest.approx((100 * rows_mm, 120 * columns_mm))
    assert abs(float(coarse.hu.mean()) - float(volume.hu.mean())) < 15.0


def test_a_volume_is_turned_by_its_affine(tmp_path: Path):
    voxels = np.zeros((4, 5, 6), np.int16)
    voxels[3, 4, 5] = 700
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([0.8, 0.9, 2.0, 1.0])), tmp_path / "ras.nii.gz")
    volume = read_nifti(tmp_path / "ras.nii.gz")
    # Voxel (3, 4, 5) lies on the right, in front, at the head.
    assert volume.hu[5, 0, 0] == 700
    assert volume.spacing_mm == pytest.approx((0.9, 0.8))
    assert volume.z_mm[5] == pytest.approx(10.0)


def test_no_patient_is_in_two_splits():
    patients = [case.patient for case in CASES]
    assert len(set(patients)) == len(patients)
    assert {case.held_out for case in CASES} == {True, False}


def test_a_missing_scan_is_named(tmp_path: Path):
    assert cases_there(tmp_path) == ()
    with pytest.raises(RealDataMissing, match="LIDC-IDRI-0001"):
        load_scan(CASES[0], tmp_path, tmp_path)


@pytest.mark.slow
@pytest.mark.real_images
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.patient)
def test_regions_and_landmarks_of_the_real_scans_are_where_they_should_be(case, shared_data: Path):
    scan = load_scan(case, shared_data)
    hu, region = scan.volume.hu, scan.region
    lung = np.isin(region, (Region.RIGHT_LUNG, Region.LEFT_LUNG))
    assert np.median(hu[lung]) < -700
    columns = np.nonzero(region == Region.RIGHT_LUNG)[2].mean(), np.nonzero(region == Region.LEFT_LUNG)[2].mean()
    assert columns[0] < columns[1]
    place = fit(scan)
    heart = in_heart(place.grid, place.anatomy, 0.7)
    assert 0 < np.median(hu[heart]) < 700
    assert lung[heart].mean() < 0.05
    for s, row, column in case.landmarks.aorta[:4]:
        around = hu[round(s), round(row) - 2 : round(row) + 3, round(column) - 2 : round(column) + 3]
        assert np.median(around) > 0.0
