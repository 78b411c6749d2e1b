"""From which probability on a lesion is named, and neighbours belong together: chosen on volumes, not on crops.

Crops show lesions more often than patients. How sure a network is of affinities depends on how long it has learned,
and seeds of instances are where it is sure. The choice is put into the bias of the logit, so that the most probable
class stays the answer, and the seeds' share what it is (logit adjustment, Menon et al., arXiv 2007.07314).
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.gtgm.finetune.blocks import blocks_of
from models.gtgm.finetune.examples import IGNORED, Example
from models.gtgm.finetune.heads import Segmenter
from models.gtgm.finetune.instances import instances_of
from models.gtgm.finetune.metrics import instance_agreement
from models.gtgm.finetune.predict import affinities, probabilities
from pacs_agent.inference.segment import Windows

OFFSETS = tuple(sorted(np.arange(-4.0, 4.5, 0.5).tolist(), key=abs))
"""What may be added to a logit, the smallest change first: it wins a tie."""
CUBE_VOXELS = 48
CUBES = 4
"""Of the labelled volumes, in which instances are grouped to choose: those with most labels."""


def set_operating_points(
    network: Segmenter, examples: Sequence[Example], windows: Windows, lesions: Sequence[int]
) -> dict[int, float]:
    """Moves each lesion's bias to where Dice over the voxels of all volumes together is best; gives by how much."""
    tallies = np.zeros((len(lesions), len(OFFSETS), 2))
    for example in examples:
        shares = probabilities(network, example, windows)
        for number, lesion in enumerate(lesions):
            tallies[number] += _tally(shares, example.labels, lesion)  # type: ignore[arg-type]
    dice = tallies[..., 0] / np.maximum(tallies[..., 1], 1.0)
    chosen = {lesion: OFFSETS[int(of.argmax())] for lesion, of in zip(lesions, dice, strict=True)}
    with torch.no_grad():
        for lesion, offset in chosen.items():
            network.last.bias[lesion] += offset
    return chosen


def _tally(shares: NDArray[np.float16], truth: NDArray[np.uint8], lesion: int) -> NDArray[np.float64]:
    """Twice the voxels that both have, and the sum of each one's, at every offset."""
    known = truth != IGNORED
    own = shares[lesion].astype(np.float32)[known]
    others = np.delete(shares, lesion, axis=0).max(0).astype(np.float32)[known]
    there = truth[known] == lesion
    rows = []
    for offset in OFFSETS:
        found = own * np.float32(np.exp(offset)) > others
        rows.append((2.0 * float((found & there).sum()), float(found.sum() + there.sum())))
    return np.array(rows)


def set_affinities_point(network: Segmenter, examples: Sequence[Example], windows: Windows) -> float:
    """Moves the biases of all affinities to where ARAND over the labelled voxels is best; gives by how much.

    Raises ValueError where nothing is labelled.
    """
    errors = np.zeros(len(OFFSETS))
    for cube in _most_labelled(examples):
        shares = affinities(network, cube, windows).astype(np.float32)
        known = int((cube.labels > 0).sum())
        for number, offset in enumerate(OFFSETS):
            raised = shares * np.float32(np.exp(offset))
            found = instances_of(raised / (1.0 - shares + raised))
            errors[number] += known * instance_agreement(found, cube.labels).arand  # type: ignore[arg-type]
    chosen = OFFSETS[int(errors.argmin())]
    with torch.no_grad():
        network.last.bias += chosen
    return chosen


def _most_labelled(examples: Sequence[Example]) -> list[Example]:
    cubes = [
        Example(example.values[box], example.labels[box], example.modality)
        for example in examples
        for box in blocks_of(example.labels.shape, CUBE_VOXELS)
    ]
    labelled = sorted((cube for cube in cubes if cube.labels.any()), key=lambda cube: -np.count_nonzero(cube.labels))
    if not labelled:
        raise ValueError("no voxel of any instance is labelled: there is nothing to choose by")
    return labelled[:CUBES]
