"""How many and how much: count and grade of findings, by the reader's heads and by regression on pooled slices."""

from collections.abc import Callable, Sequence
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
from models.msvlm.network import Network
from models.msvlm.studies import EncodedStudy
from models.phantoms.findings import ATTRIBUTE_NAMES, FINDINGS, Attributes, Count, Grade

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]
OURS, POOLED = "reader", "pooled_regression"
KINDS: dict[str, tuple[str, ...]] = {
    "count": tuple(count.value for count in Count),
    "grade": tuple(str(grade.value) for grade in Grade),
}
"""Classes of an attribute, in the order of ATTRIBUTE_NAMES."""
GROUPS = {"count": 3, "grade": 2}
"""Their places among the groups of attributes that are known or not."""
UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class Amounts:
    """What pooling knows of each finding's amount [n, F, .], and its true class [n, F]; UNKNOWN where it has none."""

    features: Floats
    classes: Indices


def amount_figures(
    network: Network, measured: Measured, training: Sequence[EncodedStudy], validation: Sequence[EncodedStudy]
) -> dict[str, dict[str, Any]]:
    """Count and extent: accuracy and AUROC of the reader's heads and of logistic regression on pools."""
    tested = np.stack([finding_features(network, study.tokens, study.z_mm) for study in measured.studies])
    pools = [_features(network, studies) for studies in (training, validation)]
    figures = {}
    for kind in KINDS:
        learned, chosen = (
            Amounts(features, np.stack([_classes(study, kind) for study in studies]))
            for features, studies in zip(pools, (training, validation), strict=True)
        )
        truth = np.stack([true_classes(study, kind) for study in measured.studies])
        figures[kind] = _compared(measured, kind, truth, _regressions(learned, chosen, tested))
    return figures


def _features(network: Network, studies: Sequence[EncodedStudy]) -> Floats:
    return np.stack([finding_features(network, study.tokens.numpy(), study.z_mm.numpy()) for study in studies])


def _columns(kind: str) -> list[int]:
    return [ATTRIBUTE_NAMES.index(f"{kind}:{value}") for value in KINDS[kind]]


def _classes(study: EncodedStudy, kind: str) -> Indices:
    """Class of each finding [F] of a training study."""
    targets = study.attributes.numpy()[:, _columns(kind)]
    there = study.attributes_known.numpy()[:, GROUPS[kind]] & (targets.sum(1) > 0)
    return np.where(there, targets.argmax(1), UNKNOWN)


def true_classes(study: HeldOutStudy, kind: str) -> Indices:
    """Class of each finding [F] of a held-out study."""
    return np.array([_class(study.attributes.get(finding), kind) for finding in FINDINGS])


def _class(attributes: Attributes | None, kind: str) -> int:
    value = getattr(attributes, kind, None)
    return UNKNOWN if value is None else KINDS[kind].index(str(value.value))


@torch.no_grad()
def finding_features(network: Network, tokens: Floats, z_mm: Floats) -> Floats:
    """Of each finding [F, .]: pools of its slice logits and of its own numbers in the tokens, and its extent in mm."""
    logits = slice_logits(network, tokens)
    spacing = float(np.median(np.abs(np.diff(z_mm)))) if len(z_mm) > 1 else 1.0
    extents = [np.log1p((logits > point).sum(0) * spacing) for point in (-2.0, 0.0, 2.0)]
    width = network.preset.network.encoder_width
    own = tokens[:, width:].reshape(len(tokens), len(FINDINGS), -1) if tokens.shape[1] > width else logits[:, :, None]
    columns = np.stack([logits.max(0), _top(logits), logits.mean(0), *extents], axis=1)
    return np.concatenate([columns, own.mean(0), own.max(0), _top(own)], axis=1).astype(np.float32)


def _top(values: Floats) -> Floats:
    mean: Floats = np.sort(values, axis=0)[-TOP_SLICES:].mean(0)
    return mean


def _regressions(learned: Amounts, chosen: Amounts, tested: Floats) -> list[Array | None]:
    """Log probabilities [n, classes] of each finding; None where it cannot be learned."""
    return [
        _regression(
            (learned.features[:, f], learned.classes[:, f]), (chosen.features[:, f], chosen.classes[:, f]), tested[:, f]
        )
        for f in range(len(FINDINGS))
    ]


def _regression(learned: tuple[Floats, Indices], chosen: tuple[Floats, Indices], tested: Floats) -> Array | None:
    """By the penalty that does best on validation."""
    (features, classes), (checked, truth) = learned, chosen
    known, sure = classes != UNKNOWN, truth != UNKNOWN
    if not sure.any() or min(np.bincount(classes[known], minlength=3)) < FEWEST:
        return None
    models = [_fit(features[known], classes[known], penalty) for penalty in PENALTIES]
    best = max(models, key=lambda model: float(model.score(checked[sure], truth[sure])))
    scores: Array = best.predict_log_proba(tested)
    return scores


def _fit(features: Floats, classes: Indices, penalty: float) -> Pipeline:
    regression = LogisticRegression(C=penalty, max_iter=300, class_weight="balanced")
    return make_pipeline(StandardScaler(), regression).fit(features, classes)


def _compared(measured: Measured, kind: str, truth: Indices, pools: list[Array | None]) -> dict[str, Any]:
    heads = np.stack([said.outputs.attribute_logits for said in measured.said])[:, :, _columns(kind)].astype(float)
    fitted = np.stack([np.zeros(heads[:, 0].shape) if pool is None else pool for pool in pools], axis=1)
    usable = [f for f, pool in enumerate(pools) if pool is not None and (truth[:, f] != UNKNOWN).sum() >= FEWEST]

    def taken(measure: Callable[[Indices, Array, list[int]], float], scores: Array) -> Figure:
        return figure(lambda i: measure(truth[i], scores[i], usable), measured.patients)

    def gained(i: Indices) -> float:
        return area(truth[i], heads[i], usable) - area(truth[i], fitted[i], usable)

    return {
        "accuracy": {OURS: taken(accuracy, heads), POOLED: taken(accuracy, fitted)},
        "auroc": {OURS: taken(area, heads), POOLED: taken(area, fitted)},
        "gain": figure(gained, measured.patients),
        "findings": [FINDINGS[f].value for f in usable],
    }


def accuracy(truth: Indices, scores: Array, findings: Sequence[int]) -> float:
    """Share of findings whose class is the likeliest one."""
    right = [scores[truth[:, f] != UNKNOWN, f].argmax(1) == truth[truth[:, f] != UNKNOWN, f] for f in findings]
    return float(np.mean(np.concatenate(right))) if right else float("nan")


def area(truth: Indices, scores: Array, findings: Sequence[int]) -> float:
    """Mean AUROC of each class against the others, over classes and findings."""
    values = []
    for f in findings:
        known = truth[:, f] != UNKNOWN
        values.append(macro(auroc, np.eye(3)[truth[known, f]], _log_softmax(scores[known, f])))
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _log_softmax(scores: Array) -> Array:
    shifted = scores - scores.max(1, keepdims=True)
    logs: Array = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return logs
