"""The volumes that a thorax segmenter learns from and is judged by: phantoms, and real scans with lesions implanted."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from rich.progress import track

from models.gtgm.finetune.examples import Example
from models.gtgm.finetune.heads import Segmenter
from models.gtgm.finetune.implanted import implanted_volume, training_cases
from models.gtgm.finetune.kept import kept_example
from models.gtgm.finetune.metrics import Agreement, agreements
from models.gtgm.finetune.phantoms import EFFUSION, NAMES, NODULE, phantom_volume
from models.gtgm.finetune.predict import predicted
from models.gtgm.finetune.preset import SegmenterPreset
from pacs_agent.inference.segment import Windows

FIRST_SEED = {"training": 1_000_000, "validation": 2_000_000, "test": 3_000_000, "self_test": 4_000_000}
"""Pretraining draws its phantoms from 5,000,000 on."""
LESIONS = (EFFUSION, NODULE)
PATCH_IN_USE = (64, 96, 96)
"""Voxels along slices, rows and columns at a time: more of the body than in training, and fewer seams."""
Scores = dict[str, dict[str, float]]


def phantom_examples(split: str, count: int, preset: SegmenterPreset, cache: Path) -> list[Example]:
    """The first phantoms of a split on the preset's grid."""
    numbers = track(range(count), f"phantoms for {split}", disable=count < 2)
    return [phantom_example(split, number, preset, cache) for number in numbers]


def phantom_example(split: str, number: int, preset: SegmenterPreset, cache: Path) -> Example:
    """One phantom of a split."""
    seed = FIRST_SEED[split] + number
    return kept_example(f"phantom-{seed}-{_grid_name(preset)}", partial(phantom_volume, seed, preset.spacing_mm), cache)


def implanted_examples(preset: SegmenterPreset, cache: Path) -> list[Example]:
    """Real scans with lesions implanted, the patients in turn; none where the scans are not there."""
    cases = training_cases()
    wanted = [(cases[number % len(cases)], number) for number in range(preset.data.implanted)] if cases else []
    return [
        kept_example(
            f"{case.patient}-{seed}-{_grid_name(preset)}",
            partial(implanted_volume, case, seed, preset.spacing_mm),
            cache,
        )
        for case, seed in track(wanted, "implanted scans", disable=not wanted)
    ]


def training_examples(preset: SegmenterPreset, cache: Path) -> list[Example]:
    """All that the preset's segmenter learns from."""
    return phantom_examples("training", preset.data.phantoms, preset, cache) + implanted_examples(preset, cache)


def validation_examples(preset: SegmenterPreset, cache: Path) -> list[Example]:
    """Phantoms that the segmenter has not seen."""
    return phantom_examples("validation", preset.data.validation, preset, cache)


def structure_scores(network: Segmenter, examples: Sequence[Example], preset: SegmenterPreset) -> Scores:
    """Mean Dice and HD95 (mm) of each structure over the volumes in which truth or network has it, and how many."""
    rows = volume_agreements(network, examples, preset)
    return {name: _means([row[number] for row in rows]) for number, name in enumerate(NAMES[1:])}


def volume_agreements(
    network: Segmenter, examples: Sequence[Example], preset: SegmenterPreset
) -> list[tuple[Agreement, ...]]:
    """Of every volume the agreement of each structure."""
    windows = Windows(PATCH_IN_USE, preset.overlap)
    return [
        agreements(predicted(network, example, windows), example.labels, len(NAMES), preset.spacing_mm)  # type: ignore[arg-type]
        for example in examples
    ]


def _means(values: Sequence[tuple[float, float]]) -> dict[str, float]:
    """NaN stands for a volume without the structure; a structure nowhere seen has no means."""
    means = {"volumes": float(sum(np.isfinite(dice) for dice, _ in values))}
    for name, column in zip(("dice", "hd95_mm"), zip(*values, strict=True), strict=False):
        known = [value for value in column if np.isfinite(value)]
        if known:
            means[name] = round(float(np.mean(known)), 4)
    return means


def _grid_name(preset: SegmenterPreset) -> str:
    return "x".join(f"{step:g}" for step in preset.spacing_mm)
