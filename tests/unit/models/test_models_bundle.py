"""The shipped bundle, read by onnxruntime as the agent reads it."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from models.msvlm.extract import findings_of_report
from models.msvlm.realcases import ARCHIVES, REAL_DATA, series_of_archive
from models.msvlm.runtime import StoredSeries
from models.phantoms import FINDINGS, Finding, generate
from pacs_agent.inference.manifest import Manifest

CASES = (
    (501, (Finding.PLEURAL_EFFUSION, Finding.CARDIOMEGALY)),
    (502, (Finding.EMPHYSEMA, Finding.ARTERIAL_CALCIFICATION)),
    (503, (Finding.PERICARDIAL_EFFUSION, Finding.CONSOLIDATION)),
    (504, (Finding.HIATAL_HERNIA, Finding.LUNG_NODULE)),
    (505, ()),
)
"""Seeds of no training split."""


@pytest.fixture(scope="session")
def read_cases(runtime):
    def read(seed, findings):
        phantom = generate(seed, slices=60, size_px=192, findings=findings)
        stored = (phantom.hu.astype(np.int32) + 1024).astype(np.int16)
        series = StoredSeries(stored, 1.0, -1024.0, (phantom.pixel_mm,) * 2, phantom.z_mm)
        reading = runtime.read(runtime.encode(series)[0], series.z_mm)
        return frozenset(findings), reading, runtime.report(reading)

    return [read(seed, findings) for seed, findings in CASES]


def test_manifest_is_valid_and_its_digests_are_those_of_the_files(bundle: Path):
    manifest = Manifest.model_validate(json.loads((bundle / "manifest.json").read_text()))
    assert tuple(entry.key for entry in manifest.findings) == FINDINGS
    assert manifest.demo and "Not for clinical use" in manifest.intended_use
    graphs = (manifest.graphs.slice_encoder, manifest.graphs.study_reader, manifest.graphs.report_decoder)
    for entry in (*graphs, manifest.tokenizer):
        assert hashlib.sha256((bundle / entry.file).read_bytes()).hexdigest() == entry.sha256, entry.file
    self_test = bundle / "self_test" / manifest.self_test.file
    assert hashlib.sha256(self_test.read_bytes()).hexdigest() == manifest.self_test.sha256


def test_bundle_is_small_and_names_no_machine(bundle: Path):
    files = [path for path in bundle.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 25 * 2**20
    assert (bundle / "self_test" / "self_test.npz").stat().st_size <= 2**20
    here = str(Path(__file__).parents[3]).encode()
    assert not any(here in path.read_bytes() for path in files)


def test_self_test_says_here_what_it_said_when_the_bundle_was_made(bundle: Path, runtime):
    with np.load(bundle / "self_test" / "self_test.npz") as expected:
        series = StoredSeries(
            expected["stored"],
            float(expected["slope"]),
            float(expected["intercept"]),
            tuple(expected["spacing_mm"].tolist()),
            expected["z_mm"],
        )
        tokens, grids = runtime.encode(series)
        reading = runtime.read(tokens, series.z_mm)
        np.testing.assert_allclose(reading.probabilities, expected["probabilities"], atol=1e-3)
        np.testing.assert_allclose(reading.slice_weights, expected["slice_weights"], atol=1e-3)
        sentences = runtime.decode(expected["tags"].tolist(), reading.visual_tokens)
        assert sentences == expected["sentences"].tolist()
    manifest = Manifest.model_validate(json.loads((bundle / "manifest.json").read_text()))
    assert tokens.shape == (len(series.stored), manifest.token_width)
    assert grids.shape[1:] == (len(FINDINGS), manifest.patch_grid, manifest.patch_grid)


def test_card_and_figures_are_honest_about_phantoms(bundle: Path):
    assert (bundle / "MODEL_CARD.md").read_text().count("Not for clinical use") >= 3
    figures = json.loads((bundle / "evaluation.json").read_text())
    assert figures["report_macro_f1"]["n"] >= 60
    for control in ("shuffled", "blanked", "random"):
        assert figures[f"report_macro_f1_{control}"]["high"] < figures["report_macro_f1"]["low"], control
    assert figures["evidence_auprc"]["low"] > figures["evidence_random_auprc"]["high"]
    assert figures["identical_reports"]["value"] < 0.2


def agreement(readings, shift):
    hits = total = 0
    for index, (_, _, report) in enumerate(readings):
        truth = readings[(index + shift) % len(readings)][0]
        said = findings_of_report(report)
        hits, total = hits + 2 * len(truth & said), total + len(truth) + len(said)
    return hits / max(total, 1)


def test_shuffled_studies_give_other_findings(read_cases):
    right = agreement(read_cases, 0)
    wrong = [agreement(read_cases, shift) for shift in range(1, len(read_cases))]
    assert right > 0.6
    assert max(wrong) < 0.5 * right


def test_the_text_changes_with_the_image(read_cases):
    assert len({tuple(report) for _, _, report in read_cases}) == len(read_cases)


def test_every_sentence_ends(read_cases):
    for _, _, report in read_cases:
        assert all(sentence.endswith(".") and len(sentence.split()) < 25 for sentence in report)


def test_slice_weights_are_weights(read_cases):
    for _, reading, _ in read_cases:
        assert reading.slice_weights.min() >= 0.0 and reading.slice_weights.max() <= 1.0


@pytest.mark.real_images
def test_a_real_chest_ct_runs_through(runtime):
    path = REAL_DATA / ARCHIVES["LIDC-IDRI-0001"]
    if not path.is_file():
        pytest.skip(f"{path.name} is not beside the project")
    whole = series_of_archive(path)
    part = StoredSeries(whole.stored[::6], whole.slope, whole.intercept, whole.spacing_mm, whole.z_mm[::6])
    tokens, grids = runtime.encode(part)
    reading = runtime.read(tokens, part.z_mm)
    for values in (tokens, grids, reading.logits, reading.slice_weights, reading.visual_tokens):
        assert np.isfinite(values).all()
    assert all(sentence for sentence in runtime.report(reading))
