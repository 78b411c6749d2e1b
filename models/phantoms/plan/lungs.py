"""Findings of the lung itself: nodules, opacities, consolidation, atelectasis, scars, emphysema, mosaic, septa."""

import numpy as np

from models.phantoms.canvas import Point
from models.phantoms.findings import Attributes, Finding, Grade, Lobe, Side
from models.phantoms.lesions import Lesion
from models.phantoms.lesions.airspace import Consolidation, DependentCollapse, Opacity, Plate
from models.phantoms.lesions.interstitium import ApicalScar, Reticulation, Scar, SeptalLines
from models.phantoms.lesions.nodule import Margin, Nodule
from models.phantoms.lesions.parenchyma import Bullae, CentrilobularEmphysema, Mosaic
from models.phantoms.lesions.shapes import Tube
from models.phantoms.plan.case import Drawn
from models.phantoms.plan.draughtsman import LOBES, Draughtsman, count_of, lobar
from models.phantoms.plan.paths import bent_path, hilum, tubes_along
from models.phantoms.plan.sizes import grade_of

_NODULE_MM = ((5.0, 8.0), (8.0, 15.0), (15.0, 30.0))


def draw_nodules(draw: Draughtsman) -> Drawn:
    """One to a dozen nodules; the largest gives the grade."""
    low, high = _NODULE_MM[draw.grade((0.45, 0.35, 0.2))]
    number = (1, draw.between(2, 4), draw.between(5, 11))[int(draw.rng.choice(3, p=(0.5, 0.3, 0.2)))]
    largest = draw.uniform(low, high)
    diameters = [largest, *(draw.uniform(min(4.5, largest), max(5.0, 0.75 * largest)) for _ in range(number - 1))]
    nodules = [draw_nodule(draw, diameter) for diameter in diameters]
    size = max(nodule.diameter_mm for nodule in nodules)
    lobes = {draw.lobe_of(nodule.centre) for nodule in nodules}
    return list(nodules), lobar(lobes, grade_of(Finding.LUNG_NODULE, size), count_of(number))


def draw_nodule(draw: Draughtsman, diameter: float) -> Nodule:
    """One nodule of that diameter somewhere in the lungs."""
    centre = draw.lung_points(1, 0.0, 0.97, rim=draw.chance(0.3))[0]
    draw.occupy(centre, 0.5 * diameter + 9.0)
    shape = draw.rng.uniform(0.82, 1.18, 3)
    a, b, c = (0.5 * diameter * float(f) for f in shape / shape.mean())
    kind = draw.uniform(0.0, 1.0)
    margin = Margin.SMOOTH if diameter < 7.0 or kind < 0.4 else draw.pick((Margin.LOBULATED, Margin.SPICULATED))
    if kind > 0.88 and diameter > 8.0:
        return Nodule(centre, (a, b, c), draw.uniform(-560.0, -430.0), Margin.LOBULATED, draw.seed())
    if kind > 0.78 and diameter > 8.0:
        core = draw.uniform(0.35, 0.65)
        return Nodule(centre, (a, b, c), draw.uniform(-580.0, -450.0), margin, draw.seed(), core=core)
    if 0.3 < kind < 0.4:
        return Nodule(centre, (a, b, c), 60.0, Margin.SMOOTH, draw.seed(), calcium=draw.uniform(0.4, 0.95))
    return Nodule(centre, (a, b, c), draw.uniform(0.0, 70.0), margin, draw.seed())


def draw_opacity(draw: Draughtsman) -> Drawn:
    """Patches of ground glass: a few small ones, several, or most of both lungs."""
    grade = draw.grade()
    number = (draw.between(1, 3), draw.between(2, 5), draw.between(6, 11))[grade]
    low, high = ((12.0, 24.0), (26.0, 44.0), (42.0, 66.0))[grade]
    spread = draw.some_lobes(draw.between(1, 2) if grade == Grade.SLIGHT else 2 if grade == Grade.MODERATE else 5)
    paving = draw.uniform(0.35, 0.7) if draw.chance(0.3) else 0.0
    density, rim = draw.uniform(170.0, 340.0), draw.chance(0.6)
    patches: list[Lesion] = []
    for centre in draw.lung_points(number, lobes=spread, rim=rim):
        a, b, c = (draw.uniform(low, high) * float(f) for f in draw.rng.uniform(0.75, 1.2, 3))
        patches.append(Opacity(centre, (a, b, c), density * draw.uniform(0.85, 1.15), paving, draw.seed()))
    return patches, _measured(draw, patches, Finding.LUNG_OPACITY)


def draw_consolidation(draw: Draughtsman) -> Drawn:
    """Part of a segment, about a segment, or most of a lobe; sometimes a second one."""
    lesions: list[Lesion] = []
    for lobe in draw.some_lobes(2 if draw.chance(0.25) else 1):
        low, high = ((16.0, 24.0), (30.0, 44.0), (52.0, 80.0))[draw.grade((0.3, 0.35, 0.35))]
        centre = draw.lung_points(1, 0.0, 0.9, (lobe,), rim=draw.chance(0.6))[0]
        a, b, c = (draw.uniform(low, high) * float(f) for f in draw.rng.uniform(0.8, 1.2, 3))
        bronchi = _air_bronchograms(draw, centre, max(a, b, c)) if draw.chance(0.8) else ()
        lesions.append(Consolidation(centre, (a, b, c), lobe, bronchi, draw.seed()))
        draw.occupy(centre, 0.9 * max(a, b, c))
    return lesions, _measured(draw, lesions, Finding.CONSOLIDATION)


def _air_bronchograms(draw: Draughtsman, centre: Point, reach: float) -> tuple[Tube, ...]:
    """Bronchi that come from the hilum and fan out through a consolidation."""
    tubes: list[Tube] = []
    start = np.array(hilum(draw.anatomy, centre))
    for _ in range(draw.between(3, 6)):
        goal = np.array(centre) + draw.direction() * reach * draw.uniform(0.4, 0.8)
        path = bent_path(draw, start, goal, 7, 0.06)[2:]
        tubes += tubes_along(path, draw.uniform(1.5, 2.3), 0.75)
    return tuple(tubes)


def _measured(draw: Draughtsman, lesions: list[Lesion], finding: Finding) -> Attributes:
    """Lobes and grade from the volume that lesions take on the map."""
    held = draw.place(lesions, finding)
    lobes = draw.lobes_of(held) or frozenset(draw.lobe_of(lesion.centre) for lesion in lesions)  # type: ignore[attr-defined]
    return lobar(lobes, grade_of(finding, float(held.mean())))


def draw_atelectasis(draw: Draughtsman) -> Drawn:
    """Bands and plates, mostly in the bases, or collapse at the back of a lower lobe."""
    if draw.chance(0.3):
        return _draw_collapse(draw, draw.pick((Lobe.RIGHT_LOWER, Lobe.LEFT_LOWER)))
    low, high = ((20.0, 34.0), (36.0, 58.0), (60.0, 90.0))[draw.grade((0.4, 0.4, 0.2))]
    lesions: list[Lesion] = []
    lobes, largest = set(), 0.0
    for lobe in draw.some_lobes(draw.between(1, 2)):
        for _ in range(draw.between(1, 2)):
            centre = draw.lung_points(1, 0.02, 0.6, (lobe,))[0]
            normal = draw.direction() * np.array([0.8, 0.8, 1.0])
            x, y, z = (float(n) for n in normal / np.linalg.norm(normal))
            extent, thick = draw.uniform(low, high), draw.uniform(1.8, 3.2) + 0.03 * high
            lesions.append(Plate(centre, (x, y, z), 0.5 * extent, thick, draw.uniform(-60.0, 50.0), draw.seed()))
            draw.occupy(centre, 14.0)
            lobes.add(draw.lobe_of(centre))
            largest = max(largest, extent)
    return lesions, lobar(lobes, grade_of(Finding.ATELECTASIS, largest))


def _draw_collapse(draw: Draughtsman, lobe: Lobe) -> Drawn:
    depth = draw.uniform(14.0, 42.0)
    level = draw.anatomy.cavity_y_mm - depth
    lesion = DependentCollapse(lobe, level, draw.uniform(0.2, 0.45) * draw.anatomy.height_mm, draw.seed())
    draw.place([lesion], Finding.ATELECTASIS)
    return [lesion], lobar([lobe], grade_of(Finding.ATELECTASIS, 2.0 * depth))


def compressive(draw: Draughtsman, sides: frozenset[Side]) -> Drawn:
    """Lung collapsed in front of an effusion that is already on the map."""
    lesions: list[Lesion] = []
    lobes = [Lobe.RIGHT_LOWER if side == Side.RIGHT else Lobe.LEFT_LOWER for side in sorted(sides)]
    depth, base = draw.uniform(14.0, 26.0), 0.3 * draw.anatomy.height_mm
    for lobe in lobes:
        left = draw.places[draw.free & (draw.lobes == LOBES.index(lobe)) & (draw.places[:, 2] < base)]
        back = float(np.quantile(left[:, 1], 0.97)) if len(left) else draw.anatomy.cavity_y_mm
        lesions.append(DependentCollapse(lobe, back - depth, base, draw.seed()))
    return lesions, lobar(lobes, grade_of(Finding.ATELECTASIS, 2.0 * depth))


def draw_fibrosis(draw: Draughtsman) -> Drawn:
    """Bands to the pleura, apical scars, or a net under the pleura."""
    kind = draw.uniform(0.0, 1.0)
    if kind < 0.4:
        return _draw_bands(draw)
    if kind < 0.7:
        return _draw_apical(draw)
    bases = (Lobe.RIGHT_LOWER, Lobe.LEFT_LOWER)
    lobes = frozenset(bases if draw.chance(0.6) else draw.some_lobes(draw.between(1, 2)))
    lesions: list[Lesion] = [Reticulation(lobes, draw.uniform(9.0, 26.0), draw.uniform(0.6, 0.9), draw.seed())]
    held = draw.place(lesions, Finding.FIBROTIC_SEQUELA)
    return lesions, lobar(lobes, grade_of(Finding.FIBROTIC_SEQUELA, float(held.mean())))


def _draw_bands(draw: Draughtsman) -> Drawn:
    lobes, bands = set(), []
    number = draw.between(3, 10)
    for lobe in draw.some_lobes(draw.between(1, 2)):
        lobes.add(lobe)
        for point in draw.lung_points(max(number // 2, 1), lobes=(lobe,), rim=True):
            inward = np.array(hilum(draw.anatomy, point)) - np.array(point)
            goal = np.array(point) + inward / np.linalg.norm(inward) * draw.uniform(20.0, 45.0)
            path = bent_path(draw, np.array(point) - 0.1 * inward, goal, 5, 0.12)
            bands.append(tuple(tubes_along(path, draw.uniform(1.3, 2.4), 0.6)))
    grade = Grade.SLIGHT if number < 4 else Grade.MODERATE
    return [Scar(tuple(bands), draw.uniform(-60.0, 40.0))], lobar(lobes, grade)


def _draw_apical(draw: Draughtsman) -> Drawn:
    both = draw.chance(0.5)
    uppers = (Lobe.RIGHT_UPPER, Lobe.LEFT_UPPER)
    lobes = uppers if both else (uppers[draw.between(0, 1)],)
    size = draw.uniform(9.0, 22.0)
    lesions: list[Lesion] = []
    for lobe in lobes:
        point = draw.lung_points(1, 0.86, 2.0, (lobe,), rim=True)[0]
        lesions.append(ApicalScar(point, (size * draw.uniform(0.8, 1.4), size, 0.7 * size), draw.seed()))
        draw.occupy(point, 1.2 * size)
    grade = Grade.SLIGHT if size < 13.0 else Grade.MODERATE if size < 18.0 else Grade.MARKED
    return lesions, lobar(lobes, grade)


def draw_emphysema(draw: Draughtsman) -> Drawn:
    """Centrilobular holes, mostly in the upper lobes; sometimes rows of spaces at the pleura, or bullae."""
    height, grade = draw.anatomy.height_mm, draw.grade()
    low, high = ((0.4, 1.1), (0.4, 1.1), (-0.1, 0.5), (-0.2, 1.1))[draw.between(0, 3)]
    share = draw.uniform(*((0.16, 0.24), (0.32, 0.46), (0.55, 0.8))[grade])
    hole = draw.uniform(4.0, 5.5) + 0.9 * grade
    lesions: list[Lesion] = [CentrilobularEmphysema(low * height, high * height, share, hole, draw.seed())]
    if draw.chance(0.4):
        lesions.append(_draw_spaces(draw, low, high, draw.between(6, 18), (3.0, 7.0)))
    if draw.chance(0.2 + 0.2 * grade):
        lesions.append(_draw_spaces(draw, low, high, draw.between(1, 3), (9.0, 24.0)))
    held = draw.place(lesions, Finding.EMPHYSEMA)
    return lesions, lobar(draw.lobes_of(held), grade_of(Finding.EMPHYSEMA, float(held.mean())))


def _draw_spaces(draw: Draughtsman, low: float, high: float, number: int, radii: tuple[float, float]) -> Bullae:
    points = draw.lung_points(number, low, high, rim=True)
    return Bullae(tuple((*point, draw.uniform(*radii)) for point in points))


def draw_mosaic(draw: Draughtsman) -> Drawn:
    """Dark and bright lobules all over the lungs."""
    lesion = Mosaic(draw.uniform(0.2, 0.65), draw.uniform(90.0, 170.0), draw.seed())
    held = draw.place([lesion], Finding.MOSAIC_ATTENUATION)
    return [lesion], Attributes(grade=grade_of(Finding.MOSAIC_ATTENUATION, float(held.mean())))


def draw_septal(draw: Draughtsman) -> Drawn:
    """Septal lines at the bases and under the pleura, mostly on both sides."""
    both = draw.chance(0.7)
    sides = (Side.RIGHT, Side.LEFT) if both else (draw.pick((Side.RIGHT, Side.LEFT)),)
    share = draw.uniform(*((0.2, 0.32), (0.32, 0.52), (0.52, 0.85))[draw.grade()])
    width, strength = draw.uniform(0.9, 1.5), draw.uniform(0.7, 1.0)
    depth, top = draw.uniform(28.0, 55.0), share * draw.anatomy.height_mm
    lesions: list[Lesion] = [SeptalLines(side, top, depth, width, strength, draw.seed()) for side in sides]
    return lesions, Attributes(sides=frozenset(sides), grade=grade_of(Finding.SEPTAL_THICKENING, share))
