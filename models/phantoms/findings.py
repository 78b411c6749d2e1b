"""The findings a thorax phantom can carry, in the order in which a radiologist reports them, and what is said of each.

The labels are the 18 of CT-RATE (arXiv 2403.17834); `models.datasets` knows their order in that data set.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Finding(StrEnum):
    """A finding of the CT-RATE label set; the value is its key in labels, masks, manifests and report tags."""

    MEDICAL_MATERIAL = "medical_material"
    LUNG_NODULE = "lung_nodule"
    LUNG_OPACITY = "lung_opacity"
    CONSOLIDATION = "consolidation"
    ATELECTASIS = "atelectasis"
    FIBROTIC_SEQUELA = "pulmonary_fibrotic_sequela"
    EMPHYSEMA = "emphysema"
    MOSAIC_ATTENUATION = "mosaic_attenuation_pattern"
    SEPTAL_THICKENING = "interlobular_septal_thickening"
    BRONCHIECTASIS = "bronchiectasis"
    PERIBRONCHIAL_THICKENING = "peribronchial_thickening"
    PLEURAL_EFFUSION = "pleural_effusion"
    LYMPHADENOPATHY = "lymphadenopathy"
    CARDIOMEGALY = "cardiomegaly"
    PERICARDIAL_EFFUSION = "pericardial_effusion"
    CORONARY_CALCIFICATION = "coronary_artery_wall_calcification"
    ARTERIAL_CALCIFICATION = "arterial_wall_calcification"
    HIATAL_HERNIA = "hiatal_hernia"


FINDINGS: tuple[Finding, ...] = tuple(Finding)


class Side(StrEnum):
    """Side of the patient, not of the image."""

    RIGHT = "right"
    LEFT = "left"


class Lobe(StrEnum):
    """Lobe of the lung. The lingula belongs to the left upper lobe."""

    RIGHT_UPPER = "right upper lobe"
    RIGHT_MIDDLE = "right middle lobe"
    RIGHT_LOWER = "right lower lobe"
    LEFT_UPPER = "left upper lobe"
    LEFT_LOWER = "left lower lobe"

    @property
    def side(self) -> Side:
        """The side it is on."""
        return Side.RIGHT if self in (Lobe.RIGHT_UPPER, Lobe.RIGHT_MIDDLE, Lobe.RIGHT_LOWER) else Side.LEFT


class Grade(IntEnum):
    """Size or severity, from the least to the most; its word depends on the finding."""

    SLIGHT = 0
    MODERATE = 1
    MARKED = 2


class Count(StrEnum):
    """How many there are of a finding that can be counted."""

    ONE = "one"
    FEW = "few"
    """Two to four."""
    MANY = "many"
    """Five and more."""


@dataclass(frozen=True)
class Attributes:
    """What a report says of a finding beside its presence. Empty or None: does not apply."""

    sides: frozenset[Side] = frozenset()
    lobes: frozenset[Lobe] = frozenset()
    grade: Grade | None = None
    count: Count | None = None


@dataclass(frozen=True)
class Describable:
    """Which attributes a finding has; the heads learn these and the report says no others."""

    sides: bool = False
    lobes: bool = False
    grade: bool = True
    count: bool = False


_LOBAR = Describable(sides=True, lobes=True)
DESCRIBABLE: dict[Finding, Describable] = {
    Finding.MEDICAL_MATERIAL: Describable(grade=False),
    Finding.LUNG_NODULE: Describable(sides=True, lobes=True, count=True),
    Finding.LUNG_OPACITY: _LOBAR,
    Finding.CONSOLIDATION: _LOBAR,
    Finding.ATELECTASIS: _LOBAR,
    Finding.FIBROTIC_SEQUELA: _LOBAR,
    Finding.EMPHYSEMA: _LOBAR,
    Finding.MOSAIC_ATTENUATION: Describable(),
    Finding.SEPTAL_THICKENING: Describable(sides=True),
    Finding.BRONCHIECTASIS: _LOBAR,
    Finding.PERIBRONCHIAL_THICKENING: Describable(sides=True),
    Finding.PLEURAL_EFFUSION: Describable(sides=True),
    Finding.LYMPHADENOPATHY: Describable(count=True),
    Finding.CARDIOMEGALY: Describable(),
    Finding.PERICARDIAL_EFFUSION: Describable(),
    Finding.CORONARY_CALCIFICATION: Describable(),
    Finding.ARTERIAL_CALCIFICATION: Describable(),
    Finding.HIATAL_HERNIA: Describable(),
}

ATTRIBUTE_NAMES: tuple[str, ...] = (
    *(f"side:{side.value}" for side in Side),
    *(f"lobe:{lobe.value}" for lobe in Lobe),
    *(f"grade:{grade.value}" for grade in Grade),
    *(f"count:{count.value}" for count in Count),
)
"""Order of the attribute axis (A = 13) of heads, targets and `study_reader.onnx`.

Sides and lobes are independent (sigmoid); grades and counts are one choice each (softmax).
"""


def attribute_targets(attributes: Attributes) -> tuple[float, ...]:
    """1 where the attribute holds, in the order of ATTRIBUTE_NAMES."""
    return (
        *(float(side in attributes.sides) for side in Side),
        *(float(lobe in attributes.lobes) for lobe in Lobe),
        *(float(grade == attributes.grade) for grade in Grade),
        *(float(count == attributes.count) for count in Count),
    )
