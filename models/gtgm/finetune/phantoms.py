"""Thorax phantoms as labelled volumes: a chest is painted finer than the grid, scanned, and put on it as in use."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.gtgm.volume import LabelledVolume, Modality
from models.phantoms.body import body_width_mm
from models.phantoms.canvas import Canvas, Floats, Grid, Region
from models.phantoms.findings import Finding
from models.phantoms.lesions.nodule import Nodule
from models.phantoms.plan import Case, draw_case
from models.phantoms.plan.cases import draw_findings
from models.phantoms.plan.draughtsman import Draughtsman
from models.phantoms.plan.lungs import draw_nodule
from models.phantoms.scan import Detector, Scan, draw_scan, scanned
from models.phantoms.thorax import grid_of, paint, slice_positions
from pacs_agent.imaging.regrid import Lattice, grid_over, onto_grid

NAMES = ("background", "lung left", "lung right", "heart", "pleural effusion", "nodule or mass")
LUNG_LEFT, LUNG_RIGHT, HEART, EFFUSION, NODULE = range(1, len(NAMES))
GRID_MM = (3.0, 3.0, 3.0)
"""Spacing of the grid along z, y, x."""
SOURCE_PX = 208
SLICE_MM = (1.5, 2.0, 2.5, 3.0, 5.0)
"""Slice distances of the scans that the phantoms stand for."""
_MORE = {Finding.PLEURAL_EFFUSION: 0.45, Finding.LUNG_NODULE: 0.55}
"""How often a structure that is to be learned is there beside the cases that have it anyway."""
MASS_SHARE, MASS_MM = 0.3, (30.0, 65.0)
_WINS = {NODULE: 0.35}
"""Share of a voxel from which a structure has it, where that is not the half: small ones would be lost."""


def phantom_volume(seed: int, spacing_mm: tuple[float, float, float] = GRID_MM) -> LabelledVolume:
    """The thorax phantom of a seed in HU on a grid, with NAMES as its structures.

    The lungs hold what lies in them (vessels, consolidated lung), but neither fluid nor nodules. The same seed gives
    the same voxels; every phantom is a patient of its own.
    """
    rng = np.random.default_rng((seed, 7))
    case = _case(seed, rng)
    scan = draw_scan(rng, float(body_width_mm(case.anatomy, np.array([0.45 * case.anatomy.height_mm], np.float32))[0]))
    slice_mm = float(rng.choice(SLICE_MM))
    ends = slice_positions(case.anatomy, scan, 2)
    source = grid_of(scan, np.arange(ends[0], ends[1], slice_mm, dtype=np.float32), SOURCE_PX)
    canvas = paint(case, source)
    hu = _scanned(canvas, case, scan, slice_mm)
    start = lattice(source)
    end = grid_over(start, spacing_mm)
    shares = (onto_grid(structure, start, end) for structure in structures(canvas))
    return LabelledVolume(
        values=onto_grid(hu, start, end),
        spacing_mm=spacing_mm,
        modality=Modality.CT,
        patient=f"phantom-{seed}",
        study=f"phantom-{seed}",
        source="thorax phantoms",
        labels=strongest(shares, end.shape),
        names=NAMES,
    )


def strongest(shares: Iterable[Floats], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Labels 1, 2, … [z, y, x] from the share of each voxel that each structure fills; later ones win ties."""
    labels = np.zeros(shape, np.uint8)
    best = np.zeros(shape, np.float32)
    for label, share in enumerate(shares, start=1):
        scaled = share * np.float32(0.5 / _WINS.get(label, 0.5))
        wins = (scaled >= 0.5) & (scaled >= best)
        labels[wins], best[wins] = label, scaled[wins]
    return labels


def _case(seed: int, rng: np.random.Generator) -> Case:
    """A case in which effusions and nodules are frequent, some with a mass."""
    findings = draw_findings(rng) | {finding for finding, share in _MORE.items() if rng.random() < share}
    case = draw_case(seed, findings)
    if rng.random() >= MASS_SHARE:
        return case
    mass: Nodule = draw_nodule(Draughtsman(rng, case.anatomy), float(rng.uniform(*MASS_MM)))
    return replace(case, lesions=(*case.lesions, mass))


def _scanned(canvas: Canvas, case: Case, scan: Scan, slice_mm: float) -> NDArray[np.int16]:
    grid = canvas.grid
    detector = Detector(scan, grid.x_mm, grid.y_mm, grid.pixel_mm, slice_mm)
    still = np.zeros(len(grid.z_mm), np.float32)  # no streaks of the shoulders: the coarse grid blurs them away
    return scanned(canvas.hu, detector, 1, body_width_mm(case.anatomy, grid.z_mm), still)


def structures(canvas: Canvas) -> list[NDArray[np.bool_]]:
    """One mask per structure of a painted canvas, in the order of NAMES; no voxel is in two."""
    region, nowhere = canvas.region, np.zeros(canvas.grid.shape, bool)
    nodule = canvas.masks.get(Finding.LUNG_NODULE, nowhere)
    fluid = canvas.masks.get(Finding.PLEURAL_EFFUSION, nowhere) & ~nodule
    free = ~(nodule | fluid)
    organs = (Region.LEFT_LUNG, Region.RIGHT_LUNG, Region.HEART)
    return [*((region == organ) & free for organ in organs), fluid, nodule]


def lattice(grid: Grid) -> Lattice:
    """Where the voxels of a canvas lie."""
    z, y, x = (axis.astype(np.float64) for axis in (grid.z_mm, grid.y_mm, grid.x_mm))
    return Lattice(z, y, x)
