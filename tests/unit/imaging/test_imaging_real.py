"""Real CT and MR studies: LIDC-IDRI-0001 and two of PROSTATEx."""

import random
import tarfile
from pathlib import Path

import numpy as np
import pytest

from pacs_agent.imaging import (
    AcceptedInput,
    HeaderFile,
    Plane,
    ReasonCode,
    choose_series,
    hounsfield_units,
    read_headers,
    read_slices,
)

pytestmark = pytest.mark.real_images

CHEST_CT = AcceptedInput(
    modalities=("CT",),
    body_parts=("CHEST",),
    planes=(Plane.AXIAL,),
    min_slices=20,
    max_slices=1000,
    min_thickness_mm=0.4,
    max_thickness_mm=6,
    min_coverage_mm=150,
)
PROSTATE_MR = CHEST_CT.model_copy(
    update={"modalities": ("MR",), "body_parts": ("PROSTATE",), "min_slices": 5, "min_coverage_mm": 10.0}
)


def unpacked(archive: Path, folder: Path) -> list[HeaderFile]:
    """Headers of all files of an archive, in an order of no meaning."""
    with tarfile.open(archive, "r:xz") as tar:
        tar.extractall(folder, filter="data")
    paths = sorted(folder.rglob("*.dcm"))
    random.Random(0).shuffle(paths)
    return read_headers(paths)


@pytest.fixture(scope="module")
def lidc(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[HeaderFile]:
    return unpacked(shared_data / "ct_dicom" / "LIDC-IDRI-0001_CT.tar.xz", tmp_path_factory.mktemp("lidc"))


@pytest.fixture(scope="module", params=["ProstateX-0000", "ProstateX-0001"])
def prostate(
    request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[HeaderFile]:
    archive = shared_data / "mr_dicom" / f"{request.param}_MR.tar.xz"
    return unpacked(archive, tmp_path_factory.mktemp(request.param))


def test_lidc_is_one_even_axial_stack(lidc: list[HeaderFile]) -> None:
    series = choose_series(lidc, CHEST_CT).chosen
    assert series is not None
    assert (series.plane, len(series.slices)) == (Plane.AXIAL, 133)
    assert series.thickness_mm == pytest.approx(2.5)
    assert (series.slices[0].z_mm, series.slices[-1].z_mm) == (-340.0, -10.0)
    by_number = sorted(lidc, key=lambda header: int(header.dataset.InstanceNumber), reverse=True)
    assert [one.sop_instance_uid for one in series.slices] == [header.sop_instance_uid for header in by_number]


def test_lidc_has_lungs_in_the_middle_and_the_table_below(lidc: list[HeaderFile]) -> None:
    series = choose_series(lidc, CHEST_CT).chosen
    assert series is not None
    one = series.slices[66]
    hu = hounsfield_units(next(read_slices(series, [66])), one.slope, one.intercept)
    assert 0.1 < np.mean((hu > -950) & (hu < -700)) < 0.5
    middle = hu[:, 206:306]
    assert (middle[445:470] > -700).any()  # the table lies behind the patient
    assert not (middle[:80] > -700).any()


def test_prostate_series_each_get_their_verdict(prostate: list[HeaderFile]) -> None:
    choice = choose_series(prostate, PROSTATE_MR)
    verdicts = {verdict.description: verdict.code for verdict in choice.verdicts}
    assert verdicts["t2_tse_sag"] is ReasonCode.WRONG_PLANE
    assert verdicts["t2_tse_cor"] is ReasonCode.WRONG_PLANE
    assert verdicts["t2_tse_tra"] is None
    diffusion = next(
        code for name, code in verdicts.items() if name in ("ep2d_diff_tra_DYNDIST", "ep2d_diff_tra_DYNDIST_MIX")
    )
    assert diffusion is ReasonCode.DUPLICATE_POSITIONS
    assert choice.chosen is not None
    assert choice.chosen.description == "t2_tse_tra"
    assert choice.chosen.thickness_mm == pytest.approx(3.0, abs=0.01)


def test_no_chest_ct_in_a_prostate_study(prostate: list[HeaderFile]) -> None:
    choice = choose_series(prostate, CHEST_CT)
    assert choice.chosen is None
    assert choice.code is ReasonCode.WRONG_MODALITY
    assert choice.reason == "the modality is MR; the model reads CT"


def test_sagittal_and_coronal_planes_are_read_too(prostate: list[HeaderFile]) -> None:
    for plane in (Plane.SAGITTAL, Plane.CORONAL):
        series = choose_series(prostate, PROSTATE_MR.model_copy(update={"planes": (plane,)})).chosen
        assert series is not None
        assert series.plane is plane
        assert sum(1 for _ in read_slices(series)) == len(series.slices)
