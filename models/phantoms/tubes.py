"""Thousands of tapering tubes on a grid at once: which voxels they cover, and how far."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.phantoms.canvas import Floats, Grid

Indices = NDArray[np.int64]
_HALF_WIDTHS = (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 24, 34)
"""Stamps are square, of 2 k + 1 pixels; tubes are painted in batches of one stamp size."""


@dataclass(frozen=True)
class Tubes:
    """Straight tubes with round ends: start and end [n, 3] and the radii there [n], in mm."""

    start: Floats
    end: Floats
    start_radius: Floats
    end_radius: Floats

    def __len__(self) -> int:
        return len(self.start)

    def subset(self, chosen: NDArray[np.bool_] | Indices) -> "Tubes":
        """Some of the tubes."""
        return Tubes(self.start[chosen], self.end[chosen], self.start_radius[chosen], self.end_radius[chosen])

    def pieces(self, longest_mm: float) -> "Tubes":
        """The same tubes cut into short pieces: small stamps cost less than long boxes."""
        length = np.linalg.norm(self.end - self.start, axis=1)
        limit = np.maximum(longest_mm, 1.2 * np.maximum(self.start_radius, self.end_radius))
        counts = np.maximum(np.ceil(length / limit).astype(np.int64), 1)
        owner = np.repeat(np.arange(len(self)), counts)
        step = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        low, high = (((step + k) / counts[owner]).astype(np.float32) for k in (0, 1))
        way, grows = (self.end - self.start)[owner], (self.end_radius - self.start_radius)[owner]
        first, radius = self.start[owner], self.start_radius[owner]
        return Tubes(
            first + low[:, None] * way, first + high[:, None] * way, radius + low * grows, radius + high * grows
        )


def join(*parts: Tubes) -> Tubes:
    """All tubes of all parts."""
    return Tubes(
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.end for part in parts]),
        np.concatenate([part.start_radius for part in parts]),
        np.concatenate([part.end_radius for part in parts]),
    )


def covered(grid: Grid, tubes: Tubes) -> tuple[Indices, Floats]:
    """Flat indices of the voxels that tubes touch, and how far each tube fills them, in (0, 1].

    A voxel under several tubes comes several times. Tubes thinner than a pixel fill it in proportion to their width.
    """
    pieces = tubes.pieces(2.0 * grid.pixel_mm)
    owner, level = _crossings(grid, pieces)
    pixel = grid.pixel_mm
    middle = 0.5 * (pieces.start + pieces.end)[:, :2]
    reach = 0.5 * np.abs(pieces.end - pieces.start)[:, :2].max(axis=1)
    reach += np.maximum(pieces.start_radius, pieces.end_radius) + 0.5 * pixel
    stamp = np.searchsorted(_HALF_WIDTHS, np.ceil(reach / pixel)).clip(max=len(_HALF_WIDTHS) - 1)
    corner = np.round((middle - (grid.x_mm[0], grid.y_mm[0])) / pixel).astype(np.int64)
    parts = [
        _stamped(grid, pieces.subset(owner[of]), corner[owner[of]], level[of], half)
        for size, half in enumerate(_HALF_WIDTHS)
        if len(of := np.flatnonzero(stamp[owner] == size))
    ]
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    return np.concatenate([index for index, _ in parts]), np.concatenate([share for _, share in parts])


def _crossings(grid: Grid, pieces: Tubes) -> tuple[Indices, Indices]:
    """Each pair of a piece and a slice that it reaches."""
    radius = np.maximum(pieces.start_radius, pieces.end_radius)
    low = np.searchsorted(grid.z_mm, np.minimum(pieces.start[:, 2], pieces.end[:, 2]) - radius)
    high = np.searchsorted(grid.z_mm, np.maximum(pieces.start[:, 2], pieces.end[:, 2]) + radius, side="right")
    counts = high - low
    owner = np.repeat(np.arange(len(pieces)), counts)
    level = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts) + low[owner]
    return owner, level


def _stamped(grid: Grid, pieces: Tubes, centre: Indices, level: Indices, half: int) -> tuple[Indices, Floats]:
    """Voxels of stamps of one size: the distance of each pixel to its piece's axis, against the radius there."""
    offsets = np.arange(-half, half + 1)
    columns, rows = centre[:, 0, None] + offsets, centre[:, 1, None] + offsets
    pixel = np.float32(grid.pixel_mm)
    dx = (grid.x_mm[0] + columns * pixel).astype(np.float32) - pieces.start[:, 0, None]
    dy = (grid.y_mm[0] + rows * pixel).astype(np.float32) - pieces.start[:, 1, None]
    dz = (grid.z_mm[level] - pieces.start[:, 2])[:, None]
    way = pieces.end - pieces.start
    length2 = np.maximum((way * way).sum(axis=1), np.float32(1e-6))[:, None]
    ux, uy, uz = (way[:, axis, None] / length2 for axis in range(3))
    along = (dy * uy + dz * uz)[:, :, None] + (dx * ux)[:, None, :]
    np.clip(along, 0.0, 1.0, out=along)
    gap = np.square(dx[:, None, :] - along * way[:, 0, None, None])
    gap += np.square(dy[:, :, None] - along * way[:, 1, None, None])
    gap += np.square(dz[:, :, None] - along * way[:, 2, None, None])
    np.sqrt(gap, out=gap)
    along *= (pieces.end_radius - pieces.start_radius)[:, None, None]
    along += pieces.start_radius[:, None, None]
    gap -= along
    gap *= np.float32(-1.0) / pixel
    gap += np.float32(0.5)
    np.clip(gap, 0.0, 1.0, out=gap)
    thin = np.minimum(pieces.start_radius * np.float32(2.0) / pixel, 1.0)
    gap *= thin[:, None, None]
    inside_x, inside_y = (columns >= 0) & (columns < grid.shape[2]), (rows >= 0) & (rows < grid.shape[1])
    gap *= inside_x[:, None, :]
    gap *= inside_y[:, :, None]
    flat = (level[:, None] * grid.shape[1] + rows)[:, :, None] * grid.shape[2] + columns[:, None, :]
    keep = gap > 0.02
    return flat[keep], gap[keep]
