"""Lung that holds too much or unequal air: emphysema and mosaic attenuation."""

from dataclasses import dataclass

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Box, Canvas, Floats, Point, edge
from models.phantoms.findings import Finding
from models.phantoms.lesions.lesion import Layer
from models.phantoms.lesions.shapes import (
    darken_to,
    ellipsoid_radius,
    lobules,
    mark,
    noise_between,
    raise_to,
)


def whole_lungs(anatomy: Anatomy) -> tuple[Point, Point]:
    """Corners in mm of a box that holds both lungs."""
    x, y = 1.12 * anatomy.cavity_x_mm, 1.25 * anatomy.cavity_y_mm
    return (-x, -y, -60.0), (x, y, 1.03 * anatomy.height_mm)


@dataclass(frozen=True)
class CentrilobularEmphysema:
    """Many small black holes without a wall, thickest between `low_mm` and `high_mm`."""

    low_mm: float
    high_mm: float
    share: float
    """How much of the lung it takes, about 0.05 to 0.4, where it is thickest."""
    hole_mm: float
    seed: int
    finding: Finding | None = Finding.EMPHYSEMA
    layer: Layer = Layer.BODY

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return self.low_mm, self.high_mm

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        low, high = whole_lungs(anatomy)
        low, high = (low[0], low[1], self.low_mm), (high[0], high[1], self.high_mm)
        box = canvas.box(low, high)
        if box is None:
            return
        fade = np.minimum(box.z - self.low_mm, self.high_mm - box.z + 30.0) / 40.0
        patches = noise_between(box, low, high, self.seed + 1, 38.0)
        holes = noise_between(box, low, high, self.seed, self.hole_mm)
        holes -= np.float32(1.75 - 2.2 * self.share)
        holes += 0.45 * patches + np.minimum(fade - 1.0, 0.0)
        share = np.clip(holes / 0.5, 0.0, 1.0) * canvas.lungs(box)
        darken_to(canvas, box, share, -985.0)
        mark(canvas, self.finding, box, share > 0.4)


@dataclass(frozen=True)
class Bullae:
    """Air spaces with a thin wall (x, y, z, radius in mm): paraseptal rows, or single large ones."""

    spaces: tuple[tuple[float, float, float, float], ...]
    finding: Finding | None = Finding.EMPHYSEMA
    layer: Layer = Layer.LUNG

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return min(s[2] - s[3] for s in self.spaces), max(s[2] + s[3] for s in self.spaces)

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        for x, y, z, radius in self.spaces:
            with canvas.around((x, y, z), radius + 2.0) as box:
                if box is not None:
                    self._paint_space(canvas, box, (x, y, z), radius)

    def _paint_space(self, canvas: Canvas, box: Box, centre: Point, radius: float) -> None:
        pixel, lung = canvas.grid.pixel_mm, canvas.lungs(box)
        surface = (ellipsoid_radius(box, centre, (radius, radius, 1.2 * radius)) - 1.0) * radius
        shell = edge(np.abs(surface) - 0.5, pixel) * np.float32(min(1.0, 1.0 / pixel)) * lung
        raise_to(canvas, box, shell, -350.0)
        inside = edge(surface + 0.6, pixel) * lung
        canvas.blend(box, inside, -992.0)
        mark(canvas, self.finding, box, inside > 0.5)


@dataclass(frozen=True)
class Mosaic:
    """Sharply bounded lobules of darker lung between brighter ones; the vessels in the dark ones are smaller.

    Air trapping or small-vessel disease: Fleischner glossary, Radiology 2008;246:697. Painted after the vessels, so
    that those of dark lobules thin out.
    """

    share: float
    """Share of the lobules that are dark."""
    contrast_hu: float
    seed: int
    finding: Finding | None = Finding.MOSAIC_ATTENUATION
    layer: Layer = Layer.LUNG

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return 0.0, 0.85 * anatomy.height_mm

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        low, high = whole_lungs(anatomy)
        box = canvas.box(low, high)
        if box is None:
            return
        gap, number = lobules(box, self.seed, 1.6)
        areas = noise_between(box, low, high, self.seed, 45.0)
        # A lobule is dark as a whole; neighbours are alike, so that geographic areas arise.
        dark = (number.astype(np.float32) / 255.0 - 0.5 + 0.55 * areas) < (self.share - 0.5) * 1.6
        lung = canvas.lungs(box)
        depth = dark * np.clip(gap / 2.0 + 0.25, 0.0, 1.0) * lung
        self._thin_vessels(canvas, box, depth)
        part = canvas.hu[box.index]
        air = lung & (part < -550.0)
        part += air * (self.contrast_hu * (0.55 * ~dark - 0.45 * depth)).astype(np.float32)
        mark(canvas, self.finding, box, dark & lung)

    def _thin_vessels(self, canvas: Canvas, box: Box, depth: Floats) -> None:
        part = canvas.hu[box.index]
        thin = (part > -700.0) & (part < -150.0)
        part -= thin * depth * (part + 780.0) * np.float32(0.6)
