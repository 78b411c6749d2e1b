"""The whole evaluation of a bundle: every figure, control and baseline in one run.

    python -m models.evaluation --bundle models/bundles/NAME --checkpoint .cache/msvlm/NAME/model.pt

The bundle is read through onnxruntime. The checkpoint gives what a bundle does not hold: the preset, the encoder's own
slice head for the pooled baseline, and the folder of the run with the tokens that the baselines are fitted on.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from models.evaluation.amounts import amount_figures
from models.evaluation.baselines import fit_logistic, pooled, strongest_slices
from models.evaluation.described import attribute_figures
from models.evaluation.evidence import best_method, by_finding, chance_figures, method_figures, weigh
from models.evaluation.faithful import deletion_insertion, random_network, randomised_weights
from models.evaluation.heldout import Encoder, HeldOutStudy, encoded
from models.evaluation.metrics import NOT_MEASURED, Array
from models.evaluation.outcomes import Measured, Speaker, measure
from models.evaluation.plan import Amounts
from models.evaluation.questions import question_figures
from models.evaluation.realcases import ReadCase, case_rows, read_cases
from models.evaluation.reports import report_figures, word_figures
from models.evaluation.robust import implant_figures, thickness_figures, variant_figures
from models.evaluation.scores import discrimination, gain, per_finding, score_figures
from models.evaluation.sources import HeldOutPhantoms, held_out_phantoms
from models.msvlm.network import Network, load_network
from models.msvlm.run import Run
from models.msvlm.runtime import BundleRuntime
from models.msvlm.studies import EncodedStudy, load_studies
from models.phantoms.findings import FINDINGS
from pacs_agent.inference.reading import EvidenceMethod

console = Console()
Floats = NDArray[np.float32]
PROCESSES = 2
TOP_THREE, REGRESSION = "top_three_slices", "pooled_regression"


@dataclass(frozen=True, eq=False)
class Subject:
    """What is evaluated: a bundle with the network and the run that it came from."""

    folder: Path
    runtime: BundleRuntime
    speaker: Speaker
    network: Network
    run: Run

    @property
    def blank(self) -> Floats:
        """The token without content."""
        if self.runtime.manifest.blank_token:
            return np.array(self.runtime.manifest.blank_token, np.float32)
        mean: Floats = self.network.reader.token_mean.numpy()
        return mean

    @classmethod
    def open(cls, folder: Path, checkpoint: Path) -> "Subject":
        """The bundle in `folder`, trained in the run in whose folder the checkpoint lies."""
        runtime, network = BundleRuntime.open(folder, threads=PROCESSES), load_network(checkpoint)
        run = Run(network.preset, checkpoint.resolve().parents[1], folder.parent)
        return cls(folder, runtime, Speaker(runtime, folder), network, run)


@dataclass(eq=False)
class Evaluation:
    """The figures as they are made, and what plots and card need beside them."""

    subject: Subject
    amounts: Amounts
    cache: Path
    measured: Measured
    figures: dict[str, Any] = field(default_factory=dict)
    baselines: dict[str, Array] = field(default_factory=dict)
    cases: list[ReadCase] = field(default_factory=list)

    def add(self, title: str, make: Callable[[], dict[str, Any]]) -> None:
        """Makes figures and keeps them."""
        console.rule(title, style="dim")
        self.figures |= make()

    def encode(self, count: int, thickness_mm: float | None = None) -> list[HeldOutStudy]:
        """Phantoms of the test split through the bundle's slice encoder."""
        return encoded(Encoder(self.subject.folder), self.source(count, thickness_mm), self.cache, PROCESSES)

    def source(self, count: int, thickness_mm: float | None = None) -> HeldOutPhantoms:
        """Phantoms of the test split."""
        return held_out_phantoms(self.subject.network.preset, count, thickness_mm)


def evaluate(subject: Subject, amounts: Amounts, cache: Path) -> Evaluation:
    """All of evaluation.json. A run that is stopped keeps what it has encoded."""
    source = held_out_phantoms(subject.network.preset, amounts.studies)
    studies = encoded(Encoder(subject.folder), source, cache, PROCESSES)
    measured = measure(subject.speaker, studies, subject.blank, "phantoms")
    evaluation = Evaluation(subject, amounts, cache, measured)
    evaluation.add("scores", lambda: score_figures(measured))
    evaluation.add("reports", lambda: {**report_figures(measured), "words": word_figures(measured)})
    evaluation.add("baselines", lambda: _baselines(evaluation, measured))
    evaluation.add("attributes", lambda: {"attributes": attribute_figures(measured)})
    evaluation.add("evidence", lambda: _evidence(evaluation, measured))
    evaluation.add("slice distances", lambda: {"slice_distance": thickness_figures(evaluation, measured)})
    evaluation.add("implants", lambda: implant_figures(evaluation))
    evaluation.add("precisions", lambda: {"variants": variant_figures(evaluation, measured)})
    evaluation.add("real cases", lambda: _real_cases(evaluation))
    evaluation.figures |= _provenance(evaluation, measured) | from_other_commands(subject.run)
    return evaluation


def _real_cases(evaluation: Evaluation) -> dict[str, Any]:
    subject, method = evaluation.subject, EvidenceMethod(evaluation.figures["evidence_method"])
    evaluation.cases = read_cases(subject.runtime, subject.speaker, method, subject.blank)
    return {"real_cases": case_rows(evaluation.cases)}


def _baselines(evaluation: Evaluation, measured: Measured) -> dict[str, Any]:
    network, tokens = evaluation.subject.network, [study.tokens for study in measured.studies]
    evaluation.baselines[TOP_THREE] = strongest_slices(network, tokens)
    splits = [_split(evaluation.subject.run, split) for split in ("reader", "validation")]
    amount: dict[str, Any] = {}
    if all(splits):
        evaluation.baselines[REGRESSION] = _regression(splits[0], splits[1], tokens)
        amount = amount_figures(network, measured, splits[0], splits[1])
    labels, ours, patients = measured.labels, measured.probabilities, measured.patients
    rows = {name: discrimination(labels, scores, patients) for name, scores in evaluation.baselines.items()}
    gains = {name: gain(labels, ours, scores, patients) for name, scores in evaluation.baselines.items()}
    return {
        "pooled_baseline_auroc": rows[TOP_THREE]["macro_auroc"],
        "subvolume_baseline_auroc": NOT_MEASURED,
        "baselines": {name: {**row, "gain_of_reader": gains[name]} for name, row in rows.items()},
        "questions": question_figures(measured, evaluation.baselines),
        "amounts": amount,
        "per_finding": per_finding(measured, evaluation.baselines),
    }


def _split(run: Run, split: str) -> list[EncodedStudy]:
    """Slice tokens of a training split; empty where the run's folder does not hold them any more."""
    path = run.file("tokens").with_suffix(f".{split}.pt")
    return load_studies(path) if path.is_file() else []


def _regression(training: list[EncodedStudy], validation: list[EncodedStudy], tokens: list[Floats]) -> Array:
    def labels(studies: list[EncodedStudy]) -> Array:
        return np.stack([np.where(study.known, study.labels, np.nan) for study in studies]).astype(float)

    def given(studies: list[EncodedStudy]) -> Floats:
        return np.stack([pooled(study.tokens.numpy()) for study in studies])

    fitted = fit_logistic(given(training), labels(training), given(validation), labels(validation))
    return fitted.scores(np.stack([pooled(study) for study in tokens]))


def _evidence(evaluation: Evaluation, measured: Measured) -> dict[str, Any]:
    subject, amounts = evaluation.subject, evaluation.amounts
    weighed = weigh(subject.speaker, measured, subject.blank, amounts.evidence_studies)
    methods, chance = method_figures(weighed), chance_figures(weighed)
    faithful = deletion_insertion(subject.speaker, measured, weighed, subject.blank, amounts.faithful_studies)
    fresh = type(subject.network.reader)(subject.network.preset.network)
    random = randomised_weights(
        subject.network.reader, fresh, measured, weighed, subject.blank, amounts.faithful_studies // 2
    )
    best = best_method(methods)
    untrained = random_network(
        subject.network, evaluation.source(len(measured)), measured, weighed, amounts.faithful_studies // 5
    )
    for finding, row in zip(FINDINGS, by_finding(weighed, EvidenceMethod(best)), strict=True):
        evaluation.figures["per_finding"][finding.value]["evidence"] = {k: round(v, 4) for k, v in row.items()}
    return {
        "evidence_method": best,
        "evidence_pointing": methods[best]["pointing"],
        "evidence_auprc": methods[best]["auprc"],
        "evidence_in_slice_pointing": methods[best]["in_slice_pointing"],
        "evidence_random_auprc": chance["auprc"],
        "evidence": {
            "methods": {name: {**methods[name], **faithful[name]} for name in methods},
            "random": {**chance, **faithful["random"]},
            "randomised_weights_correlation": random,
            "random_network_correlation": untrained,
        },
    }


def _provenance(evaluation: Evaluation, measured: Measured) -> dict[str, Any]:
    preset = evaluation.subject.network.preset
    source = evaluation.source(evaluation.amounts.studies)
    return {
        "data": f"{len(measured)} unseen thorax CT phantoms of models.phantoms, one per patient; see MODEL_CARD.md.",
        "seeds": {
            "training": preset.seed,
            "first_test_phantom": source.seeds[0],
            "last_test_phantom": source.seeds[-1],
        },
        "prevalence": {f.value: round(float(p), 3) for f, p in zip(FINDINGS, measured.labels.mean(0), strict=True)},
        "commit": commit_of_code(),
    }


def from_other_commands(run: Run) -> dict[str, Any]:
    """What `models.evaluation.ablations`, `.subvolume` and `.astra` left in the run's folder."""
    found: dict[str, Any] = {"ablations": {}}
    for name in ("ablations", "subvolume", "astra"):
        path = run.folder / f"{name}.json"
        if path.is_file():
            found[name] = json.loads(path.read_text())
    if "subvolume" in found:
        found["subvolume_baseline_auroc"] = found["subvolume"]["macro_auroc"]
    return {**found, "slices_minus_slabs": _slices_minus_slabs(found["ablations"])}


def _slices_minus_slabs(ablations: dict[str, Any]) -> dict[str, float]:
    """By how much the slice encoder is ahead of the sub-volume encoder that had the same compute; empty if not run."""
    slices, slabs = (ablations.get(name, {}) for name in ("slab views", "sub-volumes of eight slices"))
    shared = [key for key in ("macro_auroc", "small_auroc", "macro_f1") if key in slices and key in slabs]
    return {key: round(slices[key]["value"] - slabs[key]["value"], 4) for key in shared}


def commit_of_code() -> str | None:
    """The commit this code was checked out from; None outside a checkout."""
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() or None
