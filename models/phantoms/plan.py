"""Draws a case: who the person is, which findings there are, where, and what a true report says of each."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.phantoms.anatomy import Anatomy, draw_anatomy
from models.phantoms.body import arch_mm, paint_body
from models.phantoms.canvas import Canvas, Grid, Point, Region
from models.phantoms.findings import FINDINGS, Finding, Side
from models.phantoms.lesions import (
    Atelectasis,
    Consolidation,
    Emphysema,
    HiatalHernia,
    LargeHeart,
    Lesion,
    Nodule,
    PericardialEffusion,
    Plaques,
    PleuralEffusion,
)
from models.phantoms.wording import GRADES

NORMAL_SHARE, PREVALENCE = 0.12, 0.32


@dataclass(frozen=True)
class Truth:
    """What is true of one finding that is there; the words a report may use."""

    finding: Finding
    grade: str
    place: str = ""
    sides: str = ""


@dataclass(frozen=True)
class Case:
    """A person with findings, independent of any grid."""

    seed: int
    anatomy: Anatomy
    lesions: tuple[Lesion, ...]
    truths: tuple[Truth, ...]

    @property
    def findings(self) -> frozenset[Finding]:
        """The findings that are there."""
        return frozenset(truth.finding for truth in self.truths)


Drawn = tuple[list[Lesion], Truth]


class Draughtsman:
    """Places findings in one person on a coarse map of the lungs."""

    def __init__(self, rng: np.random.Generator, anatomy: Anatomy) -> None:
        self.rng, self.anatomy = rng, anatomy
        z = np.arange(-32.0, anatomy.height_mm * 1.02, 7.0, dtype=np.float32)
        side = np.arange(-168.0, 169.0, 6.0, dtype=np.float32)
        self.map = Canvas.empty(Grid(z, side, side))
        paint_body(self.map, anatomy)

    def lung_point(self, low: float = -1.0, high: float = 2.0, side: Side | None = None) -> Point:
        """A random place in the lungs between two shares of their height."""
        share = self.map.grid.z_mm / self.anatomy.height_mm
        lungs = (Region.RIGHT_LUNG, Region.LEFT_LUNG) if side is None else (_region(side),)
        places: NDArray[np.intp] = np.argwhere(np.isin(self.map.region, lungs) & _between(share, low, high))
        if not len(places):
            return self.lung_point()
        s, row, column = places[self.rng.integers(len(places))]
        grid, jitter = self.map.grid, self.rng.uniform(-2.5, 2.5, 3)
        return (
            float(grid.x_mm[column] + jitter[0]),
            float(grid.y_mm[row] + jitter[1]),
            float(grid.z_mm[s] + jitter[2]),
        )

    def grade(self, finding: Finding) -> tuple[int, str]:
        """A random grade: its number from 0 and its word."""
        number = int(self.rng.integers(len(GRADES[finding])))
        return number, GRADES[finding][number]

    def uniform(self, *ranges: tuple[float, float], grade: int = 0) -> float:
        """A random number from the range of a grade."""
        return float(self.rng.uniform(*ranges[grade]))


def _between(share: NDArray[np.float32], low: float, high: float) -> NDArray[np.bool_]:
    return ((share >= low) & (share <= high))[:, None, None]


def _region(side: Side) -> Region:
    return Region.RIGHT_LUNG if side == Side.RIGHT else Region.LEFT_LUNG


def side_of(point: Point) -> Side:
    """Side of the patient; x grows to the left."""
    return Side.RIGHT if point[0] < 0.0 else Side.LEFT


def lobe_of(point: Point, anatomy: Anatomy) -> str:
    """Lobe with side, by an oblique and a horizontal fissure."""
    side, share = side_of(point), point[2] / anatomy.height_mm
    if share < 0.36 + 0.32 * point[1] / anatomy.cavity_y_mm:
        return f"{side} lower lobe"
    if side == Side.RIGHT and share < 0.45:
        return f"{side} middle lobe"
    return f"{side} upper lobe"


def _draw_nodule(draw: Draughtsman) -> Drawn:
    number, grade = draw.grade(Finding.LUNG_NODULE)
    centre = draw.lung_point(0.0, 0.95)
    radius = draw.uniform((3.2, 6.0), (8.0, 15.0), grade=number)
    lesions: list[Lesion] = [_nodule(draw, centre, radius)]
    for _ in range(int(draw.rng.integers(0, 3))):
        lesions.append(_nodule(draw, draw.lung_point(0.0, 0.95), draw.uniform((2.8, 4.2))))
    return lesions, Truth(Finding.LUNG_NODULE, grade, lobe_of(centre, draw.anatomy))


def _nodule(draw: Draughtsman, centre: Point, radius: float) -> Nodule:
    a, b, c = (radius * float(f) for f in draw.rng.uniform(0.85, 1.15, 3))
    return Nodule(centre, (a, b, c), draw.uniform((0.0, 70.0)), int(draw.rng.integers(2**31)))


def _draw_consolidation(draw: Draughtsman) -> Drawn:
    number, grade = draw.grade(Finding.CONSOLIDATION)
    centre = draw.lung_point(0.02, 0.85)
    radius = draw.uniform((14.0, 22.0), (28.0, 46.0), grade=number)
    a, b, c = (radius * float(f) for f in draw.rng.uniform(0.8, 1.25, 3))
    lesion = Consolidation(centre, (a, b, c), side_of(centre), int(draw.rng.integers(2**31)))
    return [lesion], Truth(Finding.CONSOLIDATION, grade, lobe_of(centre, draw.anatomy))


def _draw_atelectasis(draw: Draughtsman) -> Drawn:
    number, grade = draw.grade(Finding.ATELECTASIS)
    centre = draw.lung_point(0.05, 0.5)
    normal = draw.rng.standard_normal(3) * np.array([1.0, 1.0, 0.6])
    x, y, z = (float(n) for n in normal / np.linalg.norm(normal))
    radius = draw.uniform((16.0, 26.0), (28.0, 44.0), grade=number)
    thickness = draw.uniform((2.8, 4.5), (4.5, 8.0), grade=number)
    lesion = Atelectasis(centre, (x, y, z), radius, thickness, side_of(centre), draw.uniform((-80.0, 40.0)))
    return [lesion], Truth(Finding.ATELECTASIS, grade, lobe_of(centre, draw.anatomy))


def _draw_emphysema(draw: Draughtsman) -> Drawn:
    number, grade = draw.grade(Finding.EMPHYSEMA)
    upper = draw.rng.random() < 0.75
    low, high = (0.45, 1.0) if upper else (-0.1, 0.45)
    count = (50, 120, 220)[number]
    radii = draw.rng.uniform(2.6, (5.0, 7.0, 9.5)[number], count)
    points = [draw.lung_point(low, high) if k % 6 else draw.lung_point() for k in range(count)]
    holes = tuple((*point, float(radius)) for point, radius in zip(points, radii, strict=True))
    return [Emphysema(holes)], Truth(Finding.EMPHYSEMA, grade, "upper lobes" if upper else "lower lobes")


def _draw_effusion(draw: Draughtsman) -> Drawn:
    number, grade = draw.grade(Finding.PLEURAL_EFFUSION)
    sides = Side(draw.rng.choice([Side.RIGHT, Side.LEFT, Side.BILATERAL]))
    both = (Side.RIGHT, Side.LEFT) if sides == Side.BILATERAL else (sides,)
    lesions: list[Lesion] = []
    for side in both:
        depth = draw.uniform((14.0, 24.0), (30.0, 46.0), (56.0, 90.0), grade=number)
        rise = draw.uniform((70.0, 100.0), (110.0, 160.0), (180.0, 250.0), grade=number)
        lesions.append(PleuralEffusion(side, depth, rise, draw.uniform((2.0, 22.0))))
    return lesions, Truth(Finding.PLEURAL_EFFUSION, grade, sides=sides.value)


def _draw_cardiomegaly(draw: Draughtsman) -> Drawn:
    grade = GRADES[Finding.CARDIOMEGALY][int(draw.anatomy.heart_size > 1.25)]
    return [LargeHeart()], Truth(Finding.CARDIOMEGALY, grade)


def _draw_pericardial(draw: Draughtsman) -> Drawn:
    grade = GRADES[Finding.PERICARDIAL_EFFUSION][int(draw.anatomy.pericardial_fluid_mm > 12.0)]
    return [PericardialEffusion()], Truth(Finding.PERICARDIAL_EFFUSION, grade)


_CORONARIES = (
    ((0.05, -0.55, 0.75), (0.85, -0.35, -0.1)),
    ((-0.25, -0.8, 0.55), (-0.65, -0.7, -0.4)),
    ((0.05, -0.1, 0.95), (0.1, 0.95, 0.15)),
)
"""Ways of the three coronary arteries over the heart, as directions in units of its half axes."""


def _draw_coronary(draw: Draughtsman) -> Drawn:
    number, grade = draw.grade(Finding.CORONARY_CALCIFICATION)
    pieces = []
    for _ in range(int(draw.rng.integers(*((3, 6), (9, 16))[number]))):
        start, end = _CORONARIES[int(draw.rng.integers(3 if number else 2))]
        place, length = draw.uniform((0.0, 0.8)), draw.uniform((0.05, 0.14))
        a = _on_heart(draw.anatomy, _mix(start, end, place))
        b = _on_heart(draw.anatomy, _mix(start, end, place + length))
        pieces.append((a, b, draw.uniform((1.1, 1.8), (1.4, 2.6), grade=number), draw.uniform((350.0, 1100.0))))
    return [Plaques(Finding.CORONARY_CALCIFICATION, tuple(pieces))], Truth(Finding.CORONARY_CALCIFICATION, grade)


def _mix(start: Point, end: Point, place: float) -> NDArray[np.float64]:
    return np.array(start) * (1.0 - place) + np.array(end) * place


def _on_heart(anatomy: Anatomy, direction: NDArray[np.float64]) -> Point:
    u, v, w = direction / np.linalg.norm(direction) * 1.01
    (x, y, z), (a, b, c) = anatomy.heart_centre_mm, anatomy.heart_axes_mm
    cos, sin = np.cos(anatomy.heart_turn), np.sin(anatomy.heart_turn)
    return float(x + a * u * cos + b * v * sin), float(y - a * u * sin + b * v * cos), float(z + c * w)


def _draw_arterial(draw: Draughtsman) -> Drawn:
    number, grade = draw.grade(Finding.ARTERIAL_CALCIFICATION)
    place = str(draw.rng.choice(["aortic arch", "descending aorta", "thoracic aorta"]))
    pieces = []
    for _ in range(int(draw.rng.integers(*((3, 6), (10, 18))[number]))):
        arch = place == "aortic arch" or (place == "thoracic aorta" and draw.rng.random() < 0.5)
        a, b = _arch_wall(draw) if arch else _descending_wall(draw)
        pieces.append((a, b, draw.uniform((1.2, 2.0), (1.5, 2.8), grade=number), draw.uniform((350.0, 1000.0))))
    return [Plaques(Finding.ARTERIAL_CALCIFICATION, tuple(pieces))], Truth(Finding.ARTERIAL_CALCIFICATION, grade, place)


def _descending_wall(draw: Draughtsman) -> tuple[Point, Point]:
    (x, y), radius = draw.anatomy.descending_mm, 0.84 * draw.anatomy.aorta_mm
    angle, z = draw.uniform((0.0, 6.28)), draw.uniform((-20.0, draw.anatomy.arch_z_mm - 5.0))
    turn, rise = draw.uniform((0.2, 0.6)), draw.uniform((0.0, 9.0))
    return _on_circle(x, y, radius, angle, z), _on_circle(x, y, radius, angle + turn, z + rise)


def _on_circle(x: float, y: float, radius: float, angle: float, z: float) -> Point:
    return float(x + radius * np.cos(angle)), float(y + radius * np.sin(angle)), z


def _arch_wall(draw: Draughtsman) -> tuple[Point, Point]:
    place, radius = draw.uniform((0.1, 0.85)), draw.anatomy.aorta_mm
    way = np.subtract(draw.anatomy.descending_mm, draw.anatomy.ascending_mm)
    across = np.array([way[1], -way[0]]) / np.linalg.norm(way) * float(draw.rng.choice([-1.0, 1.0]))
    angle = draw.uniform((-0.7, 0.7))
    ends = []
    for at in (place, place + draw.uniform((0.06, 0.14))):
        x, y, z = arch_mm(draw.anatomy, at)
        out = radius * np.cos(angle) * across
        ends.append((float(x + out[0]), float(y + out[1]), float(z + radius * np.sin(angle))))
    return ends[0], ends[1]


def _draw_hernia(draw: Draughtsman) -> Drawn:
    number, grade = draw.grade(Finding.HIATAL_HERNIA)
    anatomy, size = draw.anatomy, draw.uniform((15.0, 21.0), (26.0, 38.0), grade=number)
    axes = (size * draw.uniform((1.0, 1.35)), size * 0.85, size * draw.uniform((0.95, 1.2)))
    centre = (
        draw.uniform((-4.0, 10.0)),
        anatomy.spine_y_mm - 20.0 * anatomy.scale - 0.7 * axes[1],
        22.0 + 0.7 * axes[2],
    )
    return [HiatalHernia(centre, axes, draw.uniform((0.1, 0.9)))], Truth(Finding.HIATAL_HERNIA, grade)


_DRAW: dict[Finding, Callable[[Draughtsman], Drawn]] = {
    Finding.PLEURAL_EFFUSION: _draw_effusion,
    Finding.HIATAL_HERNIA: _draw_hernia,
    Finding.CARDIOMEGALY: _draw_cardiomegaly,
    Finding.PERICARDIAL_EFFUSION: _draw_pericardial,
    Finding.EMPHYSEMA: _draw_emphysema,
    Finding.CONSOLIDATION: _draw_consolidation,
    Finding.ATELECTASIS: _draw_atelectasis,
    Finding.LUNG_NODULE: _draw_nodule,
    Finding.CORONARY_CALCIFICATION: _draw_coronary,
    Finding.ARTERIAL_CALCIFICATION: _draw_arterial,
}
"""In the order of drawing: what takes room from the lungs comes before what lies in them."""
TAKES_ROOM = frozenset({Finding.PLEURAL_EFFUSION, Finding.HIATAL_HERNIA, Finding.CONSOLIDATION})


def draw_findings(rng: np.random.Generator) -> frozenset[Finding]:
    """A random set of findings; empty for a share of normal cases."""
    if rng.random() < NORMAL_SHARE:
        return frozenset()
    return frozenset(finding for finding in FINDINGS if rng.random() < PREVALENCE)


def draw_case(seed: int, findings: frozenset[Finding] | None = None) -> Case:
    """The case of a seed, with random findings unless they are given."""
    rng = np.random.default_rng(seed)
    wanted = draw_findings(rng) if findings is None else findings
    draw = Draughtsman(rng, draw_anatomy(rng, wanted))
    lesions: list[Lesion] = []
    truths: dict[Finding, Truth] = {}
    for finding, draw_one in _DRAW.items():
        if finding not in wanted:
            continue
        drawn, truths[finding] = draw_one(draw)
        lesions += drawn
        if finding in TAKES_ROOM:
            for lesion in drawn:
                lesion.paint(draw.map, draw.anatomy)
                draw.map.region[draw.map.masks.get(finding, False)] = Region.PLEURAL_FLUID
    return Case(seed, draw.anatomy, tuple(lesions), tuple(truths[f] for f in FINDINGS if f in truths))
