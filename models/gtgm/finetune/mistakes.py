"""What a network takes for a lesion where there is none: places from which its second training learns most.

A crop lies anywhere or about a structure, so vessels, fissures and ribs that look like a nodule are seldom in it.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from scipy.ndimage import label

from models.gtgm.finetune.examples import IGNORED, Example
from models.gtgm.finetune.heads import Segmenter
from models.gtgm.finetune.predict import predicted
from pacs_agent.inference.segment import Windows

TOUCHING = np.ones((3, 3, 3), np.bool_)
"""Voxels that share a corner belong together."""


def kept_mistakes(
    network: Segmenter, examples: Sequence[Example], windows: Windows, lesions: Sequence[int], path: Path
) -> tuple[NDArray[np.intp], ...]:
    """Of every volume the places of `mistaken_places`; looked for once, then kept in an npz file."""
    if not path.is_file():
        volumes = track(examples, "mistakes")
        found = [mistaken_places(predicted(network, one, windows), one.labels, lesions) for one in volumes]  # type: ignore[arg-type]
        draft = path.with_suffix(".part.npz")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(draft, places=np.concatenate(found), counts=[len(one) for one in found])
        draft.replace(path)
    with np.load(path) as arrays:
        return tuple(np.split(arrays["places"], np.cumsum(arrays["counts"])[:-1]))


def mistaken_places(found: NDArray[np.uint8], truth: NDArray[np.uint8], lesions: Sequence[int]) -> NDArray[np.intp]:
    """Flat index of one voxel in each part of a lesion's class that touches no voxel of it, and none that is unknown.

    One for each: a small false lesion is as wrong as a large one.
    """
    places = []
    for lesion in lesions:
        parts, _ = label(found == lesion, TOUCHING)
        numbers, first = np.unique(parts, return_index=True)
        real = np.unique(parts[(truth == lesion) | (truth == IGNORED)])
        places.append(first[(numbers > 0) & ~np.isin(numbers, real)])
    return np.concatenate(places)
