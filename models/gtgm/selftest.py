"""The self-test of a segmenter's bundle: patches of unseen phantoms with their truth, and the Dice reached on them.

Layout and tolerances: `pacs_agent/inference/segmenter_self_test.py`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.gtgm.finetune.examples import Example, crop_about
from models.gtgm.finetune.phantoms import EFFUSION, NODULE
from models.gtgm.finetune.preset import SegmenterPreset
from models.gtgm.finetune.thorax import phantom_example
from models.msvlm.runtime import session
from pacs_agent.inference.segmenter_self_test import dice_of

FILE = "self_test.npz"
SHOWN = {EFFUSION: 60, NODULE: 40}
"""Structures that the patches must show, and with how many voxels at least."""
LOOKED_THROUGH = 200
SPLIT = "self_test"


class NothingToShow(ValueError):
    """No phantom shows a structure on the preset's grid."""


def write_self_test(
    folder: Path, classes: Sequence[tuple[int, ...]], preset: SegmenterPreset, patch: tuple[int, int, int], cache: Path
) -> Path:
    """Writes one patch about each structure of SHOWN, and how well `segmenter.onnx` of the folder does on them.

    The patches are the first that show enough, whatever the graph makes of them.
    """
    crops = [_first_about(label, preset, patch, cache) for label in SHOWN]
    values, labels = (np.stack(part) for part in zip(*crops, strict=True))
    truth = merged(labels, classes)
    stored = np.rint(values).astype(np.int16)[:, None]
    graph = session(folder / "segmenter.onnx")
    found = [graph.run(None, {"patch": one[None].astype(np.float32)})[0].argmax(1) for one in stored]
    reached = dice_of(np.concatenate(found).astype(np.uint8), truth, len(classes))
    path = folder / "self_test" / FILE
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, patch=stored, labels=truth, dice=reached.astype(np.float32))
    return path


def merged(labels: NDArray[np.uint8], classes: Sequence[tuple[int, ...]]) -> NDArray[np.uint8]:
    """The network's labels as the graph's: classes of one structure have its number."""
    to = np.zeros(256, np.uint8)
    for number, of in enumerate(classes, start=1):
        to[list(of)] = number
    return to[labels]


def _first_about(
    label: int, preset: SegmenterPreset, patch: tuple[int, int, int], cache: Path
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    for example in _phantoms(preset, cache):
        places = np.argwhere(example.labels == label)
        if len(places) >= SHOWN[label]:
            middle = tuple(int(at) for at in np.median(places, axis=0))
            return crop_about(example, middle, patch)
    raise NothingToShow(f"of {LOOKED_THROUGH} phantoms none has {SHOWN[label]} voxels of structure {label}")


def _phantoms(preset: SegmenterPreset, cache: Path) -> Iterator[Example]:
    return (phantom_example(SPLIT, number, preset, cache) for number in range(LOOKED_THROUGH))
