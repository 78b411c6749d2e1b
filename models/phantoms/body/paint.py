"""Paints the normal thorax slice by slice, from outside to inside. The vessels of the lungs come later."""

from dataclasses import dataclass

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.body.abdomen import paint_abdomen
from models.phantoms.body.heart import paint_heart
from models.phantoms.body.level import FAT_HU, Level, blend
from models.phantoms.body.outline import body_table, muscle_table, paint_wall
from models.phantoms.body.shape import (
    ANGLES,
    Cavity,
    Surfaces,
    cage_table,
    cavity_of,
    cavity_size,
    frame_of,
    regions,
    surfaces_at,
)
from models.phantoms.body.skeleton import paint_ribs, paint_scapulae, paint_spine, paint_sternum
from models.phantoms.body.surroundings import blanket_table, paint_blanket, paint_electrodes, paint_table
from models.phantoms.body.vessels import paint_arms, paint_courses
from models.phantoms.canvas import Canvas, Floats, Grid, Region

CAVITY_MARGIN_MM = 16.0


@dataclass(frozen=True, eq=False)
class Body:
    """A person over a grid: frames about body and cavity with the grid's rows and columns of each, and all tables."""

    cavity: Cavity
    body_part: tuple[slice, slice]
    cavity_part: tuple[slice, slice]
    skin: Floats
    muscle: Floats
    cage: Floats
    """Radii over angle, [levels, angles]."""


def paint_regions(canvas: Canvas, anatomy: Anatomy) -> None:
    """Fills the regions only, all slices at once: for coarse grids."""
    frame = frame_of(canvas.grid.x_mm, canvas.grid.y_mm)
    surfaces = surfaces_at(cavity_of(frame, anatomy), canvas.grid.z_mm, anatomy)
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
    cage = cage_table(anatomy, cavity_size(grid.z_mm / anatomy.height_mm))
    body = frame_of(grid.x_mm, grid.y_mm)
    part = _about(grid, float(cage.max()) + CAVITY_MARGIN_MM)
    cavity = cavity_of(frame_of(grid.x_mm[part[1]], grid.y_mm[part[0]]), anatomy)
    rng = np.random.default_rng((anatomy.seed, 41))
    shift = tuple(rng.uniform(0.0, 500.0, 3).tolist())
    for index, z in enumerate(grid.z_mm):
        share = float(z / anatomy.height_mm)
        level = Level(anatomy, body, float(z), share, grid.pixel_mm, shift)
        hu, region = canvas.hu[index], canvas.region[index]
        depth = skin[index][body.angle] - body.radius
        over = body.radius - cage[index][body.angle]
        if blanket is not None:
            paint_blanket(hu, level, depth, blanket[index][body.angle])
        paint_wall(hu, level, depth, muscle[index][body.angle] - body.radius, over)
        region[depth > 0.0] = Region.WALL
        paint_ribs(hu, level, over)
        paint_sternum(hu, level, 6.0 - float(cage[index][ANGLES // 2]))
        paint_scapulae(hu, level, cage_table(anatomy, np.maximum(cavity_size(np.array([share])), 0.86))[0])
        inner = Level(anatomy, cavity.frame, float(z), share, grid.pixel_mm, shift)
        paint_cavity(hu[part], region[part], inner, cavity)
    paint_courses(canvas, anatomy)
    paint_electrodes(canvas, anatomy, skin)


def body_width_mm(anatomy: Anatomy, z_mm: Floats) -> Floats:
    """Width of the body at some levels, from skin to skin."""
    skin = body_table(anatomy, z_mm, muscle_table(anatomy, z_mm))
    return np.asarray(skin[:, ANGLES // 4] + skin[:, 3 * ANGLES // 4])


def _about(grid: Grid, reach_mm: float) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero(np.abs(axis) < reach_mm) for axis in (grid.y_mm, grid.x_mm))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def paint_cavity(hu: Floats, region: Floats, level: Level, cavity: Cavity) -> None:
    """Mediastinal fat, abdomen, heart, spine and lungs of one level."""
    z = np.array([level.z], np.float32)
    surfaces = surfaces_at(cavity, z, level.anatomy)
    inside = level.fill(-surfaces.wall[0])
    blend(hu, inside, FAT_HU + 12.0)
    paint_abdomen(hu, level, np.minimum(surfaces.dome[0], -surfaces.wall[0]))
    paint_heart(hu, cavity, surfaces.heart[0], inside, level.z, level.anatomy)
    paint_spine(hu, level)
    _paint_lungs(hu, level, cavity, surfaces)
    found = regions(surfaces, level.frame.x)[0]
    within = surfaces.wall[0] < 0.0
    region[within] = found[within]


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
    return np.maximum(np.float32(1.0) - np.abs(distance) * np.float32(1.0 / pixel_mm), 0.0) * np.float32(0.8 / pixel_mm)


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
