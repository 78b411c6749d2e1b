"""A hospital's archive: DICOM files in any folders, and a table of reports."""

import csv
import logging
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from models.datasets.dicom_folder import CHEST_CT, ArchiveFault, Columns, DicomFolder, read_reports
from models.phantoms.findings import Finding

SMALL = CHEST_CT.model_copy(update={"min_slices": 3, "min_coverage_mm": 5.0})


def ct_image(study: str, series: str, slice_index: int, value: int) -> Dataset:
    """A slice of 4 × 6 pixels: HU = value + slice index, one bright pixel on the patient's left, behind."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study, series, series + ".9"
    dataset.PatientID, dataset.PatientName, dataset.AccessionNumber = f"P{study[-1]}", "Test^Test", f"A{study[-1]}"
    dataset.Modality, dataset.BodyPartExamined, dataset.SeriesNumber = "CT", "CHEST", int(series[-1])
    dataset.ImageType, dataset.InstanceNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], slice_index
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 3.0 * slice_index], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.RescaleSlope, dataset.RescaleIntercept = [0.8, 0.6], 1, -1024
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 4, 6, 1
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    stored = np.full((4, 6), 1024 + value + slice_index, np.uint16)
    stored[3, 5] = 2024
    dataset.PixelData = stored.tobytes()
    return dataset


def write_study(folder: Path, study: str, value: int = 0, slices: int = 5, series: str = "1.2.3.1") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in reversed(range(slices)):
        image = ct_image(study, series, index, value)
        dcmwrite(folder / f"{series}-{index:03d}", image, enforce_file_format=True)


def write_reports(path: Path, columns: list[str], *rows: list[object]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two studies of a patient each; the first also has a scout with two images, and there is a text file."""
    write_study(tmp_path / "a" / "deep" / "er", "1.2.1", value=10)
    write_study(tmp_path / "a" / "other", "1.2.1", value=99, slices=2, series="1.2.3.2")
    write_study(tmp_path / "b", "1.2.2", value=20)
    (tmp_path / "b" / "README.txt").write_text("not DICOM")
    return tmp_path


def folder(archive: Path, table: Path, columns: Columns | None = None) -> DicomFolder:
    return DicomFolder("city-hospital", archive, table, columns or Columns(), accepted=SMALL)


def test_studies_are_matched_by_accession_or_uid_and_labelled_from_their_text(archive: Path, tmp_path: Path):
    table = write_reports(
        tmp_path / "reports.csv",
        ["accession", "study_uid", "findings", "impression"],
        ["A1", "", "There is a nodule. No pleural effusion.", "Nodule."],
        ["", "1.2.2", "No lung nodule.", "Not given."],
    )
    first, second = folder(archive, table)
    assert first.labels == {Finding.LUNG_NODULE: True, Finding.PLEURAL_EFFUSION: False}
    assert second.labels == {Finding.LUNG_NODULE: False}
    assert (first.patient, second.patient, first.source) == ("P1", "P2", "city-hospital")
    assert [sentence.kind for sentence in first.sentences] == ["present", "absent", "impression"]


def test_the_series_that_the_agent_would_read_comes_in_hu_ascending_and_laid_out(archive: Path, tmp_path: Path):
    table = write_reports(tmp_path / "reports.csv", ["accession", "findings"], ["A1", "Nodule."])
    study = folder(archive, table).study(0)
    assert study.hu.shape == (5, 4, 6)
    assert study.hu[:, 0, 0].tolist() == [10, 11, 12, 13, 14]
    assert study.hu[0, 3, 5] == 1000
    assert study.z_mm.tolist() == [0.0, 3.0, 6.0, 9.0, 12.0]
    assert study.spacing_mm == (0.8, 0.6)


def test_label_columns_win_over_the_text_and_may_be_named_otherwise(archive: Path, tmp_path: Path):
    table = write_reports(
        tmp_path / "reports.csv", ["Zugang", "Befund", "Rundherd", "Emphysem"], ["A1", "There is a nodule.", "0", ""]
    )
    labels = {"Rundherd": Finding.LUNG_NODULE, "Emphysem": Finding.EMPHYSEMA}
    columns = Columns(accession="Zugang", findings="Befund", labels=labels)
    assert folder(archive, table, columns).study(0).labels == {Finding.LUNG_NODULE: False}


def test_studies_without_a_report_are_counted_and_passed_over(archive: Path, tmp_path: Path, caplog):
    table = write_reports(tmp_path / "reports.csv", ["accession", "findings"], ["A2", "Normal."])
    with caplog.at_level(logging.WARNING):
        assert [study.study_uid for study in folder(archive, table).studies] == ["1.2.2"]
    assert "1 of 2 studies" in caplog.text


def test_a_study_without_a_usable_series_is_refused_by_name_and_left_out(archive: Path, tmp_path: Path, caplog):
    table = write_reports(tmp_path / "reports.csv", ["accession", "findings"], ["A1", "Nodule."], ["A2", "Nodule."])
    for path in (archive / "b").glob("1.2.3.1-*"):
        path.unlink()
    write_study(archive / "b", "1.2.2", slices=2)
    source = folder(archive, table)
    with pytest.raises(ArchiveFault, match=r"study 1\.2\.2 in .*2 slices; the model needs at least 3"):
        source.study(1)
    with caplog.at_level(logging.WARNING):
        assert len(list(source)) == 1
    assert "study 1.2.2 is left out" in caplog.text


@pytest.mark.parametrize(
    ("columns", "rows", "fault"),
    [
        (["number", "findings"], [], "neither a column 'study_uid' nor 'accession'"),
        (["accession", "text"], [], "no column 'findings'"),
        (["accession", "findings"], [["A1", "a"], ["A1", "b"]], "line 3: A1 has two reports"),
        (["accession", "lung_nodule"], [["A1", "maybe"]], "line 2: lung_nodule is 'maybe'"),
    ],
)
def test_a_table_that_cannot_be_used_says_where_and_what_to_do(tmp_path: Path, columns, rows, fault):
    with pytest.raises(ArchiveFault, match=fault):
        read_reports(write_reports(tmp_path / "reports.csv", columns, *rows), Columns())


def test_missing_files_are_named(tmp_path: Path):
    with pytest.raises(ArchiveFault, match="export the reports"):
        read_reports(tmp_path / "reports.csv", Columns())
    with pytest.raises(ArchiveFault, match="is no folder"):
        _ = folder(tmp_path / "nowhere", tmp_path / "reports.csv").studies


def test_another_report_gives_another_name(archive: Path, tmp_path: Path):
    table = write_reports(tmp_path / "reports.csv", ["accession", "findings"], ["A1", "Nodule."])
    before = folder(archive, table).name
    assert before == folder(archive, table).name
    write_reports(table, ["accession", "findings"], ["A1", "No nodule."])
    assert folder(archive, table).name != before
