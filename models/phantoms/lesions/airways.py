"""Diseased bronchi beside their arteries: too wide, or with too thick a wall."""

from dataclasses import dataclass

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Canvas, Point, box_of_capsule, capsule_distance
from models.phantoms.findings import Finding
from models.phantoms.lesions.lesion import Layer
from models.phantoms.lesions.shapes import raise_to, tube_share


@dataclass(frozen=True)
class Airway:
    """A piece of a bronchus: radius of the lumen and thickness of the wall in mm."""

    start: Point
    end: Point
    lumen_mm: float
    wall_mm: float


@dataclass(frozen=True)
class Airways:
    """Bronchi with the arteries that run beside them (start, end, radius).

    Normal: lumen about 0.7 of the artery, wall about a fifth of the lumen. A lumen wider than the artery is
    bronchiectasis, in cross-section the signet ring. Fleischner glossary, Radiology 2008;246:697.
    """

    bronchi: tuple[Airway, ...]
    arteries: tuple[tuple[Point, Point, float], ...]
    finding: Finding | None
    wall_hu: float = 10.0
    layer: Layer = Layer.LUNG

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        heights = [point[2] for airway in self.bronchi for point in (airway.start, airway.end)]
        return min(heights) - 4.0, max(heights) + 4.0

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        for start, end, radius in self.arteries:
            self._paint_artery(canvas, start, end, radius, 35.0 + 0.8 * anatomy.contrast_hu)
        for airway in self.bronchi:
            self._paint_wall(canvas, airway)
        for airway in self.bronchi:
            self._paint_lumen(canvas, airway)

    def _paint_artery(self, canvas: Canvas, start: Point, end: Point, radius: float, hu: float) -> None:
        box = box_of_capsule(canvas, start, end, radius + canvas.grid.pixel_mm)
        if box is not None:
            distance, _ = capsule_distance(box, start, end)
            raise_to(canvas, box, tube_share(distance, radius, canvas.grid.pixel_mm) * canvas.lungs(box), hu)

    def _paint_wall(self, canvas: Canvas, airway: Airway) -> None:
        outer = airway.lumen_mm + airway.wall_mm
        box = box_of_capsule(canvas, airway.start, airway.end, outer + canvas.grid.pixel_mm)
        if box is None:
            return
        distance, _ = capsule_distance(box, airway.start, airway.end)
        lung = canvas.lungs(box)
        raise_to(canvas, box, tube_share(distance, outer, canvas.grid.pixel_mm) * lung, self.wall_hu)
        if self.finding is not None:
            canvas.mark(self.finding, box, (distance < max(outer, 0.6 * canvas.grid.pixel_mm)) & lung)

    def _paint_lumen(self, canvas: Canvas, airway: Airway) -> None:
        box = box_of_capsule(canvas, airway.start, airway.end, airway.lumen_mm + canvas.grid.pixel_mm)
        if box is None:
            return
        distance, _ = capsule_distance(box, airway.start, airway.end)
        canvas.blend(box, tube_share(distance, airway.lumen_mm, canvas.grid.pixel_mm) * canvas.lungs(box), -975.0)
