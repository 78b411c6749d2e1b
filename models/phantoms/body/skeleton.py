"""Ribs with cartilage, sternum, scapulae and spine, level by level; collar bones and arms as tubes."""

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.body.level import FAT_HU, MUSCLE_HU, Level, blend, capsule_mm, ellipse
from models.phantoms.body.outline import RIB_SHELL_MM
from models.phantoms.body.shape import ANGLE, spine_y_mm
from models.phantoms.canvas import Floats

VERTEBRA_MM = 24.0
HIGHEST_RIB = 0.99
"""Share of the lung's height above which there are no ribs."""
MARROW_SHARE = 0.28
"""CT number of marrow as a share of the cortex'."""


def marrow_hu(anatomy: Anatomy) -> float:
    """CT number of spongy bone."""
    return 40.0 + MARROW_SHARE * anatomy.bone_hu


def paint_ribs(hu: Floats, level: Level, cage: Floats) -> None:
    """Ribs fall from the spine to the front, where cartilage joins them to the sternum. `cage`: height over them."""
    rows, columns = np.nonzero((cage > 0.5) & (cage < RIB_SHELL_MM))
    if not len(rows) or level.share > HIGHEST_RIB:
        return
    anatomy, angle = level.anatomy, level.frame.angle[rows, columns]
    turn = np.abs(ANGLE)
    drop = 122.0 * anatomy.scale * ((np.pi - turn) / np.pi) ** 1.2
    phase = (level.z + drop) / anatomy.rib_pitch_mm + anatomy.rib_phase + 0.06 * (ANGLE > 0.0)
    rise = ((phase - np.round(phase)) * anatomy.rib_pitch_mm * 0.8 / 5.4) ** 2
    there = (turn > 0.22) & (turn < 3.02)
    rise[~there] = 9.0
    radius = np.sqrt(((cage[rows, columns] - 5.6) / np.float32(4.0)) ** 2 + rise.astype(np.float32)[angle])
    depth = (1.0 - radius) * np.float32(4.2)
    front = np.clip((0.95 - turn) * 6.0, 0.0, 1.0).astype(np.float32)[angle]
    cortex = np.clip((np.float32(2.0) - depth) / np.float32(1.2), 0.0, 1.0)
    bone = marrow_hu(anatomy) + cortex * np.float32(anatomy.bone_hu - marrow_hu(anatomy))
    value = bone + front * (np.float32(95.0) - bone)
    share = level.fill(depth)
    here = hu[rows, columns]
    hu[rows, columns] = here + share * (value - here)


def paint_sternum(hu: Floats, level: Level, front_y: float) -> None:
    """Manubrium and body of the sternum before the cage's front at `front_y`."""
    if not 0.28 < level.share < 0.95:
        return
    s = level.anatomy.scale
    wide = (17.0 + 10.0 * float(np.clip((level.share - 0.72) / 0.12, 0.0, 1.0))) * s
    near = level.near(0.0, front_y - 6.5, wide + 4.0, 12.0)
    if near is None:
        return
    of, x, y = near
    depth = (1.0 - ellipse(x, y, wide, 6.5)) * 6.5
    _paint_bone(hu[of], level, depth, cortex_mm=1.6)


def _paint_bone(hu: Floats, level: Level, depth: Floats, cortex_mm: float) -> None:
    anatomy = level.anatomy
    marrow = level.fill(depth - np.float32(cortex_mm))
    blend(hu, level.fill(depth), anatomy.bone_hu + marrow * np.float32(marrow_hu(anatomy) - anatomy.bone_hu))


def paint_scapulae(hu: Floats, level: Level, cage: Floats) -> None:
    """Blade and spine of both scapulae; `cage` is the radius of the cage over angle at this level."""
    share, anatomy = level.share, level.anatomy
    if not 0.42 < share < 1.04:
        return
    rise = float(np.clip((share - 0.42) / 0.3, 0.0, 1.0))
    outward = 0.0 if anatomy.arms_up else -0.12
    for side in (-1.0, 1.0):
        medial = _at(cage, side * (2.62 + outward - 0.1 * rise), 19.0)
        lateral = _at(cage, side * (2.3 + outward - 0.4 * rise), 23.0 + 9.0 * rise)
        _paint_plate(hu, level, medial, lateral, 2.0 + 1.6 * rise)
        if share > 0.74:
            tip = _at(cage, side * (2.02 + outward), 24.0 + 34.0 * min((share - 0.74) / 0.2, 1.0))
            root = (0.5 * (medial[0] + lateral[0]), 0.5 * (medial[1] + lateral[1]))
            _paint_plate(hu, level, root, tip, 3.0)


def _at(cage: Floats, turn: float, above_mm: float) -> tuple[float, float]:
    """x, y of a place over the cage at an angle from the front."""
    radius = float(cage[int(np.abs(ANGLE - turn).argmin())]) + above_mm
    return radius * float(np.sin(turn)), 6.0 - radius * float(np.cos(turn))


def _paint_plate(hu: Floats, level: Level, start: tuple[float, float], end: tuple[float, float], half: float) -> None:
    of = level.patch(
        (min(start[0], end[0]) - 12.0, min(start[1], end[1]) - 12.0),
        (max(start[0], end[0]) + 12.0, max(start[1], end[1]) + 12.0),
    )
    if of is None:
        return
    distance, along = capsule_mm(level.frame.x[:, of[1]], level.frame.y[of[0]], start, end)
    thick = half * (0.75 + 1.3 * along**4)
    _paint_bone(hu[of], level, thick - distance, cortex_mm=1.5)


def paint_spine(hu: Floats, level: Level) -> None:
    """Vertebra or disc with canal, arch and processes, in muscle."""
    anatomy = level.anatomy
    s = anatomy.scale
    centre = float(spine_y_mm(anatomy, np.array([level.z]))[0])
    near = level.near(0.0, centre + 14.0 * s, 46.0 * s, 48.0 * s)
    if near is None:
        return
    of, x, y = near
    part, y = hu[of], y + np.float32(14.0 * s)
    beside = np.float32(1.0) - ellipse(np.abs(x) - np.float32(20.0 * s), y - np.float32(35.0 * s), 21.0 * s, 18.0 * s)
    blend(part, level.fill(beside * 15.0), MUSCLE_HU + anatomy.blood.muscle_gain_hu)
    place = level.z / VERTEBRA_MM + anatomy.disc_phase
    from_disc = abs(place - round(place)) * VERTEBRA_MM
    waist = 1.06 - 0.09 * float(np.clip(from_disc / 9.0, 0.0, 1.0))
    bowed = np.asarray(y - np.float32(0.10) * np.abs(x), np.float32)
    depth = (1.0 - ellipse(x, bowed, 19.0 * s * waist, 15.5 * s * waist)) * np.float32(15.5 * s)
    # The back of a vertebral body is flat, where the canal begins.
    depth = np.minimum(depth, np.float32(12.5 * s) - y)
    disc = float(np.clip((4.0 - from_disc) / 2.0, 0.0, 1.0))
    _paint_body(part, level, depth, disc, endplate=abs(from_disc - 5.0) < 1.5)
    if from_disc > 2.0:
        _paint_arch(part, level, x, y, s, from_disc)
    canal = (1.0 - ellipse(x, y - np.float32(20.0 * s), 9.0 * s, 7.5 * s)) * np.float32(8.0 * s)
    blend(part, level.fill(canal), 8.0)
    cord = (1.0 - ellipse(x, y - np.float32(20.0 * s), 5.0, 4.0)) * np.float32(4.5)
    blend(part, level.fill(cord), 40.0)


def _paint_body(part: Floats, level: Level, depth: Floats, disc: float, endplate: bool) -> None:
    anatomy = level.anatomy
    marrow = level.fill(depth - np.float32(1.3))
    inner = 1.5 * marrow_hu(anatomy) if endplate else marrow_hu(anatomy)
    bone = 0.8 * anatomy.bone_hu + marrow * np.float32(inner - 0.8 * anatomy.bone_hu)
    blend(part, level.fill(depth), bone * np.float32(1.0 - disc) + np.float32(85.0 * disc))


def _paint_arch(part: Floats, level: Level, x: Floats, y: Floats, s: float, from_disc: float) -> None:
    side = np.abs(x)
    ring = np.abs(ellipse(x, y - np.float32(20.0 * s), 12.5 * s, 11.5 * s) - 1.0) * np.float32(12.0 * s)
    _paint_bone(part, level, np.float32(1.9 * s) - ring, cortex_mm=1.4)
    process, _ = capsule_mm(side, y, (0.0, 31.0 * s), (0.0, 50.0 * s))
    _paint_bone(part, level, np.float32(2.6 * s) - process, cortex_mm=1.4)
    if from_disc > 6.0:
        transverse, _ = capsule_mm(side, y, (11.0 * s, 21.0 * s), (31.0 * s, 29.0 * s))
        _paint_bone(part, level, np.float32(4.2 * s) - transverse, cortex_mm=1.6)


__all__ = ["FAT_HU", "marrow_hu", "paint_ribs", "paint_scapulae", "paint_spine", "paint_sternum"]
