"""The whole chain on several series: training, what a cut run does, the bundle, what it says, its evaluation."""

import json
import logging
import shutil

import pytest

torch = pytest.importorskip("torch")
import numpy as np  # noqa: E402
from click.testing import CliRunner  # noqa: E402
from mr_archive import write_axial_t2, write_items  # noqa: E402

from models.msvlm.rectal import stage_items, stages  # noqa: E402
from models.msvlm.rectal.archive import StagedArchive  # noqa: E402
from models.msvlm.rectal.card import card_text, item_table  # noqa: E402
from models.msvlm.rectal.evaluate import (  # noqa: E402
    ALL,
    AXIAL_T2,
    BLANKED,
    CONTROLS,
    SERIES,
    SHUFFLED,
    archive_figures,
    reads_the_image,
)
from models.msvlm.rectal.held_out import encoded_phantom  # noqa: E402
from models.msvlm.rectal.items import SCALES, SEVEN, told_of  # noqa: E402
from models.msvlm.rectal.network import load_network, new_series_network  # noqa: E402
from models.msvlm.rectal.phantoms import load, on_field  # noqa: E402
from models.msvlm.rectal.read import main as read_main  # noqa: E402
from models.msvlm.rectal.run import SeriesRun  # noqa: E402
from models.msvlm.rectal.runtime import SeriesRuntime  # noqa: E402
from models.msvlm.rectal.sentences import SLOT, licensed, plain_sentence  # noqa: E402
from models.msvlm.rectal.staging_table import STUDY  # noqa: E402
from models.msvlm.rectal.stored import encoded, stored_study  # noqa: E402
from models.msvlm.rectal.studies import NothingToRead, encode_study, load_studies, pad  # noqa: E402
from models.msvlm.train import main  # noqa: E402
from models.phantoms.pelvis import Item, generate_pelvis  # noqa: E402
from models.phantoms.pelvis.dicom import write_study  # noqa: E402
from pacs_agent.imaging import read_headers  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.timeout(1200)]
TINY = "rectal-mr-tiny"


@pytest.fixture(scope="module", autouse=True)
def _quiet_exporter():
    """The exporter's debug lines cost more than the export when they are captured."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def trained(folder, *more):
    options = ["--preset", TINY, "--cache", str(folder / "cache"), "--out", str(folder / "out"), *more]
    done = CliRunner().invoke(main, options, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> SeriesRun:
    folder = tmp_path_factory.mktemp("rectal")
    trained(folder)
    preset = load_network(folder / "cache" / "msvlm-rectal-mr-tiny" / "model.pt").preset
    return SeriesRun(preset, folder / "cache", folder / "out")


@pytest.fixture(scope="module")
def bundle(run):
    return run.out / "msvlm-rectal-mr-tiny-0.0.1"


@pytest.fixture(scope="module")
def runtime(bundle):
    return SeriesRuntime.open(bundle, threads=1)


def test_a_second_run_trains_nothing_again(run):
    results = {path: path.stat().st_mtime_ns for path in run.cache.rglob("*.pt") if path.name != "model.pt"}
    trained(run.cache.parent, "--until", "calibration")
    assert {path: path.stat().st_mtime_ns for path in results} == results


def test_a_run_that_was_cut_goes_on_as_the_unbroken_one(run, tmp_path, monkeypatch):
    studies = load_studies(run.file("tokens").with_suffix(".reader.pt"))

    def learned(folder):
        reader = new_series_network(run.preset).reader
        stage_items.train_items(run.preset, reader, studies, folder)
        return reader.state_dict()

    whole, draw, draws = learned(tmp_path / "whole"), stage_items.drawn, []

    def cut(*arguments):
        draws.append(arguments)
        if len(draws) == 4:
            raise KeyboardInterrupt
        return draw(*arguments)

    monkeypatch.setattr(stage_items, "drawn", cut)
    with pytest.raises(KeyboardInterrupt):
        learned(tmp_path / "cut")
    again = learned(tmp_path / "cut")
    assert len(draws) == 6
    assert all(torch.equal(value, again[name]) for name, value in whole.items())


def test_every_item_has_a_loss_of_its_own(run):
    rows = [json.loads(line) for line in (run.stage_folder("items") / "items.jsonl").read_text().splitlines()]
    assert len(rows) == run.preset.items.steps
    assert {scale.item.value for scale in SCALES} < set(rows[0])


def test_another_series_dropout_is_another_run(run):
    items = run.preset.items.model_copy(update={"series_dropout": 0.5})
    other = SeriesRun(run.preset.model_copy(update={"items": items}), run.cache, run.out)
    assert other.file("tokens") == run.file("tokens") and other.file("items") != run.file("items")


def test_a_preset_of_phantoms_takes_no_archives(tmp_path):
    (tmp_path / "archives.yaml").write_text("salt: a\n")
    done = CliRunner().invoke(main, ["--preset", TINY, "--archives", str(tmp_path / "archives.yaml")])
    assert done.exit_code == 2 and "takes no --archives" in done.output
    done = CliRunner().invoke(main, ["--preset", TINY, "--again", "masked"])
    assert done.exit_code == 2 and "has no stage masked" in done.output


def test_the_bundle_says_of_stored_values_what_the_network_says_of_the_field(run, runtime):
    network, preset = load_network(run.model), run.preset
    phantom = generate_pelvis(3, fineness=preset.data.fineness, voxel_mm=preset.data.voxel_mm)
    ours = encode_study(network.encoder, preset.network, on_field(phantom, preset.network))
    theirs = encoded_phantom(runtime, preset, 3)
    for name in ("centre_mm", "orientation", "ids", "b_value", "series", "taken", "known"):
        assert torch.equal(getattr(ours, name), getattr(theirs, name)), name
    # Training sees 255 shades, the graph all of them.
    assert (ours.tokens - theirs.tokens).abs().max() < 0.2


@pytest.fixture(scope="module")
def dicom_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dicom")
    write_study(generate_pelvis(5, fineness=0.25, voxel_mm=3.0), folder)
    return folder


def in_order(study):
    """Its slices in an order that does not depend on that of files: by series, then by place."""
    keys = torch.cat([study.ids.double(), study.b_value[:, None], study.centre_mm.round(decimals=2)], dim=1)
    return sorted(range(len(keys)), key=lambda index: keys[index].tolist())


def test_a_study_from_dicom_is_read_as_the_phantom_is(run, runtime, dicom_dir):
    phantom = encoded_phantom(runtime, run.preset, 5)
    series, left_out = stored_study(read_headers(sorted(dicom_dir.glob("*.dcm"))))
    study = encoded(runtime, "from DICOM", series)
    assert not left_out and len(series) == len(SERIES)
    theirs, ours = in_order(phantom), in_order(study)
    for name, most in (("centre_mm", 1e-2), ("orientation", 1e-5), ("b_value", 0.0), ("tokens", 2e-2)):
        assert (getattr(phantom, name)[theirs] - getattr(study, name)[ours]).abs().max() <= most, name
    assert study.measured_mm == pytest.approx(phantom.measured_mm, nan_ok=True)


def test_the_command_tells_what_was_read_and_what_was_left_out(bundle, dicom_dir, tmp_path):
    broken = tmp_path / "study"
    shutil.copytree(dicom_dir, broken)
    (broken / "S07_I0010.dcm").unlink()
    said = CliRunner().invoke(read_main, [str(bundle), str(broken)], catch_exceptions=False).output
    assert "read: T2 sagittal, before contrast, 24 slices" in said and "left out: T1 axial" in said
    assert said.count("T stage:") >= 1


def test_a_study_without_a_readable_series_says_why(dicom_dir):
    with pytest.raises(NothingToRead, match="missing"):
        stored_study(
            read_headers([dicom_dir / "S07_I0010.dcm", dicom_dir / "S07_I0020.dcm", dicom_dir / "S07_I0021.dcm"])
        )
    with pytest.raises(NothingToRead, match="the study has no images"):
        stored_study([])


def test_reader_graph_and_network_agree_on_studies_of_any_length(run, runtime):
    network, study = load_network(run.model), encoded_phantom(runtime, run.preset, 5)
    for keys in (("t2_axial",), ("t2_axial", "dwi_b1000"), SERIES):
        inputs = pad([study], [study.of_series(keys)]).inputs
        said = runtime.read(inputs)
        with torch.no_grad():
            _, attention, visual = network.reader(*inputs)
        assert np.abs(said.attention - attention[0].numpy()).max() < 1e-4
        assert np.abs(said.visual_tokens - visual[0].numpy()).max() < 1e-3


def test_a_report_says_only_what_its_items_license(run, runtime):
    study = encoded_phantom(runtime, run.preset, 5)
    staging = runtime.read(pad([study]).inputs)
    for margin_mm in (None, 4.25):
        for _, text in runtime.report(staging, margin_mm):
            assert text and SLOT not in text
    levels = {item: np.eye(len(value))[-1] for item, value in staging.levels.items()}
    told = type(staging)(levels, staging.attention, staging.visual_tokens)
    assert [item for item, _ in runtime.report(told)] == [scale.item for scale in SCALES]
    none = {**levels, Item.TUMOUR: np.array([1.0, 0.0])}
    assert [item for item, _ in runtime.report(type(staging)(none, staging.attention, staging.visual_tokens))] == [
        Item.TUMOUR,
        Item.NODES,
    ]
    assert plain_sentence(Item.LOCATION, 2) not in licensed()[Item.LOCATION, 2]


def test_the_evaluation_tells_every_item_for_every_subset_beside_its_controls(bundle):
    figures = json.loads((bundle / "evaluation.json").read_text())
    columns = {ALL, AXIAL_T2, *(f"without {key}" for key in SERIES), *CONTROLS}
    assert set(figures["items"]) == {scale.item.value for scale in SCALES}
    for item, by_series in figures["items"].items():
        assert set(by_series) == columns, item
        for measured in by_series.values():
            assert set(measured["accuracy"]) == {"value", "low", "high", "n"}
    assert figures["macro_auroc"]["n"] == 4 and "median_error_mm" in figures["margin"]
    for evidence in figures["grounding"]["items"].values():
        assert {"evidence", "random slice", "shuffled", "structure"} == set(evidence)
    report = figures["text"]["report_and_impression"]
    assert report["sentences"] and not report["contradicting"] and figures["text"]["reaches_the_goal"]
    assert report["silent"]["value"] == figures["contradictions"]["value"] == 0.0
    rows = item_table(figures, "accuracy")
    assert len(rows) == 2 + len(columns) and all(row.count("|") == len(SEVEN) + 2 for row in rows)
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "Not for clinical use" in card and "The reading does not depend on the image" in card


def areas(right, shuffled, blanked):
    values = {ALL: right, SHUFFLED: shuffled, BLANKED: blanked}
    return {name: {"value": value, "low": None, "high": None, "n": 9} for name, value in values.items()}


def test_a_reading_that_is_no_better_than_another_patients_does_not_read_the_image():
    assert reads_the_image(areas(0.8, 0.55, 0.5))
    assert not reads_the_image(areas(0.8, 0.75, 0.5)) and not reads_the_image(areas(0.8, 0.5, 0.78))
    assert not reads_the_image(areas(None, 0.5, 0.5))


def test_studies_are_made_once(run):
    path = run.studies("reader")[0]
    made = path.stat().st_mtime_ns
    assert run.studies("reader")[0].stat().st_mtime_ns == made
    assert load(path).slices.patches.shape[0] == 0


ARCHIVED = {40: "reader", 42: "reader", 41: "test", 43: "test", 45: "validation"}
"""Patients by their seeds, and the split in which SALT puts them."""
SALT = "c"


def row_of(phantom, study_uid):
    """What a person would write of a phantom in a table of items."""
    tumour, told = phantom.truth.tumour, told_of(phantom.truth)
    cells = {item: ("no", "yes")[min(one.level, 1)] for item, one in told.items()}
    if tumour is not None:
        cells |= {Item.LOCATION: tumour.third, Item.T_STAGE: f"mrT{tumour.t_stage}"}
        cells[Item.SPHINCTER] = tumour.sphincter.name.lower() if tumour.sphincter else "no"
    return {STUDY: study_uid, **{item.value: cell for item, cell in cells.items()}}


@pytest.fixture(scope="module")
def archive(run, tmp_path_factory):
    """Five patients' studies, one more that the table does not have, and a row that has no images."""
    folder, rows = tmp_path_factory.mktemp("archive"), [{STUDY: "2.25.1", "nodes": "no"}]
    for seed in ARCHIVED:
        phantom = generate_pelvis(seed, fineness=0.25, voxel_mm=3.0)
        write_study(phantom, folder / "dicom" / str(seed))
        truth = json.loads((folder / "dicom" / str(seed) / "truth.json").read_text())
        rows.append(row_of(phantom, truth["study_instance_uid"]))
    write_axial_t2(folder / "dicom" / "other", "2.25.2", "OTHER")
    return StagedArchive(folder / "dicom", write_items(folder / "items.csv", rows), run.cache, salt=SALT)


def learned_too(run, archive):
    own = ["--archive", str(archive.folder), "--labels", str(archive.table), "--salt", archive.salt]
    return trained(run.cache.parent, *own, "--until", "calibration")


@pytest.fixture(scope="module")
def with_archive(run, archive):
    """The run on phantoms and the archive, and what it printed."""
    said = learned_too(run, archive)
    return SeriesRun(run.preset, run.cache, run.out, archive), " ".join(said.split())


def test_an_archive_trains_the_reader_beside_phantoms_and_leaves_their_own_model(run, with_archive):
    with_own, said = with_archive
    assert with_own.file("tokens") == run.file("tokens") and with_own.file("items") != run.file("items")
    assert run.model.is_file() and with_own.model.is_file()
    ours, theirs = (load_network(path).reader.state_dict() for path in (with_own.model, run.model))
    assert not all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert "archive, studies (patients): reader 2 (2), validation 1 (1), test 2 (2); 2 left out" in said


def test_of_an_archive_too_a_second_run_encodes_and_trains_nothing_again(run, archive, with_archive):
    results = [path for path in run.cache.rglob("*.pt") if not path.name.startswith("model")]
    made = {path: path.stat().st_mtime_ns for path in results}
    learned_too(run, archive)
    assert {path: path.stat().st_mtime_ns for path in results} == made
    assert len([path for path in results if path.parent.name.startswith("tokens-archive-")]) == 3


def test_what_is_left_out_of_an_archive_is_told_with_its_reason(with_archive):
    with_own, said = with_archive
    table = (with_own.folder / "archive-learned.tsv").read_text()
    assert "2 left out" in said and "PHANTOM-P" not in table
    for uid, why in (("2.25.1", "dicom has no images of it"), ("2.25.2", "items.csv has no row of it")):
        assert any(line.startswith(f"{uid}\t") and why in line for line in table.splitlines())


def test_the_bundle_of_an_archive_says_what_it_has_learned_from(with_archive, monkeypatch):
    with_own, _ = with_archive
    written = []
    monkeypatch.setattr(stages, "write_series_bundle", lambda *given: written.append(given))
    stages.STAGES[5].work(with_own, load_network(with_own.model))
    [(_, name, folder, learned)] = written
    assert (name, folder) == ("msvlm-rectal-mr-tiny-archive", with_own.out)
    assert "2 MR studies of 2 patients of one archive" in learned.training_data
    assert "1 more, of other patients, calibrated" in learned.training_data
    assert "No image of a patient" not in learned.training_data and "one archive" in learned.intended_use


def test_held_out_patients_are_measured_beside_the_phantoms(run, runtime, bundle, archive):
    figures = json.loads((bundle / "evaluation.json").read_text())
    own = archive_figures(runtime, archive, run.folder)
    assert (own["studies"], own["patients"], own["unreadable"], own["reads_the_image"]) == (2, 2, 0, None)
    assert figures["macro_auroc"]["n"] == 4 and own["macro"][ALL]["auroc"]["n"] == 2
    assert all(set(reads) == {ALL, *CONTROLS} for reads in own["items"].values())
    assert own["items"]["t_stage"][ALL]["accuracy"]["n"] == sum(own["prevalence"]["t_stage"].values()) == 1
    assert "archive" not in (bundle / "MODEL_CARD.md").read_text()
    card = card_text(runtime.manifest, {**figures, "archive": own})
    assert "measured on 2 studies of 2 patients of the archive" in card and "Too few patients to say" in card
    assert card.count("## The archive's patients: ") == card.count("| n, known | 1 |") == 3
