"""The sequences of a rectal protocol: their timing, and the signal that each tissue gives."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from models.phantoms.canvas import Floats
from models.phantoms.pelvis.person import Person
from models.phantoms.pelvis.tissue import SIGNALS, Tissue


class Weighting(StrEnum):
    """What a series shows."""

    T2 = "T2"
    T1 = "T1"
    DWI = "DWI"
    ADC = "ADC"


class Plane(StrEnum):
    """Plane of a series."""

    AXIAL = "axial"
    SAGITTAL = "sagittal"
    CORONAL = "coronal"


@dataclass(frozen=True)
class Sequence:
    """One image acquisition of the protocol."""

    key: str
    weighting: Weighting
    plane: Plane
    repetition_ms: float
    echo_ms: float
    b_value: float | None = None
    """s/mm²; None where diffusion plays no part."""
    contrast: bool = False


LOW_B, HIGH_B = 50.0, 1000.0
PROTOCOL: tuple[Sequence, ...] = (
    Sequence("t2_sagittal", Weighting.T2, Plane.SAGITTAL, 4500.0, 100.0),
    Sequence("t2_axial", Weighting.T2, Plane.AXIAL, 4800.0, 100.0),
    Sequence("t2_coronal", Weighting.T2, Plane.CORONAL, 4500.0, 100.0),
    Sequence("dwi_b50", Weighting.DWI, Plane.AXIAL, 5200.0, 66.0, LOW_B),
    Sequence("dwi_b1000", Weighting.DWI, Plane.AXIAL, 5200.0, 66.0, HIGH_B),
    Sequence("adc", Weighting.ADC, Plane.AXIAL, 5200.0, 66.0),
    Sequence("t1", Weighting.T1, Plane.AXIAL, 620.0, 11.0),
    Sequence("t1_contrast", Weighting.T1, Plane.AXIAL, 620.0, 11.0, contrast=True),
)
"""In the order of the examination."""
FAT_LEFT = 0.06
"""Share of the fat's signal that suppression leaves."""
_LIKE_THE_TUMOUR = (Tissue.SUSPICIOUS_NODE, Tissue.EMVI)


@dataclass(frozen=True, eq=False)
class Lookup:
    """Signal and texture of each label, [256]."""

    signal: Floats
    texture: Floats


def lookup(sequence: Sequence, person: Person) -> Lookup:
    """What each label gives in a sequence; a person's tissues differ from the common ones, the same in all series.

    T2: TR 1 - exp(-TR / T1) and exp(-TE / T2); T1 the same at short times, with the uptake added to 1 / T1; DWI with
    exp(-b ADC) and fat suppressed.
    """
    rng = np.random.default_rng((person.seed, 8))
    signal, texture = np.zeros(256, np.float32), np.zeros(256, np.float32)
    share = {tissue: rng.normal(0.0, 1.0, 3) for tissue in Tissue}
    share.update(dict.fromkeys(_LIKE_THE_TUMOUR, share[Tissue.TUMOUR]))
    for tissue, values in SIGNALS.items():
        longer, slower, taken = share[tissue]
        rate = 1000.0 / values.t1_ms + (values.uptake * (1.0 + 0.2 * taken) if sequence.contrast else 0.0)
        recovered = 1.0 - np.exp(-sequence.repetition_ms * rate / 1000.0)
        level = values.proton * recovered * np.exp(-sequence.echo_ms / (values.t2_ms * (1.0 + 0.07 * longer)))
        if sequence.weighting is Weighting.DWI:
            adc = values.adc_mm2_per_s * (1.0 + 0.08 * slower)
            level *= np.exp(-(sequence.b_value or 0.0) * adc * 1e-3) * (FAT_LEFT if values.fatty else 1.0)
        signal[tissue], texture[tissue] = level, level * values.texture
    return Lookup(signal, texture)
