"""Diseased bronchi, and wide but healthy ones as distractors."""

import numpy as np

from models.phantoms.findings import Attributes, Finding, Lobe, Side
from models.phantoms.lesions.airways import Airways
from models.phantoms.plan.case import Drawn
from models.phantoms.plan.draughtsman import LOBES, Draughtsman, lobar
from models.phantoms.plan.sizes import grade_of
from models.phantoms.tree import grow

WIDEST_MM = 7.5
"""Radius that no lumen exceeds."""


def draw_bronchiectasis(draw: Draughtsman) -> Drawn:
    """Bronchi wider than their arteries in one to three lobes: cylindrical, varicose or cystic."""
    low, high = ((1.5, 2.0), (2.0, 3.0), (3.0, 3.8))[draw.grade()]
    ratio = draw.uniform(low, high)
    unevenness = draw.uniform(0.15, 0.35) if draw.chance(0.4) else 0.05
    lobes = draw.some_lobes(draw.between(1, 3))
    wall = draw.uniform(0.8, 1.4)
    lesions = [
        Airways(_branches(draw, lobe, ratio), ratio, wall, unevenness, draw.seed(), Finding.BRONCHIECTASIS)
        for lobe in lobes
    ]
    return list(lesions), lobar(lobes, grade_of(Finding.BRONCHIECTASIS, ratio))


def draw_peribronchial(draw: Draughtsman) -> Drawn:
    """Thick walls about lumens of normal width."""
    low, high = ((1.6, 2.0), (2.0, 2.7), (2.7, 3.4))[draw.grade()]
    wall = draw.uniform(low, high)
    sides = (Side.RIGHT, Side.LEFT) if draw.chance(0.7) else (draw.pick((Side.RIGHT, Side.LEFT)),)
    chosen = tuple(number for side in sides for number in _side_branches(draw, side))
    lesion = Airways(chosen, None, wall, 0.0, draw.seed(), Finding.PERIBRONCHIAL_THICKENING)
    return [lesion], Attributes(sides=frozenset(sides), grade=grade_of(Finding.PERIBRONCHIAL_THICKENING, wall))


def prominent_bronchi(draw: Draughtsman) -> Airways:
    """Bronchi as wide as their arteries, with walls at the upper limit: still normal."""
    lobe = draw.some_lobes(1)[0]
    return Airways(
        _branches(draw, lobe, 1.0), draw.uniform(0.85, 1.05), draw.uniform(0.7, 1.0), 0.05, draw.seed(), None
    )


def _branches(draw: Draughtsman, lobe: Lobe, ratio: float) -> tuple[int, ...]:
    """One or two segments of a lobe's airways, from the branches that do not become too wide."""
    tree = grow(draw.anatomy)
    plexus, radii = tree.bronchus_plexus, tree.artery_plexus.tubes.start_radius
    own = plexus.lobe == LOBES.index(lobe)
    roots = draw.rng.permutation(np.flatnonzero(own & (plexus.generation == 2)))[: draw.between(2, 3)]
    below = np.zeros(len(own), bool)
    below[roots] = True
    for number in np.flatnonzero(own & (plexus.generation > 2)):
        below[number] = below[plexus.parent[number]]
    fits = below & (radii[: len(own)] * ratio <= WIDEST_MM)
    return tuple(int(number) for number in np.flatnonzero(fits))


def _side_branches(draw: Draughtsman, side: Side) -> tuple[int, ...]:
    """The segmental bronchi and their first divisions on one side, most of them."""
    plexus = grow(draw.anatomy).bronchus_plexus
    lobes = [LOBES.index(lobe) for lobe in LOBES if lobe.side == side]
    own = np.isin(plexus.lobe, lobes) & (plexus.generation >= 1) & (plexus.generation <= 4)
    chosen = draw.rng.permutation(np.flatnonzero(own))
    return tuple(int(number) for number in np.sort(chosen[: int(0.75 * len(chosen))]))
