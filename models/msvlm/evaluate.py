"""Measures a bundle on unseen phantoms through onnxruntime and writes evaluation.json and the model card.

    python -m models.msvlm.evaluate --bundle models/bundles/NAME --checkpoint .cache/msvlm/cpu-demo/model.pt

Every report figure stands beside its controls: another patient's image (shuffled), tokens without content (blanked)
and statements drawn by prevalence (random).
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from models.msvlm.card import write_card
from models.msvlm.cases import split_seeds
from models.msvlm.extract import findings_of_report, side_in
from models.msvlm.metrics import (
    NOT_MEASURED,
    Figure,
    auroc,
    average_precision,
    expected_calibration_error,
    f1,
    figure,
    macro,
    worst,
)
from models.msvlm.network import Network, load_network
from models.msvlm.realcases import read_real_cases
from models.msvlm.runtime import BundleRuntime, StoredSeries
from models.phantoms import FINDINGS, Phantom, generate

Array = NDArray[np.float64]
RANDOM_DRAWS = 20
TOP_SLICES = 3
SIDED = ("lung_nodule", "consolidation", "atelectasis", "pleural_effusion")


@dataclass(frozen=True)
class Outcome:
    """What the bundle says of one phantom, and the truth."""

    labels: Array
    probabilities: Array
    pooled: Array
    weights: Array
    slices: Array
    report: tuple[str, ...]
    blanked: tuple[str, ...]
    sides: dict[str, str]


def stored_series(phantom: Phantom) -> StoredSeries:
    """A phantom as a CT stores it: intercept −1024."""
    stored = (phantom.hu.astype(np.int32) + 1024).astype(np.int16)
    return StoredSeries(stored, 1.0, -1024.0, (phantom.pixel_mm, phantom.pixel_mm), phantom.z_mm)


def measure(runtime: BundleRuntime, network: Network, phantom: Phantom) -> Outcome:
    """Reads one phantom with the bundle."""
    series = stored_series(phantom)
    tokens, _ = runtime.encode(series)
    reading = runtime.read(tokens, series.z_mm)
    nothing = np.tile(network.reader.token_mean.numpy(), (len(tokens), 1))
    with torch.no_grad():
        slice_logits = network.encoder.slice_head(torch.from_numpy(tokens)).numpy()
    there = [phantom.masks[f].any((1, 2)) if f in phantom.masks else np.zeros(len(tokens)) for f in FINDINGS]
    return Outcome(
        labels=np.array([phantom.labels[finding] for finding in FINDINGS], float),
        probabilities=reading.probabilities.astype(float),
        pooled=np.sort(slice_logits, axis=0)[-TOP_SLICES:].mean(0).astype(float),
        weights=reading.slice_weights.astype(float),
        slices=np.array(there, float),
        report=tuple(runtime.report(reading)),
        blanked=tuple(runtime.report(runtime.read(nothing, series.z_mm))),
        sides={s.finding: side for s in phantom.sentences if s.finding and (side := side_in(s.text))},
    )


def _said(reports: Sequence[Sequence[str]]) -> Array:
    stated = [findings_of_report(report) for report in reports]
    return np.array([[finding in there for finding in FINDINGS] for there in stated], float)


def _random_f1(labels: Array, chosen: NDArray[np.intp]) -> float:
    rng, prevalence = np.random.default_rng(0), labels.mean(0)
    draws = (rng.random((RANDOM_DRAWS, *labels[chosen].shape)) < prevalence).astype(float)
    return float(np.mean([macro(f1, labels[chosen], draw) for draw in draws]))


def report_figures(outcomes: Sequence[Outcome]) -> dict[str, Figure]:
    """Macro-F1 of the report's text and of its controls."""
    labels, n = np.array([outcome.labels for outcome in outcomes]), len(outcomes)
    said = _said([outcome.report for outcome in outcomes])
    blanked = _said([outcome.blanked for outcome in outcomes])
    other = np.roll(said, 1, axis=0)
    return {
        "report_macro_f1": figure(lambda i: macro(f1, labels[i], said[i]), n),
        "report_macro_f1_shuffled": figure(lambda i: macro(f1, labels[i], other[i]), n),
        "report_macro_f1_blanked": figure(lambda i: macro(f1, labels[i], blanked[i]), n),
        "report_macro_f1_random": figure(lambda i: _random_f1(labels, i), n),
        "false_findings_per_normal": _false_findings(labels, said),
        "identical_reports": _identical(outcomes),
    }


def _false_findings(labels: Array, said: Array) -> Figure:
    normal = said[labels.sum(1) == 0].sum(1)
    return figure(lambda i: float(normal[i].mean()), len(normal)) if len(normal) else NOT_MEASURED


def _identical(outcomes: Sequence[Outcome]) -> Figure:
    """Share of studies with findings whose whole text equals that of another study with other findings."""
    ill = [outcome for outcome in outcomes if outcome.labels.any()]
    same = [any(a.report == b.report and (a.labels != b.labels).any() for b in outcomes) for a in ill]
    values = np.array(same, float)
    return figure(lambda i: float(values[i].mean()), len(values))


def score_figures(outcomes: Sequence[Outcome], points: Array) -> dict[str, Figure]:
    """AUROC, F1 and calibration of the finding probabilities, and of the pooled slice logits beside them."""
    labels, scores, pooled = (
        np.array([getattr(outcome, name) for outcome in outcomes]) for name in ("labels", "probabilities", "pooled")
    )
    n, said = len(outcomes), (scores >= points).astype(float)
    return {
        "macro_auroc": figure(lambda i: macro(auroc, labels[i], scores[i]), n),
        "worst_auroc": figure(lambda i: worst(auroc, labels[i], scores[i]), n),
        "macro_f1": figure(lambda i: macro(f1, labels[i], said[i]), n),
        "pooled_baseline_auroc": figure(lambda i: macro(auroc, labels[i], pooled[i]), n),
        "subvolume_baseline_auroc": NOT_MEASURED,
        "ece": figure(lambda i: expected_calibration_error(labels[i], scores[i]), n),
    }


def evidence_figures(outcomes: Sequence[Outcome]) -> dict[str, Figure]:
    """Do the heaviest slices show the finding? Per patient the mean over the findings that are there."""
    ill = [outcome for outcome in outcomes if outcome.slices.any()]
    pointing, precision, chance = (np.array(values) for values in zip(*map(_evidence, ill), strict=True))
    n = len(ill)
    return {
        "evidence_pointing": figure(lambda i: float(pointing[i].mean()), n),
        "evidence_auprc": figure(lambda i: float(precision[i].mean()), n),
        "evidence_random_auprc": figure(lambda i: float(chance[i].mean()), n),
    }


def _evidence(outcome: Outcome) -> tuple[float, float, float]:
    there = np.flatnonzero(outcome.slices.any(1))
    hits = [outcome.slices[f, outcome.weights[f].argmax()] for f in there]
    precision = [average_precision(outcome.slices[f], outcome.weights[f]) for f in there]
    return float(np.mean(hits)), float(np.mean(precision)), float(outcome.slices[there].mean())


def side_figure(outcomes: Sequence[Outcome]) -> Figure:
    """Share of right sides among the sentences that rightly state a sided finding (two or three sides are possible)."""
    right = [hit for outcome in outcomes for hit in _sides(outcome)]
    values = np.array(right, float)
    return figure(lambda i: float(values[i].mean()), len(values)) if right else NOT_MEASURED


def _sides(outcome: Outcome) -> list[bool]:
    sentences = dict(zip(FINDINGS, outcome.report[: len(FINDINGS)], strict=True))
    return [
        side_in(sentences[finding]) == outcome.sides[finding]
        for finding in FINDINGS
        if finding in SIDED and finding in outcome.sides and finding in findings_of_report([sentences[finding]])
    ]


def per_finding(outcomes: Sequence[Outcome], points: Array) -> dict[str, dict[str, float | int | None]]:
    """AUROC, F1 and number of positives of each finding."""
    rows = {}
    for index, finding in enumerate(FINDINGS):
        labels, scores, pooled = (
            np.array([getattr(outcome, name)[index] for outcome in outcomes])
            for name in ("labels", "probabilities", "pooled")
        )
        rows[finding.value] = {
            "auroc": round(auroc(labels, scores), 4),
            "pooled_auroc": round(auroc(labels, pooled), 4),
            "f1": round(f1(labels, (scores >= points[index]).astype(float)), 4),
            "positives": int(labels.sum()),
        }
    return rows


def evaluate(folder: Path, network: Network, seeds: Sequence[int]) -> dict[str, Any]:
    """All of evaluation.json."""
    runtime = BundleRuntime.open(folder)
    points = np.array([entry.operating_point for entry in runtime.findings])
    size = network.preset.data.phantom_px
    outcomes = [measure(runtime, network, generate(seed, size_px=size)) for seed in track(seeds, "evaluation")]
    return {
        **score_figures(outcomes, points),
        **report_figures(outcomes),
        **evidence_figures(outcomes),
        "side_accuracy": side_figure(outcomes),
        "per_finding": per_finding(outcomes, points),
        "ablations": {},
        "real_cases": read_real_cases(runtime),
        "data": f"{len(outcomes)} unseen thorax CT phantoms of models.phantoms; no patient data. See MODEL_CARD.md.",
        "seeds": {"training": network.preset.seed, "first_test_phantom": seeds[0], "last_test_phantom": seeds[-1]},
        "commit": commit_of_code(),
    }


def commit_of_code() -> str | None:
    """The commit this code was checked out from; None outside a checkout."""
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() or None


def evaluate_bundle(folder: Path, checkpoint: Path) -> None:
    """Writes evaluation.json and MODEL_CARD.md into a bundle."""
    network = load_network(checkpoint)
    figures = evaluate(folder, network, split_seeds(network.preset, "test"))
    (folder / "evaluation.json").write_text(json.dumps(figures, indent=1) + "\n")
    write_card(folder, network.preset, figures)


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--checkpoint", type=click.Path(path_type=Path, exists=True), required=True, help="model.pt of the run.")
def main(bundle: Path, checkpoint: Path) -> None:
    """Measures a bundle and writes its evaluation and card."""
    evaluate_bundle(bundle, checkpoint)


if __name__ == "__main__":
    main()
