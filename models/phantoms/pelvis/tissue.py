"""The tissues of the pelvis: their label in the volume and what the scanner sees of them at 3 T."""

from enum import IntEnum
from typing import NamedTuple


class Tissue(IntEnum):
    """Label of a voxel; the name in lower case is the mask's name."""

    AIR = 0
    FAT = 1
    SKIN = 2
    MUSCLE = 3
    MARROW = 4
    CORTICAL_BONE = 5
    URINE = 6
    BLADDER_WALL = 7
    PROSTATE_PERIPHERAL_ZONE = 8
    PROSTATE_TRANSITION_ZONE = 9
    SEMINAL_VESICLE = 10
    PENILE_BULB = 11
    MYOMETRIUM = 12
    ENDOMETRIUM = 13
    CERVIX = 14
    VAGINA = 15
    BOWEL_WALL = 16
    BOWEL_CONTENT = 17
    BOWEL_GAS = 18
    RECTAL_GAS = 19
    RECTAL_CONTENT = 20
    SUBMUCOSA = 21
    """Mucosa and submucosa."""
    MUSCULARIS = 22
    MESORECTAL_FAT = 23
    MESORECTAL_FASCIA = 24
    PERITONEUM = 25
    """Peritoneum over the rectum, in front and above the reflection."""
    INTERNAL_SPHINCTER = 26
    INTERSPHINCTERIC_FAT = 27
    EXTERNAL_SPHINCTER = 28
    """External sphincter and puborectalis."""
    LEVATOR_ANI = 29
    ARTERY = 30
    VEIN = 31
    NODE = 32
    """Mesorectal lymph node that is not suspicious."""
    SUSPICIOUS_NODE = 33
    TUMOUR = 34
    EMVI = 35
    """Tumour in a vein outside the wall: extramural vascular invasion."""


class Signal(NamedTuple):
    """What a tissue gives to the scanner."""

    proton: float
    """Proton density, 1 for water."""
    t1_ms: float
    t2_ms: float
    """As it acts in a fast spin echo: fat looks longer than it is."""
    adc_mm2_per_s: float
    """In 1e-3 mm²/s."""
    uptake: float
    """Rate added to 1 / T1 by contrast medium, 1/s."""
    texture: float
    """Spread of the signal within the tissue, as a share of it."""
    fatty: bool = False
    """Whether fat suppression takes it away."""


SIGNALS: dict[Tissue, Signal] = {
    Tissue.AIR: Signal(0.0, 1000, 10, 0.0, 0.0, 0.0),
    Tissue.FAT: Signal(0.90, 390, 125, 0.05, 0.05, 0.07, fatty=True),
    Tissue.SKIN: Signal(0.60, 900, 45, 0.8, 0.3, 0.05),
    Tissue.MUSCLE: Signal(0.80, 1400, 42, 1.5, 0.25, 0.10),
    Tissue.MARROW: Signal(0.72, 480, 78, 0.4, 0.15, 0.12, fatty=True),
    Tissue.CORTICAL_BONE: Signal(0.10, 900, 20, 0.3, 0.0, 0.2),
    Tissue.URINE: Signal(1.00, 3800, 700, 2.9, 0.0, 0.01),
    Tissue.BLADDER_WALL: Signal(0.80, 1300, 48, 1.3, 0.7, 0.06),
    Tissue.PROSTATE_PERIPHERAL_ZONE: Signal(0.88, 1600, 135, 1.65, 0.7, 0.10),
    Tissue.PROSTATE_TRANSITION_ZONE: Signal(0.86, 1500, 82, 1.30, 0.9, 0.22),
    Tissue.SEMINAL_VESICLE: Signal(0.92, 1900, 190, 1.9, 0.5, 0.30),
    Tissue.PENILE_BULB: Signal(0.92, 1800, 160, 1.6, 1.2, 0.05),
    Tissue.MYOMETRIUM: Signal(0.85, 1400, 80, 1.35, 1.6, 0.12),
    Tissue.ENDOMETRIUM: Signal(0.92, 1800, 170, 1.2, 0.9, 0.06),
    Tissue.CERVIX: Signal(0.82, 1300, 58, 1.35, 1.1, 0.10),
    Tissue.VAGINA: Signal(0.82, 1300, 62, 1.3, 1.2, 0.08),
    Tissue.BOWEL_WALL: Signal(0.82, 1200, 60, 1.3, 1.3, 0.06),
    Tissue.BOWEL_CONTENT: Signal(0.85, 1500, 110, 1.9, 0.0, 0.25),
    Tissue.BOWEL_GAS: Signal(0.02, 1000, 20, 0.0, 0.0, 0.0),
    Tissue.RECTAL_GAS: Signal(0.02, 1000, 20, 0.0, 0.0, 0.0),
    Tissue.RECTAL_CONTENT: Signal(0.80, 1100, 75, 1.5, 0.0, 0.28),
    Tissue.SUBMUCOSA: Signal(0.86, 1300, 104, 1.5, 1.4, 0.08),
    Tissue.MUSCULARIS: Signal(0.80, 1300, 46, 1.3, 0.6, 0.06),
    Tissue.MESORECTAL_FAT: Signal(0.90, 390, 122, 0.05, 0.05, 0.09, fatty=True),
    Tissue.MESORECTAL_FASCIA: Signal(0.70, 1000, 38, 0.9, 0.3, 0.05),
    Tissue.PERITONEUM: Signal(0.70, 1000, 40, 0.9, 0.3, 0.05),
    Tissue.INTERNAL_SPHINCTER: Signal(0.84, 1300, 66, 1.35, 1.0, 0.05),
    Tissue.INTERSPHINCTERIC_FAT: Signal(0.85, 500, 95, 0.5, 0.1, 0.06, fatty=True),
    Tissue.EXTERNAL_SPHINCTER: Signal(0.80, 1350, 44, 1.4, 0.4, 0.07),
    Tissue.LEVATOR_ANI: Signal(0.80, 1350, 43, 1.4, 0.35, 0.07),
    Tissue.ARTERY: Signal(0.25, 1700, 30, 1.2, 4.0, 0.05),
    Tissue.VEIN: Signal(0.60, 1700, 70, 1.4, 3.5, 0.12),
    Tissue.NODE: Signal(0.85, 1200, 82, 0.98, 1.0, 0.04),
    Tissue.SUSPICIOUS_NODE: Signal(0.85, 1250, 80, 0.88, 1.0, 0.25),
    Tissue.TUMOUR: Signal(0.85, 1250, 76, 0.84, 1.15, 0.12),
    Tissue.EMVI: Signal(0.85, 1250, 76, 0.86, 1.15, 0.08),
}
