"""What lies below the diaphragm: liver, spleen, stomach, kidneys, bowel."""

import numpy as np

from models.phantoms.body.level import FAT_HU, Level, blend, ellipse
from models.phantoms.canvas import Floats

LIVER_HU = 56.0


def paint_abdomen(hu: Floats, level: Level, dome: Floats) -> None:
    """Paints one level of the cavity; `dome` is the depth below the diaphragm in mm, positive below it."""
    below = level.fill(dome)
    if not below.any():
        return
    anatomy, x, y = level.anatomy, level.frame.x, level.frame.y
    gain, cx, cy, s = anatomy.blood.organ_gain_hu, anatomy.cavity_x_mm, anatomy.cavity_y_mm, anatomy.scale
    drop = float(np.clip((anatomy.dome_mm[1] - level.z) / 100.0, 0.0, 1.0))
    value = np.full(hu.shape, FAT_HU, np.float32)
    _paint_bowel(value, level)
    wave = np.float32(0.08) * level.grain(14.0)
    stomach = (
        1.0 + wave - ellipse(x - 0.42 * cx, y + (30.0 - 12.0 * drop) * s, (40.0 - 6.0 * drop) * s, 38.0 * s)
    ) * 38.0
    blend(value, level.fill(stomach), 42.0 + 0.6 * gain)
    lumen = stomach - np.float32(4.5)
    blend(value, level.fill(lumen), 18.0)
    surface = -(30.0 + 38.0 * (1.0 - 1.6 * anatomy.stomach_gas)) * s
    blend(value, np.minimum(level.fill(lumen), level.fill(np.float32(surface) - y)), -970.0)
    spleen = (1.0 + wave - ellipse(x - 0.78 * cx, y - 0.32 * cy, 34.0 * s, 50.0 * s)) * 34.0
    blend(value, level.fill(np.minimum(spleen, -stomach - 3.0)), 48.0 + 1.25 * gain)
    _paint_kidneys(value, level)
    edge = np.float32(0.38 * cx - 62.0 * drop) - x + 9.0 * np.sin(y / 21.0) + 0.25 * (y + 20.0) + 60.0 * wave
    back = np.float32(0.86 * cy) - y - 0.3 * np.maximum(-x - 40.0, 0.0)
    liver = level.fill(np.minimum(edge, back))
    blend(value, liver, LIVER_HU + gain + np.float32(2.0) * level.grain(10.0))
    if level.anatomy.blood.organ_gain_hu > 30.0:
        _paint_liver_veins(value, level, liver)
    blend(hu, below, value)


def _paint_liver_veins(value: Floats, level: Level, liver: Floats) -> None:
    veins = np.clip(2.0 - 9.0 * np.abs(level.grain(10.0) - 0.4), 0.0, 1.0)
    blend(value, veins * liver * np.float32(0.5), level.anatomy.blood.vena_cava_hu + 20.0)


def _paint_bowel(value: Floats, level: Level) -> None:
    loops = level.grain(10.0)
    blend(value, np.clip(loops * 3.0 - 1.2, 0.0, 1.0), 38.0)
    gas = np.clip((loops - np.float32(2.4 - 0.9 * level.anatomy.bowel_gas)) * 4.0, 0.0, 1.0)
    gas *= level.frame.y < 0.0
    blend(value, gas, -900.0)


def _paint_kidneys(value: Floats, level: Level) -> None:
    anatomy = level.anatomy
    s, gain = anatomy.scale, anatomy.blood.organ_gain_hu
    for side, top in ((-1.0, -38.0), (1.0, -22.0)):
        height = 1.0 - ((level.z - top + 55.0) / 55.0) ** 2
        if height <= 0.0:
            continue
        a, b = 24.0 * s * height**0.5, 28.0 * s * height**0.5
        depth = (1.0 - ellipse(level.frame.x - side * 56.0 * s, level.frame.y - 0.52 * anatomy.cavity_y_mm, a, b)) * a
        blend(value, level.fill(depth), 32.0 + 2.4 * gain)
        hilum = (
            1.0 - ellipse(level.frame.x - side * 44.0 * s, level.frame.y - 0.5 * anatomy.cavity_y_mm, 15.0, 8.0)
        ) * 9.0
        blend(value, level.fill(hilum), FAT_HU + 20.0)
