"""A real scan in the phantom's frame, so that the phantom's lesions can be planned and painted in it.

The frame, in mm: x from the spine to the left, y from the middle of the lungs to the back, z from the lung base up.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from models.datasets.real_ct import Landmarks, RealScan
from models.datasets.thorax_regions import midline_px
from models.phantoms.anatomy import Anatomy, draw_anatomy
from models.phantoms.canvas import Grid, Point, Region

RECESS_MM = 40.0
"""How far the lung reaches below z = 0, behind the diaphragm."""
SLIMMEST = 1.4
"""Width of a chest over its depth, at least: where the field of view cuts the sides off, the depth tells the width."""


@dataclass(frozen=True)
class FittedAnatomy(Anatomy):
    """The anatomy of a real scan: sizes of its lungs, places of its heart and aorta read off the images."""

    landmarks: Landmarks
    origin: Point
    """x, y, z of the frame's zero, in mm from the scan's first column, row and slice."""

    def in_frame(self, place: Point) -> Point:
        """A landmark in the frame."""
        x, y, z = (value - zero for value, zero in zip(place, self.origin, strict=True))
        return x, y, z

    @property
    def heart_centre_mm(self) -> Point:
        """See Anatomy."""
        return self.in_frame(self.landmarks.heart_centre_mm)

    @property
    def heart_axes_mm(self) -> Point:
        """See Anatomy."""
        return self.landmarks.heart_axes_mm


@dataclass(frozen=True)
class Fit:
    """Where a scan's voxels lie in the frame, and whose they are."""

    grid: Grid
    anatomy: FittedAnatomy


def fit(scan: RealScan) -> Fit:
    """A scan in the phantom's frame. The same scan always gets the same fit."""
    volume, lung = scan.volume, np.isin(scan.region, (Region.RIGHT_LUNG, Region.LEFT_LUNG))
    rows_mm, columns_mm = volume.spacing_mm
    slices, rows, columns = np.nonzero(lung)
    z_mm = volume.z_mm - volume.z_mm[0]
    x_zero = midline_px(volume.hu, scan.region != Region.OUTSIDE) * columns_mm
    front, back = (float(q) * rows_mm for q in np.quantile(rows, (0.005, 0.995)))
    z_zero = float(z_mm[slices.min()]) + RECESS_MM
    half_depth = (back - front) / 2.0
    half_width = float(np.quantile(np.abs(columns * columns_mm - x_zero), 0.995))
    origin = (x_zero, (front + back) / 2.0, z_zero)
    grid = Grid(
        (z_mm - z_zero).astype(np.float32),
        (np.arange(lung.shape[1]) * rows_mm - origin[1]).astype(np.float32),
        (np.arange(lung.shape[2]) * columns_mm - origin[0]).astype(np.float32),
    )
    height = float(z_mm[slices.max()]) - z_zero
    return Fit(grid, _anatomy(scan, origin, height, max(half_width, SLIMMEST * half_depth), half_depth))


def _anatomy(scan: RealScan, origin: Point, height: float, half_width: float, half_depth: float) -> FittedAnatomy:
    case = scan.case
    drawn = draw_anatomy(np.random.default_rng(0), frozenset())
    blood = replace(drawn.blood, plain_hu=40.0, aorta_hu=case.aorta_hu)
    sizes = {
        "height_mm": height,
        "cavity_x_mm": half_width,
        "cavity_y_mm": half_depth,
        "scale": half_width / 128.0,
        "carina_z_mm": case.landmarks.carina_mm - origin[2],
        "arch_z_mm": case.landmarks.arch_mm - origin[2],
        "blood": blood,
        "seed": 0,
    }
    kept = {field.name: getattr(drawn, field.name) for field in fields(Anatomy)}
    return FittedAnatomy(**(kept | sizes), landmarks=case.landmarks, origin=origin)


def lung_voxels(region: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Voxels of either lung."""
    lung: NDArray[np.bool_] = np.isin(region, (Region.RIGHT_LUNG, Region.LEFT_LUNG))
    return lung
