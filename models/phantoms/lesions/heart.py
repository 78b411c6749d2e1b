"""The heart and its sac; the anatomy is drawn with them, here the masks are taken."""

from dataclasses import dataclass

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.body import heart_radius, level_of
from models.phantoms.canvas import Canvas, Region
from models.phantoms.findings import Finding
from models.phantoms.lesions.lesion import Layer


@dataclass(frozen=True)
class LargeHeart:
    """Cardiomegaly: the anatomy is drawn large."""

    finding: Finding | None = Finding.CARDIOMEGALY
    layer: Layer = Layer.BODY

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return heart_range(anatomy, 0.85)

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        low, high = self.z_range(anatomy)
        box = canvas.box((-250.0, -250.0, low), (250.0, 250.0, high))
        if box is not None and self.finding is not None:
            canvas.mark(self.finding, box, canvas.region[box.index] == Region.HEART)


@dataclass(frozen=True)
class PericardialEffusion:
    """Fluid about the heart: the anatomy is drawn with it."""

    finding: Finding | None = Finding.PERICARDIAL_EFFUSION
    layer: Layer = Layer.BODY

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return heart_range(anatomy, 1.0)

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        low, high = self.z_range(anatomy)
        mean = float(np.mean(anatomy.heart_axes_mm))
        inner = 1.0 + anatomy.epicardial_fat_mm / mean
        outer = inner + anatomy.pericardial_fluid_mm / mean
        for index in np.flatnonzero((canvas.grid.z_mm > low) & (canvas.grid.z_mm < high)):
            z = float(canvas.grid.z_mm[index])
            box = canvas.box((-250.0, -250.0, z - 0.01), (250.0, 250.0, z + 0.01))
            radius, _, _ = heart_radius(level_of(canvas.grid, anatomy, z), anatomy)
            fluid = (radius > inner) & (radius < outer) & (canvas.region[index] == Region.HEART)
            if box is not None and self.finding is not None:
                canvas.mark(self.finding, box, fluid[None])


def heart_range(anatomy: Anatomy, share: float) -> tuple[float, float]:
    """Lowest and highest z of a share of the heart's height."""
    z, half = anatomy.heart_centre_mm[2], anatomy.heart_axes_mm[2] * share
    return z - half, z + half
