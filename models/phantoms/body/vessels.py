"""Great vessels, oesophagus, collar bones, arms and small nodes: all that is a tube, painted in one go per kind."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models.phantoms.airways import main_airways
from models.phantoms.anatomy import Anatomy
from models.phantoms.body.skeleton import marrow_hu
from models.phantoms.canvas import Canvas, Floats, Point, Region
from models.phantoms.tubes import Indices, Tubes, covered, join

FAT_SLEEVE_MM = 2.2


@dataclass(frozen=True)
class Course:
    """A tube through points with the radius at each, in mm."""

    points: tuple[Point, ...]
    radii: tuple[float, ...]
    hu: float
    region: Region = Region.MEDIASTINUM

    def tubes(self, grow_mm: float = 0.0) -> Tubes:
        """The pieces between the points."""
        points, radii = np.array(self.points, np.float32), np.array(self.radii, np.float32) + np.float32(grow_mm)
        return Tubes(points[:-1], points[1:], radii[:-1], radii[1:])


def arch_mm(anatomy: Anatomy, place: float) -> Point:
    """Centre line of the aortic arch from the ascending (0) to the descending aorta (1)."""
    (ax, ay), (dx, dy) = anatomy.ascending_mm, anatomy.descending_mm
    rise = anatomy.arch_z_mm + 12.0 * (1.0 - (2.0 * place - 1.0) ** 2)
    return ax + place * (dx - ax), ay + place * (dy - ay), rise


def _aorta(anatomy: Anatomy) -> Course:
    (ax, ay), (dx, dy) = anatomy.ascending_mm, anatomy.descending_mm
    s, r, root = anatomy.scale, anatomy.aorta_mm, anatomy.heart_centre_mm[2] + 6.0
    points = [(ax + 8.0 * s, ay + 6.0 * s, root), (ax - 2.0 * s, ay, 0.5 * (root + anatomy.arch_z_mm))]
    points += [arch_mm(anatomy, float(place)) for place in np.linspace(0.0, 1.0, 9)]
    points += [(dx, dy, 0.45 * anatomy.height_mm), (dx - 9.0 * s, dy + 3.0, 20.0), (6.0 * s, dy + 2.0 * s, -110.0)]
    radii = (1.1 * r, 1.08 * r, *np.linspace(1.05 * r, 0.88 * r, 9), 0.84 * r, 0.8 * r, 0.7 * r)
    return Course(tuple(points), tuple(float(k) for k in radii), anatomy.blood.aorta_hu)


def _scaled(anatomy: Anatomy, from_z: float, *points: Point) -> tuple[Point, ...]:
    """Points given for scale 1, their z from a height in mm."""
    s = anatomy.scale
    return tuple((x * s, y * s, from_z + z * s) for x, y, z in points)


def _arteries(anatomy: Anatomy) -> Iterator[Course]:
    hu, top = anatomy.blood.aorta_hu, anatomy.arch_z_mm + 8.0
    yield Course(
        _scaled(anatomy, top, (-5, -12, 0), (-14, -10, 22), (-20, -2, 48), (-24, 2, 90)), (6.5, 6.2, 5.0, 3.8), hu
    )
    yield Course(_scaled(anatomy, top, (5, 0, 0), (9, -4, 25), (18, -2, 55), (24, 2, 90)), (4.5, 4.2, 4.0, 3.6), hu)
    yield Course(
        _scaled(anatomy, top, (14, 13, -2), (22, 12, 24), (36, 0, 48), (70, -4, 55), (110, 0, 50)),
        (5.2, 5.0, 4.6, 4.2, 3.6),
        hu,
    )
    yield Course(
        _scaled(anatomy, top, (-20, -2, 46), (-38, -2, 54), (-72, -4, 55), (-110, 0, 50)), (4.8, 4.4, 4.2, 3.6), hu
    )


def _pulmonary(anatomy: Anatomy) -> Iterator[Course]:
    """Trunk and main arteries with what leads to the lobes. Right heart outflow included."""
    s, z, hu = anatomy.scale, anatomy.carina_z_mm, anatomy.blood.pulmonary_artery_hu
    heart = anatomy.heart_centre_mm
    yield Course(
        (
            (heart[0] - 4.0 * s, heart[1] - 20.0 * s, heart[2] + 28.0 * s),
            *_scaled(anatomy, z, (16, -32, -28), (17, -26, -10)),
        ),
        (14.0 * s, 13.5 * s, 13.0 * s),
        hu,
    )
    yield Course(
        _scaled(anatomy, z, (15, -24, -12), (-4, -8, -15), (-24, -4, -15), (-40, -2, -14), (-46, 4, -34)),
        (11.0 * s, 10.0 * s, 9.5 * s, 8.0 * s, 6.5 * s),
        hu,
    )
    yield Course(
        _scaled(anatomy, z, (17, -26, -8), (28, -12, -3), (40, 4, -6), (46, 12, -28)),
        (12.0 * s, 10.5 * s, 9.0 * s, 6.8 * s),
        hu,
    )


def _veins(anatomy: Anatomy) -> Iterator[Course]:
    blood, z, top = anatomy.blood, anatomy.carina_z_mm, anatomy.arch_z_mm
    heart, s = anatomy.heart_centre_mm, anatomy.scale
    atrium = (heart[0] - 30.0 * s, heart[1] + 24.0 * s, heart[2] + 14.0 * s)
    for end, radius in (((-37, -16, -30), 6.0), ((-34, 16, -58), 6.0), ((37, -20, -30), 5.5), ((33, 20, -54), 5.5)):
        (place,) = _scaled(anatomy, z, end)
        yield Course((atrium, place), (radius * s, 0.9 * radius * s), blood.pulmonary_vein_hu)
    low = heart[2] + 4.0
    yield Course(
        ((-28.0 * s, -8.0 * s, low), (-28.0 * s, -16.0 * s, z), (-27.0 * s, -20.0 * s, top + 6.0)),
        (9.5 * s, 8.8 * s, 8.0 * s),
        blood.vena_cava_hu,
    )
    yield Course(
        _scaled(anatomy, top, (-27, -20, 4), (-30, -20, 26), (-40, -14, 48), (-75, -14, 52), (-110, -8, 48)),
        (7.0, 6.5, 6.0, 5.0, 4.0),
        blood.vena_cava_hu,
    )
    slow = 0.5 * (blood.vena_cava_hu + blood.lower_cava_hu) if anatomy.seed % 2 else blood.vena_cava_hu
    yield Course(
        _scaled(anatomy, top, (-26, -22, 6), (2, -32, 16), (24, -22, 32), (38, -14, 48), (75, -14, 52), (110, -8, 48)),
        (6.5, 5.5, 6.0, 6.0, 5.0, 4.0),
        slow,
    )
    yield Course(
        ((-24.0 * s, 6.0 * s, heart[2] - 20.0), (-20.0 * s, 16.0 * s, 10.0), (-20.0 * s, 30.0 * s, -110.0)),
        (11.0 * s, 11.5 * s, 10.5 * s),
        blood.lower_cava_hu,
    )
    spine = anatomy.spine_y_mm
    yield Course(
        (
            (-7.0 * s, spine - 17.0 * s, -60.0),
            (-8.0 * s, spine - 20.0 * s, z + 4.0),
            (-24.0 * s, 10.0 * s, z + 12.0),
            (-27.0 * s, -10.0 * s, z + 8.0),
        ),
        (3.0, 3.6, 4.0, 4.2),
        blood.lower_cava_hu,
    )


def _soft(anatomy: Anatomy) -> Iterator[Course]:
    """Oesophagus, thyroid, internal mammary vessels, normal lymph nodes."""
    rng = np.random.default_rng((anatomy.seed, 31))
    s, spine, z = anatomy.scale, anatomy.spine_y_mm, anatomy.carina_z_mm
    gain = anatomy.blood.muscle_gain_hu
    yield Course(
        (
            (2.0 * s, 22.0 * s, 1.2 * anatomy.height_mm),
            (4.0 * s, spine - 27.0 * s, z),
            (6.0 * s, spine - 30.0 * s, 35.0),
            (16.0 * s, spine - 36.0 * s, 5.0),
        ),
        (5.5 * s, 6.5 * s, 7.0 * s, 7.5 * s),
        36.0 + gain,
    )
    for side in (-1.0, 1.0):
        x, y = side * 17.0 * s, -1.0 * s
        low, high = 1.06 * anatomy.height_mm, 1.2 * anatomy.height_mm
        yield Course(((x, y, low), (0.85 * x, y, high)), (7.5, 5.0), 105.0 + 3.0 * gain, Region.WALL)
        front = -anatomy.cavity_y_mm + 3.0
        yield Course(
            ((side * 15.0, front, 0.3 * anatomy.height_mm), (side * 14.0, front + 6.0, 0.85 * anatomy.height_mm)),
            (1.4, 1.6),
            anatomy.blood.aorta_hu,
            Region.WALL,
        )
    for _ in range(int(rng.integers(4, 12))):
        x, y, up = rng.uniform(-24.0, 20.0), rng.uniform(-28.0, 20.0), rng.uniform(-32.0, 30.0)
        radius = rng.uniform(1.2, 2.9)
        (start,) = _scaled(anatomy, z, (x, y, up))
        way = rng.normal(0.0, 2.2, 3)
        yield Course((start, tuple(np.add(start, way))), (radius, radius), 30.0 + gain)
    for _ in range(int(rng.integers(4, 14))):
        side, up = rng.choice((-1.0, 1.0)), rng.uniform(0.66, 0.9) * anatomy.height_mm
        x = side * (anatomy.cavity_x_mm * rng.uniform(0.95, 1.1) + 8.0)
        start = (x, rng.uniform(-20.0, 15.0), up)
        radius = rng.uniform(1.6, 3.2)
        yield Course((start, tuple(np.add(start, rng.normal(0.0, 3.0, 3)))), (radius, radius), 30.0 + gain, Region.WALL)


def _bones(anatomy: Anatomy) -> Iterator[tuple[Course, float]]:
    """Collar bones and humeri with the thickness of their cortex."""
    s, h, hu = anatomy.scale, anatomy.height_mm, anatomy.bone_hu
    y = -0.62 * anatomy.cavity_y_mm
    for side in (-1.0, 1.0):
        collar = (
            (side * 16.0 * s, y - 8.0, 0.9 * h),
            (side * 62.0 * s, y + 6.0, 0.98 * h),
            (side * 132.0 * s, 8.0, 1.04 * h),
        )
        yield Course(collar, (8.0, 6.0, 6.5), hu, Region.WALL), 2.2
        head = (side * (anatomy.cavity_x_mm + 30.0), 14.0, 0.97 * h)
        if anatomy.arms_up:
            arm = (
                head,
                (side * (anatomy.cavity_x_mm + 22.0), 6.0, 1.06 * h),
                (side * (anatomy.cavity_x_mm + 6.0), 0.0, 1.4 * h),
            )
        else:
            out = anatomy.cavity_x_mm + anatomy.fat_mm + 62.0
            arm = (head, (side * (anatomy.cavity_x_mm + 48.0), 16.0, 0.86 * h), (side * out, 24.0, -120.0))
        yield Course(arm, (22.0 * s, 13.0 * s, 10.0 * s), hu, Region.WALL), 3.0


def arm_courses(anatomy: Anatomy) -> tuple[Course, ...]:
    """Flesh of arms that hang down, as fat, then muscle; raised arms lie in the shoulders and above the scan."""
    courses: list[Course] = []
    if anatomy.arms_up:
        return ()
    for bone, _ in _bones(anatomy):
        if bone.radii[0] > 15.0:
            thick = 26.0 * anatomy.scale + 0.5 * anatomy.muscle_mm
            fat = 4.0 + 0.4 * anatomy.fat_mm
            courses.append(Course(bone.points, (34.0, thick + fat, thick + fat), -100.0, Region.WALL))
            courses.append(Course(bone.points, (30.0, thick, thick), 54.0, Region.WALL))
    return tuple(sorted(courses, key=lambda course: course.hu))


def paint_courses(canvas: Canvas, anatomy: Anatomy) -> None:
    """Paints all tubes that are not of the lungs."""
    bones = list(_bones(anatomy))
    _paint(canvas, join(*(course.tubes() for course, _ in bones)), anatomy.bone_hu, None)
    _paint(canvas, join(*(course.tubes(-cortex) for course, cortex in bones)), marrow_hu(anatomy), None)
    vessels = [*_veins(anatomy), *_pulmonary(anatomy), _aorta(anatomy), *_arteries(anatomy)]
    sleeves = join(*(course.tubes(FAT_SLEEVE_MM) for course in vessels))
    _paint(canvas, sleeves, -85.0, Region.MEDIASTINUM, only_lung=True)
    for (hu, region), tubes in _by_kind([*_soft(anatomy), *vessels]).items():
        _paint(canvas, tubes, hu, region)
    airways = main_airways(anatomy)
    wall = Tubes(airways.start, airways.end, airways.start_radius + 1.6, airways.end_radius + 1.6)
    _paint(canvas, wall, 35.0, Region.MEDIASTINUM)
    _paint(canvas, airways, -995.0, Region.AIRWAY)


def _by_kind(courses: Sequence[Course]) -> dict[tuple[float, Region], Tubes]:
    """Tubes of one CT number and region together: a call for each costs more than the tubes."""
    kinds: dict[tuple[float, Region], list[Tubes]] = {}
    for course in courses:
        kinds.setdefault((course.hu, course.region), []).append(course.tubes())
    return {kind: join(*tubes) for kind, tubes in kinds.items()}


def paint_arms(canvas: Canvas, anatomy: Anatomy) -> None:
    """Paints the flesh of the arms, under everything else."""
    for course in arm_courses(anatomy):
        _paint(canvas, course.tubes(), course.hu, Region.WALL, bodily=False)


def _paint(
    canvas: Canvas, tubes: Tubes, hu: float, region: Region | None, bodily: bool = True, only_lung: bool = False
) -> None:
    index, share = covered(canvas.grid, tubes)
    regions = canvas.region.reshape(-1)
    if bodily:
        here = regions[index]
        kept = (here == Region.RIGHT_LUNG) | (here == Region.LEFT_LUNG) if only_lung else here != Region.OUTSIDE
        index, share = index[kept], share[kept]
    blend_voxels(canvas, index, share, hu)
    if region is not None:
        regions[index[share > 0.5]] = region


def blend_voxels(canvas: Canvas, index: Indices, share: Floats, hu: float) -> None:
    """Moves voxels towards `hu` by the largest share that they are named with."""
    largest, flat = canvas.scratch, canvas.hu.reshape(-1)
    np.maximum.at(largest, index, share)
    before = flat[index]
    flat[index] = before + largest[index] * (np.float32(hu) - before)
    largest[index] = 0.0
