"""The same model on other scans: thin and thick slices, lesions in real CTs, the slice encoder in lower precision."""

from typing import TYPE_CHECKING, Any

import numpy as np

from models.evaluation.heldout import Encoder, HeldOutStudy, encoded
from models.evaluation.metrics import Array, auroc, rounded, worst
from models.evaluation.outcomes import Measured, Speaker
from models.evaluation.scores import discrimination, gain, macro_auroc
from models.evaluation.sources import held_out_implants
from models.msvlm.runtime import variants_of
from models.phantoms.findings import FINDINGS

if TYPE_CHECKING:
    from models.evaluation.evaluate import Evaluation

PROCESSES = 2
THIN_MM, THICK_MM = 1.0, 5.0


def probabilities(speaker: Speaker, studies: list[HeldOutStudy]) -> Array:
    """Calibrated probabilities [n, F] without the text."""
    return np.stack([speaker.score(study.tokens, study.z_mm) for study in studies])


def thickness_figures(evaluation: "Evaluation", measured: Measured) -> dict[str, Any]:
    """The first phantoms again at 1 mm and 5 mm: AUROC, and its loss against the same phantoms as first drawn."""
    amounts = evaluation.amounts
    return {
        f"{mm:g}_mm": _at_thickness(evaluation, measured, count, mm)
        for mm, count in ((THIN_MM, amounts.thin_studies), (THICK_MM, amounts.thick_studies))
    }


def _at_thickness(evaluation: "Evaluation", measured: Measured, count: int, thickness_mm: float) -> dict[str, Any]:
    studies = evaluation.encode(count, thickness_mm)
    scores = probabilities(evaluation.subject.speaker, studies)
    labels, before = measured.labels[:count], measured.probabilities[:count]
    return {
        "slices": float(np.median([len(study.z_mm) for study in studies])),
        "macro_auroc": macro_auroc(labels, scores, count),
        "macro_auroc_as_drawn": macro_auroc(labels, before, count),
        "loss": gain(labels, before, scores, count),
    }


def implant_figures(evaluation: "Evaluation") -> dict[str, Any]:
    """AUROC on lesions implanted into real CTs of held-out patients; nothing where the scans are absent.

    Intervals are over studies: there are too few patients to draw from.
    """
    source = held_out_implants(evaluation.amounts.implanted_studies)
    if not len(source):
        return {"implants": None}
    studies = encoded(Encoder(evaluation.subject.folder), source, evaluation.cache, PROCESSES)
    scores = probabilities(evaluation.subject.speaker, studies)
    labels = np.stack([study.labels for study in studies])
    each = auroc(labels, scores)
    figures = discrimination(labels, scores, [study.study for study in studies])
    return {
        "implants": {
            **figures,
            "patients": len({study.patient for study in studies}),
            "per_finding": {f.value: rounded(float(v)) for f, v in zip(FINDINGS, each, strict=True)},
            "positives": {f.value: int(n) for f, n in zip(FINDINGS, (labels > 0).sum(0), strict=True)},
        }
    }


def variant_figures(evaluation: "Evaluation", measured: Measured) -> dict[str, Any]:
    """AUROC lost by each lower precision of the slice encoder, over all findings and for the worst."""
    rows: dict[str, Any] = {}
    for variant in variants_of(evaluation.subject.folder)[1:]:
        count = evaluation.amounts.variant_studies
        source = evaluation.source(count)
        studies = encoded(Encoder(evaluation.subject.folder, variant), source, evaluation.cache, PROCESSES)
        scores = probabilities(evaluation.subject.speaker, studies)
        labels, full = measured.labels[:count], measured.probabilities[:count]
        losses = auroc(labels, full) - auroc(labels, scores)
        known = losses[np.isfinite(losses)]
        rows[variant] = {
            "macro_auroc": macro_auroc(labels, scores, count),
            "macro_auroc_loss": rounded(known.mean()) if len(known) else None,
            "worst_auroc_loss": rounded(known.max()) if len(known) else None,
            "worst_auroc": rounded(worst(auroc, labels, scores)),
            "per_finding_loss": {f.value: rounded(float(v)) for f, v in zip(FINDINGS, losses, strict=True)},
        }
    return rows
