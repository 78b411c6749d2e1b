"""Real MR as case studies: a NIfTI volume becomes DICOM that lies where it lay, and the agent reads it."""

from pathlib import Path

import numpy as np
import pytest

nibabel = pytest.importorskip("nibabel")
torch = pytest.importorskip("torch")
from models.msvlm.rectal.case_lines import case_lines  # noqa: E402
from models.msvlm.rectal.export import Learned, write_series_bundle  # noqa: E402
from models.msvlm.rectal.network import new_series_network  # noqa: E402
from models.msvlm.rectal.nifti_dicom import NiftiSlices, write_t2  # noqa: E402
from models.msvlm.rectal.preset import PRESETS, load_series_preset  # noqa: E402
from models.msvlm.rectal.real_cases import PROSTATES, RECTAL_CANCER, read_cases  # noqa: E402
from pacs_agent.imaging import Plane, SeriesPart, group_study, order_series, read_headers, read_slices  # noqa: E402
from pacs_agent.inference.heat import patient_mm  # noqa: E402
from pacs_agent.inference.staging.acquired import SequenceId, acquired_by_stack  # noqa: E402

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    network = new_series_network(load_series_preset(PRESETS / "rectal-mr-tiny")).eval()
    return write_series_bundle(network, "tiny", tmp_path_factory.mktemp("rectal"), Learned())


@pytest.fixture
def volume(tmp_path: Path) -> NiftiSlices:
    """Six tilted slices of 40 × 32 pixels, each of its own values."""
    tilt, (column_mm, row_mm, slice_mm) = np.deg2rad(20.0), (0.6, 0.7, 3.2)
    affine = np.eye(4)
    affine[:3, 0] = -column_mm, 0.0, 0.0
    affine[:3, 1] = 0.0, -row_mm * np.cos(tilt), row_mm * np.sin(tilt)
    affine[:3, 2] = 0.0, slice_mm * np.sin(tilt), slice_mm * np.cos(tilt)
    affine[:3, 3] = 40.0, 55.0, -70.0
    values = np.arange(32 * 40 * 6, dtype=np.int16).reshape(32, 40, 6)
    nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / "t2.nii.gz")
    return NiftiSlices.read(tmp_path / "t2.nii.gz")


def test_a_volume_becomes_dicom_that_lies_where_it_lay(volume: NiftiSlices, tmp_path: Path) -> None:
    paths = write_t2(volume, "somebody", tmp_path / "dicom")
    (stack,) = group_study(read_headers(paths)).stacks
    acquired = acquired_by_stack(stack)
    assert (stack.plane.value, acquired.sequence, len(stack.frames)) == (Plane.AXIAL, SequenceId.T2, 6)
    series = order_series([frame.header for frame in stack.frames], SeriesPart.of_stack(stack))
    for one, values in zip(series.slices, read_slices(series), strict=True):
        number, row, column = volume.index_of(patient_mm(one, (7.0, 11.0)))
        assert (row, column) == (7, 11)
        assert np.array_equal(values * one.slope + one.intercept, volume.values[number])
    assert series.slices[0].spacing_mm == pytest.approx((0.7, 0.6), abs=1e-4)


def test_without_the_open_images_there_are_no_cases(tmp_path: Path) -> None:
    assert read_cases(tmp_path / "no bundle is opened", tmp_path) == {}
    assert "None were at hand" in "\n".join(case_lines({}))


@pytest.mark.real_images
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_real_studies_are_told_with_where_their_evidence_lies(bundle: Path, shared_data: Path) -> None:
    cases = read_cases(bundle, shared_data)
    assert set(cases) == {RECTAL_CANCER, *PROSTATES}
    cancer = cases[RECTAL_CANCER]
    assert (cancer["slices"], cancer["slices_outlined"], len(cancer["series"])) == (30, 17, 1)
    for row in cancer["evidence"].values():
        assert 11 <= row["strongest_slice"] <= 27 or not row["strongest_slice_outlined"]
        assert 0.0 <= row["weight_share_outlined"] <= 1.0
    for name in PROSTATES:
        assert cases[name]["slices"] == 164 and cases[name]["presence"]["tumour"] in ("present", "uncertain", "absent")
    card = "\n".join(case_lines(cases))
    assert card.count("(n = 1;") == 3 and "which are 57% of all (17)" in card
