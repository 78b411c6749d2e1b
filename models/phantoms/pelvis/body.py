"""The pelvis about the organs: skin, fat, muscles, sacrum, hip bones, femoral heads, great vessels."""

import numpy as np

from models.phantoms.canvas import Floats, Point
from models.phantoms.pelvis.person import Person
from models.phantoms.pelvis.tissue import Tissue
from models.phantoms.pelvis.tube import Tube, rough
from models.phantoms.pelvis.volume import Bools, Labels, Volume, capsule, ellipsoid, paint_vessel

_LEVELS = (-30.0, -12.0, 0.0, 20.0, 40.0, 60.0, 80.0, 110.0, 140.0, 180.0)
_CAVITY_HALF = (3.0, 30.0, 40.0, 46.0, 49.0, 52.0, 56.0, 63.0, 68.0, 74.0)
_CAVITY_FRONT = (14.0, 4.0, -6.0, -16.0, -28.0, -38.0, -54.0, -74.0, -82.0, -84.0)
_CAVITY_BACK = (30.0, 56.0, 60.0, 62.0, 60.0, 56.0, 56.0, 56.0, 56.0, 56.0)
_SACRUM_LEVELS = (46.0, 60.0, 80.0, 100.0, 120.0, 145.0, 182.0)
_SACRUM_HALF = (5.0, 11.0, 24.0, 33.0, 41.0, 50.0, 54.0)
_SACRUM_DEPTH = (6.0, 9.0, 15.0, 20.0, 25.0, 31.0, 36.0)
_DISCS = (54.0, 64.0, 76.0, 94.0, 116.0, 141.0, 170.0)
SKIN_MM = 2.2
COCCYX_MM = 46.0


def paint_body(volume: Volume, person: Person, tube: Tube) -> None:
    """Everything that lies about the pelvic organs."""
    _Levels(volume, person, tube).paint()
    _paint_hips(volume, person)
    _paint_piriformis(volume, person, tube)
    _paint_great_vessels(volume, person)


class _Levels:
    """Paints what can be said level by level: outline, fat, muscle ring, cavity, sacrum."""

    def __init__(self, volume: Volume, person: Person, tube: Tube) -> None:
        rng = np.random.default_rng((person.seed, 2))
        self.volume, self.person, self.tube = volume, person, tube
        self.x, self.y = volume.axis_mm(0)[None, :], volume.axis_mm(1)[:, None]
        self.waves = rng.uniform(0.0, 6.28, 6)
        # Muscle is marbled by streaks of fat that run along it.
        warp = rough(rng, 400, 9.0, 9.0)
        rows = np.clip((self.y[:, 0] + 130.0).astype(int), 0, 399)
        columns = np.clip((self.x[0] + 180.0).astype(int), 0, 359)
        self.warp = warp[rows][:, columns]
        self.fine = rough(rng, 400, 2.0, 4.0)[rows][:, columns]
        self.streak = 0.99 - 0.05 * person.visceral_fat

    def paint(self) -> None:
        for index, z in enumerate(self.volume.axis_mm(2)):
            self._level(self.volume.labels[index], float(z))

    def _level(self, labels: Labels, z: float) -> None:
        person = self.person
        skin = self._ring(z, 0.0, 0.0, 0.0)
        labels[skin < 1.0] = Tissue.SKIN
        labels[self._ring(z, SKIN_MM, SKIN_MM, SKIN_MM) < 1.0] = Tissue.FAT
        muscle = self._ring(z, person.fat_side_mm, person.fat_front_mm, person.fat_back_mm)
        inside = muscle < 1.0
        labels[inside] = Tissue.MUSCLE
        labels[inside & self._planes(muscle, z)] = Tissue.FAT
        labels[self._cavity(z) < 1.0] = Tissue.FAT
        if z > COCCYX_MM:
            self._sacrum(labels, z)
        if z < -4.0:
            self._cleft(labels, z)

    def _ring(self, z: float, side_mm: float, front_mm: float, back_mm: float) -> Floats:
        """Below 1 inside the body less a rind."""
        person = self.person
        hip = 1.0 - 0.12 * ((z - 50.0) / 110.0) ** 2
        half_x = person.half_width_mm * hip - side_mm
        depth = person.half_depth_mm * (1.0 + 0.04 * np.sin(z / 60.0 + self.waves[0]))
        front, back = -depth + front_mm, depth + 8.0 - back_mm
        centre, half_y = 0.5 * (front + back), 0.5 * (back - front)
        across = (np.abs(self.x) / half_x) ** 2.5
        return np.asarray(across + (np.abs(self.y - centre) / half_y) ** 2.5, np.float32)

    def _planes(self, ring: Floats, z: float) -> Bools:
        """Fat between and within muscles."""
        bend = 0.05 * self.warp
        plane = (np.abs(ring + bend - 0.60) < 0.022) | (np.abs(ring - 1.4 * bend - 0.84) < 0.010)
        stripes = np.sin((0.75 * np.abs(self.x) + 0.9 * self.y) / 2.3 + 0.8 * self.fine + z / 8.0 + self.waves[1])
        # A bundle's streaks begin and end: the swell lets them through here and there.
        marbled = stripes > self.streak + 0.05 * np.roll(self.warp, int(3.0 * z), axis=1)
        return np.asarray(plane | (marbled & (self.fine > -0.6)))

    def _cavity(self, z: float) -> Floats:
        """Below 1 within the pelvic cavity and, low down, the ischioanal fossae."""
        scale = self.person.scale
        half = float(np.interp(z, _LEVELS, _CAVITY_HALF)) * scale
        front = max(
            float(np.interp(z, _LEVELS, _CAVITY_FRONT)), 9.0 - self.person.half_depth_mm + self.person.fat_front_mm
        )
        above = float(np.clip((z - COCCYX_MM + 14.0) / 20.0, 0.0, 1.0))
        back = above * (self.tube.back_mm(z) + 6.0) + (1.0 - above) * float(np.interp(z, _LEVELS, _CAVITY_BACK))
        wobble = 1.0 + 0.035 * self.warp
        centre, half_y = 0.5 * (front + back), 0.5 * (back - front)
        round_off = (np.abs(self.x) / half) ** 2.4 + (np.abs(self.y - centre) / half_y) ** 2.4
        return np.asarray(round_off * wobble, np.float32)

    def _sacrum(self, labels: Labels, z: float) -> None:
        half = float(np.interp(z, _SACRUM_LEVELS, _SACRUM_HALF)) * self.person.scale
        depth = float(np.interp(z, _SACRUM_LEVELS, _SACRUM_DEPTH))
        hollow = self.tube.back_mm(z) + 6.0 - 0.0042 * self.x**2
        depth_at = depth * np.sqrt(np.maximum(1.0 - (self.x / half) ** 2, 0.0)) + 0.0 * self.y
        into = self.y - hollow
        bone = (into > 0.0) & (into < depth_at)
        marrow = (into > 1.3) & (into < depth_at - 1.6)
        labels[bone] = Tissue.CORTICAL_BONE
        labels[marrow] = Tissue.MARROW
        disc = min(abs(z - level) for level in _DISCS) < 1.6
        if disc:
            labels[marrow & (np.abs(self.x) < 0.55 * half) & (into < 0.7 * depth)] = Tissue.CORTICAL_BONE
        for number, share in enumerate((0.36, 0.62)):
            for side in (-1.0, 1.0):
                self._foramen(labels, bone, (side * share * half, depth, z), number)

    def _foramen(self, labels: Labels, bone: Bools, at: Point, number: int) -> None:
        """Nerve roots leave the sacrum through holes full of fat."""
        x, depth, z = at
        near = abs((z - 88.0) % 23.0 - 11.5)
        if number == 0 and z > 78.0 and near < 4.0:
            centre = self.tube.back_mm(z) + 6.0 + 0.35 * depth
            hole = (self.x - x) ** 2 + (self.y - centre) ** 2 < (4.2 - 0.6 * near) ** 2
            labels[bone & hole] = Tissue.FAT

    def _cleft(self, labels: Labels, z: float) -> None:
        """Air between the thighs below the perineum."""
        half = 0.7 * (-z - 4.0)
        labels[(np.abs(self.x) < half) & (self.y < 60.0) & (self.y > -self.person.half_depth_mm)] = Tissue.AIR


def _bone(volume: Volume, start: Point, end: Point, radii_mm: tuple[float, float]) -> None:
    rod = capsule(volume, start, end, radii_mm)
    if rod is not None:
        box, field = rod
        volume.paint(box, field < 0.0, Tissue.CORTICAL_BONE)


def _marrow(volume: Volume, start: Point, end: Point, radii_mm: tuple[float, float]) -> None:
    rod = capsule(volume, start, end, (radii_mm[0] - 1.8, radii_mm[1] - 1.8))
    if rod is not None:
        box, field = rod
        volume.paint(box, field < 0.0, Tissue.MARROW)


def _paint_hips(volume: Volume, person: Person) -> None:
    """Hip bones, symphysis, femoral heads and necks on both sides."""
    s = person.scale
    for side in (-1.0, 1.0):
        rods = _hip_rods(side * s, s)
        for rod in rods:
            _bone(volume, *rod)
        for rod in rods:
            _marrow(volume, *rod)
        head = (side * 88.0 * s, -4.0, 76.0)
        _ball(volume, head, 28.0 * s, Tissue.MUSCLE, Tissue.CORTICAL_BONE)
        _ball(volume, head, 24.5 * s, Tissue.CORTICAL_BONE, Tissue.MARROW)
        neck = (head, (side * 132.0 * s, 8.0, 56.0), (14.0, 17.0))
        _bone(volume, *neck)
        _marrow(volume, *neck)
        _marrow(volume, head, head, (24.0 * s, 24.0 * s))
    disc = ellipsoid(volume, (0.0, -49.0, 57.0), (3.0, 9.0, 17.0))
    if disc is not None:
        volume.paint(disc[0], disc[1] < 0.0, Tissue.CORTICAL_BONE)


def _ball(volume: Volume, centre: Point, radius_mm: float, shell: Tissue, core: Tissue) -> None:
    ball = ellipsoid(volume, centre, (radius_mm, radius_mm, radius_mm))
    if ball is not None:
        volume.paint(ball[0], ball[1] < 0.0, shell)
        volume.paint(ball[0], ball[1] < -2.0, core)


def _hip_rods(side: float, s: float) -> tuple[tuple[Point, Point, tuple[float, float]], ...]:
    """Ischium, pubic rami, acetabulum and ilium of a side as rods: ends in mm and radii."""
    return (
        ((side * 64.0, 26.0, 14.0), (side * 74.0, 26.0, 50.0), (15.0, 12.0)),
        ((side * 74.0, 26.0, 50.0), (side * 80.0, 16.0, 84.0), (12.0, 17.0)),
        ((side * 14.0, -47.0, 60.0), (side * 70.0, -26.0, 82.0), (12.0, 11.0 * s)),
        ((side * 11.0, -44.0, 47.0), (side * 58.0, 16.0, 16.0), (9.0, 9.0)),
        ((side * 76.0, -20.0, 84.0), (side * 76.0, 16.0, 94.0), (15.0, 17.0)),
        ((side * 70.0, 10.0, 98.0), (side * 78.0, 36.0, 130.0), (13.0, 10.0)),
        ((side * 78.0, 36.0, 130.0), (side * 84.0, 40.0, 186.0), (10.0, 15.0)),
        ((side * 74.0, 0.0, 104.0), (side * 108.0, -22.0, 186.0), (9.0, 7.0)),
    )


def _paint_piriformis(volume: Volume, person: Person, tube: Tube) -> None:
    """From the sacrum's front through the greater foramen to the trochanter."""
    for side in (-person.scale, person.scale):
        line = [(side * 24.0, tube.back_mm(104.0) + 2.0, 104.0), (side * 62.0, 52.0, 92.0), (side * 116.0, 30.0, 70.0)]
        paint_vessel(volume, line, (7.0, 10.0, 7.0), Tissue.MUSCLE, _SOFT)


def _paint_great_vessels(volume: Volume, person: Person) -> None:
    """External and internal iliac vessels, with the psoas beside them."""
    rng = np.random.default_rng((person.seed, 3))
    for side in (-1.0, 1.0):
        s = side * person.scale
        psoas = [(s * 52.0, -22.0, 182.0), (s * 66.0, -46.0, 120.0), (s * 84.0, -52.0, 60.0)]
        paint_vessel(volume, psoas, (19.0, 17.0, 13.0), Tissue.MUSCLE, _SOFT)
        shift = rng.uniform(-3.0, 3.0, 3)
        outer = [(s * 34.0, 12.0, 184.0), (s * (44.0 + shift[0]), -20.0, 135.0), (s * 60.0, -58.0, 92.0)]
        outer.append((s * 70.0, -74.0, 60.0))
        paint_vessel(volume, [_beside(p, s, 9.0, 8.0) for p in outer], (6.0, 5.8, 5.5, 5.2), Tissue.VEIN, _SOFT)
        paint_vessel(volume, outer, (4.8, 4.6, 4.4, 4.2), Tissue.ARTERY, _SOFT)
        inner = [(s * 36.0, 18.0, 172.0), (s * (46.0 + shift[1]), 30.0, 135.0), (s * (52.0 + shift[2]), 32.0, 95.0)]
        paint_vessel(volume, inner, (3.6, 3.0, 2.2), Tissue.ARTERY, _SOFT)
        paint_vessel(volume, [_beside(p, s, 5.0, 6.0) for p in inner], (4.4, 3.6, 2.8), Tissue.VEIN, _SOFT)


def _beside(point: Point, side: float, inward_mm: float, back_mm: float) -> Point:
    return point[0] - np.sign(side) * 0.4 * inward_mm, point[1] + back_mm, point[2]


_SOFT = frozenset({Tissue.FAT, Tissue.MUSCLE})
