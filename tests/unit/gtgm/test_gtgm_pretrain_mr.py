"""MR studies as DICOM files: every sequence and b value a volume, and text and values for pretraining from it."""

import logging
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

pytest.importorskip("torch")

from models.gtgm.mr_study import mr_series, read_mr_study, sequence_of
from models.gtgm.pretrain.preset import VolumeData, VolumeFolder
from models.gtgm.pretrain.sources import MrFolder, sources_of
from models.gtgm.volume import Modality, UnusableVolume

pytestmark = pytest.mark.train
AXIAL, SAGITTAL = [1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1]
ROWS, COLUMNS = 5, 7


def write_image(folder: Path, number: int, description: str, place_mm: float, value: int, **changes: object) -> None:
    """One MR slice whose stored values are all `value`, but for a brighter first pixel."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = MRImageStorage, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2.7", f"1.2.7.{number}", "1.2.7.99"
    ds.PatientID, ds.Modality, ds.SeriesNumber, ds.SeriesDescription = "P1", "MR", number, description
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    ds.ImageOrientationPatient, ds.ImagePositionPatient = AXIAL, [0.0, 0.0, place_mm]
    ds.PixelSpacing, ds.SliceThickness, ds.RescaleSlope, ds.RescaleIntercept = [0.8, 0.6], 3, 2, 1
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = ROWS, COLUMNS, 1, "MONOCHROME2"
    ds.PixelRepresentation, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 0, 16, 12, 11
    for name, changed in changes.items():
        setattr(ds, name, changed)
    stored = np.full((ROWS, COLUMNS), value, np.uint16)
    stored[0, 0] = 4000
    ds.PixelData = stored.tobytes()
    folder.mkdir(parents=True, exist_ok=True)
    dcmwrite(folder / f"{ds.SOPInstanceUID}.dcm", ds, enforce_file_format=True)


def write_series(folder: Path, number: int, description: str, value: int = 100, **changes: object) -> None:
    for index in range(5):
        write_image(folder, number, description, 3.0 * index, value, **changes)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """T2 sagittal, diffusion of two b values in one series, ADC; a localizer, a short series, and other files."""
    folder = tmp_path / "archive"
    for index in range(5):
        place = [4.0 * index, 0.0, 0.0]
        write_image(folder / "a", 1, "t2_sag", 0, 50, ImageOrientationPatient=SAGITTAL, ImagePositionPatient=place)
    write_series(folder / "b", 2, "ep2d_diff", 30, DiffusionBValue=0.0)
    write_series(folder / "b", 2, "ep2d_diff", 10, DiffusionBValue=800.0)
    write_series(folder / "c" / "deep", 3, "ADC", 1000, ImageType=["DERIVED", "PRIMARY", "ADC"])
    write_series(folder / "d", 4, "loc", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_image(folder / "d", 5, "t1", 0.0, 9)
    write_series(folder / "d", 6, "chest", Modality="CT")
    (folder / "README").write_text("no DICOM")
    return folder


def test_each_sequence_and_each_b_value_is_a_volume(study: Path):
    source = MrFolder(study)
    volumes = [source.volume(index) for index in range(len(source))]
    assert [volume.sequence for volume in volumes] == ["T2", "DWI b0", "DWI b800", "ADC"]
    assert [volume.values[-1, -1, -1] for volume in volumes] == [101.0, 61.0, 21.0, 2001.0]
    assert {(volume.modality, volume.patient, volume.study) for volume in volumes} == {(Modality.MR, "P1", "1.2.7")}
    assert volumes[3].spacing_mm == pytest.approx((3.0, 0.8, 0.6))
    assert [volume.sequence for volume in read_mr_study(study.rglob("*.dcm"))] == [v.sequence for v in volumes]


def test_values_are_not_cut_off_where_those_of_ct_end(study: Path):
    assert MrFolder(study).volume(3).values[0, 0, 0] == 8001.0


def test_sagittal_images_are_turned_so_that_height_comes_first(study: Path):
    volume = MrFolder(study).volume(0)
    assert volume.values.shape == (ROWS, COLUMNS, 5)
    assert volume.spacing_mm == pytest.approx((0.8, 0.6, 4.0))
    assert (volume.values[-1, 0] == 8001.0).all()  # stored first: head up, front; z grows to the head


def test_of_several_images_at_one_place_the_first_is_taken(tmp_path: Path):
    write_series(tmp_path, 1, "ep2d_diff", 30, DiffusionBValue=800.0)
    write_series(tmp_path, 1, "ep2d_diff", 40, DiffusionBValue=800.0)
    (series,) = mr_series(tmp_path.rglob("*"))
    assert series.volume().values.shape == (5, ROWS, COLUMNS)


def test_a_stack_with_a_gap_is_named_and_left_out(study: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    for place_mm in (0.0, 3.0, 6.0, 12.0, 15.0, 18.0):
        write_image(study / "e", 8, "t1", place_mm, 10)
    assert [one.sequence for one in mr_series(study.rglob("*.dcm"))][-1] == "T1"
    with caplog.at_level(logging.WARNING):
        assert [volume.sequence for volume in read_mr_study(study.rglob("*.dcm"))][-1] == "ADC"
    assert "T1 images of study 1.2.7" in caplog.text
    source = MrFolder(study)
    with pytest.raises(UnusableVolume, match="T1"):
        source.volume(len(source) - 1)


def test_a_folder_without_mr_is_refused(tmp_path: Path):
    with pytest.raises(UnusableVolume, match="name the folder"):
        read_mr_study([])
    assert len(MrFolder(tmp_path)) == 0


def test_folders_of_ct_and_mr_are_read_each_their_way(tmp_path: Path):
    folders = tuple(VolumeFolder(kind="dicom", path=tmp_path, modality=each) for each in (Modality.CT, Modality.MR))
    assert [type(source).__name__ for source in sources_of(VolumeData(folders=folders))] == ["DicomFolder", "MrFolder"]


@pytest.mark.parametrize(
    ("description", "attributes", "name"),
    [
        ("t2_tse_tra", {}, "T2"),
        ("Prostate 1", {"ScanningSequence": "SE", "RepetitionTime": 4480, "EchoTime": 104}, "T2"),
        ("t2_tse_fs", {"ScanOptions": "FS"}, "T2"),
        ("t2_tirm_tra", {}, "STIR"),
        ("STIR sag", {}, "STIR"),
        ("t2_tirm_tra_dark-fluid", {}, "FLAIR"),
        ("", {"AcquisitionContrast": "FLUID_ATTENUATED", "EchoTime": 100}, "FLAIR"),
        ("t1_vibe", {}, "T1"),
        ("t1_vibe", {"ContrastBolusAgent": "Gadovist"}, "T1 contrast"),
        ("t1 nativ", {"ContrastBolusAgent": "Gadovist"}, "T1"),
        ("pd_tse_fs", {}, "PD"),
        ("t2*_gre", {}, "T2*"),
        ("ep2d_diff", {}, "DWI"),
        ("ep2d_diff", {"SequenceName": "*ep_b400t"}, "DWI b400"),
        ("", {"DiffusionBValue": 799.6}, "DWI b800"),
        ("ep2d_diff_ADC", {"ImageType": ["DERIVED", "PRIMARY", "ADC"]}, "ADC"),
        ("TOF_3D", {}, "other"),
        ("", {}, "other"),
    ],
)
def test_a_sequence_is_named_by_what_it_is(description: str, attributes: dict[str, object], name: str):
    header = Dataset()
    header.SOPClassUID, header.Modality, header.SeriesDescription = MRImageStorage, "MR", description
    header.ImageOrientationPatient, header.ImagePositionPatient = AXIAL, [0.0, 0.0, 0.0]
    for keyword, value in attributes.items():
        setattr(header, keyword, value)
    assert sequence_of(header) == name
