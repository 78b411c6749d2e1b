"""A coarse map of a person's lungs, and points spread evenly through their lobes."""

from functools import lru_cache

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.body.paint import paint_regions
from models.phantoms.canvas import Canvas, Floats, Grid, Region
from models.phantoms.lobes import LOBES, lobe_at

MAP_MM, MAP_SLICE_MM = 6.0, 7.0


@lru_cache(maxsize=4)
def coarse_map(anatomy: Anatomy) -> Canvas:
    """The normal thorax on a coarse grid: for looking up regions only. Shared: copy it before painting on it."""
    z = np.arange(-32.0, anatomy.height_mm * 1.02, MAP_SLICE_MM, dtype=np.float32)
    side = np.arange(-168.0, 169.0, MAP_MM, dtype=np.float32)
    canvas = Canvas.empty(Grid(z, side, side))
    paint_regions(canvas, anatomy)
    return canvas


def lung_points(anatomy: Anatomy, rng: np.random.Generator, count: int) -> Floats:
    """Random places in each lobe, shape [5, count, 3] as x, y, z in mm, in the order of LOBES."""
    canvas = coarse_map(anatomy)
    slices, rows, columns = np.nonzero((canvas.region == Region.RIGHT_LUNG) | (canvas.region == Region.LEFT_LUNG))
    grid = canvas.grid
    places = np.stack([grid.x_mm[columns], grid.y_mm[rows], grid.z_mm[slices]], 1)
    lobe = lobe_at(places[:, 0], places[:, 1], places[:, 2], anatomy)
    chosen = [places[rng.choice(np.flatnonzero(lobe == index), count)] for index in range(len(LOBES))]
    jitter = rng.uniform(-0.5, 0.5, (len(LOBES), count, 3)) * (MAP_MM, MAP_MM, MAP_SLICE_MM)
    return (np.stack(chosen) + jitter).astype(np.float32)
