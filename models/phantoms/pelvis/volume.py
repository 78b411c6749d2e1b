"""The volume of labels that all series are rendered from, and shapes painted into small boxes of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.phantoms.canvas import Floats, Point
from models.phantoms.pelvis.tissue import Tissue

Bools = NDArray[np.bool_]
Labels = NDArray[np.uint8]
EVERYWHERE: frozenset[Tissue] = frozenset(Tissue)


@dataclass(frozen=True, eq=False)
class Box:
    """A part of a volume with its coordinates in mm, shaped to broadcast to [z, y, x]."""

    index: tuple[slice, slice, slice]
    z: Floats
    y: Floats
    x: Floats


@dataclass(frozen=True, eq=False)
class Volume:
    """Labels uint8 [z, y, x] on cubes of `voxel_mm`; x to the left, y to the back, z to the head."""

    labels: Labels
    origin_mm: Point
    """x, y, z of the centre of the first voxel."""
    voxel_mm: float

    @classmethod
    def empty(cls, low: Point, high: Point, voxel_mm: float) -> "Volume":
        """Air between two corners."""
        counts = [round((b - a) / voxel_mm) + 1 for a, b in zip(low, high, strict=True)]
        return cls(np.zeros(counts[::-1], np.uint8), low, voxel_mm)

    def moved(self, by_mm: Point) -> "Volume":
        """The same labels elsewhere."""
        x, y, z = (a + b for a, b in zip(self.origin_mm, by_mm, strict=True))
        return replace(self, origin_mm=(x, y, z))

    def mask(self, *tissues: Tissue) -> Bools:
        """Voxels of any of some tissues."""
        chosen = np.zeros(256, bool)
        chosen[[int(tissue) for tissue in tissues]] = True
        return chosen[self.labels]

    def axis_mm(self, axis: int) -> Floats:
        """Positions along x (0), y (1) or z (2)."""
        count = self.labels.shape[2 - axis]
        return (self.origin_mm[axis] + self.voxel_mm * np.arange(count)).astype(np.float32)

    def box(self, low: Sequence[float], high: Sequence[float]) -> Box | None:
        """The voxels between two corners in mm; None where there are none."""
        spans = []
        for axis in range(3):
            count = self.labels.shape[2 - axis]
            first = int(np.ceil((low[axis] - self.origin_mm[axis]) / self.voxel_mm))
            last = int(np.floor((high[axis] - self.origin_mm[axis]) / self.voxel_mm)) + 1
            spans.append(slice(max(first, 0), min(last, count)))
        if any(span.start >= span.stop for span in spans):
            return None
        x, y, z = (self.axis_mm(axis)[span] for axis, span in enumerate(spans))
        return Box((spans[2], spans[1], spans[0]), z[:, None, None], y[None, :, None], x[None, None, :])

    def paint(self, box: Box, inside: Bools, tissue: Tissue, over: Collection[Tissue] = EVERYWHERE) -> Bools:
        """Labels the voxels of a box that lie inside and whose tissue may be replaced; gives those it has labelled."""
        part = self.labels[box.index]
        painted = inside
        if over is not EVERYWHERE:
            allowed = np.zeros(256, bool)
            allowed[[int(each) for each in over]] = True
            painted = inside & allowed[part]
        part[painted] = tissue
        return painted


def ellipsoid(volume: Volume, centre: Point, axes_mm: Point, tilt_deg: float = 0.0) -> tuple[Box, Floats] | None:
    """A box about an ellipsoid and the signed distance to it (about, mm); `tilt_deg` turns its head end to the back."""
    reach = max(axes_mm) + 3.0
    box = volume.box([c - reach for c in centre], [c + reach for c in centre])
    if box is None:
        return None
    dx, dy, dz = box.x - centre[0], box.y - centre[1], box.z - centre[2]
    cos, sin = np.float32(np.cos(np.deg2rad(tilt_deg))), np.float32(np.sin(np.deg2rad(tilt_deg)))
    u, v = cos * dy - sin * dz, sin * dy + cos * dz
    norm = np.sqrt((dx / axes_mm[0]) ** 2 + (u / axes_mm[1]) ** 2 + (v / axes_mm[2]) ** 2)
    return box, np.asarray((norm - 1.0) * min(axes_mm), np.float32)


def capsule(volume: Volume, start: Point, end: Point, radii_mm: tuple[float, float]) -> tuple[Box, Floats] | None:
    """A box about a rod and the signed distance to it, mm; the radius runs from one end to the other."""
    reach = max(radii_mm) + 3.0
    low = [min(a, b) - reach for a, b in zip(start, end, strict=True)]
    box = volume.box(low, [max(a, b) + reach for a, b in zip(start, end, strict=True)])
    if box is None:
        return None
    step = np.subtract(end, start).astype(np.float32)
    length2 = float(step @ step) or 1e-6
    dx, dy, dz = box.x - start[0], box.y - start[1], box.z - start[2]
    along = np.clip((dx * step[0] + dy * step[1] + dz * step[2]) / length2, 0.0, 1.0)
    gap = (dx - along * step[0]) ** 2 + (dy - along * step[1]) ** 2 + (dz - along * step[2]) ** 2
    return box, np.asarray(np.sqrt(gap) - radii_mm[0] - (radii_mm[1] - radii_mm[0]) * along, np.float32)


def paint_vessel(
    volume: Volume,
    points: Sequence[Point],
    radii_mm: Sequence[float],
    tissue: Tissue,
    over: Collection[Tissue] = EVERYWHERE,
) -> None:
    """A tube along a line of points."""
    for index in range(len(points) - 1):
        rod = capsule(volume, points[index], points[index + 1], (radii_mm[index], radii_mm[index + 1]))
        if rod is not None:
            volume.paint(rod[0], rod[1] < 0.0, tissue, over)


def surface_points(field: Floats, box: Box) -> Floats:
    """Points x, y, z in mm, shape [points, 3], where a signed distance over a box changes its sign."""
    axes = (box.z.ravel(), box.y.ravel(), box.x.ravel())
    found = []
    for axis in range(3):
        count = field.shape[axis]
        before, after = field.take(range(count - 1), axis), field.take(range(1, count), axis)
        crossing = np.nonzero((before < 0.0) != (after < 0.0))
        a, b = before[crossing], after[crossing]
        share = a / (a - b)
        place = [axes[k][crossing[k]] for k in range(3)]
        nxt = axes[axis][crossing[axis] + 1]
        place[axis] = place[axis] + share * (nxt - place[axis])
        found.append(np.stack(place[::-1], 1))
    return np.concatenate(found).astype(np.float32)
