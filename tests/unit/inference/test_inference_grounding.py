"""A bundle that does not read the image does not run, and one that failed anything else neither."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny_bundle
from hypothesis import given
from hypothesis.extra import numpy as arrays
from tiny_bundle import add_variant, entry, load, settings_of, write_grounding, write_manifest

from pacs_agent.inference import BundleRefused, verification, verify
from pacs_agent.inference.grounding import f1, grounding_test

LABELS = arrays.arrays(np.bool_, (3, 4))


def outcomes(folder: Path, **changes: object) -> dict[str, str]:
    return {check.name: str(check.outcome) for check in verify(folder, settings_of(folder, **changes)).checks}


def faults(folder: Path) -> str:
    return verify(folder, settings_of(folder)).faults


def test_a_model_that_reads(bundle_folder: Path) -> None:
    report = grounding_test(load(bundle_folder), settings_of(bundle_folder))
    assert (report.correct, report.shuffled, report.blanked, report.margin) == (1.0, 0.0, 0.0, 0.5)
    assert report.passed


def test_a_model_that_says_the_same_of_everybody(bundle_folder: Path) -> None:
    """Both findings in each study: half of what it says is right, on any study and on air."""
    always = [entry(key, bias=9.0) for key in tiny_bundle.KEYS]
    write_manifest(bundle_folder, findings=always)
    report = grounding_test(load(bundle_folder), settings_of(bundle_folder))
    assert report.correct == report.shuffled == report.blanked == pytest.approx(2 / 3)
    assert not report.passed
    assert "must lead by 0.50" in faults(bundle_folder)


def test_a_model_whose_studies_were_mixed_up(bundle_folder: Path) -> None:
    write_grounding(bundle_folder, labels=((False, True), (True, False)))
    write_manifest(bundle_folder)
    report = grounding_test(load(bundle_folder), settings_of(bundle_folder))
    assert (report.correct, report.shuffled) == (0.0, 1.0)
    assert not report.passed


@given(LABELS, LABELS)
def test_f1_lies_between_nothing_and_all(said: np.ndarray, labels: np.ndarray) -> None:
    assert 0.0 <= f1(said, labels) <= 1.0
    assert f1(said, labels) == f1(labels, said)
    assert f1(labels, labels) == float(labels.any())


def test_all_that_is_checked(bundle_folder: Path) -> None:
    add_variant(bundle_folder, "int8", macro_auroc_loss=0.0, worst_auroc_loss=0.0)
    expected = [
        "signature",
        "files",
        "self-test fp32 on cpu",
        "self-test int8 on cpu",
        "grounding fp32 on cpu",
        "grounding int8 on cpu",
    ]
    assert outcomes(bundle_folder) == {"evaluation": "skipped"} | dict.fromkeys(expected, "passed")


def with_evaluation(folder: Path, text: str) -> None:
    path = folder / "evaluation.json"
    path.write_text(text)
    write_manifest(folder, documents=[tiny_bundle.digest_of(path)])


def figures(correct: float, shuffled: float, blanked: float | None) -> str:
    values = {"": correct, "_shuffled": shuffled, "_blanked": blanked}
    return json.dumps({f"report_macro_f1{name}": {"value": value} for name, value in values.items()})


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (figures(0.9, 0.1, 0.0), "passed"),
        (figures(0.9, 0.85, 0.0), "failed"),
        (figures(0.9, 0.1, 0.85), "failed"),
        (figures(0.9, 0.1, None), "failed"),
        ("{}", "failed"),
        ("[]", "failed"),
        ("no JSON", "failed"),
        ('{"report_macro_f1": {"value": "high"}}', "failed"),
    ],
)
def test_the_evaluation_must_show_that_the_reports_follow_the_image(
    bundle_folder: Path, text: str, outcome: str
) -> None:
    with_evaluation(bundle_folder, text)
    assert outcomes(bundle_folder)["evaluation"] == outcome


def unsigned(folder: Path) -> None:
    (folder / "manifest.sig").unlink()


def with_a_stray_file(folder: Path) -> None:
    (folder / "slice_encoder_new.onnx").write_bytes(b"")


def with_another_bias(folder: Path) -> None:
    write_manifest(folder, findings=[entry("nodule", bias=0.5), entry("effusion")])


def without_grounding(folder: Path) -> None:
    write_manifest(folder, grounding=None)


def with_a_broken_grounding(folder: Path) -> None:
    (folder / "self_test" / "grounding.npz").write_bytes(b"PK")
    write_manifest(folder)


def with_labels_of_other_findings(folder: Path) -> None:
    write_grounding(folder, labels=((True,), (False,)))
    write_manifest(folder)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (unsigned, "signature and files: tiny-1.0/manifest.sig: is missing"),
        (with_a_stray_file, "files: slice_encoder_new.onnx: the manifest does not name 1 files"),
        (with_another_bias, "self-test fp32 on cpu: probabilities differs by"),
        (without_grounding, "grounding fp32 on cpu: tiny-1.0/manifest.json: names no grounding test"),
        (with_a_broken_grounding, "grounding fp32 on cpu: grounding.npz: is no grounding test"),
        (
            with_labels_of_other_findings,
            "grounding fp32 on cpu: grounding.npz: has labels of shape (2, 1) for 2 findings",
        ),
    ],
)
def test_what_is_wrong_is_said(bundle_folder: Path, spoil: Callable[[Path], None], says: str) -> None:
    spoil(bundle_folder)
    assert says in faults(bundle_folder)


def test_a_precision_that_says_something_else_than_at_its_release(bundle_folder: Path) -> None:
    add_variant(bundle_folder, "int8")
    path = bundle_folder / "self_test" / "self_test.npz"
    with np.load(path) as arrays_:
        other = {name: arrays_[name] for name in arrays_.files} | {"int8.probabilities": np.array([0.2, 0.2])}
    np.savez(path, **other)
    variants = json.loads((bundle_folder / "manifest.json").read_text())["variants"]
    write_manifest(bundle_folder, variants=variants)
    found = outcomes(bundle_folder, precision="int8")
    assert (found["self-test fp32 on cpu"], found["self-test int8 on cpu"]) == ("passed", "failed")
    found = outcomes(bundle_folder, precision="fp32")
    assert (found["self-test fp32 on cpu"], found["self-test int8 on cpu"]) == ("passed", "skipped")


def test_what_passed_is_remembered_by_its_digest(bundle_folder: Path, tmp_path: Path, monkeypatch) -> None:
    settings, runs = settings_of(bundle_folder), []
    monkeypatch.setattr(verification, "grounding_test", lambda *given: runs.append(1) or grounding_test(*given))
    for _ in range(2):
        verification.ensure_verified(load(bundle_folder), settings, tmp_path / "verified")
    assert len(runs) == 1
    write_manifest(bundle_folder, version="1.1")
    verification.ensure_verified(load(bundle_folder), settings, tmp_path / "verified")
    verification.ensure_verified(
        load(bundle_folder), settings.model_copy(update={"precision": "fp32"}), tmp_path / "verified"
    )
    assert len(runs) == 3


def test_what_failed_is_not_remembered(bundle_folder: Path, tmp_path: Path) -> None:
    without_grounding(bundle_folder)
    for _ in range(2):
        with pytest.raises(BundleRefused, match="pacs-agent model verify tiny"):
            verification.ensure_verified(load(bundle_folder), settings_of(bundle_folder), tmp_path / "verified")
    assert not (tmp_path / "verified").exists()
