"""The lung's framework: thickened interlobular septa, scars and fibrosis."""

from dataclasses import dataclass

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Canvas, Point
from models.phantoms.findings import Finding, Lobe, Side
from models.phantoms.lesions.airspace import in_lobes
from models.phantoms.lesions.lesion import Layer
from models.phantoms.lesions.parenchyma import whole_lungs
from models.phantoms.lesions.shapes import (
    Tube,
    ellipsoid_radius,
    lobules,
    lung_of,
    mark,
    mark_tube,
    noise_between,
    paint_tube,
    raise_to,
)


@dataclass(frozen=True)
class SeptalLines:
    """Thin lines between the lobules of one lung, up to `top_mm` and within `depth_mm` of its outer surface."""

    side: Side
    top_mm: float
    depth_mm: float
    width_mm: float
    strength: float
    seed: int
    finding: Finding | None = Finding.SEPTAL_THICKENING
    layer: Layer = Layer.LUNG

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return 0.0, self.top_mm

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        low, high = whole_lungs(anatomy)
        low, high = (low[0], low[1], -60.0), (high[0], high[1], self.top_mm)
        low, high = (low, (0.0, *high[1:])) if self.side == Side.RIGHT else ((0.0, *low[1:]), high)
        box = canvas.box(low, high)
        if box is None:
            return
        lung = canvas.region[box.index] == lung_of(self.side)
        gap, _ = lobules(box, self.seed)
        # Septa come in groups and end: coarse noise says where, fine noise breaks them off.
        patches = noise_between(box, low, high, self.seed, 32.0)
        breaks = noise_between(box, low, high, self.seed + 1, 11.0)
        outer = np.sqrt((box.x / anatomy.cavity_x_mm) ** 2 + (box.y / anatomy.cavity_y_mm) ** 2)
        rim = 1.0 - (1.0 - outer) * anatomy.cavity_y_mm / self.depth_mm
        base = np.minimum((self.top_mm - box.z) / 25.0, 1.0)
        there = np.clip((np.minimum(rim, base) + 0.4 * patches + 0.4 * breaks - 0.3) / 0.4, 0.0, 1.0) * lung
        pixel = canvas.grid.pixel_mm
        line = np.clip(
            (0.5 * self.width_mm + 0.3 * pixel - gap) / (0.6 * pixel), 0.0, min(1.0, 1.3 * self.width_mm / pixel)
        )
        raise_to(canvas, box, self.strength * there * line, -120.0)
        mark(canvas, self.finding, box, (there > 0.5) & (gap < 0.5 * self.width_mm + 0.5 * pixel))


@dataclass(frozen=True)
class Scar:
    """Fibrotic bands as bent tubes that run to the pleura, each with the pulled-in lung about it."""

    bands: tuple[tuple[Tube, ...], ...]
    hu: float
    finding: Finding | None = Finding.FIBROTIC_SEQUELA
    layer: Layer = Layer.LUNG

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        heights = [point[2] for band in self.bands for start, end, _ in band for point in (start, end)]
        return min(heights) - 2.0, max(heights) + 2.0

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        for band in self.bands:
            for tube in band:
                paint_tube(canvas, tube, self.hu)
                if self.finding is not None:
                    mark_tube(canvas, self.finding, tube)


@dataclass(frozen=True)
class ApicalScar:
    """An irregular cap of scarred lung with strands below it."""

    centre: Point
    axes: Point
    seed: int
    finding: Finding | None = Finding.FIBROTIC_SEQUELA
    layer: Layer = Layer.LUNG

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return self.centre[2] - self.axes[2], self.centre[2] + self.axes[2]

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        low = tuple(c - 1.5 * a for c, a in zip(self.centre, self.axes, strict=True))
        high = tuple(c + 1.5 * a for c, a in zip(self.centre, self.axes, strict=True))
        box = canvas.box(low, high)  # type: ignore[arg-type]
        if box is None:
            return
        strands = noise_between(box, low, high, self.seed, 6.0)  # type: ignore[arg-type]
        radius = ellipsoid_radius(box, self.centre, self.axes)
        share = np.clip((1.0 - radius + 0.35 * strands) / 0.3, 0.0, 1.0) * canvas.lungs(box)
        raise_to(canvas, box, share, -20.0)
        mark(canvas, self.finding, box, share > 0.4)


@dataclass(frozen=True)
class Reticulation:
    """A net of small meshes under the pleura of some lobes, with the lung between it made uneven."""

    lobes: frozenset[Lobe]
    depth_mm: float
    strength: float
    seed: int
    finding: Finding | None = Finding.FIBROTIC_SEQUELA
    layer: Layer = Layer.LUNG

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return -40.0, anatomy.height_mm

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        low, high = whole_lungs(anatomy)
        box = canvas.box(low, high)
        if box is None:
            return
        lung = canvas.lungs(box) & in_lobes(box, self.lobes, anatomy)
        outer = np.sqrt((box.x / anatomy.cavity_x_mm) ** 2 + (box.y / anatomy.cavity_y_mm) ** 2)
        patches = noise_between(box, low, high, self.seed, 30.0)
        inner = (1.0 - outer) * anatomy.cavity_y_mm
        there = np.clip((1.0 - inner / self.depth_mm + 0.3 * patches) / 0.4, 0.0, 1.0) * lung
        gap, number = lobules(box, self.seed, 0.4)
        net = np.clip(1.3 - gap, 0.0, 1.0) * (0.5 + number.astype(np.float32) / 512.0)
        raise_to(canvas, box, (self.strength * there * net).astype(np.float32), -150.0)
        mark(canvas, self.finding, box, there > 0.5)
