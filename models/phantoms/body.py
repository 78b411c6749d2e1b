"""Paints the normal thorax slice by slice: wall, bones, lungs, mediastinum, heart, upper abdomen, table."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Canvas, Floats, Grid, Region

Mask = NDArray[np.bool_]
FAT_HU, MUSCLE_HU, LIVER_HU = -105.0, 52.0, 58.0


@dataclass(frozen=True)
class Level:
    """One axial level: its coordinates and what all its painters share."""

    z: float
    x: Floats
    y: Floats
    share: float
    """z as a share of the lung's height."""
    cavity_mm: tuple[float, float]
    """Half axes of the thoracic cavity; 0 above the apex."""
    wall_mm: Floats
    """Distance from the cavity's surface; negative inside."""


def cavity_profile(share: float) -> float:
    """Size of the cavity at a level relative to its largest."""
    if share <= 0.35:
        return 1.0
    return float(np.sqrt(max(0.0, 1.0 - ((share - 0.35) / 0.67) ** 2.4)))


def paint_body(canvas: Canvas, anatomy: Anatomy) -> None:
    """Fills HU and region of every slice. The vessels of the lungs come later."""
    rng = np.random.default_rng(anatomy.seed)
    wobble = rng.normal(0.0, 0.012, 8).astype(np.float32)
    for index, z in enumerate(canvas.grid.z_mm):
        level = level_of(canvas.grid, anatomy, float(z))
        paint_level(canvas.hu[index], canvas.region[index], level, anatomy, wobble)


def level_of(grid: Grid, anatomy: Anatomy, z: float) -> Level:
    """The level at height z."""
    share = z / anatomy.height_mm
    size = cavity_profile(share)
    cx, cy = anatomy.cavity_x_mm * size, anatomy.cavity_y_mm * (0.25 + 0.75 * size) * (size > 0)
    x, y = grid.x_mm[None, :], grid.y_mm[:, None] - (1.0 - size) * 0.25 * anatomy.cavity_y_mm
    if size <= 0.02:
        wall = np.full((len(grid.y_mm), len(grid.x_mm)), 99.0, np.float32)
        return Level(z, grid.x_mm[None, :], grid.y_mm[:, None], share, (0.0, 0.0), wall)
    radius = _superellipse(x / cx, y / cy, 2.4)
    wall = (radius - 1.0) * np.float32(min(cx, cy) * 0.5 + 0.5 * max(cx, cy))
    return Level(z, grid.x_mm[None, :], grid.y_mm[:, None], share, (cx, cy), wall)


def _superellipse(u: Floats, v: Floats, power: float) -> Floats:
    return (np.abs(u) ** power + np.abs(v) ** power) ** np.float32(1.0 / power)


def paint_level(hu: Floats, region: NDArray[np.uint8], level: Level, anatomy: Anatomy, wobble: Floats) -> None:
    """All parts of one level, from outside to inside."""
    _paint_table(hu, level, anatomy)
    _paint_wall(hu, region, level, anatomy, wobble)
    _paint_ribs(hu, level, anatomy)
    inside = level.wall_mm < -2.0
    lung = _paint_lungs(hu, region, level, anatomy, inside)
    _paint_spine(hu, region, level, anatomy)
    _paint_heart(hu, region, level, anatomy, inside | lung)
    _paint_great_vessels(hu, region, level, anatomy)
    _paint_airway(hu, region, level, anatomy)


def _paint_table(hu: Floats, level: Level, anatomy: Anatomy) -> None:
    depth = body_axes_mm(level, anatomy)[1] + anatomy.table_gap_mm
    below = level.y - (depth + 4.0) + (level.x / 260.0) ** 2 * 45.0
    wide = np.abs(level.x) < 215.0
    hu[(np.abs(below) < 2.0) & wide] = -150.0
    hu[(below > 2.0) & (below < 22.0) & wide] = -930.0
    hu[(np.abs(below - 24.0) < 2.0) & wide] = -150.0


def body_axes_mm(level: Level, anatomy: Anatomy) -> tuple[float, float]:
    """Half axes of the body's outline; it widens towards the shoulders."""
    shoulder = float(np.clip((level.share - 0.72) / 0.3, 0.0, 1.0))
    thick = anatomy.fat_mm + anatomy.muscle_mm
    wide = anatomy.cavity_x_mm + thick + 14.0 * shoulder - 30.0 * float(np.clip(level.share - 1.0, 0.0, 0.3))
    return wide, anatomy.cavity_y_mm + 0.55 * thick + 22.0 - 10.0 * shoulder


def _paint_wall(hu: Floats, region: NDArray[np.uint8], level: Level, anatomy: Anatomy, wobble: Floats) -> None:
    bx, by = body_axes_mm(level, anatomy)
    angle = np.arctan2(level.x, -level.y)
    ripple = sum(w * np.sin((k + 1) * angle + 7 * k + level.z / 90.0) for k, w in enumerate(wobble))
    depth = (1.0 + ripple - _superellipse(level.x / bx, (level.y - 8.0) / by, 2.5)) * (0.5 * (bx + by))
    body, fat = depth > 0.0, anatomy.fat_mm * (0.7 + 0.3 * np.cos(2 * angle))
    body |= _paint_breasts(hu, level, anatomy, by)
    region[body] = Region.WALL
    hu[body] = FAT_HU
    hu[(depth > 0.0) & (depth < 1.8)] = 10.0
    muscle = (depth > fat) & body
    hu[muscle] = MUSCLE_HU
    between = np.sin(0.21 * depth + 2.5 * np.sin(2.0 * angle + level.z / 70.0)) * np.sin(5.0 * angle + level.z / 45.0)
    hu[muscle & (between > 0.45) & (level.wall_mm > 9.0)] = FAT_HU + 25.0
    _paint_scapulae(hu, level, anatomy, body)


def _paint_breasts(hu: Floats, level: Level, anatomy: Anatomy, body_y: float) -> Mask:
    height = (level.share - 0.42) / 0.22
    if anatomy.breast_mm == 0.0 or abs(height) >= 1.0:
        return np.zeros(hu.shape, bool)
    round_off = np.sqrt(1.0 - height**2)
    front = (level.y - 8.0 + 0.84 * body_y) / (anatomy.breast_mm * round_off + 10.0)
    return ((np.abs(level.x) - 72.0 * anatomy.scale) / (58.0 * round_off)) ** 2 + front**2 < 1.0


def _paint_scapulae(hu: Floats, level: Level, anatomy: Anatomy, body: Mask) -> None:
    if not 0.42 < level.share < 1.02:
        return
    reach = np.abs(level.x) - (anatomy.cavity_x_mm * (1.02 - 0.25 * (level.share - 0.42)))
    back = level.y - 0.52 * anatomy.cavity_y_mm
    along, across = 0.6 * reach + 0.8 * back, 0.8 * reach - 0.6 * back
    plate = (along / 40.0) ** 2 + (across / 5.0) ** 2
    hu[(plate < 1.0) & body] = anatomy.bone_hu * 0.8
    hu[(plate < 0.35) & body] = 180.0


def _paint_ribs(hu: Floats, level: Level, anatomy: Anatomy) -> None:
    if level.cavity_mm[0] == 0.0:
        return
    shell = (level.wall_mm > 1.5) & (level.wall_mm < 10.0) & (hu > -300.0)
    rows, columns = np.nonzero(shell)
    x, y = level.x[0, columns], level.y[rows, 0]
    lean = np.cos(np.arctan2(np.abs(x), y))
    phase = (level.z + 48.0 * (1.0 - lean)) / anatomy.rib_pitch_mm + anatomy.rib_phase + 0.05 * (x > 0)
    rib = np.cos(2.0 * np.pi * phase)
    front = lean < -0.78
    core = (rib > 0.55) & (np.abs(level.wall_mm[rows, columns] - 5.75) < 2.4)
    bone = np.where(core, 190.0, anatomy.bone_hu)
    value = np.where(front, 110.0, bone)
    take = (rib > 0.15) & (np.abs(x) > 14.0)
    hu[rows[take], columns[take]] = value[take]
    sternum = ((level.x / 17.0) ** 2 + ((level.y + level.cavity_mm[1] + 7.0) / 6.0) ** 2) < 1.0
    if 0.3 < level.share < 0.93:
        hu[sternum & (hu > -300.0)] = 170.0


def diaphragm_mm(level: Level, anatomy: Anatomy) -> Floats:
    """Height of the diaphragm over each place: two domes that fall to the back and to the sides."""
    right, left = anatomy.dome_mm
    side = np.where(level.x < 0.0, right, left)
    lateral = (np.abs(level.x) - 0.5 * anatomy.cavity_x_mm) / (0.55 * anatomy.cavity_x_mm)
    back = (level.y + 0.15 * anatomy.cavity_y_mm) / anatomy.cavity_y_mm
    return np.maximum(side - 45.0 * lateral**2 - 62.0 * np.maximum(back, 0.0) ** 2 - 25.0 * back**2, -35.0)


def _paint_lungs(hu: Floats, region: NDArray[np.uint8], level: Level, anatomy: Anatomy, inside: Mask) -> Mask:
    if level.cavity_mm[0] == 0.0:
        return inside
    below = inside & (level.z < diaphragm_mm(level, anatomy))
    _paint_abdomen(hu, region, level, anatomy, below)
    width = (25.0 + 9.0 * np.clip(1.0 - abs(level.share - 0.5) / 0.4, 0.0, 1.0)) * anatomy.scale
    middle = ((level.x - 2.0) / width) ** 2 + (level.y / (1.02 * anatomy.cavity_y_mm)) ** 4 < 1.0
    lung = inside & ~below & ~middle
    back = level.y / anatomy.cavity_y_mm
    hu[lung] = (anatomy.lung_hu + anatomy.lung_gradient_hu * back + 0.0 * level.x)[lung]
    region[lung] = np.where(level.x + 0.0 * level.y < 0.0, Region.RIGHT_LUNG, Region.LEFT_LUNG)[lung]
    between = inside & ~below & middle
    hu[between], region[between] = FAT_HU + 15.0, Region.MEDIASTINUM
    return lung


def _paint_abdomen(hu: Floats, region: NDArray[np.uint8], level: Level, anatomy: Anatomy, below: Mask) -> None:
    region[below] = Region.BELOW_DIAPHRAGM
    hu[below] = FAT_HU
    enhanced = 0.2 * anatomy.contrast_hu
    reach = 0.45 * anatomy.cavity_x_mm - 0.5 * (anatomy.dome_mm[0] - level.z)
    hu[below & (level.x < reach)] = LIVER_HU + enhanced
    spleen = ((level.x - 0.68 * anatomy.cavity_x_mm) / 40.0) ** 2 + ((level.y - 30.0) / 48.0) ** 2 < 1.0
    hu[below & spleen] = 50.0 + 1.4 * enhanced
    stomach = ((level.x - 0.48 * anatomy.cavity_x_mm) / 44.0) ** 2 + ((level.y + 28.0) / 40.0) ** 2 < 1.0
    hu[below & stomach] = 25.0
    hu[below & stomach & (level.y < -68.0 + 60.0 * anatomy.stomach_gas)] = -980.0
    if level.z < -20.0:
        kidney = ((np.abs(level.x) - 52.0) / 24.0) ** 2 + ((level.y - 0.5 * anatomy.cavity_y_mm) / 28.0) ** 2 < 1.0
        hu[below & kidney] = 35.0 + 2.0 * enhanced


def _paint_spine(hu: Floats, region: NDArray[np.uint8], level: Level, anatomy: Anatomy) -> None:
    s = anatomy.scale
    y = level.y - anatomy.spine_y_mm + anatomy.kyphosis_mm * (1.0 - (2.0 * level.share - 1.0) ** 2) * -0.5
    body = np.sqrt((level.x / (18.0 * s)) ** 2 + (y / (15.0 * s)) ** 2)
    soft = (level.x / (24.0 * s)) ** 2 + ((y - 3.0) / (21.0 * s)) ** 2 < 1.0
    inside = region != Region.OUTSIDE
    hu[soft & inside], region[soft & inside] = MUSCLE_HU, Region.WALL
    disc = np.cos(2.0 * np.pi * (level.z / 24.0 + anatomy.disc_phase)) > 0.86
    hu[body < 1.0] = 80.0 if disc else anatomy.bone_hu * 0.9
    if not disc:
        hu[body < 0.86] = 120.0 + 0.15 * anatomy.bone_hu
    arch = (level.x / (14.0 * s)) ** 2 + ((y - 23.0 * s) / (13.0 * s)) ** 2
    hu[(arch < 1.0) & (body > 1.0)] = anatomy.bone_hu * 0.8
    hu[arch < 0.42] = 30.0
    process = (np.abs(level.x) < 3.5) & (y > 34.0 * s) & (y < 52.0 * s)
    transverse = (np.abs(y - 24.0 * s) < 4.5) & (np.abs(level.x) < 32.0 * s) & (np.abs(level.x) > 12.0)
    if np.cos(2.0 * np.pi * (level.z / 24.0 + anatomy.disc_phase)) < 0.3:
        hu[(process | transverse) & inside] = anatomy.bone_hu * 0.7


def heart_radius(level: Level, anatomy: Anatomy) -> tuple[Floats, Floats, Floats]:
    """Distance from the heart's centre in units of its half axes, and the coordinates along its long and short axis."""
    cx, cy, cz = anatomy.heart_centre_mm
    a, b, c = anatomy.heart_axes_mm
    cos, sin = np.cos(anatomy.heart_turn), np.sin(anatomy.heart_turn)
    dx, dy = level.x - cx, level.y - cy
    u, v = (cos * dx - sin * dy) / a, (sin * dx + cos * dy) / b
    return np.sqrt(u**2 + v**2 + ((level.z - cz) / c) ** 2), u, v


def _paint_heart(hu: Floats, region: NDArray[np.uint8], level: Level, anatomy: Anatomy, inside: Mask) -> None:
    cz, c = anatomy.heart_centre_mm[2], anatomy.heart_axes_mm[2]
    mean_axis = float(np.mean(anatomy.heart_axes_mm))
    fluid = anatomy.pericardial_fluid_mm / mean_axis
    outer = 1.0 + fluid + anatomy.epicardial_fat_mm / mean_axis
    if abs(level.z - cz) > c * outer:
        return
    radius, u, v = heart_radius(level, anatomy)
    room = inside & (level.y < anatomy.spine_y_mm - 16.0 * anatomy.scale)
    sack = room & (radius < outer)
    hu[sack], region[sack] = FAT_HU + 15.0, Region.HEART
    hu[room & (radius < outer - anatomy.epicardial_fat_mm / mean_axis)] = 12.0 if fluid else 40.0
    heart = room & (radius < 1.0)
    hu[heart] = 48.0 + 0.22 * anatomy.contrast_hu
    w = (level.z - cz) / c
    chambers = (
        (0.25, 0.22, -0.1, 0.45),
        (0.15, -0.45, 0.0, 0.42),
        (-0.45, 0.35, 0.35, 0.38),
        (-0.55, -0.25, 0.2, 0.36),
    )
    for cu, cv, cw, size in chambers:
        chamber = (u - cu) ** 2 + (v - cv) ** 2 + (w - cw) ** 2 < size**2
        hu[heart & chamber] = anatomy.blood_hu


def _disc(level: Level, x: float, y: float, radius: float) -> Mask:
    return (level.x - x) ** 2 + (level.y - y) ** 2 < radius**2


def arch_mm(anatomy: Anatomy, place: float) -> tuple[float, float, float]:
    """Centre line of the aortic arch from the ascending (0) to the descending aorta (1)."""
    (ax, ay), (dx, dy) = anatomy.ascending_mm, anatomy.descending_mm
    rise = anatomy.arch_z_mm + 12.0 * (1.0 - (2.0 * place - 1.0) ** 2)
    return ax + place * (dx - ax), ay + place * (dy - ay), rise


def _paint_great_vessels(hu: Floats, region: NDArray[np.uint8], level: Level, anatomy: Anatomy) -> None:
    s, radius, z = anatomy.scale, anatomy.aorta_mm, level.z
    vessels = np.zeros(hu.shape, bool)
    if z < anatomy.arch_z_mm:
        vessels |= _disc(level, *anatomy.descending_mm, radius * 0.85)
    if anatomy.heart_centre_mm[2] < z < anatomy.arch_z_mm:
        vessels |= _disc(level, *anatomy.ascending_mm, radius * 1.05)
    for place in np.linspace(0.0, 1.0, 13):
        x, y, top = arch_mm(anatomy, float(place))
        if abs(z - top) < radius:
            vessels |= _disc(level, x, y, float(np.sqrt(radius**2 - (z - top) ** 2)))
    if z > anatomy.arch_z_mm:
        for x, y, size in ((-16.0, -14.0, 6.5), (2.0, -2.0, 4.5), (16.0, 14.0, 5.0)):
            vessels |= _disc(level, x * s, y * s, size * s)
    if anatomy.heart_centre_mm[2] < z:
        vessels |= _disc(level, -27.0 * s, -16.0 * s, 8.5 * s)
    vessels |= _pulmonary_trunk(level, anatomy)
    vessels &= region != Region.OUTSIDE
    hu[vessels], region[vessels] = anatomy.blood_hu, Region.MEDIASTINUM
    gullet = _disc(level, 4.0 * s, anatomy.spine_y_mm - 24.0 * s, 7.0 * s) & (region == Region.MEDIASTINUM)
    hu[gullet] = 38.0


def _pulmonary_trunk(level: Level, anatomy: Anatomy) -> Mask:
    s, from_carina = anatomy.scale, level.z - anatomy.carina_z_mm
    trunk = np.zeros(np.broadcast_shapes(level.x.shape, level.y.shape), bool)
    if -45.0 < from_carina < 2.0:
        trunk |= _disc(level, 14.0 * s, -30.0 * s, 13.0 * s)
    right = 10.0**2 - (from_carina + 14.0) ** 2
    if right > 0.0:
        band = np.abs(level.y + 6.0 * s + 0.15 * level.x) < np.sqrt(right)
        trunk |= band & (level.x > -42.0 * s) & (level.x < 22.0 * s)
    left = 10.0**2 - (from_carina + 2.0) ** 2
    if left > 0.0:
        band = np.abs(level.y + 26.0 * s - 0.9 * (level.x - 14.0 * s)) < 1.3 * np.sqrt(left)
        trunk |= band & (level.x > 10.0 * s) & (level.x < 42.0 * s)
    return trunk


def _paint_airway(hu: Floats, region: NDArray[np.uint8], level: Level, anatomy: Anatomy) -> None:
    s, above = anatomy.scale, level.z - anatomy.carina_z_mm
    places: list[tuple[float, float, float]] = []
    if above > 0.0:
        places.append((0.0, 12.0 * s, 8.5 * s))
    elif above > -40.0:
        drift = -above * 0.85
        places += [(-(5.0 + drift) * s, 13.0 * s, 6.8 * s), ((5.0 + 1.1 * drift) * s, 13.0 * s, 6.2 * s)]
    for x, y, radius in places:
        wall = _disc(level, x, y, radius + 1.8) & (region != Region.OUTSIDE)
        hu[wall] = 30.0
        hu[_disc(level, x, y, radius) & wall] = -985.0
        region[wall] = Region.MEDIASTINUM
