"""CT-RATE's layout, on small files of that layout."""

import csv
import itertools
import logging
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.datasets.ct_rate import LABEL_ORDER, CtRate, CtRateFault, VolumeName
from models.phantoms.findings import FINDINGS, Finding

COLUMNS = [
    *("Medical material", "Arterial wall calcification", "Cardiomegaly", "Pericardial effusion"),
    *("Coronary artery wall calcification", "Hiatal hernia", "Lymphadenopathy", "Emphysema", "Atelectasis"),
    *("Lung nodule", "Lung opacity", "Pulmonary fibrotic sequela", "Pleural effusion", "Mosaic attenuation pattern"),
    *("Peribronchial thickening", "Consolidation", "Bronchiectasis", "Interlobular septal thickening"),
]
NAMES = ["train_1_a_1", "train_1_a_2", "train_1_b_1", "train_2_a_1", "train_3_a_1"]


def chest(mark: int = 0) -> np.ndarray:
    """HU [right to left, back to front, slices as NIfTI counts them]: air about a body, and one bright place.

    In LPS order x grows to the left, y to the back: the place lies on the left, behind, in slice 2.
    """
    hu = np.full((8, 10, 6), -1000, np.int16)
    hu[2:6, 3:8] = 40
    hu[5, 7, 2] = 900 + mark
    return hu


def write_table(path: Path, columns: list[str], rows: list[list[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def write_volume(path: Path, hu: np.ndarray, affine: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(hu, np.diag([-0.7, -0.8, 1.5, 1.0]) if affine is None else affine), path)


def tables(root: Path, names: list[str], split: str = "train", long: str = "train") -> None:
    files = [f"{name}.nii.gz" for name in names]
    labels = [[file, *[int((k + n) % 3 == 0) for k in range(18)]] for n, file in enumerate(files)]
    write_table(root / "multi_abnormality_labels" / f"{split}_predicted_labels.csv", ["VolumeName", *COLUMNS], labels)
    reports = [[file, "Not given.", "", "There is a nodule. No pleural effusion.", "Not given."] for file in files]
    columns = ["VolumeName", "ClinicalInformation_EN", "Technique_EN", "Findings_EN", "Impressions_EN"]
    write_table(root / "radiology_text_reports" / f"{long}_reports.csv", columns, reports)
    rows = [[file, 1, -1024, "[0.75, 0.65]", 1.25] for file in files]
    columns = ["VolumeName", "RescaleSlope", "RescaleIntercept", "XYSpacing", "ZSpacing"]
    write_table(root / "metadata" / f"{long}_metadata.csv", columns, rows)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A train split of five volumes, of which one is not of the chest."""
    tables(tmp_path, NAMES)
    for number, name in enumerate(NAMES):
        write_volume(tmp_path / "train_fixed" / VolumeName.parse(name).path, chest(number))
    (tmp_path / "metadata" / "no_chest_train.txt").write_text("train_2_a_1.nii.gz\n")
    return tmp_path


def test_volumes_are_found_in_their_folders_and_those_of_no_chest_are_dropped(root: Path):
    source = CtRate(root, "train")
    assert [str(name) for name in source.volumes] == ["train_1_a_1", "train_1_a_2", "train_1_b_1", "train_3_a_1"]
    first, *_, last = source
    assert (first.patient, first.study, last.patient) == ("train_1", "train_1_a_1", "train_3")
    assert [str(name) for name in CtRate(root, "train", one_per_study=True).volumes] == [
        *("train_1_a_1", "train_1_b_1", "train_3_a_1")
    ]


def test_orientation_and_spacing_follow_the_affine(root: Path):
    study = CtRate(root, "train").study(0)
    assert study.hu.shape == (6, 10, 8)
    assert study.spacing_mm == pytest.approx((0.8, 0.7))
    assert np.diff(study.z_mm) == pytest.approx(1.5)
    assert study.hu[2, 7, 5] == 900


@pytest.mark.parametrize("flips", list(itertools.product((False, True), repeat=3)))
def test_a_volume_reads_the_same_however_its_axes_are_stored(tmp_path: Path, flips: tuple[bool, bool, bool]):
    tables(tmp_path, NAMES[:1])
    image = nibabel.Nifti1Image(chest(), np.diag([-0.7, -0.8, 1.5, 1.0]))
    codes = tuple(pair[flip] for pair, flip in zip(("LR", "PA", "SI"), flips, strict=True))
    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt(codes)
    )
    turned = image.as_reoriented(turn)
    write_volume(tmp_path / "train_fixed" / VolumeName.parse(NAMES[0]).path, np.asarray(turned.dataobj), turned.affine)
    study = CtRate(tmp_path, "train").study(0)
    assert study.hu[2, 7, 5] == 900
    assert study.z_mm[0] == pytest.approx(0.0, abs=1e-4)


def test_labels_are_taken_by_column_into_our_findings(root: Path):
    labels = CtRate(root, "train").study(0).labels
    assert set(labels) == set(FINDINGS) == set(LABEL_ORDER)
    assert [labels[finding] for finding in LABEL_ORDER] == [k % 3 == 0 for k in range(18)]
    assert LABEL_ORDER[9] == Finding.LUNG_NODULE


def test_the_report_becomes_sentences_of_one_finding_and_what_is_not_given_is_left_out(root: Path):
    sentences = CtRate(root, "train").study(0).sentences
    assert [(s.kind, s.finding, s.text) for s in sentences] == [
        ("present", Finding.LUNG_NODULE, "There is a nodule ."),
        ("absent", Finding.PLEURAL_EFFUSION, "No pleural effusion ."),
    ]


def test_corrected_volumes_are_never_rescaled(root: Path):
    hu = CtRate(root, "train").study(0).hu
    assert (hu.min(), hu.max()) == (-1000, 900)


@pytest.mark.parametrize("in_hu", [False, True])
def test_first_volumes_are_rescaled_once_unless_they_are_in_hu(tmp_path: Path, in_hu: bool):
    tables(tmp_path, NAMES[:1])
    stored = chest() if in_hu else chest() + 1024
    write_volume(tmp_path / "train" / VolumeName.parse(NAMES[0]).path, stored)
    study = CtRate(tmp_path, "train").study(0)
    assert (study.hu.min(), study.hu.max()) == (-1000, 900)
    assert study.spacing_mm == pytest.approx((0.65, 0.75))
    assert np.diff(study.z_mm) == pytest.approx(1.25)


def test_a_corrected_volume_that_is_not_in_hu_is_refused_and_left_out(root: Path, caplog: pytest.LogCaptureFixture):
    write_volume(root / "train_fixed" / VolumeName.parse("train_3_a_1").path, chest() + 1024)
    source = CtRate(root, "train")
    with pytest.raises(CtRateFault, match=r"train_3_a_1\.nii\.gz has no value below -500 HU"):
        source.study(3)
    with caplog.at_level(logging.WARNING):
        assert len(list(source)) == 3
    assert "train_3_a_1 is left out" in caplog.text


def test_a_cut_off_file_is_named(root: Path):
    path = root / "train_fixed" / VolumeName.parse("train_1_a_1").path
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(CtRateFault, match=r"train_1_a_1\.nii\.gz cannot be read.*Download it again"):
        CtRate(root, "train").study(0)


def test_the_validation_split_is_found_under_both_of_its_names(tmp_path: Path):
    tables(tmp_path, ["valid_1_a_1"], "valid", "validation")
    write_volume(tmp_path / "valid_fixed" / VolumeName.parse("valid_1_a_1").path, chest())
    assert CtRate(tmp_path, "valid").study(0).patient == "valid_1"


def test_volumes_that_are_not_on_disk_are_counted_and_passed_over(root: Path, caplog: pytest.LogCaptureFixture):
    (root / "train_fixed" / VolumeName.parse("train_1_b_1").path).unlink()
    with caplog.at_level(logging.WARNING):
        assert len(CtRate(root, "train")) == 3
    assert "1 of 4 volumes" in caplog.text


def test_missing_tables_and_folders_are_named(tmp_path: Path):
    with pytest.raises(CtRateFault, match="neither train_fixed nor train"):
        _ = CtRate(tmp_path, "train").volumes
    (tmp_path / "train_fixed").mkdir()
    with pytest.raises(CtRateFault, match=r"train_predicted_labels\.csv"):
        _ = CtRate(tmp_path, "train").volumes


def test_label_columns_in_another_order_are_refused(tmp_path: Path):
    tables(tmp_path, NAMES[:1])
    (tmp_path / "train_fixed").mkdir()
    columns = ["VolumeName", *reversed(COLUMNS)]
    path = tmp_path / "multi_abnormality_labels" / "train_predicted_labels.csv"
    write_table(path, columns, [["train_1_a_1.nii.gz", *[0] * 18]])
    with pytest.raises(CtRateFault, match="stands where CT-RATE has 'medical_material'"):
        _ = CtRate(tmp_path, "train").volumes


@settings(deadline=None)
@given(st.text())
def test_other_names_are_refused(name: str):
    try:
        assert VolumeName.parse(name).path.name.endswith(".nii.gz")
    except CtRateFault as fault:
        assert "expected a name" in str(fault)


def test_another_set_of_volumes_has_another_name(root: Path):
    before = CtRate(root, "train").name
    assert before == CtRate(root, "train").name
    (root / "train_fixed" / VolumeName.parse("train_3_a_1").path).unlink()
    assert CtRate(root, "train").name != before
