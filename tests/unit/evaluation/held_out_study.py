import numpy as np

from models.evaluation.heldout import HeldOutStudy
from models.phantoms.findings import FINDINGS, Attributes, Count, Finding, Grade, Lobe, Side
from models.phantoms.report import TrueSentence

SLICES, WIDTH, GRID = 6, 5, (4, 6)
NODULE = FINDINGS.index(Finding.LUNG_NODULE)


def held_out(number: int = 0, nodule_slices: tuple[int, ...] = (2, 3)) -> HeldOutStudy:
    """A study whose nodule lies in the patch of row 1 and column 4 of some slices, where its peak is, too."""
    rng = np.random.default_rng(number)
    area = np.zeros((SLICES, len(FINDINGS)), np.float32)
    patches = np.zeros((SLICES, len(FINDINGS), *GRID), np.bool_)
    peaks = np.zeros((SLICES, len(FINDINGS), 2), np.uint8)
    for index in nodule_slices:
        area[index, NODULE] = 50.0
        patches[index, NODULE, 1, 4] = True
        peaks[index, NODULE] = (1, 4)
    there = bool(nodule_slices)
    labels = np.zeros(len(FINDINGS))
    labels[NODULE] = float(there)
    attributes = Attributes(frozenset({Side.LEFT}), frozenset({Lobe.LEFT_UPPER}), Grade.SLIGHT, Count.ONE)
    return HeldOutStudy(
        study=f"s{number}",
        patient=f"p{number}",
        traits=frozenset({"contrast"}),
        tokens=rng.normal(size=(SLICES, WIDTH)).astype(np.float32),
        z_mm=np.arange(SLICES, dtype=np.float32) * 5.0,
        peaks=peaks,
        lesion_patches=patches,
        area_mm2=area,
        labels=labels,
        located=labels > 0,
        attributes={Finding.LUNG_NODULE: attributes} if there else {},
        sentences=(TrueSentence("absent", Finding.EMPHYSEMA, "No emphysema ."),),
    )
