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
from models.gtgm.finetune.phantoms import NAMES
from models.gtgm.finetune.predict import predicted
from models.gtgm.finetune.preset import SegmenterPreset
from models.gtgm.finetune.thorax import LESIONS, phantom_examples
from pacs_agent.inference.segment import Windows

PHANTOMS = "Procedurally generated thorax CT phantoms (models/phantoms) with generated masks."


@dataclass(frozen=True)
class InUse:
    """How the agent runs the network: its patch, and the least volume of each structure's parts in mL."""

    patch: tuple[int, int, int]
    smallest_ml: Mapping[int, float]


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

    Both are taken as the agent shows the structures: parts that are too small are left out.
    """
    windows = Windows(use.patch, preset.overlap)
    rows = [
        outlined(predicted(network, one, windows), one.labels, preset.spacing_mm, use.smallest_ml)  # type: ignore[arg-type]
        for one in phantom_examples("test", tests, preset, cache)
    ]
    return {
        "learned_from": learned_from(preset),
        "encoder_from": trained["encoder"],
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "steps": preset.steps,
        "seed": preset.training.seed,
        "test_phantoms": tests,
        "structures": {
            name: _figures([row[number - 1] for row in rows], number in LESIONS)
            for number, name in enumerate(NAMES[1:], 1)
        },
    }


def outlined(
    found: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    spacing_mm: tuple[float, float, float],
    smallest_ml: Mapping[int, float],
) -> list[Outlined]:
    """Every structure of a phantom, in the order of NAMES."""
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    smallest = {structure: ml / voxel_ml for structure, ml in smallest_ml.items()}
    found = np.where(truth == IGNORED, 0, without_small(found, smallest))
    return [
        Outlined(
            agreement,
            bool((truth == structure).any()),
            bool((found == structure).any()),
            lesion_counts(found == structure, truth == structure, smallest.get(structure, 0.0)),
        )
        for structure, agreement in enumerate(agreements(found, truth, len(NAMES), spacing_mm), 1)
    ]


def learned_from(preset: SegmenterPreset) -> str:
    """What the preset's segmenter learned from, for manifest and card."""
    cases = training_cases() if preset.data.implanted else ()
    if not cases:
        return PHANTOMS
    return f"{PHANTOMS} Also {IMPLANTED}: {', '.join(case.patient for case in cases)}, credited in MODEL_CARD.md."


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
