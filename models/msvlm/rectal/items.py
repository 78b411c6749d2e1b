"""The items of rectal staging as ordered levels, and the steps between levels that the reader's heads decide.

An item of K levels has K - 1 steps: step k asks whether the level is at least k, given that it is at least k - 1
(continuation ratios; Agresti, Categorical Data Analysis, 8.3.6). So a T stage is an order and not four classes, every
step may rest on evidence of its own, and a label that says `involved` without how far trains the first step alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.phantoms.pelvis import Item, Truth
from pacs_agent.inference.staging.levels import levels_of_steps

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """An item, what it is called, and its levels from the lowest."""

    item: Item
    name: str
    levels: tuple[str, ...]


SCALES: tuple[Scale, ...] = (
    Scale(Item.TUMOUR, "Rectal tumour", ("absent", "present")),
    Scale(Item.LOCATION, "Location", ("lower", "middle", "upper")),
    Scale(Item.PERITONEUM, "Peritoneal involvement", ("free", "involved")),
    Scale(Item.T_STAGE, "T stage", ("T1", "T2", "T3", "T4")),
    Scale(Item.CRM, "Involved circumferential resection margin", ("clear", "involved")),
    Scale(Item.SPHINCTER, "Anal sphincter involvement", ("free", "internal", "intersphincteric", "external")),
    Scale(Item.NODES, "Suspicious mesorectal lymph nodes", ("not suspicious", "suspicious")),
    Scale(Item.EMVI, "Extramural vascular invasion", ("absent", "present")),
)
"""The axis of items: whether there is a tumour, which the others rest on, and the seven items of staging."""
SEVEN = tuple(scale.item for scale in SCALES if scale.item is not Item.TUMOUR)
ITEM_OF_STEP: tuple[int, ...] = tuple(place for place, scale in enumerate(SCALES) for _ in scale.levels[1:])
"""Place of the item that each step belongs to; its length C is the number of steps."""
STEPS = len(ITEM_OF_STEP)
OF_TUMOUR = frozenset(SEVEN) - {Item.NODES}
"""Items that mean nothing without a tumour."""


@dataclass(frozen=True)
class UnknownLevel(ValueError):
    """An item has no such level."""

    item: Item
    level: object

    def __str__(self) -> str:
        return f"{self.item} is {self.level!r}; its levels are {', '.join(scale_of(self.item).levels)}"


@dataclass(frozen=True)
class Told:
    """What is known of an item: its level, or that it is at least that (`is_exact` false)."""

    level: int
    is_exact: bool = True


def scale_of(item: Item) -> Scale:
    """The scale of an item. Raises KeyError for what is not read, such as the impression."""
    return {scale.item: scale for scale in SCALES}[item]


def steps_of(item: Item) -> slice:
    """The places of an item's steps on the axis of steps."""
    place = [scale.item for scale in SCALES].index(item)
    first = ITEM_OF_STEP.index(place)
    return slice(first, first + len(SCALES[place].levels) - 1)


def told_of(truth: Truth) -> dict[Item, Told]:
    """What the truth of a phantom tells; without a tumour that there is none, and the nodes."""
    tumour = truth.tumour
    told = {Item.TUMOUR: Told(int(tumour is not None)), Item.NODES: Told(int(truth.suspicious_nodes > 0))}
    if tumour is None:
        return told
    return told | {
        Item.LOCATION: Told(scale_of(Item.LOCATION).levels.index(tumour.third)),
        Item.PERITONEUM: Told(int(tumour.peritoneal)),
        Item.T_STAGE: Told(tumour.t_stage - 1),
        Item.CRM: Told(int(tumour.fascia_involved)),
        Item.SPHINCTER: Told(int(tumour.sphincter)),
        Item.EMVI: Told(int(tumour.emvi is not None)),
    }


def step_targets(told: Mapping[Item, Told]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Whether each step was taken [C], and whether that is known [C]. Raises UnknownLevel."""
    taken, known = np.zeros(STEPS, np.float32), np.zeros(STEPS, np.bool_)
    for item, one in told.items():
        if not 0 <= one.level < len(scale_of(item).levels):
            raise UnknownLevel(item, one.level)
        steps = steps_of(item)
        taken[steps.start : steps.start + one.level] = 1.0
        known[steps.start : min(steps.start + one.level + one.is_exact, steps.stop)] = True
    return taken, known


def level_probabilities(steps: Array) -> dict[Item, Array]:
    """Probability of each level [..., K] of each item, from those of the steps [..., C]."""
    return {scale.item: levels_of_steps(steps[..., steps_of(scale.item)]) for scale in SCALES}
