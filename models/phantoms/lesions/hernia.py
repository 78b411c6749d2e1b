"""Hiatal hernia."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Box, Canvas, Point, Region
from models.phantoms.findings import Finding
from models.phantoms.lesions.lesion import Layer
from models.phantoms.lesions.shapes import ellipsoid_radius, mark, ripple


@dataclass(frozen=True)
class HiatalHernia:
    """Stomach behind the heart: a wall with folds, its content, gas in front (the patient lies on the back)."""

    centre: Point
    axes: Point
    gas_share: float
    content_hu: float
    seed: int
    finding: Finding | None = Finding.HIATAL_HERNIA
    layer: Layer = Layer.BODY

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return self.centre[2] - self.axes[2], self.centre[2] + self.axes[2]

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        with canvas.around(self.centre, 1.25 * max(self.axes) + 2.0) as box:
            if box is None:
                return
            radius = ellipsoid_radius(box, self.centre, self.axes)
            lumps = ripple(box, self.centre, self.seed, 1.8 * max(self.axes))
            radius = radius + 0.09 * lumps
            room = np.isin(canvas.region[box.index], _ROOM) & ~_aorta(box, anatomy)
            inside = (radius < 1.0) & room
            wall = (3.0 + 1.2 * ripple(box, self.centre, self.seed + 1, 14.0)) / min(self.axes)
            content = inside & (radius < 1.0 - wall)
            gas = content & (box.y < self.centre[1] - self.axes[1] * (0.8 - 1.3 * self.gas_share))
            hu, region = canvas.hu[box.index], canvas.region[box.index]
            hu[inside] = 42.0 + 0.25 * anatomy.contrast_hu
            hu[content], hu[gas] = self.content_hu, -960.0
            region[inside] = Region.MEDIASTINUM
            mark(canvas, self.finding, box, inside)


def _aorta(box: Box, anatomy: Anatomy) -> NDArray[np.bool_]:
    """The descending aorta, which a hernia does not cover; it nears the midline towards the diaphragm."""
    x, y = anatomy.descending_mm
    low = np.clip((0.45 * anatomy.height_mm - box.z) / (0.45 * anatomy.height_mm - 20.0), 0.0, 1.5)
    dx, dy = box.x - x + 9.0 * anatomy.scale * low, box.y - y - 3.0 * low
    aorta: NDArray[np.bool_] = dx**2 + dy**2 < (0.84 * anatomy.aorta_mm + 1.5) ** 2
    return aorta


_ROOM = (Region.RIGHT_LUNG, Region.LEFT_LUNG, Region.MEDIASTINUM, Region.BELOW_DIAPHRAGM)
