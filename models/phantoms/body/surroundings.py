"""What lies about the body in the scanner: table, mattress, blanket, electrodes with their cables."""

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.body.level import Level, blend
from models.phantoms.body.shape import ANGLE, ANGLES, POLE_Y_MM
from models.phantoms.canvas import Canvas, Floats, Grid
from models.phantoms.tubes import Tubes, covered

AIR_HU = -1000.0


def paint_table(canvas: Canvas, anatomy: Anatomy, skin: Floats) -> None:
    """The table under the back; the same in all slices. `skin`: radii of the skin over angle, [levels, angles]."""
    rng = np.random.default_rng((anatomy.seed, 51))
    grid = canvas.grid
    top = POLE_Y_MM + float(np.quantile(skin[:, 0], 0.9)) + anatomy.table_gap_mm
    kind = int(rng.integers(4))
    x = np.abs(grid.x_mm[None, :]) + np.float32(0.0)
    bend = float(rng.uniform(20.0, 60.0)) * (kind != 1)
    depth = grid.y_mm[:, None] - top + np.float32(bend) * (x / 210.0) ** 2 * np.sqrt(x / 210.0)
    slope = np.sqrt(1.0 + (2.0 * bend * x / 210.0**2) ** 2)
    depth = depth / slope
    half = float(rng.uniform(185.0, 235.0))
    background = np.full(depth.shape, AIR_HU, np.float32)
    thick = float(rng.uniform(14.0, 45.0))
    foam, shell = float(rng.uniform(-985.0, -900.0)), float(rng.uniform(-400.0, 60.0))
    layers = [(0.0, thick, foam), (0.0, 1.6, shell), (thick - 1.6, thick, shell)]
    if kind == 2:
        layers = [(-12.0, 0.0, float(rng.uniform(-970.0, -880.0))), *layers]
    if kind == 3:
        layers = [(0.0, 2.5, shell + 200.0), (28.0, 31.0, shell)]
    for low, high, hu in layers:
        _fill(background, np.minimum(np.minimum(depth - low, high - depth), half - x), grid, hu)
    canvas.hu[:] = background


def _fill(background: Floats, inside: Floats, grid: Grid, hu: float) -> None:
    blend(background, np.clip(inside / np.float32(grid.pixel_mm) + np.float32(0.5), 0.0, 1.0), hu)


def blanket_table(anatomy: Anatomy, levels: int) -> Floats | None:
    """Height of a blanket over the skin, [levels, angles]; None without a blanket."""
    rng = np.random.default_rng((anatomy.seed, 52))
    if rng.random() > 0.35:
        return None
    front = np.cos(ANGLE)
    folds = sum(rng.normal(0.0, 2.2) * np.cos(k * ANGLE + rng.uniform(0.0, 6.28)) for k in range(3, 12))
    height = 5.0 + np.abs(folds) + 30.0 * np.maximum(-front - 0.1, 0.0)
    return np.broadcast_to(height.astype(np.float32), (levels, ANGLES))


def paint_blanket(hu: Floats, level: Level, depth: Floats, height: Floats) -> None:
    """A thin layer of cloth; `depth` under the skin, `height` of the cloth over it at each pixel."""
    cloth = np.maximum(np.float32(1.0) - np.abs(depth + height) * np.float32(0.5), 0.0)
    cloth *= (hu < -950.0) & (level.frame.y < 40.0)
    hu += cloth * np.float32(75.0)


def paint_electrodes(canvas: Canvas, anatomy: Anatomy, skin: Floats) -> None:
    """ECG electrodes on the chest and their cables, on some persons, whatever they suffer from."""
    rng = np.random.default_rng((anatomy.seed, 53))
    if rng.random() > 0.3:
        return
    z, h = canvas.grid.z_mm, anatomy.height_mm
    for _ in range(int(rng.integers(2, 5))):
        place, turn = rng.uniform(0.1, 0.9) * h, rng.uniform(-1.1, 1.1)
        course = []
        for step in np.linspace(0.0, 1.0, 7):
            at = int(np.abs(z - (place + step * rng.uniform(60.0, 160.0))).argmin())
            angle = turn + 0.4 * step * np.sin(4.0 * step + place)
            radius = float(skin[at, int(np.abs(ANGLE - angle).argmin())]) + 3.0 + 7.0 * step
            course.append((radius * np.sin(angle), POLE_Y_MM - radius * np.cos(angle), place + 150.0 * step))
        points = np.array(course, np.float32)
        thin = np.full(6, 0.9, np.float32)
        _add(canvas, Tubes(points[:-1], points[1:], thin, thin), 250.0)
        snap = np.full(1, 3.2, np.float32)
        _add(canvas, Tubes(points[:1], points[:1] + np.float32(0.5), snap, snap), float(rng.uniform(200.0, 1500.0)))


def _add(canvas: Canvas, tubes: Tubes, hu: float) -> None:
    index, share = covered(canvas.grid, tubes)
    outside = canvas.region.reshape(-1)[index] == 0
    flat = canvas.hu.reshape(-1)
    flat[index[outside]] += share[outside] * (np.float32(hu) - flat[index[outside]])
