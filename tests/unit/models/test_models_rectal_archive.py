"""A hospital's own MR studies as training material: which are learned from, in whose split, and what is left out."""

import csv
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from click.testing import CliRunner  # noqa: E402
from mr_archive import HEADING, write_axial_t2, write_items, write_series  # noqa: E402

from models.msvlm.rectal import archive_files, archive_tokens  # noqa: E402
from models.msvlm.rectal.archive import SHARES, ArchiveFault, StagedArchive  # noqa: E402
from models.msvlm.rectal.archive_files import files_below  # noqa: E402
from models.msvlm.rectal.archive_report import COLUMNS, learned_from, rows_of, write_rows  # noqa: E402
from models.msvlm.rectal.archive_tokens import ArchiveTokens, TrainedEncoder, tokens_of  # noqa: E402
from models.msvlm.rectal.calibrate import FEWEST_OF_ARCHIVE, calibrated  # noqa: E402
from models.msvlm.rectal.card import archive_lines, archive_tables  # noqa: E402
from models.msvlm.rectal.evaluate import another_patients  # noqa: E402
from models.msvlm.rectal.figures import truths_of  # noqa: E402
from models.msvlm.rectal.items import Told, steps_of  # noqa: E402
from models.msvlm.rectal.network import new_series_network  # noqa: E402
from models.msvlm.rectal.preset import load_series_preset, preset_folder  # noqa: E402
from models.msvlm.rectal.run import SeriesRun  # noqa: E402
from models.msvlm.rectal.stage_items import drawn  # noqa: E402
from models.msvlm.train import main  # noqa: E402
from models.phantoms.pelvis import Item  # noqa: E402

PRESET = load_series_preset(preset_folder("rectal-mr-tiny"))


def uid(number):
    return f"2.25.{number}"


@pytest.fixture(scope="module")
def dicom_dir(tmp_path_factory):
    """Twelve patients with a study each, the first two with another; deep and flat folders."""
    folder = tmp_path_factory.mktemp("archive")
    for number in range(12):
        write_axial_t2(folder / f"{number % 5}" / f"{number}", uid(number), f"P{number}", count=3 + number % 2)
    for number in range(2):
        write_axial_t2(folder, uid(100 + number), f"P{number}")
    (folder / "notes.txt").write_text("no image")
    return folder


def rows(numbers, **cells):
    return [{"StudyInstanceUID": uid(number), **cells} for number in numbers]


NUMBERS = (*range(12), 100, 101)


@pytest.fixture
def archive_with(dicom_dir, tmp_path):
    def made(table_rows, folder=dicom_dir, heading=HEADING, **settings):
        return StagedArchive(
            folder, write_items(tmp_path / "items.csv", table_rows, heading), tmp_path / "c", **settings
        )

    return made


def studies_by_split(archive):
    return {split: [study.uid for study in archive.studies(split)] for split in SHARES}


def test_no_patient_is_in_two_splits_and_a_later_study_moves_no_other(archive_with):
    for salt in ("", "a", "b"):
        archive = archive_with(rows(NUMBERS, nodes="no"), salt=salt)
        of_patient = {}
        for split in SHARES:
            for study in archive.studies(split):
                of_patient.setdefault(study.patient, set()).add(split)
        assert len(of_patient) == 12 and all(len(splits) == 1 for splits in of_patient.values())
        fewer = studies_by_split(archive_with(rows(NUMBERS[:-3], nodes="no"), salt=salt))
        assert all(set(fewer[split]) <= set(studies) for split, studies in studies_by_split(archive).items())
    assert studies_by_split(archive) != studies_by_split(archive_with(rows(NUMBERS, nodes="no")))


def test_a_column_of_patients_wins_over_patient_id(archive_with):
    one = [{**row, "patient": "the same"} for row in rows(NUMBERS, nodes="no")]
    archive = archive_with(one, heading=(*HEADING, "patient"))
    assert sorted(len(studies) for studies in studies_by_split(archive).values()) == [0, 0, 14]


def test_every_study_that_is_left_out_is_told_with_its_reason(archive_with, dicom_dir, tmp_path):
    folder = tmp_path / "more"
    shutil.copytree(dicom_dir / "0" / "0", folder / "0")
    write_axial_t2(folder / "nobody", uid(20), "")
    write_axial_t2(folder / "two", uid(21), "PA")
    write_axial_t2(folder / "two", uid(21), "PB")
    write_axial_t2(folder / "silent", uid(22), "P22")
    write_axial_t2(folder / "unlisted", uid(23), "P23")
    archive = archive_with([*rows((0, 20, 21, 24), emvi="yes"), *rows((22,))], folder)
    assert [study.uid for split in SHARES for study in archive.studies(split)] == [uid(0)]
    why = {one.uid: one.reason for one in archive.left_out}
    assert why == {
        uid(20): "nothing says whose it is, so that patients could part",
        uid(21): "its images name 2 patients",
        uid(22): "its row tells no item",
        uid(23): "items.csv has no row of it",
        uid(24): "more has no images of it",
    }
    table = tmp_path / "table.tsv"
    write_rows(rows_of(archive, []), table)
    heading, *written = csv.reader(table.open(), delimiter="\t")
    assert tuple(heading) == COLUMNS and {row[0]: row[4] for row in written} == why


def test_files_that_were_met_are_not_read_again(dicom_dir, tmp_path, monkeypatch):
    folder, index = tmp_path / "dicom", tmp_path / "index.jsonl"
    shutil.copytree(dicom_dir, folder)
    met = files_below(folder, index)
    assert len({file.study_uid for file in met} - {""}) == 14
    assert [file.path for file in met if not file.study_uid] == ["notes.txt"]
    index.write_text("\n".join(index.read_text().splitlines()[:-2]) + '\n{"path": "cut o')
    read, calls = archive_files.read_headers, []

    def counted(paths):
        calls.extend(paths)
        return read(paths)

    monkeypatch.setattr(archive_files, "read_headers", counted)
    assert files_below(folder, index) == met and len(calls) == 2
    assert files_below(folder, index) == met and len(calls) == 2
    write_axial_t2(folder, uid(50), "P50", count=2)
    assert len(files_below(folder, index)) == len(met) + 2 and len(calls) == 4


@pytest.fixture(scope="module")
def encoder():
    return TrainedEncoder(new_series_network(PRESET).eval())


def test_tokens_are_kept_by_content_and_items_are_not_kept_with_them(archive_with, encoder, tmp_path, monkeypatch):
    first = archive_with(rows(NUMBERS, nodes="no")).studies("reader")
    tokens = tokens_of(first, encoder, tmp_path / "tokens")
    assert [study.name for study in tokens.studies] == [study.uid for study in first]
    assert [row.series for row in tokens.rows] == [(("T2 axial", len(study.paths)),) for study in first]

    def never(*_):
        raise AssertionError

    monkeypatch.setattr(archive_tokens, "encoded", never)
    other = tokens_of(archive_with(rows(NUMBERS, nodes="yes", sphincter_involvement="yes")).studies("reader"),
                      encoder, tmp_path / "tokens")  # fmt: skip
    assert all(torch.equal(a.tokens, b.tokens) for a, b in zip(tokens.studies, other.studies, strict=True))
    nodes, sphincter = steps_of(Item.NODES), steps_of(Item.SPHINCTER)
    assert not tokens.studies[0].known[sphincter].any()
    assert other.studies[0].taken[nodes].item() == 1.0
    assert other.studies[0].known[sphincter].tolist() == [True, False, False]
    assert truths_of(other.studies)[Item.SPHINCTER].tolist() == [-1] * len(first)
    assert truths_of(other.studies)[Item.TUMOUR].tolist() == [1] * len(first)


def test_other_images_under_the_same_uid_are_encoded_anew(dicom_dir, encoder, archive_with, tmp_path):
    folder = tmp_path / "dicom"
    shutil.copytree(dicom_dir / "0" / "0", folder)
    [study] = [one for split in SHARES for one in archive_with(rows((0,), nodes="no"), folder).studies(split)]
    tokens_of([study], encoder, tmp_path / "tokens")
    write_axial_t2(folder, uid(0), "P0", count=5)
    [again] = [one for split in SHARES for one in archive_with(rows((0,), nodes="no"), folder).studies(split)]
    assert again.digest != study.digest
    assert sum(count for _, count in tokens_of([again], encoder, tmp_path / "tokens").rows[0].series) == 8


def test_a_copy_of_a_file_adds_nothing_to_a_study(dicom_dir, archive_with, tmp_path):
    folder = tmp_path / "dicom"
    shutil.copytree(dicom_dir / "0" / "0", folder / "a")
    [once] = [one for split in SHARES for one in archive_with(rows((0,), nodes="no"), folder).studies(split)]
    shutil.copytree(folder / "a", folder / "b")
    [twice] = [one for split in SHARES for one in archive_with(rows((0,), nodes="no"), folder).studies(split)]
    assert (twice.digest, len(twice.paths)) == (once.digest, len(once.paths))


def test_a_study_that_cannot_be_read_is_a_row_with_its_reason(encoder, archive_with, tmp_path):
    folder = tmp_path / "dicom"
    write_axial_t2(folder, uid(1), "P1", ImageType=["ORIGINAL", "PRIMARY", "P", "ND"])
    archive = archive_with(rows((1,), nodes="no"), folder)
    [study] = [one for split in SHARES for one in archive.studies(split)]
    tokens = tokens_of([study], encoder, tmp_path / "tokens")
    assert not tokens.studies and "no MR images of a kind that is read" in tokens.rows[0].reason
    with pytest.raises(ArchiveFault, match=r"no study of .* can be learned from"):
        learned_from(archive, tokens, ArchiveTokens([], [], []))


def test_an_archive_changes_what_the_items_depend_on_and_nothing_before(archive_with, tmp_path):
    alone = SeriesRun(PRESET, tmp_path, tmp_path)
    told = rows(NUMBERS, nodes="no")
    runs = [
        SeriesRun(PRESET, tmp_path, tmp_path, archive)
        for archive in (archive_with(told), archive_with(told, share=0.25), archive_with(told, salt="a"))
    ]
    assert len({run.file("tokens") for run in (alone, *runs)}) == 1
    assert len({run.file("items") for run in (alone, *runs)}) == 4
    assert alone.stage_settings()["items"].keys() == {*alone.preset.network.model_fields_set & {
        "reader_width", "reader_heads", "reader_blocks", "zone_queries", "visual_width"}, "items"}  # fmt: skip
    assert {run.name for run in runs} == {"msvlm-rectal-mr-tiny-archive"} and runs[0].model != alone.model
    tested = [row | {"nodes": "yes"} if row["StudyInstanceUID"] in studies_by_split(runs[0].archive)["test"] else row
              for row in told]  # fmt: skip
    assert SeriesRun(PRESET, tmp_path, tmp_path, archive_with(tested)).file("items") == runs[0].file("items")


def test_a_step_draws_the_share_of_the_archive(encoder, archive_with, tmp_path):
    studies = tokens_of(archive_with(rows(NUMBERS, nodes="no")).studies("reader"), encoder, tmp_path / "t").studies
    phantoms, own = studies[:2], studies[2:4]
    preset = PRESET.model_copy(update={"items": PRESET.items.model_copy(update={"batch": 400, "slice_dropout": 0.0})})

    def share_of(share):
        batch = drawn(phantoms, preset, np.random.default_rng(0), own, share)
        mine = torch.cat([study.tokens[:1] for study in own])
        first = batch.inputs.tokens[:, 0]
        return float((first[:, None] == mine[None]).all(2).any(1).float().mean())

    assert share_of(1.0) == 1.0 and share_of(0.25) == pytest.approx(0.25, abs=0.06)
    alone = drawn(phantoms, preset, np.random.default_rng(0))
    assert torch.equal(alone.inputs.tokens, drawn(phantoms, preset, np.random.default_rng(0), [], 0.5).inputs.tokens)


def test_enough_studies_of_an_archive_calibrate_alone(encoder, archive_with, tmp_path):
    reader = new_series_network(PRESET).reader
    both = [
        study
        for nodes in ("yes", "no")
        for study in tokens_of(
            archive_with(rows(NUMBERS, nodes=nodes)).studies("reader"), encoder, tmp_path / "t"
        ).studies
    ]
    own = [study for study in (both[0], both[-1]) for _ in range(FEWEST_OF_ARCHIVE)]
    place = steps_of(Item.NODES).start
    assert calibrated(reader, both[:1], own)[place] == calibrated(reader, own)[place]
    assert calibrated(reader, both[:1], own[:1])[place] == calibrated(reader, [both[0], own[0]])[place]


def test_the_control_is_a_study_of_another_patient():
    assert another_patients(["a", "a", "b"]).tolist() == [2, 2, 1]
    assert another_patients(["a"]).tolist() == [0]


def test_the_card_does_not_speak_of_patients_that_nobody_tested():
    assert archive_lines(None) == []
    assert "of patients nothing was measured" in archive_lines({"studies": 0})[1]
    assert archive_tables({"studies": 0}) == archive_tables(None) == []


MALFORMED = {
    "not the 9 cells": "2.25.1,yes,lower\n",
    "t_stage is 'T9'": "2.25.1,,,,T9,,,,\n",
    "'x' is no UID": "x,,,,,,,,\n",
    "stands there twice": "2.25.1,,,,,,,,yes\n2.25.1,,,,,,,,yes\n",
}


@pytest.mark.parametrize(("said", "lines"), MALFORMED.items())
def test_a_malformed_line_ends_the_command_with_its_number(dicom_dir, tmp_path, said, lines):
    table = tmp_path / "items.csv"
    table.write_text(",".join(HEADING) + "\n2.25.7,,,,,,,,no\n" + lines)
    options = ["--preset", "rectal-mr-tiny", "--archive", str(dicom_dir), "--labels", str(table)]
    done = CliRunner().invoke(main, [*options, "--cache", str(tmp_path / "cache")])
    assert done.exit_code == 1 and f"items.csv, line {2 + lines.count(chr(10))}: " in done.output.replace("\n", " ")
    assert said in done.output


def test_a_table_in_another_encoding_or_with_other_separators_says_so(tmp_path, archive_with):
    archive = archive_with(rows((1,), nodes="no"))
    archive.table.write_bytes(archive.table.read_bytes() + "2.25.2,,,,,,,,ja – nein\n".encode("cp1252"))
    with pytest.raises(ValueError, match=r"line 3: not in UTF-8"):
        archive.studies("reader")
    archive.table.write_text(";".join(HEADING) + "\n")
    with pytest.raises(ValueError, match=r"line 1: no column .* columns are divided by commas"):
        archive.studies("reader")


def test_images_and_labels_go_together_and_only_with_a_preset_of_several_series(dicom_dir, tmp_path):
    done = CliRunner().invoke(main, ["--preset", "rectal-mr-tiny", "--archive", str(dicom_dir)])
    assert done.exit_code == 2 and "--archive and --labels go together" in done.output
    table = write_items(tmp_path / "items.csv", [])
    done = CliRunner().invoke(main, ["--preset", "cpu-tiny", "--archive", str(dicom_dir), "--labels", str(table)])
    assert done.exit_code == 2 and "takes --archives" in done.output


@pytest.mark.real_images
@pytest.mark.slow
def test_real_studies_of_the_pelvis_become_tokens(shared_data, encoder, archive_with, tmp_path):
    nibabel = pytest.importorskip("nibabel")
    folder = tmp_path / "dicom"
    for name in ("ProstateX-0000", "ProstateX-0001"):
        shutil.unpack_archive(shared_data / "mr_dicom" / f"{name}_MR.tar.xz", folder / name)
    image = nibabel.load(shared_data / "mr_rectal" / "rectal_t2_axial_oblique.nii.gz")
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine  # RAS to the patient's coordinates of DICOM
    spacing = np.linalg.norm(affine[:3, :2], axis=0)
    along_rows, along_columns = (affine[:3, axis] / spacing[axis] for axis in (0, 1))
    values = np.asarray(image.dataobj, float)
    stored = np.clip(values * 4000.0 / values.max(), 0, 4095).astype(np.uint16).transpose(2, 1, 0)
    positions = [affine[:3, 3] + affine[:3, 2] * index for index in range(len(stored))]
    orientation = (*along_rows, *along_columns)
    write_series(folder / "rectal", uid(9), "RECTAL", stored, positions, orientation, (spacing[1], spacing[0]))
    uids = {file.study_uid for file in files_below(folder, tmp_path / "index.jsonl")} - {"", uid(9)}
    archive = archive_with(
        [*({"StudyInstanceUID": one, "tumour": "no"} for one in uids), {"StudyInstanceUID": uid(9), "tumour": "yes"}],
        folder,
    )
    staged = [study for split in SHARES for study in archive.studies(split)]
    tokens = tokens_of(staged, encoder, tmp_path / "tokens")
    assert len(uids) == 2 and not archive.left_out and not any(row.reason for row in tokens.rows)
    slices = {row.uid: sum(count for _, count in row.series) for row in tokens.rows}
    assert slices.pop(uid(9)) == 30 and set(slices.values()) == {164}
    assert all(torch.isfinite(study.tokens).all() for study in tokens.studies)
    tumour = {study.name: Told(int(study.taken[0])) for study in tokens.studies}
    assert tumour == {**dict.fromkeys(uids, Told(0)), uid(9): Told(1)}
