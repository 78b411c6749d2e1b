"""A real scan in the phantom's frame, so that the phantom's lesions can be planned and painted in it.

The frame, in mm: x from the spine to the left, y from the middle of the lungs to the back, z from the lung base up.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from models.datasets.real_cases import Landmarks, Voxel
from models.datasets.real_ct import RealScan
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
    heart: Point
    """Centre of the heart."""
    aorta: tuple[Point, ...]
    """Way of the aorta from the diaphragm over the arch to its root."""

    @property
    def heart_centre_mm(self) -> Point:
        """See Anatomy."""
        return self.heart

    @property
    def heart_axes_mm(self) -> Point:
        """See Anatomy."""
        return self.landmarks.heart_axes_mm

    @property
    def descending_mm(self) -> tuple[float, float]:
        """See Anatomy; its mean place."""
        low = [place for place in self.aorta[: len(self.aorta) // 2] if place[2] < self.arch_z_mm - 10.0]
        return float(np.mean([x for x, _, _ in low])), float(np.mean([y for _, y, _ in low]))


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
    grid = Grid(
        (z_mm - z_zero).astype(np.float32),
        (np.arange(lung.shape[1]) * rows_mm - (front + back) / 2.0).astype(np.float32),
        (np.arange(lung.shape[2]) * columns_mm - x_zero).astype(np.float32),
    )
    height = float(z_mm[slices.max()]) - z_zero
    return Fit(grid, _anatomy(scan, grid, height, max(half_width, SLIMMEST * half_depth), half_depth))


def _point(grid: Grid, voxel: Voxel) -> Point:
    """A voxel's place in the frame."""
    x, y, z = (
        float(np.interp(index, np.arange(len(axis)), axis))
        for axis, index in zip((grid.x_mm, grid.y_mm, grid.z_mm), reversed(voxel), strict=True)
    )
    return x, y, z


def _anatomy(scan: RealScan, grid: Grid, height: float, half_width: float, half_depth: float) -> FittedAnatomy:
    landmarks = scan.case.landmarks
    drawn = draw_anatomy(np.random.default_rng(0), frozenset())
    aorta = tuple(_point(grid, voxel) for voxel in landmarks.aorta)
    sizes = {
        "height_mm": height,
        "cavity_x_mm": half_width,
        "cavity_y_mm": half_depth,
        "scale": half_width / 128.0,
        "carina_z_mm": _point(grid, (landmarks.carina, 0.0, 0.0))[2],
        "arch_z_mm": max(z for _, _, z in aorta) - landmarks.aorta_mm,
        "aorta_mm": landmarks.aorta_mm,
        "blood": replace(drawn.blood, plain_hu=40.0, aorta_hu=scan.case.aorta_hu),
        "seed": 0,
    }
    kept = {field.name: getattr(drawn, field.name) for field in fields(Anatomy)}
    return FittedAnatomy(**(kept | sizes), landmarks=landmarks, heart=_point(grid, landmarks.heart), aorta=aorta)


def in_heart(grid: Grid, anatomy: Anatomy, stretch: float = 1.0) -> NDArray[np.bool_]:
    """Voxels in the ellipsoid about the heart [slices, rows, columns]."""
    (x, y, z), axes = anatomy.heart_centre_mm, anatomy.heart_axes_mm
    a, b, c = (stretch * axis for axis in axes)
    cos, sin = np.cos(anatomy.heart_turn), np.sin(anatomy.heart_turn)
    dx, dy, dz = (grid.x_mm - x)[None, None], (grid.y_mm - y)[None, :, None], (grid.z_mm - z)[:, None, None]
    along, across = (cos * dx - sin * dy) / a, (sin * dx + cos * dy) / b
    inside: NDArray[np.bool_] = along**2 + across**2 + (dz / c) ** 2 < 1.0
    return inside


def lung_voxels(region: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Voxels of either lung."""
    lung: NDArray[np.bool_] = np.isin(region, (Region.RIGHT_LUNG, Region.LEFT_LUNG))
    return lung
