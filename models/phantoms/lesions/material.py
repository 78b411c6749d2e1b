"""Medical material: leads and generators, lines and ports, wires, valves, stents, screws, drains, tubes, implants."""

from dataclasses import dataclass
from itertools import pairwise

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Canvas, Point, Region, box_of_capsule, capsule_distance
from models.phantoms.findings import Finding
from models.phantoms.lesions.lesion import Layer
from models.phantoms.lesions.shapes import ellipsoid_radius, mark, tube_share


@dataclass(frozen=True)
class Wire:
    """A chain of straight pieces: solid, or hollow with a lumen of another CT number; mm."""

    points: tuple[Point, ...]
    radius_mm: float
    hu: float
    lumen_mm: float = 0.0
    lumen_hu: float = 0.0


@dataclass(frozen=True)
class Block:
    """A flat rounded body, such as a generator or the chamber of a port; half axes in mm."""

    centre: Point
    axes: Point
    hu: float
    shell_mm: float = 0.0
    """Thickness of the wall where it is hollow."""
    core_hu: float = 0.0


@dataclass(frozen=True)
class MedicalMaterial:
    """One piece of equipment as wires and blocks."""

    wires: tuple[Wire, ...] = ()
    blocks: tuple[Block, ...] = ()
    finding: Finding | None = Finding.MEDICAL_MATERIAL
    layer: Layer = Layer.METAL

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        lows = [p[2] - w.radius_mm for w in self.wires for p in w.points] + [
            b.centre[2] - b.axes[2] for b in self.blocks
        ]
        highs = [p[2] + w.radius_mm for w in self.wires for p in w.points]
        return min(lows), max(highs + [b.centre[2] + b.axes[2] for b in self.blocks])

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        for wire in self.wires:
            self._paint_wire(canvas, wire, wire.radius_mm, wire.hu, visible=True)
            if wire.lumen_mm > 0.0:
                self._paint_wire(canvas, wire, wire.lumen_mm, wire.lumen_hu, visible=False)
        for block in self.blocks:
            self._paint_block(canvas, block)

    def _paint_wire(self, canvas: Canvas, wire: Wire, radius: float, hu: float, visible: bool) -> None:
        pixel = canvas.grid.pixel_mm
        for start, end in pairwise(wire.points):
            box = box_of_capsule(canvas, start, end, radius + pixel)
            if box is None:
                continue
            body = canvas.region[box.index] != Region.OUTSIDE
            distance, _ = capsule_distance(box, start, end)
            canvas.blend(box, tube_share(distance, radius, pixel) * body, hu)
            if visible:
                mark(canvas, self.finding, box, (distance < max(radius, 0.6 * pixel)) & body)

    def _paint_block(self, canvas: Canvas, block: Block) -> None:
        with canvas.around(block.centre, max(block.axes) + 2.0) as box:
            if box is None:
                return
            size = min(block.axes)
            surface = (ellipsoid_radius(box, block.centre, block.axes) - 1.0) * size
            inside = surface < 0.0
            part = canvas.hu[box.index]
            part[inside] = block.hu
            if block.shell_mm > 0.0:
                part[surface < -block.shell_mm] = block.core_hu
            region = canvas.region[box.index]
            region[inside & (region == Region.OUTSIDE)] = Region.WALL
            mark(canvas, self.finding, box, inside)
