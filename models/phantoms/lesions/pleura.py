"""Fluid in the pleural space: free, loculated, in a fissure."""

from dataclasses import dataclass

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Box, Canvas, Floats, Point, Region
from models.phantoms.findings import Finding, Side
from models.phantoms.lesions.lesion import Layer
from models.phantoms.lesions.shapes import Mask, ellipsoid_radius, lung_of, mark, noise_between, to_the_pleura


def fill_with_fluid(canvas: Canvas, box: Box, fluid: Mask, share: Floats, hu: float) -> None:
    """Turns lung into pleural fluid, with a soft edge given by `share`."""
    canvas.blend(box, share, hu)
    canvas.region[box.index][fluid] = Region.PLEURAL_FLUID


@dataclass(frozen=True)
class PleuralEffusion:
    """Free fluid behind one lung: a crescent, deepest at the base, that climbs the chest wall."""

    side: Side
    depth_mm: float
    rise_mm: float
    hu: float
    seed: int
    finding: Finding | None = Finding.PLEURAL_EFFUSION
    layer: Layer = Layer.BODY

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return -45.0, -45.0 + self.rise_mm

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        low, high = self.z_range(anatomy)
        reach = 1.2 * anatomy.cavity_x_mm
        first, last = (-reach, -200.0, low - 20.0), (reach, 200.0, high)
        box = canvas.box(first, last)
        if box is None:
            return
        level = self._level(box, first, last, anatomy)
        lung = to_the_pleura(canvas, box, canvas.region[box.index] == lung_of(self.side))
        share = np.clip(0.5 + (box.y - level) / 2.5, 0.0, 1.0) * lung
        squeezed = np.clip(1.0 - (level - box.y) / 7.0, 0.0, 1.0) * lung
        canvas.blend(box, 0.30 * squeezed, -250.0)
        fluid = lung & (box.y > level)
        fill_with_fluid(canvas, box, fluid, share, self.hu)
        mark(canvas, self.finding, box, fluid)

    def _level(self, box: Box, first: Point, last: Point, anatomy: Anatomy) -> Floats:
        """Height y of the fluid's front: a curve that follows the lung, not a straight line."""
        depth = self.depth_mm * np.sqrt(np.clip((last[2] - box.z) / self.rise_mm, 0.0, 1.0))
        lateral = (np.abs(box.x) - 0.45 * anatomy.cavity_x_mm) / (0.55 * anatomy.cavity_x_mm)
        meniscus = np.minimum(depth, 28.0) * np.sign(lateral) * np.abs(lateral) ** 2.2
        wave = noise_between(box, first, last, self.seed, 45.0)
        level: Floats = anatomy.cavity_y_mm - depth - 0.55 * meniscus + 0.07 * np.minimum(depth, 40.0) * wave
        return level


@dataclass(frozen=True)
class Loculation:
    """Fluid held in one place: a lens against the chest wall or in a fissure."""

    centre: Point
    axes: Point
    hu: float
    seed: int
    finding: Finding | None = Finding.PLEURAL_EFFUSION
    layer: Layer = Layer.BODY

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return self.centre[2] - self.axes[2], self.centre[2] + self.axes[2]

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        low = tuple(c - 1.2 * a for c, a in zip(self.centre, self.axes, strict=True))
        high = tuple(c + 1.2 * a for c, a in zip(self.centre, self.axes, strict=True))
        box = canvas.box(low, high)  # type: ignore[arg-type]
        if box is None:
            return
        size = min(self.axes)
        radius = ellipsoid_radius(box, self.centre, self.axes)
        wave = noise_between(box, low, high, self.seed, 0.8 * size)  # type: ignore[arg-type]
        surface = (radius - 1.0 + 0.05 * wave) * size
        lung = to_the_pleura(canvas, box, canvas.lungs(box))
        fluid = lung & (surface < 0.0)
        share = (np.clip(0.5 - surface / 2.0, 0.0, 1.0) * lung).astype(np.float32)
        fill_with_fluid(canvas, box, fluid, share, self.hu)
        mark(canvas, self.finding, box, fluid)
