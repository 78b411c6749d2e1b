"""The questions that one slice cannot answer: nodule or vessel, nodule or band, node or vessel, how many, how much.

Each is asked of the Z-former and of the baselines that pool slices without relating them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models.evaluation.baselines import FEWEST, PENALTIES, TOP_SLICES, slice_logits
from models.evaluation.heldout import HeldOutStudy
from models.evaluation.metrics import Array, Figure, auroc, figure, macro
from models.evaluation.outcomes import Measured
from models.evaluation.sources import CONTRAST
from models.msvlm.network import Network
from models.msvlm.studies import EncodedStudy
from models.phantoms.findings import ATTRIBUTE_NAMES, FINDINGS, Count, Finding, Grade

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]
OURS = "reader"
BANDS = (Finding.FIBROTIC_SEQUELA, Finding.ATELECTASIS)


def _there(study: HeldOutStudy, *findings: Finding) -> bool:
    return any(study.labels[FINDINGS.index(finding)] > 0 for finding in findings)


def _small_or_none(study: HeldOutStudy) -> bool:
    nodule = study.attributes.get(Finding.LUNG_NODULE)
    small = nodule is not None and nodule.grade == Grade.SLIGHT and nodule.count != Count.MANY
    return small or not _there(study, Finding.LUNG_NODULE)


@dataclass(frozen=True)
class Question:
    """A label asked among the studies in which it is hard."""

    finding: Finding
    among: Callable[[HeldOutStudy], bool]


QUESTIONS: dict[str, Question] = {
    "small_nodule_against_vessel": Question(Finding.LUNG_NODULE, _small_or_none),
    "nodule_against_band": Question(Finding.LUNG_NODULE, lambda study: _there(study, *BANDS)),
    "nodule_against_node": Question(Finding.LUNG_NODULE, lambda study: _there(study, Finding.LYMPHADENOPATHY)),
    "node_against_unenhanced_vessel": Question(Finding.LYMPHADENOPATHY, lambda study: CONTRAST not in study.traits),
    "band_against_vessel": Question(
        Finding.FIBROTIC_SEQUELA, lambda study: not _there(study, Finding.ATELECTASIS, Finding.LUNG_NODULE)
    ),
}


def question_figures(measured: Measured, baselines: Mapping[str, Array]) -> dict[str, dict[str, Any]]:
    """AUROC of each question for the reader and each baseline, and the gain over the better baseline."""
    return {name: _question(measured, baselines, question) for name, question in QUESTIONS.items()}


def _question(measured: Measured, baselines: Mapping[str, Array], question: Question) -> dict[str, Any]:
    among = np.flatnonzero([question.among(study) for study in measured.studies])
    column = [FINDINGS.index(question.finding)]
    labels, patients = measured.labels[among][:, column], [measured.patients[i] for i in among]
    scores = {OURS: measured.probabilities} | dict(baselines)
    return _compared(labels, {name: values[among][:, column] for name, values in scores.items()}, patients)


def _compared(labels: Array, scores: Mapping[str, Array], patients: list[str]) -> dict[str, Any]:
    figures: dict[str, Any] = {
        name: figure(lambda i, s=values: macro(auroc, labels[i], s[i]), patients) for name, values in scores.items()
    }
    others = {name: figures[name]["value"] or 0.0 for name in scores if name != OURS}
    if others:
        best = max(others, key=lambda name: others[name])
        figures["gain"] = _gain(labels, scores[OURS], scores[best], patients)
        figures["best_baseline"] = best
    return figures


def _gain(labels: Array, ours: Array, theirs: Array, patients: list[str]) -> Figure:
    return figure(lambda i: macro(auroc, labels[i], ours[i]) - macro(auroc, labels[i], theirs[i]), patients)


KINDS: dict[str, tuple[str, ...]] = {
    "count": tuple(count.value for count in Count),
    "grade": tuple(str(grade.value) for grade in Grade),
}
"""Classes of an attribute, in the order of ATTRIBUTE_NAMES."""


def _columns(kind: str) -> list[int]:
    return [ATTRIBUTE_NAMES.index(f"{kind}:{value}") for value in KINDS[kind]]


def _classes(attributes: Floats, known: NDArray[np.bool_], kind: str) -> Indices:
    """Class [F] from attribute targets [F, A]; −1 where not known or none."""
    targets = attributes[:, _columns(kind)]
    there = known & (targets.sum(1) > 0)
    return np.where(there, targets.argmax(1), -1)


def true_classes(study: HeldOutStudy, kind: str) -> Indices:
    """The class of each finding that is there [F]; −1 where it has none."""
    found = [study.attributes[f] if f in study.attributes and _there(study, f) else None for f in FINDINGS]
    values = [None if attributes is None else getattr(attributes, kind) for attributes in found]
    return np.array(
        [-1 if value is None else KINDS[kind].index(str(getattr(value, "value", value))) for value in values]
    )


@torch.no_grad()
def finding_features(network: Network, tokens: Floats, z_mm: Floats) -> Floats:
    """What pooling knows of each finding's amount [F, ·]: pools of its slice logits, and its extent in mm."""
    logits = slice_logits(network, tokens)
    ordered = np.sort(logits, axis=0)[::-1]
    spacing = float(np.median(np.abs(np.diff(z_mm)))) if len(z_mm) > 1 else 1.0
    extents = [(logits > point).sum(0) * spacing for point in (-2.0, 0.0, 2.0)]
    width = network.preset.network.encoder_width
    own = tokens[:, width:].reshape(len(tokens), len(FINDINGS), -1) if tokens.shape[1] > width else logits[:, :, None]
    pools = [own.mean(0), own.max(0), np.sort(own, axis=0)[-TOP_SLICES:].mean(0)]
    columns = [ordered[0], ordered[:TOP_SLICES].mean(0), logits.mean(0), *(np.log1p(extent) for extent in extents)]
    return np.concatenate([np.stack(columns, axis=1), *pools], axis=1).astype(np.float32)


def amount_figures(
    network: Network, measured: Measured, training: Sequence[EncodedStudy], validation: Sequence[EncodedStudy]
) -> dict[str, dict[str, Any]]:
    """Count and extent: accuracy and AUROC of the reader's heads and of logistic regression on pools."""
    learned = _features(network, training), _features(network, validation)
    tested = np.stack([finding_features(network, study.tokens, study.z_mm) for study in measured.studies])
    return {kind: _amount(measured, kind, (training, validation), learned, tested) for kind in KINDS}


def _features(network: Network, studies: Sequence[EncodedStudy]) -> Floats:
    return np.stack([finding_features(network, study.tokens.numpy(), study.z_mm.numpy()) for study in studies])


def _amount(
    measured: Measured,
    kind: str,
    splits: tuple[Sequence[EncodedStudy], Sequence[EncodedStudy]],
    learned: tuple[Floats, Floats],
    tested: Floats,
) -> dict[str, Any]:
    truth = np.stack([true_classes(study, kind) for study in measured.studies])
    group = ("sides", "lobes", "grade", "count").index(kind)
    labels = [
        np.stack([_classes(s.attributes.numpy(), s.attributes_known.numpy()[:, group], kind) for s in studies])
        for studies in splits
    ]
    heads = np.stack([said.outputs.attribute_logits for said in measured.said])[:, :, _columns(kind)]
    columns = range(len(FINDINGS))
    pools = [
        _predicted(learned[0][:, f], labels[0][:, f], learned[1][:, f], labels[1][:, f], tested[:, f]) for f in columns
    ]
    usable = [f for f in columns if pools[f] is not None and (truth[:, f] >= 0).sum() >= FEWEST]
    scores = {
        OURS: heads.astype(float),
        "pooled_regression": np.stack([_or_zero(p, heads[:, 0]) for p in pools], axis=1),
    }
    patients = measured.patients
    accuracy = {
        name: figure(lambda i, s=values: _accuracy(truth[i], s[i], usable), patients) for name, values in scores.items()
    }
    area = {
        name: figure(lambda i, s=values: _area(truth[i], s[i], usable), patients) for name, values in scores.items()
    }
    ours, theirs = scores[OURS], scores["pooled_regression"]
    gain = figure(lambda i: _area(truth[i], ours[i], usable) - _area(truth[i], theirs[i], usable), patients)
    names = [FINDINGS[f].value for f in usable]
    return {"accuracy": accuracy, "auroc": area, "gain": gain, "findings": names}


def _or_zero(values: Array | None, like: Array) -> Array:
    return np.zeros_like(like, dtype=float) if values is None else values


def _predicted(features: Floats, labels: Indices, chosen: Floats, truth: Indices, tested: Floats) -> Array | None:
    """Log probabilities [n, classes] by the regression best on validation; None where it cannot be learned."""
    known, checked = labels >= 0, truth >= 0
    if not checked.any() or min(np.bincount(labels[known], minlength=3)) < FEWEST:
        return None
    models = [_fit(features[known], labels[known], penalty) for penalty in PENALTIES]
    best = max(models, key=lambda model: float(model.score(chosen[checked], truth[checked])))
    scores: Array = best.predict_log_proba(tested)
    return scores


def _fit(features: Floats, labels: Indices, penalty: float) -> Pipeline:
    regression = LogisticRegression(C=penalty, max_iter=300, class_weight="balanced")
    return make_pipeline(StandardScaler(), regression).fit(features, labels)


def _accuracy(truth: Indices, scores: Array, usable: Sequence[int]) -> float:
    """Share of findings whose class is the likeliest one."""
    right = [(scores[truth[:, f] >= 0, f].argmax(1) == truth[truth[:, f] >= 0, f]) for f in usable]
    return float(np.mean(np.concatenate(right))) if right else float("nan")


def _area(truth: Indices, scores: Array, usable: Sequence[int]) -> float:
    """Mean AUROC of each class against the others, over classes and findings."""
    values = []
    for f in usable:
        known = truth[:, f] >= 0
        labels = np.eye(3)[truth[known, f]]
        values.append(macro(auroc, labels, _log_softmax(scores[known, f])))
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _log_softmax(scores: Array) -> Array:
    shifted = scores - scores.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
