"""Lung nodules as radiologists found them in LIDC-IDRI: a sampler of size, shape and texture.

The table `lidc_statistics.json` is made by `models.datasets.lidc_table` from 2,664 nodules of LIDC-IDRI (Armato et al.,
Med. Phys. 38(2), 2011; TCIA, CC BY 3.0); nothing else is needed at run time.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


class Texture(StrEnum):
    """How dense a nodule is."""

    GROUND_GLASS = "ground glass"
    PART_SOLID = "part solid"
    SOLID = "solid"


class Calcification(StrEnum):
    """The pattern of calcium in a nodule."""

    POPCORN = "popcorn"
    LAMINATED = "laminated"
    SOLID = "solid"
    ECCENTRIC = "eccentric"
    CENTRAL = "central"
    NONE = "none"


@dataclass(frozen=True)
class NoduleShape:
    """A nodule without its place. Scores are the readers', from 1 to 5."""

    diameter_mm: float
    """Of the ball of the same volume."""
    elongation: float
    """Longest axial diameter over `diameter_mm`."""
    sphericity: float
    """1 linear, 3 ovoid, 5 round."""
    margin: float
    """1 poorly defined, 5 sharp."""
    lobulation: float
    """1 none, 5 marked."""
    spiculation: float
    """1 none, 5 marked."""
    texture: Texture
    calcification: Calcification


@cache
def statistics() -> dict[str, Any]:
    """The table of `lidc_statistics.json`; its keys are described by `lidc_table.summarise`."""
    table: dict[str, Any] = json.loads(Path(__file__).with_name("lidc_statistics.json").read_text())
    return table


def _choose(rng: np.random.Generator, counts: Any) -> int:
    weights = np.asarray(counts, float)
    return int(rng.choice(len(weights), p=weights / weights.sum()))


def _score(rng: np.random.Generator, counts: Any) -> float:
    """A reader's score, spread within its class so that no two nodules are alike."""
    return float(np.clip(1 + _choose(rng, counts) + rng.uniform(-0.5, 0.5), 1.0, 5.0))


def sample_nodule(
    rng: np.random.Generator, smallest_mm: float = 3.0, largest_mm: float = 60.0, flat: float = 0.0
) -> NoduleShape:
    """A nodule drawn from the table, between two diameters.

    LIDC's nodules are mostly small (median 6 mm); `flat` in [0, 1] moves the choice of the diameter class from their
    frequency (0) to one that takes every class alike (1). Raises ValueError when no class lies between the diameters.
    """
    table = statistics()
    edges = np.clip(table["diameter_edges_mm"], smallest_mm, largest_mm)
    open_classes = np.diff(edges) > 0.0
    if not open_classes.any():
        raise ValueError(f"no LIDC nodule lies between {smallest_mm} and {largest_mm} mm: take a wider range")
    counts = np.asarray(table["counts"], float)
    frequency = counts.sum(1) * np.diff(edges) / np.diff(table["diameter_edges_mm"])
    weights = (1.0 - flat) * frequency / max(frequency.sum(), 1e-9) + flat * open_classes / open_classes.sum()
    size = _choose(rng, weights)
    texture = _choose(rng, counts[size])
    quantiles = [0.0, *table["elongation_quantiles"], 1.0]
    spread = table["elongation"][size]
    scores = {name: _score(rng, by_size[size][texture]) for name, by_size in table["scores"].items()}
    return NoduleShape(
        diameter_mm=float(np.exp(rng.uniform(np.log(edges[size]), np.log(edges[size + 1])))),
        elongation=float(np.interp(rng.random(), quantiles, [spread[0], *spread, spread[-1]])),
        texture=list(Texture)[texture],
        calcification=list(Calcification)[_choose(rng, table["calcified"][size])],
        **scores,
    )


def sample_nodule_count(rng: np.random.Generator) -> int:
    """How many nodules a scan that has any has."""
    return _choose(rng, statistics()["nodules_per_scan"])
