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
FEWEST_OF_ARCHIVE = 10
"""A step is calibrated by an archive's studies alone where as many took it, and as many did not."""


def calibrated(
    reader: SeriesReader, studies: Sequence[SeriesStudy], archived: Sequence[SeriesStudy] = ()
) -> tuple[StepPoint, ...]:
    """Scale and bias of each step, by an archive's studies where they are enough, else by these and phantoms."""
    whole = fitted(reader, [*studies, *archived], FEWEST)
    own = fitted(reader, archived, FEWEST_OF_ARCHIVE) if len(archived) >= 2 * FEWEST_OF_ARCHIVE else whole
    return tuple(mine or all_ or StepPoint() for mine, all_ in zip(own, whole, strict=True))


@torch.no_grad()
def fitted(reader: SeriesReader, studies: Sequence[SeriesStudy], fewest: int) -> tuple[StepPoint | None, ...]:
    """Scale and bias of each step, pulled towards those of all together; None where fewer took it, or did not."""
    reader.eval()
    logits = np.concatenate([reader.read(pad([study]).inputs).steps.double().numpy() for study in studies])
    taken = np.stack([study.taken.double().numpy() for study in studies])
    known = np.stack([study.known.numpy() for study in studies])
    fits = fit(logits, taken, known, best_pull(logits, taken, known))
    counts = np.minimum((known & (taken > 0)).sum(0), (known & (taken == 0)).sum(0))
    return tuple(
        StepPoint(round(scale, 5), round(bias, 5)) if count >= fewest else None
        for (scale, bias), count in zip(fits.tolist(), counts.tolist(), strict=True)
    )
