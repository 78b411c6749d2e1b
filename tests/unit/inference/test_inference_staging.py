"""Bundles of task "staging": loaded and refused as others are, all series read together, items told as findings."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.config import Settings
from pacs_agent.db import Database
from pacs_agent.imaging import ReasonCode, SeriesPart, UnusableSlice, read_headers
from pacs_agent.inference import (
    BundleRefused,
    Presence,
    ReadStudy,
    ShadowRefused,
    StagingReader,
    StudyReading,
    activate,
    bundles_in_use,
    choose_stacks,
    heat_of_reading,
    heats_of_reading,
    install,
    installed_bundles,
    load_any,
    load_bundle,
    start_shadow,
    verify,
)
from pacs_agent.inference.reading import MeasuredDistance
from pacs_agent.inference.staging.describe import said_items
from pacs_agent.inference.staging.levels import levels_of_steps
from pacs_agent.inference.staging.manifest import StagingManifest
from tests.unit.imaging.imaging_slices import headers, saved
from tests.unit.inference import tiny_staging
from tests.unit.inference.test_inference_install import files_of, zipped
from tests.unit.inference.tiny_bundle import digest_of, keys_of, settings_of, sign_manifest, write_bundle
from tests.unit.inference.tiny_staging import GAP_MM, ITEMS, PIXEL_MM, load, pelvis, write_staging_bundle

LOGITS = st.lists(st.floats(-30, 30), min_size=8, max_size=8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_staging_bundle(tmp_path / "bundles" / "tiny-staging-1.0")


def study_of(folder: Path, datasets: list[Any], where: Path) -> ReadStudy:
    where.mkdir()
    chosen = choose_stacks(read_headers(saved(datasets, where)), load(folder).manifest).chosen
    assert chosen is not None
    return chosen


def read(folder: Path, where: Path, datasets: list[Any] | None = None) -> StudyReading:
    reader = StagingReader(load(folder), settings_of(folder), where / "tokens")
    study = study_of(folder, pelvis() if datasets is None else datasets, where / "images")
    encoding = reader.encode_missing(study)
    return reader.describe(study, encoding, reader.read(study, encoding), reader.weigh_evidence(study, encoding))


def test_a_folder_of_bundles_knows_those_that_read_all_series(folder: Path) -> None:
    found = installed_bundles(settings_of(folder))
    assert [one.manifest.name for one in found.staging] == ["tiny-staging"]
    assert found.bundles == found.segmenters == ()
    assert found.all == found.staging
    assert [label.key for label in found.staging[0].labels] == list(ITEMS)
    with pytest.raises(BundleRefused, match="is of a model that reads all series"):
        load_bundle(folder, keys_of(folder))


def test_it_passes_its_own_test(folder: Path) -> None:
    checked = verify(folder, settings_of(folder))
    assert checked.passed, checked.faults
    assert [check.name for check in checked.checks] == ["signature", "files", "evaluation", "self-test fp32 on cpu"]


@pytest.mark.parametrize(("depends", "passes"), [(True, True), (False, False), (None, True)])
def test_a_model_that_does_not_read_the_images_is_not_used(folder: Path, depends: bool | None, passes: bool) -> None:
    evaluation = folder / "evaluation.json"
    evaluation.write_text(json.dumps({"reads_the_image": depends}))
    tiny_staging.write_manifest(folder, documents=[digest_of(evaluation)])
    checked = verify(folder, settings_of(folder))
    assert checked.passed is passes
    assert ("does not depend on the images" in checked.faults) is not passes


def test_other_numbers_and_words_than_at_the_release_are_faults(folder: Path) -> None:
    path = folder / "self_test" / "self_test.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["step_logits"] = arrays["step_logits"] + 0.1
    arrays["sentences"] = np.array(["There is a tumour of the rectum.", "Suspicious nodes."])
    np.savez(path, **arrays)
    tiny_staging.write_manifest(folder)
    faults = verify(folder, settings_of(folder)).faults
    assert "step_logits differs by" in faults and "<nodes:not suspicious> says" in faults


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"schema_version": 1}, "schema_version"),
        ({"structures": ["tumour", "fascia", "node"]}, "no structure is marked that is called within the fascia"),
        ({"items": []}, "items"),
        ({"length": {"item": "lumen", "name": "", "code": {}, "structure": "tumour"}}, "length"),
    ],
)
def test_a_manifest_that_says_what_cannot_be_is_refused(folder: Path, change: dict[str, Any], fault: str) -> None:
    tiny_staging.write_manifest(folder, **change)
    with pytest.raises(BundleRefused, match=fault):
        load_any(folder, keys_of(folder))


def test_words_without_a_prompt_for_each_level_are_refused(folder: Path) -> None:
    words = tiny_staging.words()
    words["words"] = [word for word in words["words"] if word != "<t_stage:T4>"]
    (folder / "tokenizer.json").write_text(json.dumps(words))
    tiny_staging.write_manifest(folder)
    with pytest.raises(BundleRefused, match="has no word <t_stage:T4>"):
        load_any(folder, keys_of(folder))


def test_an_altered_graph_and_a_foreign_signature_are_refused(folder: Path) -> None:
    (folder / "study_reader.onnx").write_bytes(b"other")
    with pytest.raises(BundleRefused, match=r"study_reader\.onnx: has SHA-256"):
        load_any(folder, keys_of(folder))
    (folder / "manifest.json").write_text((folder / "manifest.json").read_text() + " ")
    with pytest.raises(BundleRefused, match=r"does not fit manifest\.json"):
        load_any(folder, keys_of(folder))
    sign_manifest(folder)


def test_items_are_findings_with_presence_and_level(folder: Path, tmp_path: Path) -> None:
    reading = read(folder, tmp_path)
    assert {one.label.key: (one.presence, one.grade) for one in reading.findings} == {
        "tumour": (Presence.PRESENT, ""),
        "t_stage": (Presence.PRESENT, "T3"),
        "crm": (Presence.ABSENT, ""),
        "sphincter": (Presence.UNCERTAIN, "external"),
        "nodes": (Presence.ABSENT, ""),
    }
    stage, sphincter = reading.finding("t_stage"), reading.finding("sphincter")
    assert stage.grades == ("T1", "T2", "T3", "T4") and stage.attributes.grade == 2
    shares = 1 / (1 + np.exp(-np.array([3.0, 2.0, -3.0])))
    assert stage.probability == pytest.approx(shares[0] * shares[1] * (1 - shares[2]))
    assert sphincter.grades == ("internal", "external")
    assert sphincter.probability == pytest.approx(1 / (1 + np.exp(0.2)))
    assert reading.finding("crm").probability == pytest.approx(1 / (1 + np.exp(3.0)))


def test_without_a_tumour_nothing_is_said_of_one(folder: Path, tmp_path: Path) -> None:
    reading = read(folder, tmp_path, pelvis(tumour=False))
    assert [one.label.key for one in reading.findings] == ["tumour", "nodes"]
    assert {one.presence for one in reading.findings} == {Presence.ABSENT}
    assert reading.distances == ()
    assert [one.text for one in reading.impression] == ["No rectal tumour is seen.", "No suspicious nodes."]


def test_evidence_is_counted_through_all_series(folder: Path, tmp_path: Path) -> None:
    reading = read(folder, tmp_path)
    assert [one.description for one in reading.all_series] == ["t2_tse_tra", "t2_tse_sag"]
    tumour = reading.finding("tumour")
    assert len(tumour.slice_weights) == len(reading.all_slices) == 9
    assert tumour.evidence[0].index == 7 and tumour.evidence[0].weight == 1.0
    for one in tumour.evidence:
        assert reading.all_slices[one.index].sop_instance_uid == one.sop_instance_uid
    heat = tumour.evidence[0].peak_mm
    assert heat is not None and abs(heat[0]) < 0.01 and abs(heat[1]) <= PIXEL_MM
    assert reading.finding("nodes").evidence == ()


def test_heat_is_that_of_the_structure_an_item_rests_on(folder: Path, tmp_path: Path) -> None:
    reading = read(folder, tmp_path)
    of_margin, of_stage = (heat_of_reading(reading, key, 2, tmp_path / "tokens") for key in ("crm", "t_stage"))
    assert np.argwhere(of_stage.values > 0.5).tolist() == [[7, 7], [7, 8], [8, 7], [8, 8]]
    assert (of_margin.values > 0.5).sum() == 12 * 11 - 10 * 9
    assert len(heats_of_reading(reading, "crm", tmp_path / "tokens", 1)) == 3


def test_distances_are_those_of_the_patient(folder: Path, tmp_path: Path) -> None:
    reading = read(folder, tmp_path)
    margin, length = reading.distances
    assert (margin.finding, length.finding) == ("crm", "tumour")
    assert margin.value_mm == pytest.approx(15.0)
    (x, y, z), (to_x, to_y, to_z) = margin.ends_mm
    assert (to_x - x, to_y - y, to_z - z) == pytest.approx((15.0, 0.0, 0.0))
    assert z in (pytest.approx(-0.5 * GAP_MM), pytest.approx(0.5 * GAP_MM)) and abs(y) <= PIXEL_MM
    assert length.name == "Tumour length in a sagittal slice"
    assert 31.0 < length.value_mm < 33.5
    low, high = sorted(end[2] for end in length.ends_mm)
    assert high - low == pytest.approx(31.25) and abs(length.ends_mm[0][0]) < 0.01
    assert margin.series_instance_uid != length.series_instance_uid
    assert margin.frame_of_reference_uid == reading.series.frame_of_reference_uid


def test_without_sagittal_images_the_length_is_measured_over_axial_ones(folder: Path, tmp_path: Path) -> None:
    _, length = read(folder, tmp_path, pelvis(sagittal=False)).distances
    assert length.name == "Tumour length over axial slices"
    assert length.value_mm >= GAP_MM


def test_sentences_say_what_the_levels_say_and_no_other(folder: Path, tmp_path: Path) -> None:
    reading = read(folder, tmp_path)
    assert [(one.text, one.fixed) for one in reading.sentences] == [
        ("There is a tumour of the rectum.", False),
        ("T stage: T3.", True),
        ("The fascia is clear, distance 15.0 mm.", False),
        ("Possible: The external sphincter is involved.", False),
        ("No suspicious nodes.", False),
    ]
    assert [one.findings for one in reading.sentences] == [(key,) for key in ITEMS]
    assert [one.text for one in reading.impression] == [
        "The tumour: T stage T3.",
        "The fascia is clear, distance 15.0 mm.",
        "No suspicious nodes.",
        "Possible: The external sphincter is involved.",
    ]


def test_a_margin_that_was_read_otherwise_than_measured_is_uncertain(tmp_path: Path) -> None:
    folder = write_staging_bundle(tmp_path / "bundles" / "tiny-staging-1.0", {"crm": (3.0,)})
    reading = read(folder, tmp_path)
    margin = reading.finding("crm")
    assert (margin.presence, margin.probability > 0.9) == (Presence.UNCERTAIN, True)
    assert margin.evidence, "who looks is led to the slices"
    assert "Possible: Margin: involved." in [one.text for one in reading.sentences], "no 15 mm in that sentence"
    assert [one.value_mm for one in reading.distances if one.finding == "crm"] == [pytest.approx(15.0)]


def test_tokens_are_made_once(folder: Path, tmp_path: Path) -> None:
    reader = StagingReader(load(folder), settings_of(folder), tmp_path / "tokens")
    study = study_of(folder, pelvis(), tmp_path / "images")
    told: list[tuple[int, int]] = []
    first = reader.encode_missing(study, lambda done, total: told.append((done, total)))
    again = reader.encode_missing(study)
    assert (first.encoded, again.encoded, again.cached) == (9, 0, 9)
    assert told[-1] == (9, 9) and told == sorted(told)
    for path in (tmp_path / "tokens").rglob("*.npz"):
        path.unlink()
    assert reader.read(study, first) == reader.read(study, again)


def test_a_stack_that_cannot_be_decoded_is_left_out(folder: Path, tmp_path: Path) -> None:
    datasets = pelvis()
    for dataset in datasets[-3:]:
        dataset.PixelData = dataset.PixelData[:100]
    reader = StagingReader(load(folder), settings_of(folder), tmp_path / "tokens")
    study = study_of(folder, datasets, tmp_path / "images")
    encoding = reader.encode_missing(study)
    assert encoding.stacks == (0,) and len(encoding.keys) == 6
    assert encoding.left_out[0].startswith("T2 sagittal (t2_tse_sag) cannot be read")
    with pytest.raises(UnusableSlice):
        reader.encode_missing(ReadStudy(stacks=study.stacks[1:]))


def test_what_a_rule_does_not_expect_is_left_out(folder: Path, tmp_path: Path) -> None:
    images = read_headers(saved(pelvis(), tmp_path))
    manifest = load(folder).manifest
    sagittal = SeriesPart(series_instance_uid="1.2.826.0.1.3680043.8.498.802")
    choice = choose_stacks(images, manifest, (sagittal,))
    assert choice.chosen is not None and [one.name for one in choice.chosen.stacks] == ["T2 sagittal"]
    assert choice.lacks == ("T2 axial",)
    assert {one.stack: one.code for one in choice.verdicts} == {
        "T2 sagittal": None,
        "T2 axial": ReasonCode.NOT_EXPECTED,
    }
    nothing = choose_stacks(images, manifest, ())
    assert (nothing.chosen, nothing.code) == (None, ReasonCode.NOT_EXPECTED)


def test_a_study_without_a_required_series_is_not_read(folder: Path, tmp_path: Path) -> None:
    wanted = [{"name": "ADC axial", "planes": ["axial"], "sequences": ["ADC"], "required": True}]
    tiny_staging.write_manifest(folder, series=wanted)
    choice = choose_stacks(read_headers(saved(pelvis(), tmp_path)), load(folder).manifest)
    assert choice.chosen is None and choice.reason == "the model does not read a study without ADC axial"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Modality": "CT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, ReasonCode.WRONG_MODALITY),
        ({"BodyPartExamined": "HEAD"}, ReasonCode.WRONG_BODY_PART),
    ],
)
def test_other_images_are_not_read(folder: Path, tmp_path: Path, change: dict[str, str], code: ReasonCode) -> None:
    datasets = pelvis()
    for dataset in datasets:
        for keyword, text in change.items():
            setattr(dataset, keyword, text)
    choice = choose_stacks(read_headers(saved(datasets, tmp_path)), load(folder).manifest)
    assert choice.chosen is None and choice.code is code


@given(st.lists(st.floats(0, 1), min_size=1, max_size=3))
def test_levels_are_shares_and_each_step_divides_what_is_above(steps: list[float]) -> None:
    levels = levels_of_steps(np.array(steps))
    assert levels.min() >= -1e-12 and levels.sum() == pytest.approx(1.0)
    assert levels[0] == pytest.approx(1 - steps[0])
    assert levels[-1] == pytest.approx(np.prod(steps))


@given(logits=LOGITS)
def test_what_is_said_follows_from_the_levels(logits: list[float]) -> None:
    said = {one.entry.key: one for one in said_items(MANIFEST, logits)}
    assert {"tumour", "nodes"} <= set(said)
    assert (len(said) == 5) is (said["tumour"].presence is Presence.PRESENT)
    for one in said.values():
        assert sum(one.levels) == pytest.approx(1.0)
        assert (one.level > 0 or not one.entry.lowest_is_absence) is (one.presence is not Presence.ABSENT)
        assert (one.grade is None) is (one.presence is Presence.ABSENT or not one.grades)
        if one.grade is not None:
            assert one.grades[one.grade] == one.entry.levels[one.level]


@given(logits=LOGITS, measured_mm=st.floats(0.0, 30.0))
def test_no_margin_is_told_for_sure_beside_one_measured_on_the_other_side(
    logits: list[float], measured_mm: float
) -> None:
    entry = MANIFEST.margin
    assert entry
    distance = MeasuredDistance(
        finding=entry.item,
        name=entry.name,
        type=entry.code,
        value_mm=measured_mm,
        ends_mm=((0.0, 0.0, 0.0), (measured_mm, 0.0, 0.0)),
        series_instance_uid="2.25.1",
        frame_of_reference_uid="2.25.2",
    )
    margin = next((one for one in said_items(MANIFEST, logits, [distance]) if one.entry.key == entry.item), None)
    if margin is not None and margin.presence is not Presence.UNCERTAIN:
        assert (margin.presence is Presence.PRESENT) is (round(measured_mm, 1) <= entry.involved_mm)


def _manifest() -> StagingManifest:
    with TemporaryDirectory() as scratch:
        return load(write_staging_bundle(Path(scratch) / "tiny")).manifest


MANIFEST = _manifest()


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.data())
def test_every_index_is_of_one_slice_of_one_stack(counts: list[int], data: st.DataObject) -> None:
    first = STUDY.stacks[0]
    stacks = tuple(
        first.model_copy(update={"series": first.series.model_copy(update={"slices": first.series.slices[:count]})})
        for count in counts
    )
    study = ReadStudy(stacks=stacks)
    index = data.draw(st.integers(0, sum(counts) - 1))
    of = [place for place in range(len(stacks)) if index in study.slices_of(place)]
    assert len(of) == 1
    own = index - study.slices_of(of[0]).start
    assert study.slices[index] == stacks[of[0]].series.slices[own]


def _study() -> ReadStudy:
    chosen = choose_stacks(headers(pelvis()), MANIFEST).chosen
    assert chosen is not None
    return chosen


STUDY = _study()


def test_no_shadow_reads_several_series(folder: Path, tmp_path: Path, database: Database) -> None:
    settings = Settings(data_dir=tmp_path / "data", inference=settings_of(folder))
    with pytest.raises(ShadowRefused, match="reads all series of a study together"):
        start_shadow(folder, settings, database, actor="test")


def test_it_comes_in_as_one_file_and_waits_for_its_activation(tmp_path: Path, database: Database) -> None:
    made = write_staging_bundle(tmp_path / "elsewhere" / "made")
    inference = settings_of(made).model_copy(update={"bundles_dir": tmp_path / "bundles"})
    (tmp_path / "bundles").mkdir()
    settings = Settings(data_dir=tmp_path / "data", inference=inference)
    bundle = install(zipped(files_of(made)), settings, database, actor="test")
    assert files_of(bundle.folder) == files_of(made)
    assert bundles_in_use(settings, database).staging == ()
    activate(bundle.folder, settings, database, actor="test")
    assert [one.digest for one in bundles_in_use(settings, database).staging] == [bundle.digest]


def test_a_name_is_of_one_task(folder: Path, tmp_path: Path, database: Database) -> None:
    write_bundle(folder.parent / "tiny-2.0", name="tiny-staging", version="2.0")
    settings = Settings(data_dir=tmp_path / "data", inference=settings_of(folder))
    with pytest.raises(BundleRefused, match="has the name of an installed model of another task"):
        activate(folder, settings, database, actor="test")
