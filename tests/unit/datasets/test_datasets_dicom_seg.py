"""DICOM series with a Segmentation of them, whatever way round the slices are stored."""

from pathlib import Path

import highdicom
import numpy as np
import pytest
from highdicom.sr.coding import CodedConcept
from pydicom import Dataset, FileMetaDataset, dcmread, dcmwrite
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from models.datasets.dicom_folder import CHEST_CT
from models.datasets.dicom_seg import read_dicom_seg
from models.datasets.nifti_pairs import VolumeFault
from models.gtgm.volume import Modality
from pacs_agent.imaging import Plane

ACCEPTED = CHEST_CT.model_copy(update={"min_slices": 3, "min_coverage_mm": 5.0})
SLICES, ROWS, COLUMNS = 4, 5, 6


def write_series(folder: Path, orientation: list[int], position: list[float], series: str = "1.2.3.1") -> list[Path]:
    """Slices with a bright corner at stored row 4, column 5 of slice 2."""
    folder.mkdir()
    paths = []
    for index in range(SLICES):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2.9", series, "1.2.9.9"
        ds.PatientID, ds.PatientName, ds.PatientBirthDate, ds.PatientSex = "P1", "Test^Test", "", ""
        ds.AccessionNumber, ds.StudyID, ds.StudyDate, ds.StudyTime = "A1", "1", "", ""
        ds.ReferringPhysicianName, ds.PositionReferenceIndicator = "", ""
        ds.Modality, ds.BodyPartExamined, ds.SeriesNumber, ds.InstanceNumber = "CT", "CHEST", 1, index + 1
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [*position, 3.0 * index], orientation
        ds.PixelSpacing, ds.SliceThickness, ds.RescaleSlope, ds.RescaleIntercept = [0.8, 0.6], 3, 1, -1024
        ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = ROWS, COLUMNS, 1, "MONOCHROME2"
        ds.PixelRepresentation, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 0, 16, 16, 15
        stored = np.full((ROWS, COLUMNS), 1024, np.uint16)
        if index == 2:
            stored[4, 5] = 2024
        ds.PixelData = stored.tobytes()
        paths.append(folder / f"{index}.dcm")
        dcmwrite(paths[-1], ds, enforce_file_format=True)
    return paths


def write_segmentation(path: Path, images: list[Path]) -> Path:
    """Two segments of the stored bright pixel and of its neighbour."""
    masks = np.zeros((SLICES, ROWS, COLUMNS, 2), np.uint8)
    masks[2, 4, 5, 1] = masks[2, 3, 5, 0] = 1
    tissue, nodule = CodedConcept("85756007", "SCT", "Tissue"), CodedConcept("27925004", "SCT", "Nodule")
    described = [
        highdicom.seg.SegmentDescription(number, label, tissue, nodule, highdicom.seg.SegmentAlgorithmTypeValues.MANUAL)
        for number, label in enumerate(("rim", "nodule"), start=1)
    ]
    seg = highdicom.seg.Segmentation(
        [dcmread(one) for one in images], masks, highdicom.seg.SegmentationTypeValues.BINARY, described,
        generate_uid(), 900, generate_uid(), 1, "test", "test", "1", "1",
    )  # fmt: skip
    seg.save_as(path)
    return path


@pytest.mark.parametrize(
    ("orientation", "position"),
    [([1, 0, 0, 0, 1, 0], [0.0, 0.0]), ([-1, 0, 0, 0, -1, 0], [0.0, 0.0]), ([0, 1, 0, 1, 0, 0], [0.0, 0.0])],
    ids=["as read", "turned by 180°", "transposed"],
)
def test_segments_lie_on_the_voxels_they_were_drawn_on(tmp_path: Path, orientation: list[int], position: list[float]):
    images = write_series(tmp_path / "ct", orientation, position)
    volume = read_dicom_seg(images[::-1], write_segmentation(tmp_path / "seg.dcm", images), ACCEPTED)
    assert volume.names == ("background", "rim", "nodule")
    assert volume.values[volume.labels == 2].tolist() == [1000.0]
    assert np.count_nonzero(volume.labels == 1) == 1
    assert volume.patient == "P1"
    assert sorted(volume.spacing_mm) == pytest.approx([0.6, 0.8, 3.0])


def test_mr_keeps_its_intensities_and_is_turned_to_the_patients_axes_with_its_labels(tmp_path: Path):
    images = write_series(tmp_path / "mr", [0, 1, 0, 0, 0, -1], [0.0, 0.0])
    for index, path in enumerate(images):
        ds = dcmread(path)
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = MRImageStorage
        ds.Modality, ds.BodyPartExamined, ds.SeriesDescription = "MR", "PROSTATE", "t2_tse_sag"
        ds.ImagePositionPatient, ds.RescaleIntercept, ds.RescaleSlope = [3.0 * index, 0.0, 0.0], 0, 5
        ds.save_as(path)
    changes = {"modalities": ("MR",), "body_parts": ("PROSTATE", "PELVIS"), "planes": (Plane.SAGITTAL,)}
    segmentation = write_segmentation(tmp_path / "seg.dcm", images)
    volume = read_dicom_seg(images, segmentation, ACCEPTED.model_copy(update=changes))
    assert (volume.modality, volume.sequence) == (Modality.MR, "T2")
    assert volume.values.shape == (ROWS, COLUMNS, SLICES)
    assert volume.spacing_mm == pytest.approx((0.8, 0.6, 3.0))
    assert volume.values[volume.labels == 2].tolist() == [5.0 * 2024.0]
    assert np.argwhere(volume.labels == 2).tolist() == [[0, 5, 2]]  # the lowest row, to the back, third from the right


def test_a_segmentation_of_another_series_is_refused(tmp_path: Path):
    images = write_series(tmp_path / "ct", [1, 0, 0, 0, 1, 0], [0.0, 0.0])
    others = write_series(tmp_path / "other", [1, 0, 0, 0, 1, 0], [0.0, 0.0], "1.2.3.2")
    with pytest.raises(VolumeFault, match="another series"):
        read_dicom_seg(images, write_segmentation(tmp_path / "seg.dcm", others), ACCEPTED)


def test_files_that_are_no_segmentation_are_refused(tmp_path: Path):
    images = write_series(tmp_path / "ct", [1, 0, 0, 0, 1, 0], [0.0, 0.0])
    (tmp_path / "text").write_text("no DICOM")
    for path, said in {
        images[0]: "no Segmentation object",
        tmp_path / "text": "no DICOM",
        tmp_path / "x": "not there",
    }.items():
        with pytest.raises(VolumeFault, match=said):
            read_dicom_seg(images, path, ACCEPTED)
    with pytest.raises(VolumeFault, match="no image files"):
        read_dicom_seg([], tmp_path / "x", ACCEPTED)
