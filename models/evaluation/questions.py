"""The questions that one slice cannot answer: nodule or vessel, nodule or band, nodule or node, node or vessel.

Each label is asked among the studies in which it is hard, of the reader and of the baselines that pool slices without
relating them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.evaluation.heldout import HeldOutStudy
from models.evaluation.metrics import Array
from models.evaluation.outcomes import Measured
from models.evaluation.scores import gain, macro_auroc
from models.evaluation.sources import CONTRAST
from models.phantoms.findings import FINDINGS, Count, Finding, Grade

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
    figures: dict[str, Any] = {name: macro_auroc(labels, values, patients) for name, values in scores.items()}
    others = {name: figures[name]["value"] or 0.0 for name in scores if name != OURS}
    if others:
        best = max(others, key=lambda name: others[name])
        figures["gain"] = gain(labels, scores[OURS], scores[best], patients)
        figures["best_baseline"] = best
    return figures
