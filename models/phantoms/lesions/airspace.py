"""Air displaced from the airspaces: ground-glass opacity, consolidation, atelectasis."""

from dataclasses import dataclass

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Box, Canvas, Floats, Point
from models.phantoms.findings import Finding, Lobe
from models.phantoms.lesions.lesion import Layer
from models.phantoms.lesions.shapes import (
    Mask,
    Tube,
    ellipsoid_radius,
    lobules,
    mark,
    noise_between,
    paint_tube,
    raise_to,
    to_the_pleura,
)
from models.phantoms.lobes import lobe_at

_NUMBER = {lobe: number for number, lobe in enumerate(Lobe)}


def in_lobes(box: Box, lobes: frozenset[Lobe], anatomy: Anatomy) -> Mask:
    """The places of a box that belong to one of the lobes."""
    inside: Mask = np.isin(lobe_at(box.x, box.y, box.z, anatomy), [_NUMBER[lobe] for lobe in lobes])
    return inside


def _bounds(centre: Point, reach: Point) -> tuple[Point, Point]:
    (x, y, z), (a, b, c) = centre, reach
    return (x - a, y - b, z - c), (x + a, y + b, z + c)


@dataclass(frozen=True)
class Opacity:
    """A patch of ground glass: denser lung through which the vessels are still seen.

    `paving` draws thickened septa into it (crazy paving). Fleischner glossary: Radiology 2008;246:697.
    """

    centre: Point
    axes: Point
    density_hu: float
    """What it adds to the lung at its densest."""
    paving: float
    seed: int
    finding: Finding | None = Finding.LUNG_OPACITY
    layer: Layer = Layer.LUNG

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return self.centre[2] - self.axes[2], self.centre[2] + self.axes[2]

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        low, high = _bounds(self.centre, (1.35 * self.axes[0], 1.35 * self.axes[1], 1.35 * self.axes[2]))
        box = canvas.box(low, high)
        if box is None:
            return
        lung = canvas.lungs(box)
        if not lung.any():
            return
        radius = ellipsoid_radius(box, self.centre, self.axes)
        coarse = noise_between(box, low, high, self.seed, 0.55 * min(self.axes))
        fine = noise_between(box, low, high, self.seed + 1, 7.0)
        share = np.clip((1.0 - radius + 0.26 * coarse + 0.15 * fine) / 0.35, 0.0, 1.0) * lung
        level = canvas.hu[box.index] + self.density_hu * (1.0 + 0.14 * fine)
        raise_to(canvas, box, share * (canvas.hu[box.index] < -450.0), np.minimum(level, -330.0))
        if self.paving > 0.0:
            gap, _ = lobules(box, self.seed, 0.55)
            raise_to(canvas, box, share * self.paving * np.clip(1.2 - gap, 0.0, 1.0), -150.0)
        mark(canvas, self.finding, box, share > 0.4)


@dataclass(frozen=True)
class Consolidation:
    """Airspace filled in part of one lobe, bounded by its fissures, with bronchi still holding air."""

    centre: Point
    axes: Point
    lobe: Lobe
    bronchi: tuple[Tube, ...]
    seed: int
    finding: Finding | None = Finding.CONSOLIDATION
    layer: Layer = Layer.LUNG

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return self.centre[2] - self.axes[2], self.centre[2] + self.axes[2]

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        low, high = _bounds(self.centre, (1.4 * self.axes[0], 1.4 * self.axes[1], 1.4 * self.axes[2]))
        box = canvas.box(low, high)
        if box is None:
            return
        lung = to_the_pleura(canvas, box, canvas.lungs(box) & in_lobes(box, frozenset({self.lobe}), anatomy))
        share = self._share(box, low, high) * lung
        fine = noise_between(box, low, high, self.seed + 1, 9.0)
        raise_to(canvas, box, 0.97 * share, 32.0 + 0.18 * anatomy.contrast_hu + 10.0 * fine)
        for tube in self.bronchi:
            self._open(canvas, tube)
        mark(canvas, self.finding, box, share > 0.5)

    def _share(self, box: Box, low: Point, high: Point) -> Floats:
        radius = ellipsoid_radius(box, self.centre, self.axes)
        coarse = noise_between(box, low, high, self.seed, 0.5 * min(self.axes))
        fine = noise_between(box, low, high, self.seed + 2, 6.0)
        share: Floats = np.clip((1.0 - radius + 0.2 * coarse + 0.14 * fine) / 0.3, 0.0, 1.0)
        return share

    def _open(self, canvas: Canvas, tube: Tube) -> None:
        """Air in a bronchus where it runs through filled lung."""
        paint_tube(canvas, tube, -880.0)


@dataclass(frozen=True)
class Plate:
    """A band or plate of collapsed lung across the given normal: a bent disc of uneven thickness; mm."""

    centre: Point
    normal: Point
    radius_mm: float
    thickness_mm: float
    hu: float
    seed: int
    finding: Finding | None = Finding.ATELECTASIS
    layer: Layer = Layer.LUNG

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        reach = self.radius_mm * float(np.sqrt(1.0 - self.normal[2] ** 2)) + self.thickness_mm
        return self.centre[2] - reach, self.centre[2] + reach

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        reach = self.radius_mm + self.thickness_mm
        low, high = _bounds(self.centre, (reach, reach, reach))
        box = canvas.box(low, high)
        if box is None:
            return
        dx, dy, dz = (axis - place for axis, place in zip((box.x, box.y, box.z), self.centre, strict=True))
        bend = noise_between(box, low, high, self.seed, 24.0)
        across = dx * self.normal[0] + dy * self.normal[1] + dz * self.normal[2] + 1.8 * bend
        along = np.sqrt(np.clip(dx**2 + dy**2 + dz**2 - across**2, 0.0, None)) / self.radius_mm
        half = 0.5 * self.thickness_mm * np.clip(3.0 * (1.05 - along), 0.0, 1.0) * (1.0 + 0.3 * bend)
        soft = max(canvas.grid.pixel_mm, 0.3 * self.thickness_mm)
        share = np.clip(0.5 - (np.abs(across) - half) / soft, 0.0, 1.0) * (along < 1.0) * canvas.lungs(box)
        raise_to(canvas, box, share, self.hu)
        mark(canvas, self.finding, box, share > 0.4)


@dataclass(frozen=True)
class DependentCollapse:
    """Lung collapsed at the back of one lower lobe, of uneven depth, with bronchi crowded in it."""

    lobe: Lobe
    level_mm: float
    """y from which the lung is collapsed at the lung's base."""
    top_mm: float
    seed: int
    finding: Finding | None = Finding.ATELECTASIS
    layer: Layer = Layer.LUNG

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return -40.0, self.top_mm

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        low, high = (-200.0, self.level_mm - 25.0, -60.0), (200.0, 160.0, self.top_mm)
        box = canvas.box(low, high)
        if box is None:
            return
        lung = to_the_pleura(canvas, box, canvas.lungs(box) & in_lobes(box, frozenset({self.lobe}), anatomy))
        rise = 26.0 * np.clip((box.z + 20.0) / (self.top_mm + 20.0), 0.0, 1.0) ** 2
        depth = box.y - self.level_mm - rise + 4.0 * noise_between(box, low, high, self.seed, 22.0)
        depth = depth + 1.5 * noise_between(box, low, high, self.seed + 1, 7.0)
        share = np.clip(depth / 5.0, 0.0, 1.0) * lung
        raise_to(canvas, box, 0.95 * share, 40.0 + 0.3 * anatomy.contrast_hu)
        mark(canvas, self.finding, box, share > 0.5)
