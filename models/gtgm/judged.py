"""The figures of a segmenter for its `evaluation.json`: how well it outlines phantoms that it has not seen."""

from pathlib import Path
from typing import Any

import numpy as np

from models.evaluation.metrics import mean_figure
from models.gtgm.finetune.heads import Segmenter
from models.gtgm.finetune.implanted import SOURCE as IMPLANTED
from models.gtgm.finetune.implanted import training_cases
from models.gtgm.finetune.metrics import Agreement
from models.gtgm.finetune.phantoms import NAMES
from models.gtgm.finetune.preset import SegmenterPreset
from models.gtgm.finetune.thorax import phantom_examples, volume_agreements

PHANTOMS = "Procedurally generated thorax CT phantoms (models/phantoms) with generated masks."


def judged(
    network: Segmenter, preset: SegmenterPreset, trained: dict[str, Any], tests: int, cache: Path
) -> dict[str, Any]:
    """Dice and HD95 of each structure with bootstrap intervals over phantoms, and what the network learned from."""
    rows = volume_agreements(network, phantom_examples("test", tests, preset, cache), preset)
    return {
        "learned_from": learned_from(preset),
        "encoder_from": trained["encoder"],
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "steps": preset.training.steps,
        "seed": preset.training.seed,
        "test_phantoms": tests,
        "structures": {name: _figures([row[number] for row in rows]) for number, name in enumerate(NAMES[1:])},
    }


def learned_from(preset: SegmenterPreset) -> str:
    """What the preset's segmenter learned from, for manifest and card."""
    cases = training_cases() if preset.data.implanted else ()
    if not cases:
        return PHANTOMS
    return f"{PHANTOMS} Also {IMPLANTED}: {', '.join(case.patient for case in cases)}, credited in MODEL_CARD.md."


def _figures(agreements: list[Agreement]) -> dict[str, Any]:
    return {
        "dice": mean_figure([one.dice for one in agreements]),
        "hd95_mm": mean_figure([one.hd95_mm for one in agreements]),
        "missed": int(sum(one.dice == 0.0 and np.isnan(one.hd95_mm) for one in agreements)),
    }
