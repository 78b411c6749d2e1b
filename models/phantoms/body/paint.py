"""Paints the normal thorax slice by slice, from outside to inside. The vessels of the lungs come later."""

from dataclasses import dataclass

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.body.abdomen import paint_abdomen
from models.phantoms.body.grain import grain_over
from models.phantoms.body.heart import paint_heart
from models.phantoms.body.level import FAT_HU, Level, Patch, blend, ellipse
from models.phantoms.body.outline import body_table, muscle_table, paint_wall
from models.phantoms.body.shape import (
    ANGLES,
    POLE_Y_MM,
    Cavity,
    Contours,
    Surfaces,
    cage_table,
    cavity_of,
    cavity_size,
    contours_of,
    frame_of,
    regions,
    surfaces_at,
)
from models.phantoms.body.skeleton import paint_ribs, paint_scapulae, paint_spine, paint_sternum
from models.phantoms.body.surroundings import blanket_table, paint_blanket, paint_electrodes, paint_table
from models.phantoms.body.vessels import paint_arms, paint_courses
from models.phantoms.canvas import Canvas, Floats, Grid, Region


def paint_regions(canvas: Canvas, anatomy: Anatomy) -> None:
    """Fills the regions only, all slices at once: for coarse grids."""
    frame = frame_of(canvas.grid.x_mm, canvas.grid.y_mm)
    cavity = cavity_of(frame, anatomy)
    surfaces = surfaces_at(cavity, contours_of(cavity, canvas.grid.z_mm, anatomy), anatomy)
    canvas.region[:] = np.where(surfaces.wall < 40.0, regions(surfaces, frame.x), np.uint8(Region.OUTSIDE))
    canvas.hu[:] = np.where(surfaces.lung < 0.0, np.float32(anatomy.lung_hu), np.float32(40.0))


def paint_body(canvas: Canvas, anatomy: Anatomy) -> None:
    """Fills HU and region of every slice."""
    grid = canvas.grid
    muscle = muscle_table(anatomy, grid.z_mm)
    skin = body_table(anatomy, grid.z_mm, muscle)
    paint_table(canvas, anatomy, skin)
    paint_arms(canvas, anatomy)
    blanket = blanket_table(anatomy, len(grid.z_mm))
    girdle = cage_table(anatomy, np.maximum(cavity_size(grid.z_mm / anatomy.height_mm), np.float32(0.86)))
    part, inner_part = _about(grid, float(skin.max()) + grid.pixel_mm), _about(grid, float(girdle.max()) + 16.0)
    body, inner = (frame_of(grid.x_mm[of[1]], grid.y_mm[of[0]]) for of in (part, inner_part))
    cavity = cavity_of(inner, anatomy)
    contours = contours_of(cavity, grid.z_mm, anatomy)
    shift = tuple(np.random.default_rng((anatomy.seed, 41)).uniform(0.0, 500.0, 3).tolist())
    grains = [grain_over(frame.x[0], frame.y[:, 0], shift) for frame in (body, inner)]
    for index, z in enumerate(grid.z_mm):
        place = (float(z), float(z / anatomy.height_mm), grid.pixel_mm)
        level = Level(anatomy, body, *place, grains[0])
        hu, region = canvas.hu[index][part], canvas.region[index][part]
        depth = skin[index].take(body.angle) - body.radius
        over = body.radius - contours.cage[index].take(body.angle)
        if blanket is not None:
            paint_blanket(hu, level, depth, blanket[index].take(body.angle))
        paint_wall(hu, level, depth, muscle[index].take(body.angle) - body.radius, over)
        region[depth > 0.0] = Region.WALL
        paint_ribs(hu, level, over)
        paint_sternum(hu, level, POLE_Y_MM - float(contours.cage[index][ANGLES // 2]))
        paint_scapulae(hu, level, girdle[index])
        _paint_cavity(canvas, index, inner_part, Level(anatomy, inner, *place, grains[1]), cavity, contours)
    paint_courses(canvas, anatomy)
    paint_electrodes(canvas, anatomy, skin)


def body_width_mm(anatomy: Anatomy, z_mm: Floats) -> Floats:
    """Width of the body at some levels, from skin to skin."""
    skin = body_table(anatomy, z_mm, muscle_table(anatomy, z_mm))
    return np.asarray(skin[:, ANGLES // 4] + skin[:, 3 * ANGLES // 4])


def _about(grid: Grid, reach_mm: float) -> Patch:
    rows, columns = (np.flatnonzero(np.abs(axis) < reach_mm) for axis in (grid.y_mm, grid.x_mm))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _paint_cavity(canvas: Canvas, index: int, part: Patch, level: Level, cavity: Cavity, contours: Contours) -> None:
    """Mediastinal fat, abdomen, heart, spine and lungs of one level."""
    hu, region = canvas.hu[index][part], canvas.region[index][part]
    surfaces = surfaces_at(cavity, contours.level(index), level.anatomy)
    inside = level.fill(-surfaces.wall[0])
    blend(hu, inside, np.float32(FAT_HU + 12.0) + np.float32(7.0) * level.grain(4.0))
    _paint_thymus(hu, level)
    paint_abdomen(hu, level, np.minimum(surfaces.dome[0], -surfaces.wall[0]))
    paint_heart(hu, cavity, surfaces.heart[0], inside, level.z, level.anatomy)
    paint_spine(hu, level)
    _paint_lungs(hu, level, cavity, surfaces)
    found = regions(surfaces, level.frame.x)[0]
    within = surfaces.wall[0] < 0.0
    region[within] = found[within]


def _paint_thymus(hu: Floats, level: Level) -> None:
    """What is left of the thymus in the fat behind the upper sternum."""
    anatomy = level.anatomy
    near = level.near(0.0, -0.72 * anatomy.cavity_y_mm, 26.0, 0.34 * anatomy.cavity_y_mm)
    if near is None or not 0.5 < level.share < 0.78:
        return
    of, x, y = near
    left = np.clip(1.6 - ellipse(np.abs(x) - np.float32(7.0), y, 16.0, 0.3 * anatomy.cavity_y_mm) * 1.6, 0.0, 1.0)
    left *= np.clip(level.grain(4.0, of) * 0.8 + np.float32(3.0 * anatomy.thymus - 0.9), 0.0, 1.0)
    blend(hu[of], left, 38.0 + anatomy.blood.muscle_gain_hu)


def _paint_lungs(hu: Floats, level: Level, cavity: Cavity, surfaces: Surfaces) -> None:
    """Lung with its gradient from front to back, its grain and the fissures as thin lines."""
    anatomy, frame = level.anatomy, level.frame
    share = level.fill(-surfaces.lung[0])
    value = np.float32(anatomy.lung_hu) + np.float32(anatomy.lung_gradient_hu / anatomy.cavity_y_mm) * frame.y
    value = value + np.float32(9.0) * level.grain(2.5) + np.float32(9.0) * level.grain(10.0)
    fissures, z = cavity.fissures, np.float32(level.z)
    oblique = np.where(frame.x < 0.0, fissures.right_oblique, fissures.left_oblique) - z
    lines = _line(oblique * np.float32(0.62), level.pixel_mm)
    lines = np.maximum(lines, _line(fissures.horizontal - z, level.pixel_mm) * ((frame.x < 0.0) & (oblique < 0.0)))
    value += lines * np.float32(260.0)
    blend(hu, share, value)


def _line(distance: Floats, pixel_mm: float) -> Floats:
    """How far a sheet of 0.8 mm fills the pixels about it."""
    near: Floats = np.maximum(np.float32(1.0) - np.abs(distance) * np.float32(1.0 / pixel_mm), 0.0)
    return near * np.float32(0.8 / pixel_mm)


@dataclass(frozen=True)
class HeartLevel:
    """One level of a grid for looking up the heart."""

    z: float
    x: Floats
    y: Floats


def level_of(grid: Grid, anatomy: Anatomy, z: float) -> HeartLevel:
    """The level at height z."""
    return HeartLevel(z, grid.x_mm[None, :], grid.y_mm[:, None])


def heart_radius(level: HeartLevel, anatomy: Anatomy) -> tuple[Floats, Floats, Floats]:
    """Distance from the heart's centre in units of its half axes, and the coordinates along its long and short axis."""
    cx, cy, cz = anatomy.heart_centre_mm
    a, b, c = anatomy.heart_axes_mm
    cos, sin = np.cos(anatomy.heart_turn), np.sin(anatomy.heart_turn)
    dx, dy = level.x - cx, level.y - cy
    u, v = (cos * dx - sin * dy) / a, (sin * dx + cos * dy) / b
    return np.sqrt(u**2 + v**2 + ((level.z - cz) / c) ** 2), u, v
