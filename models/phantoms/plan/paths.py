"""Ways through the lung: from the hilum outwards, with a bend, as pieces of tubes."""

import numpy as np
from numpy.typing import NDArray

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Point
from models.phantoms.lesions.shapes import Tube
from models.phantoms.plan.draughtsman import Draughtsman

Path = NDArray[np.float64]
"""Points [n, 3] in mm."""


def as_point(place: NDArray[np.float64]) -> Point:
    """Three plain numbers."""
    return float(place[0]), float(place[1]), float(place[2])


def hilum(anatomy: Anatomy, point: Point) -> Point:
    """The hilum on a point's side."""
    side = -1.0 if point[0] < 0.0 else 1.0
    return side * 34.0 * anatomy.scale, 6.0, anatomy.carina_z_mm - 22.0


def bent_path(draw: Draughtsman, start: Path, end: Path, count: int, bend: float) -> Path:
    """Points from start to end on an arc that is bent by a share of its length, with a little waviness."""
    place = np.linspace(0.0, 1.0, count)[:, None]
    way = end - start
    length = float(np.linalg.norm(way))
    across = np.cross(way, draw.rng.standard_normal(3))
    across = across / (np.linalg.norm(across) + 1e-6) * length * bend * draw.uniform(0.5, 1.0)
    wave = draw.rng.normal(0.0, 0.15 * bend * length, (count, 3)) * (4.0 * place * (1.0 - place))
    path: Path = start + place * way + 4.0 * place * (1.0 - place) * across + wave
    return path


def tubes_along(path: Path, radius_mm: float, taper: float = 1.0) -> list[Tube]:
    """A path as tubes whose radius falls to `taper` of the first."""
    radii = np.linspace(radius_mm, radius_mm * taper, len(path) - 1)
    return [
        (as_point(start), as_point(end), float(radius))
        for start, end, radius in zip(path[:-1], path[1:], radii, strict=True)
    ]
