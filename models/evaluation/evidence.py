"""Does the evidence show the finding? The agent's methods against the true slices, and against a random order.

Everything is a mean over the located findings of a study, then over studies; intervals are over patients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from models.evaluation.heldout import HeldOutStudy
from models.evaluation.metrics import Figure, average_precision, mean_figure
from models.evaluation.outcomes import Measured, Speaker
from models.phantoms.findings import FINDINGS
from pacs_agent.inference.evidence import EVIDENCE
from pacs_agent.inference.reading import EvidenceMethod

Floats = NDArray[np.float32]
Weights = NDArray[np.float32]
"""Of each slice for each finding, [F, L]."""
TOLERANCE_PATCHES = 1
WORTH = 0.005
"""By how much a dearer method must show the findings better to be preferred."""
BY_COST = (EvidenceMethod.SLICE_WEIGHTS, EvidenceMethod.ATTENTION, EvidenceMethod.LEAVE_SLICES_OUT)


@dataclass(frozen=True, eq=False)
class Weighed:
    """Studies with a located finding, as (study, number in `Measured`), and the weights of each method."""

    numbers: tuple[int, ...]
    studies: tuple[HeldOutStudy, ...]
    weights: Mapping[str, tuple[Weights, ...]]

    @property
    def patients(self) -> list[str]:
        """The patient of each study."""
        return [study.patient for study in self.studies]


def weigh(speaker: Speaker, measured: Measured, blank: Floats, limit: int | None = None) -> Weighed:
    """Slice evidence of the studies that have a located finding, by every method of the agent."""
    numbers = tuple(number for number, study in enumerate(measured.studies) if study.located.any())[:limit]
    weights: dict[str, list[Weights]] = {method.value: [] for method in BY_COST}
    for number in track(numbers, "weighing evidence"):
        read = speaker.read(measured.studies[number], measured.said[number].outputs, blank)
        for method in BY_COST:
            weights[method.value].append(EVIDENCE[method](read))
    studies = tuple(measured.studies[number] for number in numbers)
    return Weighed(numbers, studies, {name: tuple(rows) for name, rows in weights.items()})


def method_figures(weighed: Weighed) -> dict[str, dict[str, Figure]]:
    """Pointing game, AUPRC over slices and in-slice pointing of each method."""
    return {name: _figures(weighed, rows) for name, rows in weighed.weights.items()}


def _figures(weighed: Weighed, weights: Sequence[Weights]) -> dict[str, Figure]:
    pairs = list(zip(weighed.studies, weights, strict=True))
    return {
        "pointing": mean_figure([pointing(study, rows) for study, rows in pairs], weighed.patients),
        "auprc": mean_figure([slice_auprc(study, rows) for study, rows in pairs], weighed.patients),
        "in_slice_pointing": mean_figure([in_slice_pointing(study, rows) for study, rows in pairs], weighed.patients),
    }


def chance_figures(weighed: Weighed) -> dict[str, Figure]:
    """What a random order of slices gives: the share of slices that show the finding, also of patches in a slice."""
    slices = [float(study.slices[study.located].mean()) for study in weighed.studies]
    patches = [_share_of_patches(study) for study in weighed.studies]
    return {
        "pointing": mean_figure(slices, weighed.patients),
        "auprc": mean_figure(slices, weighed.patients),
        "in_slice_pointing": mean_figure(patches, weighed.patients),
    }


def _located(study: HeldOutStudy) -> list[int]:
    return np.flatnonzero(study.located).tolist()


def pointing(study: HeldOutStudy, weights: Weights) -> float:
    """Share of the located findings whose heaviest slice shows them."""
    return float(np.mean([study.slices[f, weights[f].argmax()] for f in _located(study)]))


def slice_auprc(study: HeldOutStudy, weights: Weights) -> float:
    """Average precision of the slices of each located finding, their mean."""
    return float(np.mean([average_precision(study.slices[f], weights[f]) for f in _located(study)]))


def in_slice_pointing(study: HeldOutStudy, weights: Weights) -> float:
    """Share of the located findings whose strongest patch in the heaviest slice lies on them or one patch beside."""
    return float(np.mean([hits(study, f, int(weights[f].argmax())) for f in _located(study)]))


def hits(study: HeldOutStudy, finding: int, index: int) -> bool:
    """Whether a finding's strongest patch in a slice lies within one patch of the finding."""
    row, column = (int(value) for value in study.peaks[index, finding])
    rows = slice(max(row - TOLERANCE_PATCHES, 0), row + TOLERANCE_PATCHES + 1)
    columns = slice(max(column - TOLERANCE_PATCHES, 0), column + TOLERANCE_PATCHES + 1)
    return bool(study.lesion_patches[index, finding, rows, columns].any())


def _share_of_patches(study: HeldOutStudy) -> float:
    """Chance of in-slice pointing: a random slice and a random patch, within the same tolerance."""
    shown = np.pad(study.lesion_patches[:, study.located], ((0, 0), (0, 0), (1, 1), (1, 1)))
    rows, columns = study.lesion_patches.shape[2:]
    wide = np.zeros_like(study.lesion_patches[:, study.located])
    for row in range(3):
        for column in range(3):
            wide |= shown[:, :, row : row + rows, column : column + columns]
    return float(wide.mean())


def by_finding(weighed: Weighed, method: EvidenceMethod) -> list[dict[str, float]]:
    """Pointing, AUPRC and in-slice pointing of each finding [F]; empty where no study has it."""
    rows: list[dict[str, float]] = []
    pairs = list(zip(weighed.studies, weighed.weights[method.value], strict=True))
    for number in range(len(FINDINGS)):
        shown = [pair for pair in pairs if pair[0].located[number]]
        rows.append(_finding_row(shown, number) if shown else {})
    return rows


def _finding_row(pairs: Sequence[tuple[HeldOutStudy, Weights]], f: int) -> dict[str, float]:
    return {
        "pointing": float(np.mean([study.slices[f, weights[f].argmax()] for study, weights in pairs])),
        "auprc": float(np.mean([average_precision(study.slices[f], weights[f]) for study, weights in pairs])),
        "in_slice_pointing": float(np.mean([hits(study, f, int(weights[f].argmax())) for study, weights in pairs])),
    }


def best_method(figures: Mapping[str, Mapping[str, Figure]]) -> str:
    """The method whose slices show the finding best, by the mean of pointing and AUPRC.

    The methods come in the order of their cost; a dearer one must be better by WORTH.
    """

    def score(name: str) -> float:
        return sum(figures[name][kind]["value"] or 0.0 for kind in ("pointing", "auprc")) / 2.0

    best = next(iter(figures))
    for name in figures:
        best = name if score(name) > score(best) + WORTH else best
    return best
