"""The self-test of a segmenter's bundle: patches of unseen phantoms with their truth, and the Dice reached on them.

Layout and tolerances: `pacs_agent/inference/segmenter_self_test.py`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.gtgm.finetune.examples import Example, crop_about
from models.gtgm.finetune.preset import SegmenterPreset
from models.gtgm.finetune.thorax import phantom_example
from models.gtgm.structures import Outline, merged
from models.msvlm.runtime import session
from pacs_agent.inference.segmenter_self_test import dice_of

FILE = "self_test.npz"
SHOWN = {"heart": 1000, "pleural_effusion": 60, "nodule_or_mass": 40}
"""Structures that the patches must show where the bundle has them, and with how many voxels at least."""
LOOKED_THROUGH = 200
SPLIT = "self_test"


class NothingToShow(ValueError):
    """No phantom shows a structure on the preset's grid."""


def write_self_test(
    folder: Path, structures: Sequence[Outline], preset: SegmenterPreset, patch: tuple[int, int, int], cache: Path
) -> Path:
    """Writes one patch about each structure of SHOWN, and how well `segmenter.onnx` of the folder does on them.

    The patches are the first that show enough, whatever the graph makes of them.
    """
    numbers = {one.entry.key: number for number, one in enumerate(structures, start=1)}
    about = [key for key in SHOWN if key in numbers] or list(numbers)[:1]
    crops = [_first_about(key, numbers[key], structures, preset, patch, cache) for key in about]
    values, truth = (np.stack(part) for part in zip(*crops, strict=True))
    stored = np.rint(values).astype(np.int16)[:, None]
    graph = session(folder / "segmenter.onnx")
    found = [graph.run(None, {"patch": one[None].astype(np.float32)})[0].argmax(1) for one in stored]
    reached = dice_of(np.concatenate(found).astype(np.uint8), truth, len(structures))
    path = folder / "self_test" / FILE
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, patch=stored, labels=truth, dice=reached.astype(np.float32))
    return path


def _first_about(
    key: str,
    number: int,
    structures: Sequence[Outline],
    preset: SegmenterPreset,
    patch: tuple[int, int, int],
    cache: Path,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Values and the graph's labels about the first structure that is large enough."""
    for example in _phantoms(preset, cache):
        places = np.argwhere(merged(example.labels.astype(np.uint8), structures) == number)
        if len(places) >= SHOWN.get(key, 1):
            middle = tuple(int(at) for at in np.median(places, axis=0))
            values, labels = crop_about(example, middle, patch)
            return values, merged(labels, structures)
    raise NothingToShow(f"of {LOOKED_THROUGH} phantoms none has {SHOWN.get(key, 1)} voxels of {key}")


def _phantoms(preset: SegmenterPreset, cache: Path) -> Iterator[Example]:
    return (phantom_example(SPLIT, number, preset, cache) for number in range(LOOKED_THROUGH))
