"""Lung nodules: solid, part-solid, ground-glass, calcified; smooth, lobulated, spiculated."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Canvas, Point
from models.phantoms.findings import Finding
from models.phantoms.lesions.lesion import Layer
from models.phantoms.lesions.shapes import ellipsoid_share, mark, paint_tube, raise_to, ripple


class Margin(Enum):
    """A nodule's surface."""

    SMOOTH = "smooth"
    LOBULATED = "lobulated"
    SPICULATED = "spiculated"


_LUMPS = {Margin.SMOOTH: 0.05, Margin.LOBULATED: 0.22, Margin.SPICULATED: 0.16}


@dataclass(frozen=True)
class Nodule:
    """One nodule; half axes in mm. `core` is the solid part of a part-solid one, as a share of its axes."""

    centre: Point
    axes: Point
    hu: float
    margin: Margin
    seed: int
    core: float = 0.0
    calcium: float = 0.0
    """Share of its axes that is calcified."""
    finding: Finding | None = Finding.LUNG_NODULE
    layer: Layer = Layer.LUNG

    @property
    def diameter_mm(self) -> float:
        """Mean of its diameters."""
        return 2.0 * float(np.mean(self.axes))

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return self.centre[2] - self.axes[2], self.centre[2] + self.axes[2]

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        if self.margin == Margin.SPICULATED:
            self._paint_spicules(canvas)
        with canvas.around(self.centre, 1.35 * max(self.axes) + 2.0) as box:
            if box is None:
                return
            size = float(np.mean(self.axes))
            lumps = _LUMPS[self.margin] * ripple(box, self.centre, self.seed, 2.2 * size)
            lung = canvas.lungs(box)
            share = ellipsoid_share(box, self.centre, self.axes, lumps) * lung
            raise_to(canvas, box, share, self.hu)
            for part, hu in ((self.core, 30.0), (self.calcium, 420.0)):
                if part > 0.0:
                    a, b, c = (part * axis for axis in self.axes)
                    raise_to(canvas, box, ellipsoid_share(box, self.centre, (a, b, c), lumps) * lung, hu)
            mark(canvas, self.finding, box, share > 0.4)

    def _paint_spicules(self, canvas: Canvas) -> None:
        rng = np.random.default_rng(self.seed + 1)
        size = float(np.mean(self.axes))
        for way in rng.standard_normal((int(rng.integers(9, 16)), 3)):
            way = way / np.linalg.norm(way)
            middle = np.add(self.centre, way * size * 0.8)
            tip = np.add(self.centre, way * size * rng.uniform(1.35, 1.9) + rng.normal(0.0, 0.5, 3))
            start, end = (tuple(float(v) for v in point) for point in (middle, tip))
            paint_tube(canvas, (start, end, 0.09 * size), self.hu - 120.0)  # type: ignore[arg-type]
