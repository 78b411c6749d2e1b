"""Calcified plaques in a real scan, along its own arteries: the way of the aorta and the fat in the heart's grooves."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from models.datasets.fitted import Fit, FittedAnatomy, in_heart
from models.datasets.real_ct import RealScan
from models.phantoms.canvas import Point, Region
from models.phantoms.findings import Attributes, Finding
from models.phantoms.lesions.vessels import Plaque, Plaques
from models.phantoms.plan.case import Drawn
from models.phantoms.plan.draughtsman import Draughtsman
from models.phantoms.plan.sizes import grade_of

FAT_HU = (-140.0, -25.0)
REACH_MM = 14.0
"""A plaque is moved this far at most to lie in fat."""
_CORONARIES: tuple[tuple[Point, Point], ...] = (
    ((0.05, -0.55, 0.75), (0.85, -0.35, -0.1)),
    ((-0.25, -0.8, 0.55), (-0.65, -0.7, -0.4)),
    ((0.05, -0.1, 0.95), (0.1, 0.95, 0.15)),
)
"""Left anterior descending, right and circumflex artery as ways over the heart, in units of its half axes."""

Places = NDArray[np.float64]


def grooves_mm(scan: RealScan, fit: Fit) -> Places:
    """x, y, z of fat about the heart's surface [n, 3], where the coronary arteries run."""
    shell = in_heart(fit.grid, fit.anatomy, 1.2) & ~in_heart(fit.grid, fit.anatomy, 0.8)
    shell &= np.isin(scan.region, (Region.MEDIASTINUM, Region.WALL))
    slices, rows, columns = np.nonzero(shell)
    if not len(slices):
        return np.zeros((0, 3))
    span = slice(int(slices.min()), int(slices.max()) + 1)
    smooth = np.empty(scan.volume.hu.shape, np.float32)
    smooth[span] = ndimage.gaussian_filter(scan.volume.hu[span].astype(np.float32), (0.0, 1.0, 1.0))
    level = smooth[slices, rows, columns]
    fat = (level > FAT_HU[0]) & (level < FAT_HU[1])
    grid = fit.grid
    return np.stack([grid.x_mm[columns[fat]], grid.y_mm[rows[fat]], grid.z_mm[slices[fat]]], axis=1).astype(float)


def draw_coronary(draw: Draughtsman, anatomy: FittedAnatomy, grooves: Places) -> Drawn:
    """Plaques along one to three coronary arteries, each in the nearest fat."""
    total = draw.uniform(*((12.0, 25.0), (25.0, 60.0), (60.0, 130.0))[draw.grade()])
    tree = cKDTree(grooves) if len(grooves) else None
    pieces: list[Plaque] = []
    length = 0.0
    arteries = draw.rng.permutation(3)[: draw.between(1, 3)]
    for _ in range(60):
        start, end = _CORONARIES[int(draw.rng.choice(arteries))]
        place, part = draw.uniform(0.0, 0.8), draw.uniform(0.04, 0.13)
        a, b = (_on_heart(anatomy, np.array(start) * (1.0 - at) + np.array(end) * at) for at in (place, place + part))
        if tree is not None:
            gap, index = tree.query(a)
            if gap > REACH_MM:
                continue
            a, b = grooves[index], b + grooves[index] - a
        pieces.append(Plaque(_point(a), _point(b), draw.uniform(1.2, 2.1), draw.uniform(400.0, 1100.0)))
        length += float(np.linalg.norm(b - a))
        if length >= total:
            break
    grade = grade_of(Finding.CORONARY_CALCIFICATION, length)
    return [Plaques(Finding.CORONARY_CALCIFICATION, tuple(pieces))], Attributes(grade=grade)


def _on_heart(anatomy: FittedAnatomy, direction: Places) -> Places:
    u, v, w = direction / np.linalg.norm(direction) * 1.02
    (x, y, z), (a, b, c) = anatomy.heart_centre_mm, anatomy.heart_axes_mm
    cos, sin = np.cos(anatomy.heart_turn), np.sin(anatomy.heart_turn)
    return np.array([x + a * u * cos + b * v * sin, y - a * u * sin + b * v * cos, z + c * w])


def draw_arterial(draw: Draughtsman, anatomy: FittedAnatomy) -> Drawn:
    """Plaques in the wall of the aorta along the way that was read off the scan."""
    total = draw.uniform(*((18.0, 50.0), (50.0, 120.0), (120.0, 220.0))[draw.grade()])
    way = np.array(anatomy.aorta)
    steps = np.linalg.norm(np.diff(way, axis=0), axis=1)
    first = float(draw.rng.choice([0.0, 0.3, 0.5], p=(0.5, 0.25, 0.25)))
    pieces: list[Plaque] = []
    length = 0.0
    while length < total and len(pieces) < 50:
        at, turn = draw.uniform(first, 0.9) * float(steps.sum()), draw.uniform(0.0, 2.0 * np.pi)
        part = draw.uniform(3.0, 9.0)
        a = _on_wall(way, steps, at, turn, anatomy.aorta_mm)
        b = _on_wall(way, steps, at + part, turn + draw.uniform(-0.4, 0.4), anatomy.aorta_mm)
        pieces.append(Plaque(_point(a), _point(b), draw.uniform(1.2, 2.4), draw.uniform(350.0, 1000.0)))
        length += float(np.linalg.norm(b - a))
    grade = grade_of(Finding.ARTERIAL_CALCIFICATION, length)
    return [Plaques(Finding.ARTERIAL_CALCIFICATION, tuple(pieces))], Attributes(grade=grade)


def _on_wall(way: Places, steps: Places, at_mm: float, turn: float, radius_mm: float) -> Places:
    """A point of the aorta's wall, some way along it and turned about its axis."""
    piece = min(int(np.searchsorted(np.cumsum(steps), at_mm)), len(steps) - 1)
    along = (way[piece + 1] - way[piece]) / (steps[piece] + 1e-6)
    rest = np.clip(at_mm - steps[:piece].sum(), 0.0, steps[piece])
    first = np.cross(along, [0.31, 0.95, 0.05])
    first /= np.linalg.norm(first)
    second = np.cross(along, first)
    place: Places = way[piece] + rest * along + radius_mm * (np.cos(turn) * first + np.sin(turn) * second)
    return place


def _point(place: Places) -> Point:
    return float(place[0]), float(place[1]), float(place[2])
