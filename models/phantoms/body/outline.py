"""Skin, fat, breasts and the muscles of the chest wall and shoulder girdle."""

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.body.level import FAT_HU, MUSCLE_HU, Level, blend
from models.phantoms.body.shape import ANGLE, cage_table, cavity_size
from models.phantoms.canvas import Floats

RIB_SHELL_MM = 10.0
SKIN_MM = 2.0


def _bump(place: Floats, centre: float, width: float) -> Floats:
    bump: Floats = np.exp(-(((place - np.float32(centre)) / np.float32(width)) ** 2))
    return bump


def _rise(value: Floats, start: float, end: float) -> Floats:
    """0 before start, 1 after end, smooth between."""
    t = np.clip((value - start) / (end - start), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)


def muscle_table(anatomy: Anatomy, z_mm: Floats) -> Floats:
    """Radius of the outer face of the muscles over angle, [levels, angles]."""
    share = (z_mm / anatomy.height_mm)[:, None]
    turn, k = np.abs(ANGLE)[None, :], anatomy.muscle_mm / 13.0
    cage = cage_table(anatomy, np.maximum(cavity_size(share[:, 0]), np.float32(0.86)))
    neck = _rise(share, 1.02, 1.2)
    thick = 2.5 + 2.0 * k + 0.0 * turn
    thick = thick + k * 15.0 * _bump(turn, 0.8, 0.42) * _rise(share, 0.45, 0.62)
    thick = thick + k * 13.0 * _bump(turn, 1.95, 0.4) * _rise(share, 0.2, 0.55)
    thick = thick + 8.0 * _bump(turn, 2.4, 0.36) + k * 7.0 * _bump(turn, 2.8, 0.36) - 2.5 * _bump(turn, np.pi, 0.09)
    up = 34.0 if anatomy.arms_up else 46.0
    thick = thick + up * _bump(turn, 1.62, 0.55) * _rise(share, 0.66, 0.92)
    shoulder = _bump(turn, 1.57, 0.38)
    return np.asarray((cage + RIB_SHELL_MM + thick) * (1.0 - neck * (0.55 - 0.5 * shoulder)), np.float32)


def body_table(anatomy: Anatomy, z_mm: Floats, muscle: Floats) -> Floats:
    """Radius of the skin over angle, [levels, angles]."""
    rng = np.random.default_rng((anatomy.seed, 21))
    share, turn = (z_mm / anatomy.height_mm)[:, None], np.abs(ANGLE)[None, :]
    belly = 1.0 + 0.5 * (1.0 - _rise(share, -0.1, 0.35)) * _bump(turn, 0.4, 0.9)
    fat = anatomy.fat_mm * belly * (0.68 + 0.3 * _bump(turn, 1.9, 0.5) - 0.12 * _bump(turn, np.pi, 0.2))
    fat = fat * (1.0 - 0.35 * _rise(share, 0.75, 1.0)) * (1.0 - 0.5 * _bump(turn, 0.0, 0.25))
    wobble = sum(rng.normal(0.0, 0.09 / k) * np.cos(k * ANGLE + rng.uniform(0.0, 6.28)) for k in range(2, 7))
    return np.asarray(muscle + SKIN_MM + fat * (1.0 + wobble) + _breast_mm(anatomy, share), np.float32)


def _breast_mm(anatomy: Anatomy, share: Floats) -> Floats:
    """Height of the breasts, and of the smaller pectoral fat of a man, over angle."""
    height = anatomy.breast_mm if anatomy.female else 0.12 * anatomy.fat_mm
    round_off = np.maximum(1.0 - ((share - 0.44) / 0.22) ** 2, 0.0)
    one = np.maximum(1.0 - ((np.abs(ANGLE) - 0.82) / 0.66) ** 2, 0.0)[None, :]
    return np.asarray(height * round_off * one, np.float32)


def paint_wall(hu: Floats, level: Level, skin: Floats, muscle: Floats, cage: Floats) -> None:
    """Skin, fat and muscle. `skin` and `muscle` are depths under their surfaces, `cage` the height over the ribs."""
    flesh = level.fill(muscle)
    planes = np.abs(level.grain(8.0))
    planes -= np.float32(0.02)
    planes *= np.float32(5.0)
    np.clip(planes, 0.4, 1.0, out=planes)
    planes *= np.clip(np.float32(1.6) - level.grain(14.0) * np.float32(1.1), 0.15, 1.0)
    deep = cage < RIB_SHELL_MM
    planes[deep] = 1.0
    flesh *= planes
    tissue = flesh
    tissue *= np.float32(MUSCLE_HU + level.anatomy.blood.muscle_gain_hu - FAT_HU)
    tissue += np.float32(FAT_HU)
    _paint_gland(tissue, level, skin, muscle)
    blend(tissue, level.fill(np.float32(SKIN_MM) - skin), 12.0)
    blend(hu, level.fill(skin), tissue)


def _paint_gland(tissue: Floats, level: Level, skin: Floats, muscle: Floats) -> None:
    anatomy = level.anatomy
    if not anatomy.female or abs(level.share - 0.44) > 0.22:
        return
    reach = anatomy.cavity_x_mm
    for side in (-1.0, 1.0):
        x, half = side * 0.56 * reach, 0.45 * reach
        near = level.near(x, -anatomy.cavity_y_mm - anatomy.fat_mm, half, 65.0)
        if near is None:
            continue
        of, dx, _ = near
        room = np.clip((np.minimum(skin[of], -muscle[of]) - 4.0) / 6.0, 0.0, 1.0)
        room *= np.clip(1.3 - np.abs(dx) / np.float32(0.75 * half), 0.0, 1.0)
        strands = np.clip(level.grain(5.0, of) * 1.2 + np.float32(3.2 * anatomy.gland - 1.8), 0.0, 1.0)
        blend(tissue[of], room * strands, 32.0)
