"""Calcified plaques in the walls of arteries."""

from dataclasses import dataclass

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Canvas, Point, Region, box_of_capsule, capsule_distance
from models.phantoms.findings import Finding
from models.phantoms.lesions.lesion import Layer
from models.phantoms.lesions.shapes import mark, raise_to, tube_share


@dataclass(frozen=True)
class Plaque:
    """A short piece of wall; radius in mm."""

    start: Point
    end: Point
    radius_mm: float
    hu: float


@dataclass(frozen=True)
class Plaques:
    """Calcified plaques outside the lungs."""

    finding: Finding | None
    pieces: tuple[Plaque, ...]
    layer: Layer = Layer.LUNG

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        heights = [point[2] for piece in self.pieces for point in (piece.start, piece.end)]
        return min(heights) - 1.5, max(heights) + 1.5

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        for piece in self.pieces:
            pixel = canvas.grid.pixel_mm
            box = box_of_capsule(canvas, piece.start, piece.end, piece.radius_mm + pixel)
            if box is None:
                continue
            region = canvas.region[box.index]
            room = ~canvas.lungs(box) & (region != Region.OUTSIDE)
            distance, _ = capsule_distance(box, piece.start, piece.end)
            raise_to(canvas, box, tube_share(distance, piece.radius_mm, pixel) * room, piece.hu)
            mark(canvas, self.finding, box, (distance < np.maximum(piece.radius_mm, 0.6 * pixel)) & room)
