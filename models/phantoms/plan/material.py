"""Medical material: which pieces a person has, and the ways they take through the body."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Point
from models.phantoms.findings import Attributes
from models.phantoms.lesions import Lesion
from models.phantoms.lesions.material import Block, MedicalMaterial, Wire
from models.phantoms.plan.case import Drawn
from models.phantoms.plan.draughtsman import Draughtsman
from models.phantoms.plan.paths import as_point, bent_path

METAL_HU = 3000.0


def draw_material(draw: Draughtsman) -> Drawn:
    """One piece of equipment, sometimes two."""
    kinds = draw.rng.permutation(len(_KINDS))[: 2 if draw.chance(0.3) else 1]
    lesions: list[Lesion] = [_KINDS[int(kind)](draw) for kind in kinds]
    return lesions, Attributes()


def _path(draw: Draughtsman, *points: Point) -> tuple[Point, ...]:
    """A smooth way through points."""
    way: list[Point] = []
    for start, end in pairwise(points):
        way += [as_point(p) for p in bent_path(draw, np.array(start), np.array(end), 6, 0.06)][:-1]
    return (*way, points[-1])


def _cava(anatomy: Anatomy, z: float) -> Point:
    """The superior vena cava at a height."""
    return -27.0 * anatomy.scale, -16.0 * anatomy.scale, z


def _chest_front(anatomy: Anatomy, side: float, z: float) -> Point:
    """Under the skin of the upper chest."""
    return side * 78.0 * anatomy.scale, -anatomy.cavity_y_mm * 0.82 - 8.0, z


def _venous_way(draw: Draughtsman, side: float, start: Point, *last: Point) -> tuple[Point, ...]:
    """From the chest through the subclavian vein to the superior vena cava and on."""
    anatomy = draw.anatomy
    top = 0.97 * anatomy.height_mm
    under_clavicle = (side * 62.0 * anatomy.scale, -32.0 * anatomy.scale, top)
    joined = (-18.0 * anatomy.scale, -26.0 * anatomy.scale, anatomy.arch_z_mm + 22.0)
    return _path(draw, start, under_clavicle, joined, _cava(anatomy, anatomy.carina_z_mm + 15.0), *last)


def _pacemaker(draw: Draughtsman) -> MedicalMaterial:
    """Generator in the left, seldom right, chest wall and one or two leads to the right heart."""
    anatomy = draw.anatomy
    side = 1.0 if draw.chance(0.85) else -1.0
    pocket = _chest_front(anatomy, side, 0.82 * anatomy.height_mm)
    x, y, z = anatomy.heart_centre_mm
    a, _, c = anatomy.heart_axes_mm
    tip = (x + 0.45 * a, y - 0.3 * a, z - 0.55 * c)
    atrium = (x - 0.5 * a, y - 0.05 * a, z + 0.35 * c)
    shock = draw.chance(0.4)
    leads = [Wire(_venous_way(draw, side, pocket, atrium, tip), 1.6 if shock else 1.1, METAL_HU)]
    if draw.chance(0.6):
        leads.append(Wire(_venous_way(draw, side, pocket, atrium), 1.0, METAL_HU))
    return MedicalMaterial(tuple(leads), (Block(pocket, (22.0, 5.0, 20.0), METAL_HU),))


def _port(draw: Draughtsman) -> MedicalMaterial:
    """A port chamber in the chest wall with its catheter to the cavo-atrial junction."""
    anatomy = draw.anatomy
    side = -1.0 if draw.chance(0.8) else 1.0
    pocket = _chest_front(anatomy, side, draw.uniform(0.76, 0.84) * anatomy.height_mm)
    way = _venous_way(draw, side, pocket, _cava(anatomy, anatomy.carina_z_mm - draw.uniform(10.0, 35.0)))
    chamber = Block(pocket, (12.0, 6.5, 12.0), draw.pick((900.0, 2400.0)), 2.5, 60.0)
    return MedicalMaterial((Wire(way, 1.4, 700.0),), (chamber,))


def _central_line(draw: Draughtsman) -> MedicalMaterial:
    """A catheter from the neck or the arm into the superior vena cava."""
    anatomy = draw.anatomy
    side = -1.0 if draw.chance(0.7) else 1.0
    start = (side * 24.0 * anatomy.scale, -8.0, 1.12 * anatomy.height_mm)
    end = _cava(anatomy, anatomy.carina_z_mm - draw.uniform(0.0, 30.0))
    joined = (-18.0 * anatomy.scale, -26.0 * anatomy.scale, anatomy.arch_z_mm + 22.0)
    return MedicalMaterial((Wire(_path(draw, start, joined, end), 1.3, draw.uniform(450.0, 900.0)),))


def _sternal_wires(draw: Draughtsman) -> MedicalMaterial:
    """Four to seven loops of wire about the sternum."""
    anatomy = draw.anatomy
    wires = []
    for z in np.linspace(0.42, 0.86, draw.between(4, 7)) * anatomy.height_mm:
        front = -anatomy.cavity_y_mm - 7.0 + 22.0 * max(float(z) / anatomy.height_mm - 0.55, 0.0)
        angle = np.linspace(0.0, 2.0 * np.pi, 9)
        loop = [
            (11.0 * float(np.cos(t)), front + 7.0 * float(np.sin(t)), float(z) + draw.uniform(-1, 1)) for t in angle
        ]
        wires.append(Wire(tuple(loop), 0.7, METAL_HU))
    return MedicalMaterial(tuple(wires))


def _valve(draw: Draughtsman) -> MedicalMaterial:
    """A prosthetic valve: a ring at the aortic root or between the left chambers."""
    anatomy = draw.anatomy
    x, y, z = anatomy.heart_centre_mm
    _, _, c = anatomy.heart_axes_mm
    aortic = draw.chance(0.6)
    centre = np.array([-4.0, y - 6.0, z + 0.5 * c] if aortic else [x + 6.0, y + 14.0, z + 0.1 * c])
    tilt = draw.direction() * 0.3 + np.array([0.5, 0.2, 0.8])
    first = np.cross(tilt, [1.0, 0.0, 0.0])
    first /= np.linalg.norm(first)
    second = np.cross(tilt, first) / np.linalg.norm(tilt)
    radius = draw.uniform(10.0, 14.0)
    angles = np.linspace(0.0, 2.0 * np.pi, 15)
    ring = [as_point(centre + radius * (np.cos(t) * first + np.sin(t) * second)) for t in angles]
    return MedicalMaterial((Wire(tuple(ring), draw.uniform(1.3, 2.2), METAL_HU),))


def _stent(draw: Draughtsman) -> MedicalMaterial:
    """A stent graft: rings in the descending aorta or the arch."""
    anatomy = draw.anatomy
    (x, y), radius = anatomy.descending_mm, 0.8 * anatomy.aorta_mm
    top = anatomy.arch_z_mm - 6.0
    angles = np.linspace(0.0, 2.0 * np.pi, 13)
    wires = []
    for z in np.arange(top - draw.uniform(60.0, 120.0), top, 11.0):
        zigzag = 5.0 * np.cos(6.0 * angles)
        ring = [
            (x + radius * float(np.cos(t)), y + radius * float(np.sin(t)), float(z + h))
            for t, h in zip(angles, zigzag, strict=True)
        ]
        wires.append(Wire(tuple(ring), 0.8, 2600.0))
    return MedicalMaterial(tuple(wires))


def _spinal_hardware(draw: Draughtsman) -> MedicalMaterial:
    """Two rods and pairs of screws into the vertebral bodies."""
    anatomy = draw.anatomy
    y = anatomy.spine_y_mm
    first = draw.uniform(0.05, 0.45) * anatomy.height_mm
    levels = [first + 24.0 * k for k in range(draw.between(3, 5))]
    wires = []
    for side in (-1.0, 1.0):
        rod = tuple((side * 21.0, y + 36.0, z) for z in (levels[0] - 8.0, levels[-1] + 8.0))
        wires.append(Wire(rod, 2.8, METAL_HU))
        wires += [Wire(((side * 21.0, y + 34.0, z), (side * 8.0, y - 6.0, z)), 2.5, METAL_HU) for z in levels]
    return MedicalMaterial(tuple(wires))


def _drain(draw: Draughtsman) -> MedicalMaterial:
    """A chest tube through the side of the chest into the pleural space."""
    anatomy = draw.anatomy
    side = draw.pick((-1.0, 1.0))
    z = draw.uniform(0.3, 0.5) * anatomy.height_mm
    outside = (side * (anatomy.cavity_x_mm + 30.0), 0.0, z)
    inside = (side * anatomy.cavity_x_mm * 0.88, 0.2 * anatomy.cavity_y_mm, z + 6.0)
    rear = (side * anatomy.cavity_x_mm * 0.55, 0.75 * anatomy.cavity_y_mm, z + draw.uniform(20.0, 90.0))
    radius = draw.uniform(2.8, 5.0)
    return MedicalMaterial((Wire(_path(draw, outside, inside, rear), radius, 350.0, 0.6 * radius, -900.0),))


def _feeding_tube(draw: Draughtsman) -> MedicalMaterial:
    """A nasogastric tube down the oesophagus into the stomach."""
    anatomy = draw.anatomy
    x, y = 4.0 * anatomy.scale, anatomy.spine_y_mm - 24.0 * anatomy.scale
    top, low = (x, y, 1.15 * anatomy.height_mm), (x + 4.0, y - 4.0, 20.0)
    stomach = (0.45 * anatomy.cavity_x_mm, -20.0, -25.0)
    radius = draw.uniform(1.8, 2.8)
    return MedicalMaterial((Wire(_path(draw, top, low, stomach), radius, 420.0, 0.5 * radius, -600.0),))


def _airway_tube(draw: Draughtsman) -> MedicalMaterial:
    """An endotracheal or tracheostomy tube."""
    anatomy = draw.anatomy
    tip = (0.0, 12.0 * anatomy.scale, anatomy.carina_z_mm + draw.uniform(15.0, 45.0))
    top = (0.0, 8.0 * anatomy.scale, 1.2 * anatomy.height_mm)
    return MedicalMaterial((Wire((top, tip), 5.6, 250.0, 4.2, -985.0),))


def _coronary_stent(draw: Draughtsman) -> MedicalMaterial:
    """A short dense tube on the front of the heart."""
    anatomy = draw.anatomy
    x, y, z = anatomy.heart_centre_mm
    a, b, c = anatomy.heart_axes_mm
    start = (x + 0.15 * a, y - 0.95 * b, z + 0.45 * c)
    end = (start[0] + draw.uniform(6.0, 12.0), start[1] + 2.0, start[2] - draw.uniform(12.0, 20.0))
    return MedicalMaterial((Wire((start, end), 1.9, 2400.0),))


def _implants(draw: Draughtsman) -> MedicalMaterial:
    """Breast implants."""
    anatomy = draw.anatomy
    z = 0.45 * anatomy.height_mm
    front = -anatomy.cavity_y_mm - 16.0
    blocks = tuple(
        Block((side * 70.0 * anatomy.scale, front, z), (46.0, 16.0, 42.0), 140.0, 1.6, draw.pick((5.0, 110.0)))
        for side in (-1.0, 1.0)
    )
    return MedicalMaterial((), blocks)


_KINDS: tuple[Callable[[Draughtsman], MedicalMaterial], ...] = (
    _pacemaker,
    _port,
    _central_line,
    _sternal_wires,
    _valve,
    _stent,
    _spinal_hardware,
    _drain,
    _feeding_tube,
    _airway_tube,
    _coronary_stent,
    _implants,
)
