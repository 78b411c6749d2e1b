"""The organs in front of the rectum: bladder, prostate with seminal vesicles or uterus with vagina, and bowel loops."""

import numpy as np
from numpy.typing import NDArray

from models.phantoms.canvas import Floats, Point
from models.phantoms.pelvis.person import Person
from models.phantoms.pelvis.tissue import Tissue
from models.phantoms.pelvis.tube import Tube
from models.phantoms.pelvis.volume import Box, Volume, ellipsoid, paint_vessel

_SOFT = frozenset({Tissue.FAT, Tissue.MUSCLE, Tissue.BOWEL_CONTENT, Tissue.BOWEL_GAS, Tissue.BOWEL_WALL})
_LOOPS = _SOFT - {Tissue.MUSCLE}
CONTACT_MM = 1.5
"""How far an organ reaches over the rectum's envelope before the rectum is painted, so that both touch."""


def paint_organs(volume: Volume, person: Person, tube: Tube) -> None:
    """All organs but the rectum."""
    _paint_bowel(volume, person)
    if person.female:
        _paint_bladder(volume, person, tube, back_mm=-14.0, z_mm=82.0)
        _paint_uterus(volume, person, tube)
    else:
        _paint_bladder(volume, person, tube, back_mm=-4.0, z_mm=97.0)
        _paint_prostate(volume, person, tube)


def _paint_bladder(volume: Volume, person: Person, tube: Tube, back_mm: float, z_mm: float) -> None:
    a, b, c = person.bladder_mm
    z = z_mm + 0.55 * c - 10.0
    y = min(tube.front_mm(z_mm) + back_mm - b, -b - 2.0)
    shape = ellipsoid(volume, (2.0, y, z), (a + 4.0, b + 4.0, c + 4.0), tilt_deg=-12.0)
    if shape is None:
        return
    box, field = shape
    wall = 3.0 + 3.0 * float(np.clip((30.0 - c) / 20.0, 0.0, 1.0))
    volume.paint(box, field < 0.0, Tissue.BLADDER_WALL)
    volume.paint(box, field < -wall, Tissue.URINE)


def _lumpy(shape: tuple[Box, Floats], seed: int, mm: float) -> tuple[Box, Floats]:
    """The shape with a surface that swings by some mm."""
    box, field = shape
    rng = np.random.default_rng(seed)
    a, b, c, d = rng.uniform(0.0, 6.28, 4)
    swing = np.sin(box.x / 7.0 + a) * np.sin(box.y / 6.0 + b) + np.sin(box.z / 8.0 + c + box.x / 13.0 + d)
    return box, np.asarray(field + np.float32(0.6 * mm) * swing, np.float32)


def _paint_prostate(volume: Volume, person: Person, tube: Tube) -> None:
    """Zones after McNeal: the peripheral zone behind and about the transition zone; seminal vesicles above."""
    k = person.prostate
    a, b, c = 25.0 * k**0.5, 17.5 * k**0.5, 21.0 * k**0.5
    z = person.anorectal_mm + 19.0
    y = max(tube.front_mm(z - 0.4 * c), tube.front_mm(z + 0.3 * c)) - b + CONTACT_MM
    gland = ellipsoid(volume, (0.0, y, z), (a, b, c), tilt_deg=8.0)
    core = ellipsoid(volume, (0.0, y - 0.28 * b, z + 0.2 * c), (0.72 * a, 0.66 * b, 0.74 * c), tilt_deg=8.0)
    if gland is None or core is None:
        return
    box, field = _lumpy(gland, person.seed + 5, 0.8)
    volume.paint(box, field < 0.0, Tissue.MUSCLE)
    volume.paint(box, field < -0.9, Tissue.PROSTATE_PERIPHERAL_ZONE)
    inner, distance = _lumpy(core, person.seed + 6, 1.2)
    volume.paint(inner, distance < 0.9, Tissue.MUSCLE, {Tissue.PROSTATE_PERIPHERAL_ZONE})
    volume.paint(inner, distance < 0.0, Tissue.PROSTATE_TRANSITION_ZONE)
    for side in (-1.0, 1.0):
        top = z + c + 6.0
        line = [(side * 4.0, tube.front_mm(top - 3.0) - 5.0, top - 3.0)]
        line += [(side * x, tube.front_mm(top + x / 4.0) - 6.0, top + x / 4.0) for x in (14.0, 27.0)]
        paint_vessel(volume, line, (4.0, 6.0, 4.0), Tissue.SEMINAL_VESICLE, _SOFT | {Tissue.BLADDER_WALL})
    bulb = ellipsoid(volume, (0.0, -14.0, 16.0), (9.0, 13.0, 9.0), tilt_deg=-25.0)
    if bulb is not None:
        volume.paint(bulb[0], bulb[1] < 0.0, Tissue.PENILE_BULB, _SOFT)


def _paint_uterus(volume: Volume, person: Person, tube: Tube) -> None:
    """An anteverted uterus on the bladder's roof, cervix and vagina before the rectum."""
    k = person.prostate
    vagina = [(0.0, tube.front_mm(z) - 3.5 + CONTACT_MM, z) for z in (6.0, 22.0, 40.0, 58.0, 74.0)]
    for side in (-8.0, -3.0, 3.0, 8.0):
        paint_vessel(volume, [(side, y, z) for _, y, z in vagina], (3.0, 4.0, 4.2, 4.2, 4.5), Tissue.VAGINA, _SOFT)
    cervix_z = 84.0
    cervix: Point = (0.0, tube.front_mm(cervix_z) - 11.0 + CONTACT_MM, cervix_z)
    body: Point = (3.0, cervix[1] - 26.0 * k, cervix_z + 30.0)
    _lump(volume, cervix, (14.0, 12.5, 16.0), 25.0, Tissue.CERVIX, person.seed + 7)
    _lump(volume, body, (24.0 * k, 19.0 * k, 29.0 * k), -48.0, Tissue.MYOMETRIUM, person.seed + 8)
    paint_vessel(volume, [cervix, body], (2.0, 3.5), Tissue.ENDOMETRIUM, {Tissue.MYOMETRIUM, Tissue.CERVIX})
    _lump(volume, body, (13.0 * k, 3.2, 17.0 * k), -48.0, Tissue.ENDOMETRIUM, person.seed + 9)


def _lump(volume: Volume, centre: Point, axes: Point, tilt_deg: float, tissue: Tissue, seed: int) -> None:
    shape = ellipsoid(volume, centre, axes, tilt_deg)
    if shape is not None:
        box, field = _lumpy(shape, seed, 0.8)
        volume.paint(box, field < 0.0, tissue)


def _paint_bowel(volume: Volume, person: Person) -> None:
    """Loops of bowel over the bladder, with fluid and gas."""
    rng = np.random.default_rng((person.seed, 4))
    for _ in range(int(rng.integers(9, 15))):
        start = np.array((rng.uniform(-55.0, 55.0), rng.uniform(-66.0, -8.0), rng.uniform(124.0, 182.0)))
        end = start + rng.normal(0.0, (22.0, 14.0, 8.0))
        end[1], end[2] = np.clip(end[1], -68.0, 0.0), max(end[2], 122.0)
        radius = float(rng.uniform(8.0, 14.0))
        ends = [_point(start), _point(end)]
        paint_vessel(volume, ends, (radius, radius), Tissue.BOWEL_WALL, _LOOPS)
        inside = Tissue.BOWEL_GAS if rng.random() < 0.3 else Tissue.BOWEL_CONTENT
        paint_vessel(volume, ends, (radius - 2.0, radius - 2.0), inside, _LOOPS)


def _point(values: NDArray[np.float64]) -> Point:
    x, y, z = (float(v) for v in values)
    return x, y, z
