"""The volume a phantom is painted on, and shapes painted into a small box of it with antialiased edges."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.phantoms.findings import Finding

Floats = NDArray[np.float32]
Point = tuple[float, float, float]
"""x, y, z in mm."""


class Region(IntEnum):
    """What a voxel belongs to."""

    OUTSIDE = 0
    RIGHT_LUNG = 1
    LEFT_LUNG = 2
    HEART = 3
    MEDIASTINUM = 4
    BELOW_DIAPHRAGM = 5
    WALL = 6
    PLEURAL_FLUID = 7
    AIRWAY = 8
    """Lumen of trachea and main bronchi."""


@dataclass(frozen=True)
class Grid:
    """Where the voxels lie: positions in mm of slices (ascending), rows and columns."""

    z_mm: Floats
    y_mm: Floats
    x_mm: Floats

    @property
    def pixel_mm(self) -> float:
        """Distance of neighbouring columns."""
        return float(self.x_mm[1] - self.x_mm[0])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return len(self.z_mm), len(self.y_mm), len(self.x_mm)


@dataclass(frozen=True)
class Box:
    """A part of the canvas with its coordinates, shaped to broadcast to [slices, rows, columns]."""

    index: tuple[slice, slice, slice]
    z: Floats
    y: Floats
    x: Floats


@dataclass
class Canvas:
    """HU and region of every voxel, and a mask per finding. Shapes [slices, rows, columns]."""

    grid: Grid
    hu: Floats
    region: NDArray[np.uint8]
    masks: dict[Finding, NDArray[np.bool_]] = field(default_factory=dict)

    @cached_property
    def scratch(self) -> Floats:
        """One 0 per voxel; who writes to it sets it back to 0."""
        return np.zeros(self.hu.size, np.float32)

    @classmethod
    def empty(cls, grid: Grid) -> "Canvas":
        """Air everywhere."""
        return cls(grid, np.full(grid.shape, -1000.0, np.float32), np.zeros(grid.shape, np.uint8))

    def box(self, low: Point, high: Point) -> Box | None:
        """The voxels between two corners in mm; None where there are none."""
        grid = self.grid
        spans = [
            slice(int(np.searchsorted(axis, a)), int(np.searchsorted(axis, b, side="right")))
            for axis, a, b in zip((grid.x_mm, grid.y_mm, grid.z_mm), low, high, strict=True)
        ]
        if any(span.start >= span.stop for span in spans):
            return None
        columns, rows, slices = spans
        z, y, x = grid.z_mm[slices], grid.y_mm[rows], grid.x_mm[columns]
        return Box((slices, rows, columns), z[:, None, None], y[None, :, None], x[None, None, :])

    @contextmanager
    def around(self, centre: Point, reach_mm: float) -> Iterator[Box | None]:
        """The cube of half edge `reach_mm` about a point."""
        low = tuple(c - reach_mm for c in centre)
        high = tuple(c + reach_mm for c in centre)
        yield self.box(low, high)  # type: ignore[arg-type]

    def lungs(self, box: Box) -> NDArray[np.bool_]:
        """Voxels of either lung in a box."""
        region = self.region[box.index]
        inside: NDArray[np.bool_] = (region == Region.RIGHT_LUNG) | (region == Region.LEFT_LUNG)
        return inside

    def blend(self, box: Box, share: Floats, hu: float | Floats) -> None:
        """Moves the box towards `hu` by `share` in [0, 1]."""
        part = self.hu[box.index]
        part += share * (hu - part)

    def mark(self, finding: Finding, box: Box, inside: NDArray[np.bool_]) -> None:
        """Adds voxels to the mask of a finding."""
        if finding not in self.masks:
            self.masks[finding] = np.zeros(self.grid.shape, bool)
        self.masks[finding][box.index] |= inside


def edge(distance_mm: Floats, width_mm: float) -> Floats:
    """1 inside (negative distance), 0 outside, a ramp of `width_mm` between."""
    share: Floats = np.clip(0.5 - distance_mm / width_mm, 0.0, 1.0)
    return share


def capsule_distance(box: Box, start: Point, end: Point) -> tuple[Floats, Floats]:
    """Distance in mm to the segment from start to end, and the place along it in [0, 1]."""
    direction = np.subtract(end, start).astype(np.float32)
    length2 = float(direction @ direction) or 1e-6
    dx, dy, dz = box.x - start[0], box.y - start[1], box.z - start[2]
    along = np.clip((dx * direction[0] + dy * direction[1] + dz * direction[2]) / length2, 0.0, 1.0)
    gap = (dx - along * direction[0]) ** 2 + (dy - along * direction[1]) ** 2 + (dz - along * direction[2]) ** 2
    return np.sqrt(gap), along


def box_of_capsule(canvas: Canvas, start: Point, end: Point, reach_mm: float) -> Box | None:
    """The voxels within reach of a segment."""
    low = tuple(min(a, b) - reach_mm for a, b in zip(start, end, strict=True))
    high = tuple(max(a, b) + reach_mm for a, b in zip(start, end, strict=True))
    return canvas.box(low, high)  # type: ignore[arg-type]
