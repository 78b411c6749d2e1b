"""Pulmonary arteries, veins and bronchi that divide from the hila to the periphery of every lobe.

A tree serves points spread evenly through a lobe: each branch heads for the middle of the points it serves, then
parts them in two halves across their longest extent, as in volume-dividing models of the airways (Kitaoka et al.,
J. Appl. Physiol. 87:2207, 1999).
Radii fall about as by Murray's law (exponent 3.2 for 3), so that vessels are seen as far out as in patients.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from models.phantoms.airways import WALL_SHARE, lobar_bronchi
from models.phantoms.anatomy import Anatomy
from models.phantoms.body.lungs import lung_points
from models.phantoms.body.vessels import blend_voxels
from models.phantoms.canvas import Canvas, Floats, Point, Region
from models.phantoms.findings import Side
from models.phantoms.lobes import LOBES
from models.phantoms.tubes import Indices, Tubes, covered, join

GENERATIONS = 9
"""Generations of arteries and veins in each lobe, the lobar branch counted as 0: 256 ends a lobe."""
TWIGS = 2
"""Side branches of each branch from the fourth generation on."""
BRONCHIAL_GENERATIONS = 6


@dataclass(frozen=True)
class Branch:
    """A straight, tapering piece of a tree."""

    start: Point
    end: Point
    radius_mm: float
    """Of the blood or of the lumen, at the start."""
    generation: int
    """0 for the lobar branch."""
    side: Side
    parent: int | None
    """Index in the same tree; None for the lobar branch."""
    partner: int | None = None
    """Of a bronchus: index of the artery that it runs beside."""
    wall_mm: float = 0.0
    """Thickness of a bronchus' wall."""


@dataclass(frozen=True, eq=False)
class Plexus:
    """One kind of branch in all lobes as arrays; `parent` is -1 for a lobar branch."""

    tubes: Tubes
    generation: Indices
    lobe: Indices
    parent: Indices
    wall_mm: float = 0.0
    """Wall of a bronchus as a share of its radius."""

    def branches(self, partners: bool = False) -> tuple[Branch, ...]:
        """The same as objects."""
        tubes = self.tubes
        return tuple(
            Branch(
                start=_point(tubes.start[i]),
                end=_point(tubes.end[i]),
                radius_mm=float(tubes.start_radius[i]),
                generation=int(self.generation[i]),
                side=LOBES[int(self.lobe[i])].side,
                parent=int(self.parent[i]) if self.parent[i] >= 0 else None,
                partner=i if partners else None,
                wall_mm=float(max(0.5, self.wall_mm * tubes.start_radius[i])) if partners else 0.0,
            )
            for i in range(len(tubes))
        )


@dataclass(frozen=True, eq=False)
class Tree:
    """The trees of both lungs."""

    artery_plexus: Plexus
    vein_plexus: Plexus
    bronchus_plexus: Plexus

    @cached_property
    def arteries(self) -> tuple[Branch, ...]:
        """Pulmonary arteries."""
        return self.artery_plexus.branches()

    @cached_property
    def veins(self) -> tuple[Branch, ...]:
        """Pulmonary veins; blood flows from the end to the start of each branch."""
        return self.vein_plexus.branches()

    @cached_property
    def bronchi(self) -> tuple[Branch, ...]:
        """Bronchi with lumen radius and wall; bronchus i runs beside artery `partner`."""
        return self.bronchus_plexus.branches(partners=True)


def _point(place: Floats) -> Point:
    return float(place[0]), float(place[1]), float(place[2])


@lru_cache(maxsize=4)
def grow(anatomy: Anatomy) -> Tree:
    """The trees of both lungs; the same for the same anatomy."""
    rng = np.random.default_rng((anatomy.seed, 2))
    arteries = _divide(rng, anatomy, _artery_roots(anatomy), 5.0)
    veins = _divide(rng, anatomy, _vein_roots(anatomy), 4.6)
    return Tree(arteries, veins, _bronchi(arteries, anatomy))


def _artery_roots(anatomy: Anatomy) -> Floats:
    """Where the artery of each lobe leaves the hilum [5, 3]."""
    s, z = anatomy.scale, anatomy.carina_z_mm
    right = ((-40, -2, -8), (-45, 2, -34), (-48, 9, -38))
    left = ((42, -8, -6), (46, 12, -30))
    return np.array([(x * s, y * s, z + dz * s) for x, y, dz in right + left], np.float32)


def _vein_roots(anatomy: Anatomy) -> Floats:
    """Where the veins of each lobe leave the lung on their way to the left atrium [5, 3]."""
    s, z = anatomy.scale, anatomy.carina_z_mm
    right = ((-36, -16, -30), (-36, -14, -36), (-34, 16, -58))
    left = ((37, -20, -30), (33, 20, -54))
    return np.array([(x * s, y * s, z + dz * s) for x, y, dz in right + left], np.float32)


def _divide(rng: np.random.Generator, anatomy: Anatomy, roots: Floats, radius: float) -> Plexus:
    """Grows one plexus: every lobe has the same number of ends, so all lobes divide together."""
    ends = 2 ** (GENERATIONS - 1)
    points = lung_points(anatomy, rng, ends)
    lobes, starts = len(points), roots
    points = points[:, None]
    calibre: Floats = np.full(lobes, radius * anatomy.scale, np.float32)
    starts_of, ends_of, first_radius, last_radius, generations, parents = [], [], [], [], [], []
    before = -1
    for generation in range(GENERATIONS):
        middle = points.mean(axis=2).reshape(-1, 3)
        share = rng.uniform(0.28, 0.48, (len(middle), 1)).astype(np.float32)
        reach = middle if generation == GENERATIONS - 1 else starts + share * (middle - starts)
        split = rng.uniform(0.35, 0.65, len(middle)).astype(np.float32)
        parent = np.full(lobes, -1) if generation == 0 else before + np.arange(len(middle)) // 2
        starts_of.append(starts)
        ends_of.append(reach)
        first_radius.append(calibre)
        last_radius.append(calibre * 0.86)
        generations.append(np.full(len(middle), generation))
        parents.append(parent)
        before = sum(map(len, starts_of)) - len(middle)
        if generation < GENERATIONS - 1:
            points = _halves(points)
            starts = np.repeat(reach, 2, axis=0)
            shares = np.stack([split, 1.0 - split], 1) ** np.float32(1.0 / 3.2)
            calibre = (calibre[:, None] * shares).reshape(-1)
    tubes = Tubes(*(np.concatenate(part) for part in (starts_of, ends_of, first_radius, last_radius)))
    lobe = np.concatenate([np.repeat(np.arange(lobes), 2**g) for g in range(GENERATIONS)])
    return _with_twigs(rng, Plexus(tubes, np.concatenate(generations), lobe, np.concatenate(parents)))


def _with_twigs(rng: np.random.Generator, plexus: Plexus) -> Plexus:
    """Thin side branches that leave their parent at about half a right angle."""
    parent = np.repeat(np.flatnonzero(plexus.generation >= 3), TWIGS)
    tubes = plexus.tubes.subset(parent)
    way = tubes.end - tubes.start
    length = np.maximum(np.linalg.norm(way, axis=1, keepdims=True), np.float32(1e-3))
    across = np.cross(way / length, rng.standard_normal((len(parent), 3))).astype(np.float32)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), np.float32(1e-3))
    place = rng.uniform(0.15, 0.95, (len(parent), 1)).astype(np.float32)
    reach = rng.uniform(7.0, 17.0, (len(parent), 1)).astype(np.float32)
    start = tubes.start + place * way
    end = start + reach * (np.float32(0.75) * way / length + np.float32(0.66) * across)
    radius = np.minimum(rng.uniform(0.45, 0.85, len(parent)).astype(np.float32), 0.6 * tubes.end_radius)
    twigs = Tubes(start, end, radius, np.float32(0.7) * radius)
    generation, lobe = plexus.generation[parent] + 1, plexus.lobe[parent]
    return Plexus(
        join(plexus.tubes, twigs),
        np.concatenate([plexus.generation, generation]),
        np.concatenate([plexus.lobe, lobe]),
        np.concatenate([plexus.parent, parent]),
    )


def _halves(points: Floats) -> Floats:
    """Parts each node's points [lobes, nodes, n, 3] across their longest extent: [lobes, 2 nodes, n / 2, 3]."""
    lobes, nodes, count, _ = points.shape
    longest = np.ptp(points, axis=2).argmax(axis=-1)
    along = np.take_along_axis(points, longest[:, :, None, None], axis=3)[..., 0]
    order = np.argpartition(along, count // 2 - 1, axis=2)
    return np.take_along_axis(points, order[..., None], axis=2).reshape(lobes, 2 * nodes, count // 2, 3)


def _bronchi(arteries: Plexus, anatomy: Anatomy) -> Plexus:
    """A bronchus beside each artery of the first generations, on its medial side."""
    beside = np.flatnonzero(arteries.generation < BRONCHIAL_GENERATIONS)
    beside = beside[beside < 5 * (2**BRONCHIAL_GENERATIONS - 1)]
    tubes, lobe = arteries.tubes.subset(beside), arteries.lobe[beside]
    side = np.where(lobe < 3, -1.0, 1.0)
    away = np.stack([-0.75 * side, np.full(len(lobe), -0.1), np.full(len(lobe), 0.65)], 1).astype(np.float32)
    first, last = 0.80 * tubes.start_radius, 0.80 * tubes.end_radius
    start = tubes.start + away * (1.0 + WALL_SHARE) * (tubes.start_radius + first)[:, None]
    end = tubes.end + away * (1.0 + WALL_SHARE) * (tubes.end_radius + last)[:, None]
    parent = arteries.parent[beside]
    children = parent >= 0
    start[children] = end[parent[children]]
    start[~children] = lobar_bronchi(anatomy)
    return Plexus(Tubes(start, end, first, last), arteries.generation[beside], lobe, parent, WALL_SHARE)


def paint_tree(canvas: Canvas, anatomy: Anatomy, tree: Tree) -> None:
    """Paints all vessels and bronchi where they run through lung."""
    blood = anatomy.blood
    _paint(canvas, tree.vein_plexus.tubes, blood.pulmonary_vein_hu)
    _paint(canvas, tree.artery_plexus.tubes, blood.pulmonary_artery_hu)
    lumen = tree.bronchus_plexus.tubes
    wall = np.maximum(0.5, WALL_SHARE * lumen.start_radius)
    _paint(canvas, Tubes(lumen.start, lumen.end, lumen.start_radius + wall, lumen.end_radius + wall), 20.0)
    _paint(canvas, lumen, -985.0)


def _paint(canvas: Canvas, tubes: Tubes, hu: float) -> None:
    index, share = covered(canvas.grid, tubes)
    region = canvas.region.reshape(-1)[index]
    inside = (region == Region.RIGHT_LUNG) | (region == Region.LEFT_LUNG)
    blend_voxels(canvas, index[inside], share[inside], hu)
