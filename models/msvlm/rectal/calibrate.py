"""How the logit of each step becomes a probability, from validation studies with all their series."""

from collections.abc import Sequence

import numpy as np
import torch

from models.msvlm.calibrate import best_pull, fit
from models.msvlm.rectal.network import StepPoint
from models.msvlm.rectal.reader import SeriesReader
from models.msvlm.rectal.studies import SeriesStudy, pad

FEWEST = 4
"""A step that fewer validation studies took, or fewer did not, keeps the logits as they are."""


@torch.no_grad()
def calibrated(reader: SeriesReader, studies: Sequence[SeriesStudy]) -> tuple[StepPoint, ...]:
    """Scale and bias of each step, pulled towards those of all together."""
    reader.eval()
    logits = np.concatenate([reader.read(pad([study]).inputs).steps.double().numpy() for study in studies])
    taken = np.stack([study.taken.double().numpy() for study in studies])
    known = np.stack([study.known.numpy() for study in studies])
    fits = fit(logits, taken, known, best_pull(logits, taken, known))
    counts = np.minimum((known & (taken > 0)).sum(0), (known & (taken == 0)).sum(0))
    return tuple(
        StepPoint(round(scale, 5), round(bias, 5)) if count >= FEWEST else StepPoint()
        for (scale, bias), count in zip(fits.tolist(), counts.tolist(), strict=True)
    )
