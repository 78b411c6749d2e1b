"""Labelled volumes from the Decathlon's, CREMI's and plain NIfTI layouts, on small files of those layouts."""

import json
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest

from models.datasets.cremi import TRANSPARENT, read_cremi, read_fib25
from models.datasets.msd import TASKS, MsdTask
from models.datasets.nifti_pairs import NiftiPairs, VolumeFault, read_nifti_array
from models.gtgm.volume import Modality

RAS = np.diag([2.0, 3.0, 4.0, 1.0])
SHAPE = (5, 6, 7)
"""x, y, z as NIfTI keeps them."""


def write_nifti(path: Path, voxels: np.ndarray, affine: np.ndarray = RAS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)


def marked(place: tuple[int, int, int], value: int = 1) -> np.ndarray:
    voxels = np.zeros(SHAPE, np.int16)
    voxels[place] = value
    return voxels


@pytest.mark.parametrize("flip", [(1, 1, 1), (-1, -1, 1), (-1, 1, -1)])
def test_axes_are_turned_into_lps_whatever_way_the_file_counts_them(tmp_path: Path, flip: tuple[int, int, int]):
    """The first voxel of RAS lies right, in front, low; in LPS order it is x 0 from the right: index 0 is right."""
    voxels = marked((4, 5, 6))  # farthest left in RAS terms is index 0; 4 is right, 5 is front, 6 is high
    affine = RAS.copy()
    for axis, sign in enumerate(flip):
        if sign < 0:
            voxels = np.flip(voxels, axis)
            affine[axis, axis] *= -1
            affine[axis, 3] = -affine[axis, axis] * (SHAPE[axis] - 1)
    write_nifti(tmp_path / "a.nii.gz", voxels, affine)
    array = read_nifti_array(tmp_path / "a.nii.gz")
    assert array.voxels.shape == SHAPE[::-1]
    assert array.spacing_mm == (4.0, 3.0, 2.0)
    assert np.argwhere(array.voxels).tolist() == [[6, 0, 0]]


def pairs(folder: Path) -> NiftiPairs:
    return NiftiPairs("city", folder, Modality.CT, ("background", "liver"), patients={"b": "P1"})


def test_pairs_are_matched_by_name(tmp_path: Path):
    for name in "ba":
        write_nifti(tmp_path / "images" / f"{name}.nii.gz", marked((1, 2, 3), 70))
        write_nifti(tmp_path / "labels" / f"{name}.nii.gz", marked((1, 2, 3)))
    (tmp_path / "images" / "._a.nii.gz").write_bytes(b"left by an unpacker")
    first, second = pairs(tmp_path)
    assert (first.patient, second.patient) == ("a", "P1")
    assert first.names[first.labels.max()] == "liver"
    assert first.values[first.labels == 1].tolist() == [70.0]


@pytest.mark.parametrize(
    ("fault", "said"),
    [("partner", "without a partner"), ("values", "whole numbers 0 to 1"), ("shape", "resample"), ("cut", "copy it")],
)
def test_pairs_that_do_not_fit_are_refused_by_name(tmp_path: Path, fault: str, said: str):
    write_nifti(tmp_path / "images" / "a.nii.gz", marked((0, 0, 0)))
    labels = {"values": marked((0, 0, 0), 7), "shape": np.zeros((2, 2, 2), np.int16)}.get(fault, marked((0, 0, 0)))
    write_nifti(tmp_path / "labels" / ("b.nii.gz" if fault == "partner" else "a.nii.gz"), labels)
    if fault == "cut":
        path = tmp_path / "images" / "a.nii.gz"
        path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(VolumeFault, match=said):
        list(pairs(tmp_path))


def write_task(folder: Path, channels: dict[str, str], labels: dict[str, str], image: np.ndarray) -> MsdTask:
    write_nifti(folder / "imagesTr" / "x_001.nii.gz", image)
    write_nifti(folder / "imagesTs" / "x_002.nii.gz", image)
    write_nifti(folder / "labelsTr" / "x_001.nii.gz", marked((1, 1, 1), len(labels) - 1))
    listed = {
        "name": "Task",
        "modality": channels,
        "labels": labels,
        "training": [{"image": "./imagesTr/x_001.nii.gz", "label": "./labelsTr/x_001.nii.gz"}],
        "test": ["./imagesTs/x_002.nii.gz"],
    }
    (folder / "dataset.json").write_text(json.dumps(listed))
    return MsdTask(folder)


def test_a_decathlon_task_gives_labelled_and_unlabelled_volumes(tmp_path: Path):
    names = {"0": "background", "1": "liver", "2": "cancer"}
    task = write_task(tmp_path / "Task03_Liver", {"0": "CT"}, names, marked((1, 1, 1), 50))
    (volume,) = task
    assert volume.names == ("background", "liver", "cancer")
    assert (volume.modality, volume.sequence, volume.patient) == (Modality.CT, "", "Task03_Liver/x_001")
    assert volume.labels.max() == 2
    (unlabelled,) = task.unlabelled()
    assert unlabelled.study == "x_002"


def test_a_task_with_several_sequences_gives_the_chosen_one(tmp_path: Path):
    image = np.stack([marked((1, 1, 1), 10), marked((1, 1, 1), 20)], axis=-1)
    names = {"0": "background", "1": "PZ"}
    folder = tmp_path / "Task05_Prostate"
    write_task(folder, {"0": "T2", "1": "ADC"}, names, image)
    assert [MsdTask(folder, channel).volume(0).values.max() for channel in (0, 1)] == [10.0, 20.0]
    assert MsdTask(folder, 1).volume(0).sequence == "ADC"
    with pytest.raises(VolumeFault, match="choose one of 0 T2, 1 ADC"):
        MsdTask(folder, 2).volume(0)


def test_all_ten_tasks_are_known():
    assert [int(name[4:6]) for name in TASKS] == list(range(1, 11))


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "unpack"), ("{", "layout"), ('{"modality": {}, "labels": {}, "training": []}', "channels")],
)
def test_a_task_without_a_usable_list_is_refused(tmp_path: Path, text: str | None, said: str):
    folder = tmp_path / "Task09_Spleen"
    folder.mkdir()
    if text is not None:
        (folder / "dataset.json").write_text(text)
    with pytest.raises(VolumeFault, match=said):
        MsdTask(folder).volume(0)


def test_a_folder_that_is_no_task_is_refused(tmp_path: Path):
    with pytest.raises(VolumeFault, match="Task10_Colon"):
        _ = MsdTask(tmp_path / "Task11_Other").facts


def write_cremi(path: Path, offset_voxels: int = 1, resolution: bool = True) -> None:
    ids = np.array([7, TRANSPARENT, 0, 99], np.uint64).repeat(9).reshape(4, 3, 3)
    raw = np.arange(6 * 5 * 5, dtype=np.uint8).reshape(6, 5, 5)
    with h5py.File(path, "w") as file:
        file["volumes/raw"], file["volumes/labels/neuron_ids"] = raw, ids
        if resolution:
            file["volumes/raw"].attrs["resolution"] = (40.0, 4.0, 4.0)
        offset = np.multiply(offset_voxels, (40.0, 4.0, 4.0))
        file["volumes/labels/neuron_ids"].attrs["offset"] = offset


def test_cremi_gives_the_labelled_part_with_instances_counted_from_one(tmp_path: Path):
    write_cremi(tmp_path / "sample_A.hdf")
    volume = read_cremi(tmp_path / "sample_A.hdf")
    assert volume.spacing_mm == pytest.approx((4e-5, 4e-6, 4e-6))
    assert volume.instances[:, 0, 0].tolist() == [1, 0, 0, 2]
    assert volume.values[0, 0, 0] == 1 * 25 + 1 * 5 + 1
    assert volume.modality == Modality.EM


def test_cremi_files_that_lack_something_are_refused(tmp_path: Path):
    write_cremi(tmp_path / "off.hdf", offset_voxels=9)
    write_cremi(tmp_path / "bare.hdf", resolution=False)
    with h5py.File(tmp_path / "test.hdf", "w") as file:
        file["volumes/raw"] = np.zeros((2, 2, 2), np.uint8)
    (tmp_path / "text.hdf").write_text("no HDF5")
    for name, said in {
        "off": "lie within",
        "bare": "resolution",
        "test": "no labels",
        "text": "HDF5",
        "none": "cremi.org",
    }.items():
        with pytest.raises(VolumeFault, match=said):
            read_cremi(tmp_path / f"{name}.hdf")


def test_the_archive_of_fib25_is_read_the_same_way(tmp_path: Path):
    path = tmp_path / "fib.npz"
    np.savez(path, raw=np.full((2, 2, 2), 9, np.uint8), labels=np.full((2, 2, 2), 40, np.uint16))
    volume = read_fib25(path)
    assert volume.instances.tolist() == np.ones((2, 2, 2)).tolist()
    assert volume.spacing_mm == pytest.approx((1e-5,) * 3)
    np.savez(path, raw=np.zeros((2, 2, 2)))
    with pytest.raises(VolumeFault, match="needs raw and labels"):
        read_fib25(path)
