"""Diseased bronchi: branches of the airway tree made too wide, or given too thick a wall."""

from dataclasses import dataclass

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Canvas, Floats
from models.phantoms.findings import Finding
from models.phantoms.lesions.lesion import Layer
from models.phantoms.lesions.shapes import paint_tubes
from models.phantoms.tree import grow
from models.phantoms.tubes import Tubes


@dataclass(frozen=True)
class Airways:
    """Some bronchi of the tree, by number, painted anew beside their arteries.

    A lumen wider than its artery is bronchiectasis, in cross-section the signet ring; a thick wall about a lumen of
    normal width is peribronchial thickening. Fleischner glossary, Radiology 2008;246:697.
    """

    bronchi: tuple[int, ...]
    ratio: float | None
    """Lumen over artery; None leaves the lumen as it is."""
    wall_mm: float
    unevenness: float
    """How much the width changes from branch to branch: varicose and cystic bronchi."""
    seed: int
    finding: Finding | None
    wall_hu: float = 15.0
    layer: Layer = Layer.LUNG

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        lumen = self.lumen(anatomy)
        heights = np.concatenate([lumen.start[:, 2], lumen.end[:, 2]])
        return float(heights.min()) - 3.0, float(heights.max()) + 3.0

    def lumen(self, anatomy: Anatomy) -> Tubes:
        """The lumens: moved away from their arteries by as much as they are wider."""
        tree, chosen = grow(anatomy), np.array(self.bronchi)
        bronchus, artery = tree.bronchus_plexus.tubes.subset(chosen), tree.artery_plexus.tubes.subset(chosen)
        if self.ratio is None:
            return bronchus
        waves = np.random.default_rng(self.seed).uniform(-1.0, 1.0, (2, len(chosen)))
        swell = (1.0 + self.unevenness * waves).astype(np.float32)
        first = self.ratio * artery.start_radius * swell[0]
        last = self.ratio * artery.end_radius * swell[1]
        start = _beside(artery.start, bronchus.start, artery.start_radius + first + self.wall_mm)
        end = _beside(artery.end, bronchus.end, artery.end_radius + last + self.wall_mm)
        parent = tree.bronchus_plexus.parent[chosen]
        at = {int(number): place for place, number in enumerate(chosen)}
        for place, number in enumerate(parent):
            if int(number) in at:
                start[place] = end[at[int(number)]]
        return Tubes(start, end, first, last)

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        lumen = self.lumen(anatomy)
        wall = Tubes(lumen.start, lumen.end, lumen.start_radius + self.wall_mm, lumen.end_radius + self.wall_mm)
        paint_tubes(canvas, wall, self.wall_hu, self.finding)
        paint_tubes(canvas, lumen, -980.0, None)


def _beside(artery: Floats, bronchus: Floats, distance: Floats) -> Floats:
    way = bronchus - artery
    beside: Floats = artery + way / (np.linalg.norm(way, axis=1, keepdims=True) + 1e-6) * distance[:, None]
    return beside
