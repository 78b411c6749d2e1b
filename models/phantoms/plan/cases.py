"""Puts a case together: the findings asked for, in the order in which they take room, and what is no finding."""

from collections.abc import Callable

import numpy as np

from models.phantoms.anatomy import draw_anatomy
from models.phantoms.findings import FINDINGS, Attributes, Finding, Grade
from models.phantoms.lesions import Lesion
from models.phantoms.plan.airways import draw_bronchiectasis, draw_peribronchial
from models.phantoms.plan.case import Case, Drawn, Truth
from models.phantoms.plan.chest import (
    draw_arterial,
    draw_cardiomegaly,
    draw_coronary,
    draw_effusion,
    draw_hernia,
    draw_lymphadenopathy,
    draw_pericardial,
)
from models.phantoms.plan.distractors import draw_distractors
from models.phantoms.plan.draughtsman import Draughtsman
from models.phantoms.plan.lungs import (
    compressive,
    draw_atelectasis,
    draw_consolidation,
    draw_emphysema,
    draw_fibrosis,
    draw_mosaic,
    draw_nodules,
    draw_opacity,
    draw_septal,
)
from models.phantoms.plan.material import draw_material

NORMAL_SHARE, PREVALENCE = 0.12, 0.31
COMPRESSED = {Grade.SLIGHT: 0.0, Grade.MODERATE: 0.3, Grade.MARKED: 0.7}
"""How often an effusion of a grade leaves collapsed lung beside it."""

DRAW: dict[Finding, Callable[[Draughtsman], Drawn]] = {
    Finding.PLEURAL_EFFUSION: draw_effusion,
    Finding.HIATAL_HERNIA: draw_hernia,
    Finding.CARDIOMEGALY: draw_cardiomegaly,
    Finding.PERICARDIAL_EFFUSION: draw_pericardial,
    Finding.MOSAIC_ATTENUATION: draw_mosaic,
    Finding.EMPHYSEMA: draw_emphysema,
    Finding.CONSOLIDATION: draw_consolidation,
    Finding.ATELECTASIS: draw_atelectasis,
    Finding.LUNG_OPACITY: draw_opacity,
    Finding.SEPTAL_THICKENING: draw_septal,
    Finding.FIBROTIC_SEQUELA: draw_fibrosis,
    Finding.BRONCHIECTASIS: draw_bronchiectasis,
    Finding.PERIBRONCHIAL_THICKENING: draw_peribronchial,
    Finding.LUNG_NODULE: draw_nodules,
    Finding.LYMPHADENOPATHY: draw_lymphadenopathy,
    Finding.CORONARY_CALCIFICATION: draw_coronary,
    Finding.ARTERIAL_CALCIFICATION: draw_arterial,
    Finding.MEDICAL_MATERIAL: draw_material,
}
"""In the order of drawing: what takes room from the lungs comes before what lies in them."""


def draw_findings(rng: np.random.Generator) -> frozenset[Finding]:
    """A random set of findings; empty for a share of normal cases."""
    if rng.random() < NORMAL_SHARE:
        return frozenset()
    return frozenset(finding for finding in FINDINGS if rng.random() < PREVALENCE)


def draw_case(seed: int, findings: frozenset[Finding] | None = None) -> Case:
    """The case of a seed, with random findings unless they are given."""
    rng = np.random.default_rng(seed)
    wanted = draw_findings(rng) if findings is None else findings
    draw = Draughtsman(rng, draw_anatomy(rng, wanted))
    lesions: list[Lesion] = []
    truths: dict[Finding, Attributes] = {}
    for finding, draw_one in DRAW.items():
        if finding in wanted:
            drawn, truths[finding] = draw_one(draw)
            lesions += drawn
    if findings is None:
        lesions += _collapse_beside(draw, truths)
    lesions += draw_distractors(draw)
    return Case(seed, draw.anatomy, tuple(lesions), tuple(Truth(f, truths[f]) for f in FINDINGS if f in truths))


def _collapse_beside(draw: Draughtsman, truths: dict[Finding, Attributes]) -> list[Lesion]:
    """An effusion may leave collapsed lung beside it; then atelectasis is true."""
    effusion = truths.get(Finding.PLEURAL_EFFUSION)
    if effusion is None or effusion.grade is None or Finding.ATELECTASIS in truths:
        return []
    if not draw.chance(COMPRESSED[effusion.grade]):
        return []
    drawn, truths[Finding.ATELECTASIS] = compressive(draw, effusion.sides)
    return drawn
