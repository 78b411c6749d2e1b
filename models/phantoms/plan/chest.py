"""Findings of pleura, heart, vessels, nodes and stomach."""

import numpy as np
from numpy.typing import NDArray

from models.phantoms.anatomy import Anatomy
from models.phantoms.body import arch_mm
from models.phantoms.canvas import Point
from models.phantoms.findings import Attributes, Finding, Lobe, Side
from models.phantoms.lesions import Lesion
from models.phantoms.lesions.heart import LargeHeart, PericardialEffusion
from models.phantoms.lesions.hernia import HiatalHernia
from models.phantoms.lesions.nodes import Node
from models.phantoms.lesions.pleura import Loculation, PleuralEffusion
from models.phantoms.lesions.vessels import Plaque, Plaques
from models.phantoms.plan.case import Drawn
from models.phantoms.plan.draughtsman import Draughtsman, count_of
from models.phantoms.plan.sizes import grade_of

_BOTH = (Side.RIGHT, Side.LEFT)


def draw_effusion(draw: Draughtsman) -> Drawn:
    """Free fluid on one side or both, sometimes loculated or in a fissure."""
    sides = _BOTH if draw.chance(0.4) else (_BOTH[draw.between(0, 1)],)
    depth = draw.uniform(*((12.0, 25.0), (25.0, 50.0), (50.0, 85.0))[draw.grade()])
    lesions: list[Lesion] = []
    for number, side in enumerate(sides):
        own = depth if number == 0 else depth * draw.uniform(0.6, 1.0)
        rise = (60.0 + 2.6 * own) * draw.uniform(0.85, 1.15)
        lesions.append(PleuralEffusion(side, own, rise, draw.uniform(0.0, 24.0), draw.seed()))
    if draw.chance(0.2):
        lesions.append(_loculation(draw, sides[0]))
    draw.free &= ~draw.place(lesions, Finding.PLEURAL_EFFUSION)
    return lesions, Attributes(sides=frozenset(sides), grade=grade_of(Finding.PLEURAL_EFFUSION, depth))


def _loculation(draw: Draughtsman, side: Side) -> Loculation:
    lobes = [lobe for lobe in Lobe if lobe.side == side]
    centre = draw.lung_points(1, 0.25, 0.75, lobes, rim=True)[0]
    size = draw.uniform(9.0, 20.0)
    return Loculation(centre, (size, 1.4 * size, 1.5 * size), draw.uniform(5.0, 30.0), draw.seed())


def draw_cardiomegaly(draw: Draughtsman) -> Drawn:
    """The anatomy is already drawn large."""
    return [LargeHeart()], Attributes(grade=grade_of(Finding.CARDIOMEGALY, draw.anatomy.heart_size))


def draw_pericardial(draw: Draughtsman) -> Drawn:
    """The anatomy is already drawn with fluid."""
    depth = draw.anatomy.pericardial_fluid_mm
    return [PericardialEffusion()], Attributes(grade=grade_of(Finding.PERICARDIAL_EFFUSION, depth))


_CORONARIES = (
    ((0.05, -0.55, 0.75), (0.85, -0.35, -0.1)),
    ((-0.25, -0.8, 0.55), (-0.65, -0.7, -0.4)),
    ((0.05, -0.1, 0.95), (0.1, 0.95, 0.15)),
)
"""Ways of the three coronary arteries over the heart, as directions in units of its half axes."""


def draw_coronary(draw: Draughtsman) -> Drawn:
    """Plaques along one to three coronary arteries."""
    total = draw.uniform(*((12.0, 25.0), (25.0, 60.0), (60.0, 130.0))[draw.grade()])
    pieces: list[Plaque] = []
    length = 0.0
    arteries = draw.rng.permutation(3)[: draw.between(1, 3)]
    while length < total and len(pieces) < 40:
        start, end = _CORONARIES[int(draw.rng.choice(arteries))]
        place, part = draw.uniform(0.0, 0.8), draw.uniform(0.04, 0.13)
        a = _on_heart(draw.anatomy, _mix(start, end, place))
        b = _on_heart(draw.anatomy, _mix(start, end, place + part))
        pieces.append(Plaque(a, b, draw.uniform(1.2, 2.1), draw.uniform(400.0, 1100.0)))
        length += float(np.linalg.norm(np.subtract(a, b)))
    grade = grade_of(Finding.CORONARY_CALCIFICATION, length)
    return [Plaques(Finding.CORONARY_CALCIFICATION, tuple(pieces))], Attributes(grade=grade)


def _mix(start: Point, end: Point, place: float) -> NDArray[np.float64]:
    return np.array(start) * (1.0 - place) + np.array(end) * place


def _on_heart(anatomy: Anatomy, direction: NDArray[np.float64]) -> Point:
    u, v, w = direction / np.linalg.norm(direction) * 1.01
    (x, y, z), (a, b, c) = anatomy.heart_centre_mm, anatomy.heart_axes_mm
    cos, sin = np.cos(anatomy.heart_turn), np.sin(anatomy.heart_turn)
    return float(x + a * u * cos + b * v * sin), float(y - a * u * sin + b * v * cos), float(z + c * w)


def draw_arterial(draw: Draughtsman) -> Drawn:
    """Plaques in the wall of the aortic arch, of the descending aorta, or of both."""
    total = draw.uniform(*((18.0, 50.0), (50.0, 120.0), (120.0, 220.0))[draw.grade()])
    arch_share = float(draw.rng.choice([0.0, 0.5, 1.0], p=(0.2, 0.5, 0.3)))
    pieces: list[Plaque] = []
    length = 0.0
    while length < total and len(pieces) < 50:
        a, b = _arch_wall(draw) if draw.chance(arch_share) else _descending_wall(draw)
        pieces.append(Plaque(a, b, draw.uniform(1.2, 2.4), draw.uniform(350.0, 1000.0)))
        length += float(np.linalg.norm(np.subtract(a, b)))
    grade = grade_of(Finding.ARTERIAL_CALCIFICATION, length)
    return [Plaques(Finding.ARTERIAL_CALCIFICATION, tuple(pieces))], Attributes(grade=grade)


def _descending_wall(draw: Draughtsman) -> tuple[Point, Point]:
    (x, y), radius = draw.anatomy.descending_mm, 0.84 * draw.anatomy.aorta_mm
    angle, z = draw.uniform(0.0, 6.28), draw.uniform(-20.0, draw.anatomy.arch_z_mm - 5.0)
    turn, rise = draw.uniform(0.2, 0.6), draw.uniform(0.0, 9.0)
    return _on_circle(x, y, radius, angle, z), _on_circle(x, y, radius, angle + turn, z + rise)


def _on_circle(x: float, y: float, radius: float, angle: float, z: float) -> Point:
    return float(x + radius * np.cos(angle)), float(y + radius * np.sin(angle)), z


def _arch_wall(draw: Draughtsman) -> tuple[Point, Point]:
    place, radius = draw.uniform(0.1, 0.85), draw.anatomy.aorta_mm
    way = np.subtract(draw.anatomy.descending_mm, draw.anatomy.ascending_mm)
    across = np.array([way[1], -way[0]]) / np.linalg.norm(way) * float(draw.rng.choice([-1.0, 1.0]))
    angle = draw.uniform(-0.7, 0.7)
    ends = []
    for at in (place, place + draw.uniform(0.06, 0.14)):
        x, y, z = arch_mm(draw.anatomy, at)
        out = radius * np.cos(angle) * across
        ends.append((float(x + out[0]), float(y + out[1]), float(z + radius * np.sin(angle))))
    return ends[0], ends[1]


def stations(anatomy: Anatomy) -> tuple[tuple[Point, Point], ...]:
    """Where lymph nodes lie: low and high corners in mm (IASLC map: Rusch, J Thorac Oncol 2009;4:568).

    Right lower paratracheal, subcarinal, aortopulmonary window, prevascular, right and left hilar, axillary.
    """
    s, z, arch = anatomy.scale, anatomy.carina_z_mm, anatomy.arch_z_mm
    axilla, top = anatomy.cavity_x_mm + 6.0, anatomy.height_mm
    return (
        ((-26.0 * s, 4.0 * s, z + 18.0), (-17.0 * s, 14.0 * s, arch + 15.0)),
        ((-4.0 * s, 18.0 * s, z - 36.0), (8.0 * s, 32.0 * s, z - 14.0)),
        ((24.0 * s, -14.0 * s, z + 7.0), (33.0 * s, 0.0, z + 15.0)),
        ((4.0 * s, -52.0 * s, z + 5.0), (20.0 * s, -40.0 * s, arch + 12.0)),
        ((-52.0 * s, 8.0 * s, z - 28.0), (-45.0 * s, 18.0 * s, z - 6.0)),
        ((48.0 * s, -4.0 * s, z - 24.0), (56.0 * s, 10.0 * s, z - 4.0)),
        ((-axilla - 14.0, -30.0, 0.7 * top), (-axilla, 12.0, 0.88 * top)),
        ((axilla, -30.0, 0.7 * top), (axilla + 14.0, 12.0, 0.88 * top)),
    )


def draw_lymphadenopathy(draw: Draughtsman) -> Drawn:
    """Nodes of more than 10 mm in their short axis, alone or in groups."""
    largest = draw.uniform(*((11.5, 15.0), (15.0, 22.0), (22.0, 30.0))[draw.grade()])
    number = (1, draw.between(2, 4), draw.between(5, 9))[int(draw.rng.choice(3, p=(0.36, 0.36, 0.28)))]
    sizes = [largest, *(draw.uniform(11.0, max(12.0, 0.8 * largest)) for _ in range(number - 1))]
    nodes: list[Node] = []
    for size in sizes:
        nodes.append(_apart(draw, size, nodes))
    return list(nodes), Attributes(grade=grade_of(Finding.LYMPHADENOPATHY, largest), count=count_of(number))


def _apart(draw: Draughtsman, short_axis_mm: float, others: list[Node]) -> Node:
    """A node that does not lie in another one, so that they can be counted."""
    tries = [draw_node(draw, short_axis_mm, Finding.LYMPHADENOPATHY) for _ in range(6 if others else 1)]
    return max(tries, key=lambda node: min((_gap(node, other) for other in others), default=0.0))


def _gap(node: Node, other: Node) -> float:
    between = float(np.linalg.norm(np.subtract(node.centre, other.centre)))
    return between - float(np.mean(node.axes)) - float(np.mean(other.axes))


def draw_node(draw: Draughtsman, short_axis_mm: float, finding: Finding | None) -> Node:
    """A node at one of the stations."""
    where = stations(draw.anatomy)
    shares = np.array([3.0, 3.0, 2.0, 1.5, 2.0, 2.0, 0.6, 0.6])
    low, high = where[int(draw.rng.choice(len(where), p=shares / shares.sum()))]
    x, y, z = (draw.uniform(a, b) for a, b in zip(low, high, strict=True))
    short = 0.5 * short_axis_mm
    long = short * draw.uniform(1.0, 1.5)
    first, second = (short, long) if draw.chance(0.5) else (long, short)
    axes = (first, second, short * draw.uniform(1.0, 1.6))
    fatty = finding is None and draw.chance(0.4)
    return Node((x, y, z), axes, draw.uniform(35.0, 65.0), fatty, draw.seed(), finding)


def draw_hernia(draw: Draughtsman) -> Drawn:
    """Stomach above the diaphragm, behind the heart and beside the spine."""
    anatomy = draw.anatomy
    width = draw.uniform(*((28.0, 38.0), (38.0, 56.0), (56.0, 80.0))[draw.grade()])
    half = 0.5 * width
    axes = (half, half * draw.uniform(0.65, 0.85), half * draw.uniform(0.9, 1.2))
    centre = (
        draw.uniform(-6.0, 12.0),
        anatomy.spine_y_mm - 20.0 * anatomy.scale - 0.7 * axes[1],
        20.0 + 0.7 * axes[2],
    )
    gas = draw.uniform(0.0, 0.9)
    lesion = HiatalHernia(centre, axes, gas, draw.uniform(5.0, 45.0), draw.seed())
    draw.place([lesion], Finding.HIATAL_HERNIA)
    return [lesion], Attributes(grade=grade_of(Finding.HIATAL_HERNIA, width))
