"""The file of archives: patients never part, what cannot be read is left out."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from test_datasets_ct_rate import chest, tables, write_volume
from test_datasets_dicom_folder import write_reports, write_study

from models.datasets import dicom_folder
from models.datasets.archives import DEFAULT_SHARES, Archives, main
from models.datasets.cache import render, stream
from models.datasets.ct_rate import VolumeName
from models.msvlm.preset import load_preset
from models.msvlm.run import Run
from models.msvlm.train import with_archives
from models.phantoms.findings import Finding

PATIENTS = 24


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    """A file naming CT-RATE with two studies of each of some patients, and a hospital's folder."""
    rate = tmp_path / "rate"
    names = [f"train_{patient}_{study}_1" for patient in range(PATIENTS) for study in "ab"]
    tables(rate, names)
    for name in names:
        write_volume(rate / "train_fixed" / VolumeName.parse(name).path, chest())
    write_study(tmp_path / "dicom" / "1", "1.2.1")
    write_reports(tmp_path / "reports.csv", ["AccNo", "findings", "Knoten"], ["A1", "A nodule.", "1"])
    path = tmp_path / "archives.yaml"
    path.write_text(
        f"""
salt: pepper
ct_rate: [{{root: {rate}, one_per_study: false}}]
dicom:
  - name: city-hospital
    folder: {tmp_path / "dicom"}
    reports: {tmp_path / "reports.csv"}
    columns: {{accession: AccNo, labels: {{Knoten: lung_nodule}}}}
"""
    )
    return path


def test_every_study_is_in_one_split_and_no_patient_in_two(archives: Path):
    where: dict[str, set[str]] = {}
    total = 0
    for split in DEFAULT_SHARES:
        for source in Archives.load(archives).sources(split):
            patients = [source.archive.patients()[index][1] for index in source.indices]
            total += len(patients)
            for patient in patients:
                where.setdefault(patient, set()).add(split)
    assert total == 2 * PATIENTS + 1
    assert all(len(splits) == 1 for splits in where.values())


def test_unusable_studies_are_noted_with_their_reason_and_left_out(archives: Path, capsys: pytest.CaptureFixture[str]):
    (archives.parent / "rate" / "train_fixed" / VolumeName.parse("train_3_a_1").path).write_bytes(b"broken")
    main(archives)
    noted = archives.with_suffix(".unusable.tsv").read_text().splitlines()
    # The hospital's study has five slices: too few for a chest CT.
    assert sorted(line.split("\t")[0] for line in noted) == ["1.2.1", "train_3_a_1"]
    assert any("the model needs at least" in line for line in noted)
    assert "lung_nodule" in capsys.readouterr().out
    left = [s for split in DEFAULT_SHARES for s in Archives.load(archives).sources(split)]
    assert sum(map(len, left)) == 2 * PATIENTS - 1


def test_columns_of_the_hospital_are_used(archives: Path):
    loose = dicom_folder.CHEST_CT.model_copy(update={"min_slices": 3, "min_coverage_mm": 5.0})
    (archive,) = [a for a, _ in Archives.load(archives).archives if isinstance(a, dicom_folder.DicomFolder)]
    object.__setattr__(archive, "accepted", loose)
    assert archive.study(0).labels == {Finding.LUNG_NODULE: True}


def test_unknown_settings_and_splits_are_refused(archives: Path):
    with pytest.raises(ValueError, match="no split 'exam'"):
        Archives.load(archives).sources("exam")
    archives.write_text("ct_rates: []")
    with pytest.raises(ValidationError, match="ct_rates"):
        Archives.load(archives)


def test_a_run_learns_from_the_archives(archives: Path, tmp_path: Path):
    run = Run(with_archives(load_preset("tiny"), archives), tmp_path / "cache", tmp_path / "out")
    names = {split: [source.name for source in run.sources(split)] for split in ("encoder", "reader", "validation")}
    assert not any(name.startswith("ct-rate") for name in names["encoder"])  # no masks, so no patches to learn from
    for split in ("reader", "validation"):
        assert any(name.startswith("ct-rate-train-") and f"-{split}-" in name for name in names[split]), names
    assert [source.name.rsplit("-", 2)[1:] for source in run.unlabelled()] == [["6", "slices"]] * len(run.unlabelled())
    assert run.unlabelled()


def test_other_archives_are_another_run(archives: Path, tmp_path: Path):
    without = Run(load_preset("tiny"), tmp_path / "cache", tmp_path / "out")
    run = Run(with_archives(without.preset, archives), tmp_path / "cache", tmp_path / "out")
    before = run.file("tokens")
    assert before != without.file("tokens")
    archives.write_text(archives.read_text().replace("pepper", "salt"))
    assert run.file("tokens") != before


def test_what_the_archive_cannot_give_is_left_out_of_the_rendering(archives: Path, tmp_path: Path):
    hospital = next(s for split in DEFAULT_SHARES for s in Archives.load(archives).sources(split) if "city" in s.name)
    shards = render(hospital, load_preset("tiny").network, tmp_path / "cache", processes=1)
    assert list(stream(shards)) == []  # five slices: too few for a chest CT
