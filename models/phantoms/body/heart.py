"""The heart: pericardium, fat with the grooves, muscle, four chambers."""

from dataclasses import dataclass

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.body.level import FAT_HU, blend
from models.phantoms.body.shape import Cavity
from models.phantoms.canvas import Floats


@dataclass(frozen=True)
class Chamber:
    """An ellipsoid in units of the heart's half axes: along it (u), across to the left back (v), up (w)."""

    centre: tuple[float, float, float]
    axes: tuple[float, float, float]
    left: bool


CHAMBERS = (
    Chamber((0.22, 0.28, -0.12), (0.50, 0.34, 0.50), left=True),
    Chamber((0.10, -0.47, 0.02), (0.62, 0.30, 0.62), left=False),
    Chamber((-0.52, 0.42, 0.28), (0.34, 0.44, 0.48), left=True),
    Chamber((-0.56, -0.30, 0.12), (0.34, 0.40, 0.58), left=False),
)
"""Left ventricle, right ventricle, left atrium, right atrium."""


def paint_heart(hu: Floats, cavity: Cavity, distance: Floats, room: Floats, z: float, anatomy: Anatomy) -> None:
    """Paints one level. `distance` to the pericardium and `room` left to the heart, [rows, columns]."""
    _, _, cz = anatomy.heart_centre_mm
    a, b, c = anatomy.heart_axes_mm
    mean, w = float(np.mean((a, b, c))), (z - cz) / c
    inside = (distance < 1.0) & (room > 0.0)
    rows, columns = np.nonzero(inside.any(axis=1))[0], np.nonzero(inside.any(axis=0))[0]
    if not len(rows):
        return
    of = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    u, v, depth, part = cavity.heart_u[of], cavity.heart_v[of], -distance[of], hu[of]
    share = np.clip(depth * np.float32(0.6) + np.float32(0.5), 0.0, 1.0) * room[of]
    heart_depth = depth - np.float32(anatomy.epicardial_fat_mm + anatomy.pericardial_fluid_mm)
    value = np.full(part.shape, FAT_HU + 12.0, np.float32)
    if anatomy.pericardial_fluid_mm > 0.0:
        value[depth < anatomy.pericardial_fluid_mm] = 12.0
    shell = np.abs(depth - np.float32(anatomy.pericardial_fluid_mm + 1.0))
    blend(value, np.clip(1.1 - shell, 0.0, 0.6), 25.0)
    groove = np.exp(-(((u + np.float32(0.16)) / np.float32(0.1)) ** 2)) * np.float32(7.0)
    muscle = np.clip((heart_depth - groove) * np.float32(0.7) + np.float32(0.5), 0.0, 1.0)
    blend(value, muscle, 45.0 + 0.28 * (anatomy.blood.aorta_hu - anatomy.blood.plain_hu))
    for chamber in CHAMBERS:
        _paint_chamber(value, chamber, u, v, w, mean, anatomy)
    blend(part, share, value)


def _paint_chamber(
    value: Floats, chamber: Chamber, u: Floats, v: Floats, w: float, mean: float, anatomy: Anatomy
) -> None:
    (cu, cv, cw), (a, b, c) = chamber.centre, chamber.axes
    height = ((w - cw) / c) ** 2
    if height >= 1.0:
        return
    radius = np.sqrt(((u - np.float32(cu)) / np.float32(a)) ** 2 + ((v - np.float32(cv)) / np.float32(b)) ** 2 + height)
    depth = (np.float32(1.0) - radius) * np.float32(min(a, b) * mean)
    blood = anatomy.blood.aorta_hu if chamber.left else anatomy.blood.right_heart_hu
    # The beating heart blurs its own inner edges.
    blend(value, np.clip(depth / 3.0 + 0.5, 0.0, 1.0), blood)
