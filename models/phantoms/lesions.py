"""The findings as shapes in mm: each knows where it lies and paints itself with its mask on any grid."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.body import heart_radius, level_of
from models.phantoms.canvas import (
    Box,
    Canvas,
    Floats,
    Point,
    Region,
    box_of_capsule,
    capsule_distance,
    edge,
)
from models.phantoms.findings import Finding, Side


class Lesion(Protocol):
    """A finding's shape."""

    @property
    def finding(self) -> Finding:
        """What it is."""

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """Lowest and highest z in mm it can reach."""

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """Paints HU and mask."""


def _ellipsoid_radius(box: Box, centre: Point, axes: Point) -> Floats:
    x, y, z = centre
    a, b, c = axes
    return np.sqrt(((box.x - x) / a) ** 2 + ((box.y - y) / b) ** 2 + ((box.z - z) / c) ** 2)


def _ripple(box: Box, centre: Point, seed: int) -> Floats:
    """A lobulated surface: a few plane waves of random direction, about unit height."""
    rng = np.random.default_rng(seed)
    waves = np.zeros(np.broadcast_shapes(box.x.shape, box.y.shape, box.z.shape), np.float32)
    for _ in range(4):
        kx, ky, kz = rng.normal(0.0, 0.22, 3)
        waves += np.sin(
            kx * (box.x - centre[0]) + ky * (box.y - centre[1]) + kz * (box.z - centre[2]) + rng.uniform(0, 6)
        )
    return waves / 2.0


@dataclass(frozen=True)
class Nodule:
    """A solid nodule; half axes in mm."""

    centre: Point
    axes: Point
    hu: float
    seed: int
    finding: Finding = Finding.LUNG_NODULE

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return self.centre[2] - self.axes[2], self.centre[2] + self.axes[2]

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        with canvas.around(self.centre, 1.3 * max(self.axes) + 2.0) as box:
            if box is None:
                return
            size = min(self.axes)
            surface = (_ellipsoid_radius(box, self.centre, self.axes) - 1.0) * size
            surface = surface + 0.10 * size * _ripple(box, self.centre, self.seed)
            share = edge(surface, canvas.grid.pixel_mm) * canvas.lungs(box)
            canvas.blend(box, share, self.hu)
            canvas.mark(self.finding, box, share > 0.5)


@dataclass(frozen=True)
class Consolidation:
    """Airspace filled in part of one lung, with bronchi still holding air."""

    centre: Point
    axes: Point
    side: Side
    seed: int
    finding: Finding = Finding.CONSOLIDATION

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return self.centre[2] - self.axes[2], self.centre[2] + self.axes[2]

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        with canvas.around(self.centre, 1.5 * max(self.axes)) as box:
            if box is None:
                return
            lung = canvas.region[box.index] == _lung_of(self.side)
            radius = _ellipsoid_radius(box, self.centre, self.axes) + 0.16 * _ripple(box, self.centre, self.seed)
            share = np.clip((1.08 - radius) / 0.25, 0.0, 1.0) * lung
            canvas.blend(box, 0.95 * share, 35.0 + 0.12 * anatomy.contrast_hu)
            self._paint_bronchi(canvas)
            canvas.mark(self.finding, box, share > 0.5)

    def _paint_bronchi(self, canvas: Canvas) -> None:
        rng = np.random.default_rng(self.seed + 1)
        for _ in range(7):
            way = rng.standard_normal(3) * np.array(self.axes) * 0.5
            middle = np.array(self.centre) + rng.standard_normal(3) * np.array(self.axes) * 0.25
            start, end = tuple(middle - way), tuple(middle + way)
            box = box_of_capsule(canvas, start, end, 3.0)
            if box is not None:
                distance, _ = capsule_distance(box, start, end)
                canvas.blend(box, 0.8 * edge(distance - 1.3, canvas.grid.pixel_mm) * canvas.lungs(box), -850.0)


@dataclass(frozen=True)
class Atelectasis:
    """A plate of collapsed lung: a disc across the given normal; mm."""

    centre: Point
    normal: Point
    radius_mm: float
    thickness_mm: float
    side: Side
    hu: float
    finding: Finding = Finding.ATELECTASIS

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        reach = self.radius_mm * float(np.sqrt(1.0 - self.normal[2] ** 2)) + self.thickness_mm
        return self.centre[2] - reach, self.centre[2] + reach

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        with canvas.around(self.centre, self.radius_mm + self.thickness_mm) as box:
            if box is None:
                return
            dx, dy, dz = box.x - self.centre[0], box.y - self.centre[1], box.z - self.centre[2]
            height = dx * self.normal[0] + dy * self.normal[1] + dz * self.normal[2]
            across = np.sqrt(np.maximum(dx**2 + dy**2 + dz**2 - height**2, 0.0))
            bend = height + 3.0 * np.sin(across / 14.0)
            thin = self.thickness_mm * 0.5 * np.clip(1.25 - across / self.radius_mm, 0.0, 1.0) ** 0.5
            share = edge(np.abs(bend) - thin, canvas.grid.pixel_mm) * (across < self.radius_mm)
            share = share * (canvas.region[box.index] == _lung_of(self.side))
            canvas.blend(box, share, self.hu)
            canvas.mark(self.finding, box, share > 0.4)


@dataclass(frozen=True)
class Emphysema:
    """Round holes in the lung, each x, y, z, radius in mm."""

    holes: tuple[tuple[float, float, float, float], ...]
    finding: Finding = Finding.EMPHYSEMA

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        heights = [hole[2] for hole in self.holes]
        return min(heights), max(heights)

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        for x, y, z, radius in self.holes:
            with canvas.around((x, y, z), radius + canvas.grid.pixel_mm) as box:
                if box is None:
                    continue
                surface = (_ellipsoid_radius(box, (x, y, z), (radius, radius, radius)) - 1.0) * radius
                share = edge(surface, 1.5 * canvas.grid.pixel_mm) * canvas.lungs(box)
                share = share * (canvas.hu[box.index] < -650.0)
                canvas.blend(box, 0.95 * share, -990.0)
                canvas.mark(self.finding, box, share > 0.5)


@dataclass(frozen=True)
class PleuralEffusion:
    """Fluid behind one lung, deepest at the base and falling off over `rise_mm`."""

    side: Side
    depth_mm: float
    rise_mm: float
    hu: float
    finding: Finding = Finding.PLEURAL_EFFUSION

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return -35.0, -35.0 + self.rise_mm

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        low, high = self.z_range(anatomy)
        reach = 1.2 * anatomy.cavity_x_mm
        box = canvas.box((-reach, -200.0, low), (reach, 200.0, high))
        if box is None:
            return
        depth = self.depth_mm * np.sqrt(np.clip((high - box.z) / self.rise_mm, 0.0, 1.0))
        lateral = np.abs(box.x) / anatomy.cavity_x_mm
        level = anatomy.cavity_y_mm - depth - 12.0 * lateral**4 * np.minimum(depth / 15.0, 1.0)
        lung = canvas.region[box.index] == _lung_of(self.side)
        fluid = lung & (box.y > level)
        squeezed = np.clip(1.0 - (level - box.y) / 8.0, 0.0, 1.0) * lung
        canvas.blend(box, 0.55 * squeezed, -50.0)
        canvas.hu[box.index][fluid] = self.hu
        canvas.region[box.index][fluid] = Region.PLEURAL_FLUID
        canvas.mark(self.finding, box, fluid)


@dataclass(frozen=True)
class LargeHeart:
    """Cardiomegaly: the anatomy is drawn large, here only the mask is taken."""

    finding: Finding = Finding.CARDIOMEGALY

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return _heart_range(anatomy, 0.85)

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        low, high = self.z_range(anatomy)
        box = canvas.box((-250.0, -250.0, low), (250.0, 250.0, high))
        if box is not None:
            canvas.mark(self.finding, box, canvas.region[box.index] == Region.HEART)


@dataclass(frozen=True)
class PericardialEffusion:
    """Fluid about the heart; painted with the heart, here only the mask is taken."""

    finding: Finding = Finding.PERICARDIAL_EFFUSION

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return _heart_range(anatomy, 1.0)

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        low, high = self.z_range(anatomy)
        outer = 1.0 + anatomy.pericardial_fluid_mm / float(np.mean(anatomy.heart_axes_mm))
        for index in np.flatnonzero((canvas.grid.z_mm > low) & (canvas.grid.z_mm < high)):
            z = float(canvas.grid.z_mm[index])
            box = canvas.box((-250.0, -250.0, z - 0.01), (250.0, 250.0, z + 0.01))
            radius, _, _ = heart_radius(level_of(canvas.grid, anatomy, z), anatomy)
            fluid = (radius > 1.0) & (radius < outer) & (canvas.region[index] == Region.HEART)
            if box is not None:
                canvas.mark(self.finding, box, fluid[None])


def _heart_range(anatomy: Anatomy, share: float) -> tuple[float, float]:
    z, half = anatomy.heart_centre_mm[2], anatomy.heart_axes_mm[2] * share
    return z - half, z + half


@dataclass(frozen=True)
class Plaques:
    """Calcified plaques: short capsules (start, end, radius in mm, HU)."""

    finding: Finding
    pieces: tuple[tuple[Point, Point, float, float], ...]

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        heights = [point[2] for start, end, _, _ in self.pieces for point in (start, end)]
        return min(heights) - 1.5, max(heights) + 1.5

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        for start, end, radius, hu in self.pieces:
            box = box_of_capsule(canvas, start, end, radius + canvas.grid.pixel_mm)
            if box is None:
                continue
            distance, _ = capsule_distance(box, start, end)
            share = edge(distance - radius, canvas.grid.pixel_mm) * ~canvas.lungs(box)
            canvas.blend(box, share, hu)
            canvas.mark(self.finding, box, share > 0.35)


@dataclass(frozen=True)
class HiatalHernia:
    """Stomach behind the heart: a wall, its content, and gas in front (the patient lies on the back)."""

    centre: Point
    axes: Point
    gas_share: float
    finding: Finding = Finding.HIATAL_HERNIA

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return self.centre[2] - self.axes[2], self.centre[2] + self.axes[2]

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        with canvas.around(self.centre, max(self.axes) + 2.0) as box:
            if box is None:
                return
            radius = _ellipsoid_radius(box, self.centre, self.axes)
            region = canvas.region[box.index]
            room = (region != Region.OUTSIDE) & (region != Region.WALL) & (region != Region.HEART)
            inside = (radius < 1.0) & room
            content = inside & (radius < 1.0 - 3.5 / min(self.axes))
            gas = content & (box.y < self.centre[1] - self.axes[1] * (0.8 - 1.2 * self.gas_share))
            hu = canvas.hu[box.index]
            hu[inside], hu[content], hu[gas] = 45.0 + 0.2 * anatomy.contrast_hu, 28.0, -960.0
            region[inside] = Region.MEDIASTINUM
            canvas.mark(self.finding, box, inside)


def _lung_of(side: Side) -> Region:
    return Region.RIGHT_LUNG if side == Side.RIGHT else Region.LEFT_LUNG
