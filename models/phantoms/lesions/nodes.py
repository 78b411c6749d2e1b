"""Lymph nodes of mediastinum, hila and axillae."""

from dataclasses import dataclass

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Box, Canvas, Point, Region
from models.phantoms.findings import Finding
from models.phantoms.lesions.lesion import Layer
from models.phantoms.lesions.shapes import ellipsoid_share, mark, ripple


@dataclass(frozen=True)
class Node:
    """A lymph node; half axes in mm. Its short axis is twice the smaller of the first two."""

    centre: Point
    axes: Point
    hu: float
    fatty: bool
    """With a fatty hilum, as healthy nodes often have."""
    seed: int
    finding: Finding | None = Finding.LYMPHADENOPATHY
    layer: Layer = Layer.LUNG

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """See Lesion."""
        return self.centre[2] - self.axes[2], self.centre[2] + self.axes[2]

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """See Lesion."""
        with canvas.around(self.centre, 1.3 * max(self.axes) + 4.0) as box:
            if box is None:
                return
            lumps = 0.08 * ripple(box, self.centre, self.seed, 1.5 * max(self.axes))
            # A node takes the room of fat and lung, never that of airway, heart, bone or enhanced vessel.
            part, region = canvas.hu[box.index], canvas.region[box.index]
            room = canvas.lungs(box) | ((part > -400.0) & (part < 85.0))
            room &= (region != Region.OUTSIDE) & (region != Region.HEART) & (region != Region.AIRWAY)
            share = ellipsoid_share(box, self.centre, self.axes, lumps) * room
            self._lay_in_fat(canvas, box)
            canvas.blend(box, share, self.hu + 0.2 * anatomy.contrast_hu)
            if self.fatty:
                a, b, c = (0.4 * axis for axis in self.axes)
                x, y, z = self.centre
                hilum = ellipsoid_share(box, (x + 0.3 * a, y, z), (a, b, c)) * (share > 0.5)
                canvas.blend(box, hilum, -80.0)
            mark(canvas, self.finding, box, share > 0.4)

    def _lay_in_fat(self, canvas: Canvas, box: Box) -> None:
        """In the axilla a node lies in fat, which parts it from the muscles."""
        part = canvas.hu[box.index]
        muscle = (canvas.region[box.index] == Region.WALL) & (part > 0.0) & (part < 85.0)
        a, b, c = (axis + 2.5 for axis in self.axes)
        canvas.blend(box, ellipsoid_share(box, self.centre, (a, b, c)) * muscle, -95.0)
