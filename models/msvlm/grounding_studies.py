"""The labelled studies of a bundle's grounding test: small phantoms of seeds that no split uses.

Six studies with three findings each, so that every finding is there once and no two studies share one; what two of them
have in common is the chest. Layout: `pacs_agent/inference/grounding.py`.
"""

from pathlib import Path

import numpy as np

from models.phantoms import FINDINGS, generate

FILE = "grounding.npz"
MARGIN = 0.2
"""F1 by which the right study must lead a wrong one and air; half the findings found, and no others, lead by .67."""
STUDIES, SLICES, SIDE_PX = 6, 40, 128
STEP_HU = 8
"""CT numbers are kept in steps of this, far below the noise: the file is half as large."""
FIRST_SEED = 9_800_000


def write_grounding(folder: Path) -> Path:
    """Writes `self_test/grounding.npz` into a bundle's folder."""
    studies = [
        generate(FIRST_SEED + index, findings=FINDINGS[index::STUDIES], size_px=SIDE_PX, kept_slices=SLICES).study()
        for index in range(STUDIES)
    ]
    air = np.int32(-1024)
    path = folder / "self_test" / FILE
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        path,
        stored=np.stack([np.round((one.hu.astype(np.int32) - air) / STEP_HU).astype(np.int16) for one in studies]),
        slope=np.float32(STEP_HU),
        intercept=np.float32(air),
        spacing_mm=np.array([one.spacing_mm for one in studies], np.float32),
        z_mm=np.stack([one.z_mm for one in studies]),
        labels=np.array([[one.labels[finding] for finding in FINDINGS] for one in studies]),
    )
    return path
