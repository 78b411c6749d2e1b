"""The shipped bundle, read by onnxruntime as the agent reads it."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.evaluation.extractor import findings_of
from models.evaluation.heldout import stored_series
from models.msvlm.runtime import StoredSeries, read_manifest, variants_of
from models.phantoms import FINDINGS, Finding, generate
from models.phantoms.findings import ATTRIBUTE_NAMES
from pacs_agent.config import InferenceSettings
from pacs_agent.inference import load_bundle, verify

CASES = (
    (501, (Finding.PLEURAL_EFFUSION, Finding.CARDIOMEGALY)),
    (502, (Finding.EMPHYSEMA, Finding.ARTERIAL_CALCIFICATION)),
    (503, (Finding.PERICARDIAL_EFFUSION, Finding.CONSOLIDATION)),
    (504, (Finding.HIATAL_HERNIA, Finding.LUNG_NODULE)),
    (505, ()),
)
"""Seeds of no split."""


@pytest.fixture(scope="session")
def read_cases(runtime):
    def read(seed, findings):
        study = generate(seed, slices=60, size_px=192, findings=findings).study()
        reading = runtime.read(runtime.encode(stored_series(study)).tokens, study.z_mm)
        present = frozenset(finding for finding, there in study.labels.items() if there)
        return present, reading, runtime.report(reading)

    return [read(seed, findings) for seed, findings in CASES]


def test_it_is_signed_and_every_file_is_named(bundle: Path):
    loaded = load_bundle(bundle)
    assert loaded.unnamed_files() == []
    assert tuple(entry.key for entry in loaded.manifest.findings) == FINDINGS
    assert loaded.manifest.attributes == ATTRIBUTE_NAMES
    assert loaded.manifest.demo and "Not for clinical use" in loaded.manifest.intended_use
    assert {document.file for document in loaded.manifest.documents} >= {"MODEL_CARD.md", "evaluation.json"}


@pytest.mark.slow
def test_it_may_run(bundle: Path):
    assert verify(bundle, InferenceSettings(provider="cpu")).faults == ""


def test_it_is_small_and_names_no_machine(bundle: Path):
    files = [path for path in bundle.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 30 * 2**20
    assert sum(path.stat().st_size for path in (bundle / "self_test").iterdir()) <= 4 * 2**20
    here = str(Path(__file__).parents[3]).encode()
    assert not any(here in path.read_bytes() for path in files)


def test_what_each_precision_costs_was_measured(bundle: Path):
    assert variants_of(bundle) == ("fp32", "fp16", "int8")
    for variant in read_manifest(bundle).variants.values():
        assert variant.macro_auroc_loss is not None and variant.macro_auroc_loss < 0.02
        assert variant.worst_auroc_loss is not None and variant.worst_auroc_loss < 0.1


def test_the_card_and_the_figures_are_honest_about_phantoms(bundle: Path):
    assert (bundle / "MODEL_CARD.md").read_text().count("Not for clinical use") >= 2
    figures = json.loads((bundle / "evaluation.json").read_text())
    assert figures["report_macro_f1"]["n"] >= 300
    for control in ("shuffled", "blanked", "random"):
        assert figures[f"report_macro_f1_{control}"]["high"] < figures["report_macro_f1"]["low"], control
    assert figures["evidence_auprc"]["low"] > figures["evidence_random_auprc"]["high"]


def agreement(readings, shift):
    hits = total = 0
    for index, (_, _, report) in enumerate(readings):
        truth = readings[(index + shift) % len(readings)][0]
        said = findings_of(" ".join(text for _, text in report))
        hits, total = hits + 2 * len(truth & said), total + len(truth) + len(said)
    return hits / max(total, 1)


@pytest.mark.slow
def test_shuffled_studies_give_other_findings(read_cases):
    right = agreement(read_cases, 0)
    wrong = [agreement(read_cases, shift) for shift in range(1, len(read_cases))]
    assert right > 0.6
    assert max(wrong) < 0.6 * right


@pytest.mark.slow
def test_the_text_changes_with_the_image(read_cases):
    assert len({tuple(report) for _, _, report in read_cases}) == len(read_cases)


@pytest.mark.slow
def test_every_sentence_ends(read_cases):
    for _, _, report in read_cases:
        assert all(text.endswith(".") and len(text.split()) < 40 for _, text in report)


@pytest.mark.slow
def test_weights_and_attention_of_slices(read_cases):
    for _, reading, _ in read_cases:
        assert reading.slice_weights.min() >= 0.0 and reading.slice_weights.max() <= 1.0
        np.testing.assert_allclose(reading.slice_attention.sum(1), 1.0, atol=1e-3)


@pytest.mark.real_images
@pytest.mark.slow
def test_a_real_chest_ct_runs_through(runtime):
    from models.datasets.real_ct import cases_there, load_scan

    volume = load_scan(cases_there()[0]).volume
    part = StoredSeries(volume.hu[::6], 1.0, 0.0, volume.spacing_mm, volume.z_mm[::6])
    tokens, grids, centres_px = runtime.encode(part)
    reading = runtime.read(tokens, part.z_mm)
    for values in (tokens, grids, centres_px, reading.logits, reading.slice_weights, reading.visual_tokens):
        assert np.isfinite(values).all()
    assert all(text for _, text in runtime.report(reading))
