"""Diseased bronchi, and healthy ones as distractors, each beside its artery."""

from itertools import pairwise

import numpy as np

from models.phantoms.findings import Attributes, Finding, Lobe, Side
from models.phantoms.lesions.airways import Airway, Airways
from models.phantoms.plan.case import Drawn
from models.phantoms.plan.draughtsman import Draughtsman, lobar
from models.phantoms.plan.paths import as_point, bent_path, hilum
from models.phantoms.plan.sizes import grade_of


def draw_bronchiectasis(draw: Draughtsman) -> Drawn:
    """Bronchi wider than their arteries in one to three lobes: cylindrical, varicose or cystic."""
    low, high = ((1.45, 2.0), (2.0, 3.0), (3.0, 4.0))[draw.grade()]
    lobes = draw.some_lobes(draw.between(1, 3))
    varicose = draw.uniform(0.15, 0.4) if draw.chance(0.4) else 0.05
    ratio = draw.uniform(low, high)
    lesions = [
        _bronchi(draw, lobe, ratio * draw.uniform(0.93, 1.0), draw.uniform(0.8, 1.4), varicose, Finding.BRONCHIECTASIS)
        for lobe in lobes
    ]
    return list(lesions), lobar(lobes, grade_of(Finding.BRONCHIECTASIS, ratio))


def draw_peribronchial(draw: Draughtsman) -> Drawn:
    """Thick walls about lumens of normal width."""
    low, high = ((1.6, 2.0), (2.0, 2.7), (2.7, 3.4))[draw.grade()]
    sides = (Side.RIGHT, Side.LEFT) if draw.chance(0.7) else (draw.pick((Side.RIGHT, Side.LEFT)),)
    wall = draw.uniform(low, high)
    lesions = []
    for side in sides:
        lobes = [lobe for lobe in Lobe if lobe.side == side]
        for lobe in draw.rng.permutation(len(lobes))[:2]:
            lesions.append(_bronchi(draw, lobes[lobe], 0.75, wall, 0.03, Finding.PERIBRONCHIAL_THICKENING))
    grade = grade_of(Finding.PERIBRONCHIAL_THICKENING, wall)
    return list(lesions), Attributes(sides=frozenset(sides), grade=grade)


def healthy_bronchi(draw: Draughtsman) -> Airways:
    """Bronchi of normal width and wall, seen where a scan shows them well."""
    return _bronchi(draw, draw.some_lobes(1)[0], draw.uniform(0.6, 0.85), draw.uniform(0.5, 0.8), 0.03, None)


def _bronchi(
    draw: Draughtsman, lobe: Lobe, ratio: float, wall: float, unevenness: float, finding: Finding | None
) -> Airways:
    """A few bronchi that fan out into a lobe; `ratio` is lumen over artery."""
    airways: list[Airway] = []
    arteries = []
    for point in draw.lung_points(draw.between(3, 6), lobes=(lobe,), rim=False):
        start = np.array(hilum(draw.anatomy, point))
        path = bent_path(draw, start, np.array(point), 9, 0.12)[2:]
        artery = draw.uniform(1.9, 2.6)
        across = np.cross(path[-1] - path[0], draw.rng.standard_normal(3))
        across /= np.linalg.norm(across) + 1e-6
        for number, (a, b) in enumerate(pairwise(path)):
            radius = artery * (1.0 - 0.06 * number)
            lumen = ratio * radius * (1.0 + unevenness * float(np.sin(2.1 * number + artery * 9.0)))
            aside = across * (lumen + wall + radius)
            airways.append(Airway(as_point(a), as_point(b), lumen, wall))
            arteries.append((as_point(a + aside), as_point(b + aside), radius))
    return Airways(tuple(airways), tuple(arteries), finding)
