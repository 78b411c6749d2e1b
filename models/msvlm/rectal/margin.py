"""The measured distance of tumour and mesorectal fascia as a number, for tables of it."""

import numpy as np
from numpy.typing import NDArray

from models.msvlm.rectal.structures import FASCIA, TUMOUR, WITHIN
from pacs_agent.inference.staging.margin import MarginStructures, measured_margin


def measured_margin_mm(patch_logits: NDArray[np.float32], patch_mm: float) -> float:
    """The distance in mm over slices [n, S, gr, gc] of patches with sides of `patch_mm`.

    NaN where no slice shows both tumour and fascia.
    """
    margin = measured_margin(patch_logits, patch_mm, MarginStructures(TUMOUR, WITHIN, FASCIA))
    return float("nan") if margin is None else margin.distance_mm
