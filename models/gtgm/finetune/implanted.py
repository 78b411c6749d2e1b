"""Labelled volumes of open real chest CTs: generated effusions, nodules and masses in a real patient's thorax.

Only the stretch of a scan is used in which the patient has no such lesion of their own. Lungs are found by threshold,
the heart is an ellipsoid read off the scan, so a shell about its surface is left unsaid (IGNORED).
"""

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.datasets.background import Background, background
from models.datasets.fitted import in_heart
from models.datasets.real_cases import RealCase
from models.datasets.real_ct import SHARED_DATA, cases_there
from models.gtgm.finetune.examples import IGNORED
from models.gtgm.finetune.phantoms import EFFUSION, GRID_MM, MASS_MM, NAMES, NODULE, lattice, strongest, structures
from models.gtgm.volume import LabelledVolume, Modality
from models.phantoms.canvas import Canvas, Grid, Region
from models.phantoms.findings import Finding
from models.phantoms.lesions import Lesion
from models.phantoms.plan.chest import draw_effusion
from models.phantoms.plan.draughtsman import Draughtsman
from models.phantoms.plan.lungs import draw_nodule, draw_nodules
from pacs_agent.imaging.regrid import Lattice, grid_over, onto_grid

SOURCE = "lesions implanted into open real CTs"
LEARNED = frozenset({Finding.PLEURAL_EFFUSION, Finding.LUNG_NODULE})
UNSAID_HEART = (0.85, 1.15)
"""Between these multiples of the heart's half axes its surface lies somewhere."""
MAP_MM = 7.0
HU_SHIFT = 6.0
_LUNGS = (Region.RIGHT_LUNG, Region.LEFT_LUNG)


def training_cases(folder: Path = SHARED_DATA) -> tuple[RealCase, ...]:
    """Patients that are not kept for tests and have a stretch, or a whole scan, free of what is implanted."""
    return tuple(case for case in cases_there(folder) if not case.held_out and _is_clear(case))


def implanted_volume(
    case: RealCase, seed: int, spacing_mm: tuple[float, float, float] = GRID_MM, folder: Path = SHARED_DATA
) -> LabelledVolume:
    """A case's clear stretch with lesions of that seed, on a grid; the same seed gives the same voxels.

    Raises RealDataMissing when the scan is not there.
    """
    rng = np.random.default_rng((seed, zlib.crc32(case.patient.encode()), 7))
    ground = background(case, folder)
    kept = _clear_slices(case, ground)
    grid = _part(ground.fit.grid, kept)
    clean = ground.clean_hu[kept].astype(np.float32)
    canvas = Canvas(grid, clean, ground.scan.region[kept].copy())
    for lesion in _lesions(rng, ground, canvas):
        lesion.paint(canvas, ground.fit.anatomy)
    hu = canvas.hu + ground.noise_hu[kept] + np.float32(rng.normal(0.0, HU_SHIFT))
    start = lattice(grid)
    end = grid_over(start, spacing_mm)
    labels = strongest((onto_grid(one, start, end) for one in structures(canvas)), end.shape)
    labels[_unsaid(ground, grid, start, end) & (labels != EFFUSION) & (labels != NODULE)] = IGNORED
    return LabelledVolume(
        values=onto_grid(hu, start, end),
        spacing_mm=spacing_mm,
        modality=Modality.CT,
        patient=case.patient,
        study=f"{case.patient}-implanted-{seed}",
        source=SOURCE,
        labels=labels,
        names=NAMES,
    )


def _is_clear(case: RealCase) -> bool:
    own = case.own_when_clear if case.clear_mm else case.own
    return not own & LEARNED


def _clear_slices(case: RealCase, ground: Background) -> slice:
    z_mm = ground.scan.volume.z_mm - ground.scan.volume.z_mm[0]
    low, high = case.clear_mm or (0.0, float(z_mm[-1]))
    return slice(int(np.searchsorted(z_mm, low)), int(np.searchsorted(z_mm, high, side="right")))


def _part(grid: Grid, kept: slice) -> Grid:
    return Grid(grid.z_mm[kept], grid.y_mm, grid.x_mm)


def _lesions(rng: np.random.Generator, ground: Background, canvas: Canvas) -> list[Lesion]:
    """Effusion, nodules, a mass: each often there, drawn as for the phantoms."""
    draw = Draughtsman(rng, ground.fit.anatomy, _map_of(canvas))
    lesions: list[Lesion] = list(draw_effusion(draw)[0]) if draw.chance(0.5) else []
    if draw.chance(0.8):
        lesions += draw_nodules(draw)[0]
    if draw.chance(0.4):
        lesions.append(draw_nodule(draw, draw.uniform(*MASS_MM)))
    return sorted(lesions, key=lambda lesion: lesion.layer)


def _map_of(canvas: Canvas) -> Canvas:
    """A coarse copy on which lesions are planned."""
    grid = canvas.grid
    steps = (max(1, round(MAP_MM / float(axis[1] - axis[0]))) for axis in (grid.z_mm, grid.y_mm, grid.x_mm))
    z, y, x = (slice(None, None, step) for step in steps)
    return Canvas(
        Grid(grid.z_mm[z], grid.y_mm[y], grid.x_mm[x]), canvas.hu[z, y, x].copy(), canvas.region[z, y, x].copy()
    )


def _unsaid(ground: Background, grid: Grid, start: Lattice, end: Lattice) -> NDArray[np.bool_]:
    """Voxels of the grid about the surface of the heart's ellipsoid."""
    inner, outer = (in_heart(grid, ground.fit.anatomy, stretch) for stretch in UNSAID_HEART)
    tissue = ~np.isin(ground.scan.region[_clear_slices(ground.scan.case, ground)], _LUNGS)
    unsaid: NDArray[np.bool_] = onto_grid(outer & ~inner & tissue, start, end) > 0.5
    return unsaid
