"""What the thorax segmenter of a bundle outlines: the classes of its graph, and what its manifest says of each.

Both lungs are one structure; the agent tells them apart by what lies left and right of the midline.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.gtgm.finetune.phantoms import EFFUSION, HEART, LUNG_LEFT, LUNG_RIGHT, NAMES, NODULE
from pacs_agent.inference.reading import Code
from pacs_agent.inference.segmenter_manifest import StructureEntry

ANATOMY = Code(value="123037004", scheme="SCT", meaning="Anatomical Structure")
ABNORMAL = Code(value="49755003", scheme="SCT", meaning="Morphologically Abnormal Structure")
"""CID 7150, Segmentation Property Category."""


@dataclass(frozen=True)
class Outline:
    """A structure: the network's classes that it is made of, and what the manifest says of it."""

    classes: tuple[int, ...]
    entry: StructureEntry


class UnknownStructure(ValueError):
    """A structure to be left out that the segmenter does not outline, or all of them."""


STRUCTURES = (
    Outline(
        (LUNG_LEFT, LUNG_RIGHT),
        StructureEntry(
            key="lung",
            name="Lung",
            category=ANATOMY,
            type=Code(value="39607008", scheme="SCT", meaning="Lung"),
            colour=(197, 165, 145),
            kind="organ",
            smallest_ml=20.0,
            laterality=True,
        ),
    ),
    Outline(
        (HEART,),
        StructureEntry(
            key="heart",
            name="Heart",
            category=ANATOMY,
            type=Code(value="80891009", scheme="SCT", meaning="Heart"),
            colour=(206, 110, 84),
            kind="organ",
            smallest_ml=20.0,
        ),
    ),
    Outline(
        (EFFUSION,),
        StructureEntry(
            key="pleural_effusion",
            name="Pleural effusion",
            category=ABNORMAL,
            type=Code(value="60046008", scheme="SCT", meaning="Pleural effusion"),
            colour=(111, 184, 210),
            kind="lesion",
            smallest_ml=10.0,
            laterality=True,
            finding="pleural_effusion",
        ),
    ),
    Outline(
        (NODULE,),
        StructureEntry(
            key="nodule_or_mass",
            name="Nodule or mass",
            category=ABNORMAL,
            type=Code(value="27925004", scheme="SCT", meaning="Nodule"),
            colour=(241, 214, 69),
            kind="lesion",
            smallest_ml=0.1,
            laterality=True,
            finding="lung_nodule",
        ),
    ),
)
"""The graph's classes from 1 on.

A nodule of 0.1 mL is one of 6 mm, below which the Fleischner Society wants none followed up (MacMahon et al., Radiology
284:228, 2017); on a grid of 3 mm it is four voxels.
"""


def structures_without(left_out: Collection[str]) -> tuple[Outline, ...]:
    """STRUCTURES without those of some keys. Raises UnknownStructure.

    What the network takes for one of them is background. That a nodule lies in the lung is no help: a network that sees
    nodules where there are none sees them outside the lung as well, and the lung would grow by those (Dice .97 to .85).
    """
    known = [one.entry.key for one in STRUCTURES]
    if wrong := sorted(set(left_out) - set(known)):
        raise UnknownStructure(f"no structure {', '.join(wrong)}; there are {', '.join(known)}")
    if not set(known) - set(left_out):
        raise UnknownStructure("every structure would be left out")
    return tuple(one for one in STRUCTURES if one.entry.key not in left_out)


def background_of(structures: Sequence[Outline]) -> tuple[int, ...]:
    """The network's classes that are in none of the structures."""
    within = {label for one in structures for label in one.classes}
    return tuple(label for label in range(len(NAMES)) if label not in within)


def merged(labels: NDArray[np.uint8], structures: Sequence[Outline]) -> NDArray[np.uint8]:
    """The network's labels as the graph's: classes of one structure have its number, from 1."""
    to = np.arange(256, dtype=np.uint8)
    to[: len(NAMES)] = 0
    for number, one in enumerate(structures, start=1):
        to[list(one.classes)] = number
    return to[labels]


def shares_of(shares: NDArray[np.float16], structures: Sequence[Outline]) -> NDArray[np.float32]:
    """The network's probabilities [classes, ...] as those of the graph, background first."""
    of_all = (background_of(structures), *(one.classes for one in structures))
    return np.stack([shares[list(classes)].astype(np.float32).sum(axis=0) for classes in of_all])


def smallest_ml(structures: Sequence[Outline]) -> dict[int, float]:
    """The least volume of a part of each structure, by the graph's number."""
    return {number: one.entry.smallest_ml for number, one in enumerate(structures, start=1)}
