"""The figures of a segmenter for its `evaluation.json`: how well it outlines phantoms that it has not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics import mean_figure
from models.gtgm.finetune.examples import IGNORED
from models.gtgm.finetune.heads import Segmenter
from models.gtgm.finetune.implanted import SOURCE as IMPLANTED
from models.gtgm.finetune.implanted import training_cases
from models.gtgm.finetune.lesions import LesionCounts, lesion_counts, without_small
from models.gtgm.finetune.metrics import Agreement, agreements
from models.gtgm.finetune.predict import probabilities
from models.gtgm.finetune.preset import SegmenterPreset
from models.gtgm.finetune.thorax import phantom_examples
from models.gtgm.structures import STRUCTURES, Outline, merged, shares_of, smallest_ml
from pacs_agent.imaging.measure import voxel_ml
from pacs_agent.inference.segment import Windows

PHANTOMS = "Procedurally generated thorax CT phantoms (models/phantoms) with generated masks."


@dataclass(frozen=True)
class InUse:
    """How the agent runs the network: its patch, and what the bundle's graph outlines."""

    patch: tuple[int, int, int]
    structures: Sequence[Outline] = STRUCTURES


@dataclass(frozen=True)
class Outlined:
    """One structure in one phantom."""

    agreement: Agreement
    there: bool
    found: bool
    counts: LesionCounts


def judged(
    network: Segmenter, preset: SegmenterPreset, trained: dict[str, Any], tests: int, cache: Path, use: InUse
) -> dict[str, Any]:
    """Dice and HD95 of each structure with bootstrap intervals over phantoms, and what the network learned from.

    Both are taken as the agent shows the structures: parts that are too small are left out. Structures that the bundle
    leaves out are judged as they would be with it.
    """
    keys = {one.entry.key for one in use.structures}
    left_out = [one for one in STRUCTURES if one.entry.key not in keys]
    shown, others = list[list[Outlined]](), list[list[Outlined]]()
    for one in phantom_examples("test", tests, preset, cache):
        shares = probabilities(network, one, Windows(use.patch, preset.overlap))
        labels = one.labels.astype(np.uint8)
        shown.append(_as_shown(shares, labels, use.structures, preset))
        if left_out:
            others.append(_as_shown(shares, labels, STRUCTURES, preset))
    figures = _by_structure(use.structures, shown)
    without = _by_structure(STRUCTURES, others) if left_out else {}
    return {
        "learned_from": learned_from(preset),
        "encoder_from": trained["encoder"],
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "steps": steps_taken(trained),
        "seed": preset.training.seed,
        "test_phantoms": tests,
        "structures": figures,
        "left_out": {one.entry.key: without[one.entry.key] for one in left_out},
    }


def _as_shown(
    shares: NDArray[np.float16], labels: NDArray[np.uint8], structures: Sequence[Outline], preset: SegmenterPreset
) -> list[Outlined]:
    """What a graph of these structures shows in a phantom, beside its truth."""
    found = shares_of(shares, structures).argmax(axis=0).astype(np.uint8)
    return outlined(found, merged(labels, structures), preset.spacing_mm, smallest_ml(structures))


def outlined(
    found: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    spacing_mm: tuple[float, float, float],
    smallest_ml: Mapping[int, float],
) -> list[Outlined]:
    """Every structure of `smallest_ml` in a phantom, in that order."""
    smallest = {structure: ml / voxel_ml(spacing_mm) for structure, ml in smallest_ml.items()}
    found = np.where(truth == IGNORED, 0, without_small(found, smallest))
    agreement = agreements(found, truth, 1 + max(smallest), spacing_mm)
    return [
        Outlined(
            agreement[structure - 1],
            bool((truth == structure).any()),
            bool((found == structure).any()),
            lesion_counts(found == structure, truth == structure, voxels),
        )
        for structure, voxels in smallest.items()
    ]


def steps_taken(trained: dict[str, Any]) -> int:
    """Steps of all trainings, by the account of the last: one that started from another's segmenter only refined it."""
    preset, before = SegmenterPreset.model_validate(trained["preset"]), trained.get("started_from")
    if before is None:
        return preset.steps
    return steps_taken(before) + (preset.refining.steps if preset.refining else 0)


def learned_from(preset: SegmenterPreset) -> str:
    """What the preset's segmenter learned from, for manifest and card."""
    cases = training_cases() if preset.data.implanted else ()
    if not cases:
        return PHANTOMS
    return f"{PHANTOMS} Also {IMPLANTED}: {', '.join(case.patient for case in cases)}, credited in MODEL_CARD.md."


def _by_structure(structures: Sequence[Outline], rows: Sequence[Sequence[Outlined]]) -> dict[str, Any]:
    """The figures of each structure by its key, of one row for each phantom."""
    columns = [[row[number] for row in rows] for number in range(len(structures))]
    return {
        one.entry.key: {"name": one.entry.name} | _figures(column, one.entry.kind == "lesion")
        for one, column in zip(structures, columns, strict=True)
    }


def _figures(rows: Sequence[Outlined], lesion: bool) -> dict[str, Any]:
    """Dice is of the phantoms that have the structure; one that is seen where there is none is counted by itself."""
    have = [one for one in rows if one.there]
    figures = {
        "dice": mean_figure([one.agreement.dice for one in have]),
        "hd95_mm": mean_figure([one.agreement.hd95_mm for one in have]),
        "missed": sum(not one.found for one in have),
        "phantoms_without": len(rows) - len(have),
        "seen_without": sum(one.found for one in rows if not one.there),
    }
    return figures | {"lesions": _lesions(rows)} if lesion else figures


def _lesions(rows: Sequence[Outlined]) -> dict[str, Any]:
    return {
        "there": sum(one.counts.there for one in rows),
        "found": sum(one.counts.found for one in rows),
        "false_per_phantom": mean_figure([float(one.counts.false) for one in rows]),
    }
