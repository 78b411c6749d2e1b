"""From which probability on a lesion is named: chosen on whole volumes, as crops show lesions more often than patients.

The choice is put into the bias of the lesion's logit, so that the most probable class stays the answer (logit
adjustment, Menon et al., arXiv 2007.07314).
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.gtgm.finetune.examples import IGNORED, Example
from models.gtgm.finetune.heads import Segmenter
from models.gtgm.finetune.predict import probabilities
from pacs_agent.inference.segment import Windows

OFFSETS = tuple(sorted(np.arange(-4.0, 4.5, 0.5).tolist(), key=abs))
"""What may be added to a logit, the smallest change first: it wins a tie."""


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
