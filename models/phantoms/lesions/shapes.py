"""Shapes that the lesions share: ellipsoids and tubes with antialiased edges, smooth noise, lobules of the lung.

All are functions of mm and of a seed, so that a lesion is the same on every grid.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from models.phantoms.body.vessels import blend_voxels
from models.phantoms.canvas import Box, Canvas, Floats, Point, Region, box_of_capsule, capsule_distance, edge
from models.phantoms.findings import Finding, Side
from models.phantoms.tubes import Tubes, covered

Mask = NDArray[np.bool_]
SLAB_MM = 2.0
"""Extent of a slice along z for what is smaller than a slice is thick."""


def lung_of(side: Side) -> Region:
    """The region of a side's lung."""
    return Region.RIGHT_LUNG if side == Side.RIGHT else Region.LEFT_LUNG


def to_the_pleura(canvas: Canvas, box: Box, lung: Mask) -> Mask:
    """Some lung with the half-filled voxels at its edge, so that what fills it leaves no dark line there."""
    wide = lung.copy()
    for axis in (1, 2):
        before, after = [slice(None)] * 3, [slice(None)] * 3
        before[axis], after[axis] = slice(0, -1), slice(1, None)
        wide[tuple(before)] |= lung[tuple(after)]
        wide[tuple(after)] |= lung[tuple(before)]
    edge_voxels = (canvas.hu[box.index] < -150.0) & (canvas.region[box.index] != Region.AIRWAY)
    reached: Mask = lung | (wide & edge_voxels)
    return reached


def ellipsoid_radius(box: Box, centre: Point, axes: Point) -> Floats:
    """Distance from the centre in units of the half axes."""
    x, y, z = centre
    a, b, c = axes
    radius: Floats = np.sqrt(((box.x - x) / a) ** 2 + ((box.y - y) / b) ** 2 + ((box.z - z) / c) ** 2)
    return radius


def ellipsoid_share(box: Box, centre: Point, axes: Point, ripple: Floats | float = 0.0) -> Floats:
    """Share of each voxel's slab that the ellipsoid fills: soft towards its poles, as a real slice shows it.

    `ripple` is added to the surface, in units of the half axes.
    """
    x, y, z = centre
    a, b, c = axes
    flat = np.sqrt(((box.x - x) / a) ** 2 + ((box.y - y) / b) ** 2) - ripple
    half = c * np.sqrt(np.clip(1.0 - flat * np.abs(flat), 0.0, None))
    low, high = np.maximum(box.z - z - SLAB_MM / 2.0, -half), np.minimum(box.z - z + SLAB_MM / 2.0, half)
    share: Floats = np.clip((high - low) / SLAB_MM, 0.0, 1.0)
    return share


def ripple(box: Box, centre: Point, seed: int, length_mm: float) -> Floats:
    """A lobulated surface: a few plane waves of random direction and about that length; height about 1."""
    rng = np.random.default_rng(seed)
    waves = np.zeros(np.broadcast_shapes(box.x.shape, box.y.shape, box.z.shape), np.float32)
    for _ in range(4):
        way = rng.standard_normal(3)
        kx, ky, kz = way / np.linalg.norm(way) * (2.0 * np.pi / (length_mm * rng.uniform(0.7, 1.4)))
        phase = kx * (box.x - centre[0]) + ky * (box.y - centre[1]) + kz * (box.z - centre[2])
        waves += np.sin(phase + rng.uniform(0.0, 6.28))
    return waves / 2.0


def smooth_noise(box: Box, low: Point, seed: int, length_mm: float, shape: tuple[int, int, int]) -> Floats:
    """Random field of about unit spread that changes over `length_mm`: cubic B-splines on a lattice of mm.

    `low` and `shape` (x, y, z) say where the lattice lies: they must not depend on the grid.
    """
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32) * 2.2
    x, y, z = (
        _spline((places.ravel() - first) / length_mm, count)
        for places, first, count in zip((box.x, box.y, box.z), low, shape, strict=True)
    )
    # From the shortest axis to the longest, each as one product that leaves its result in order.
    planes = np.matmul(y, np.tensordot(z, values.transpose(2, 1, 0), (1, 0)))
    return np.asarray(np.matmul(planes, x.T), np.float32)


def noise_between(box: Box, low: Point, high: Point, seed: int, length_mm: float) -> Floats:
    """Smooth noise on a lattice that spans two corners."""
    cells = [max(int(np.ceil((b - a) / length_mm)), 1) + 1 for a, b in zip(low, high, strict=True)]
    return smooth_noise(box, low, seed, length_mm, (cells[0], cells[1], cells[2]))


def _spline(place: Floats, count: int) -> Floats:
    distance = np.abs(place[:, None] - np.arange(count)[None])
    near, far = 2.0 / 3.0 - distance**2 + distance**3 / 2.0, (2.0 - distance) ** 3 / 6.0
    weights: Floats = np.where(distance < 1.0, near, np.where(distance < 2.0, far, 0.0)).astype(np.float32)
    return weights


_TILE, _TILE_STEP_MM, _LOBULE_MM = 72, 1.25, 15.0


@lru_cache(maxsize=1)
def _lobules() -> tuple[Floats, NDArray[np.uint8]]:
    """A periodic tile of secondary pulmonary lobules: mm from the nearest septum, and each lobule's number.

    Lobules are irregular polyhedra of 10 to 25 mm (Webb, Radiology 2006;239:322): the cells of jittered points.
    """
    size = _TILE * _TILE_STEP_MM
    per_side = round(size / _LOBULE_MM)
    rng = np.random.default_rng(20061)
    corners = np.stack(np.meshgrid(*[np.arange(per_side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    seeds = (corners + rng.uniform(0.0, 1.0, corners.shape)) * (size / per_side)
    axis = (np.arange(_TILE) + 0.5) * _TILE_STEP_MM
    voxels = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    distance, nearest = cKDTree(seeds % size, boxsize=size).query(voxels, k=2)
    gap = ((distance[:, 1] - distance[:, 0]) / 2.0).astype(np.float32)
    number = rng.integers(0, 256, len(seeds)).astype(np.uint8)[nearest[:, 0]]
    return gap.reshape(_TILE, _TILE, _TILE), number.reshape(_TILE, _TILE, _TILE)


def lobules(box: Box, seed: int, stretch: float = 1.0) -> tuple[Floats, NDArray[np.uint8]]:
    """Distance in mm from the nearest interlobular septum, and a random number per lobule (0 to 255)."""
    shift = np.random.default_rng(seed).uniform(0.0, 90.0, 3)
    index = [
        np.floor((axis.ravel() / stretch + s) / _TILE_STEP_MM).astype(np.intp) % _TILE
        for axis, s in zip((box.z, box.y, box.x), shift, strict=True)
    ]
    gap, number = _lobules()
    where = np.ix_(*index)
    return gap[where] * np.float32(stretch), number[where]


Tube = tuple[Point, Point, float]
"""Start, end, radius in mm."""


def paint_tube(canvas: Canvas, tube: Tube, hu: float, room: Sequence[Region] | None = None) -> None:
    """A piece of a tube of one CT number, in the lungs unless other regions are given."""
    start, end, radius = tube
    box = box_of_capsule(canvas, start, end, radius + canvas.grid.pixel_mm)
    if box is None:
        return
    inside = canvas.lungs(box) if room is None else np.isin(canvas.region[box.index], room)
    distance, _ = capsule_distance(box, start, end)
    canvas.blend(box, tube_share(distance, radius, canvas.grid.pixel_mm) * inside, hu)


def paint_tubes(canvas: Canvas, tubes: Tubes, hu: float, finding: Finding | None) -> None:
    """Many tubes at once where they run through lung, and a finding's mask of them."""
    index, share = covered(canvas.grid, tubes)
    region = canvas.region.reshape(-1)[index]
    inside = (region == Region.RIGHT_LUNG) | (region == Region.LEFT_LUNG)
    blend_voxels(canvas, index[inside], share[inside], hu)
    if finding is not None:
        mask = canvas.masks.setdefault(finding, np.zeros(canvas.grid.shape, bool))
        mask.reshape(-1)[index[inside & (share > 0.3)]] = True


def tube_share(distance: Floats, radius_mm: float, pixel_mm: float) -> Floats:
    """Share of a voxel inside a tube; a tube thinner than a pixel never fills one."""
    return edge(distance - radius_mm, pixel_mm) * np.float32(min(1.0, 2.4 * radius_mm / pixel_mm))


def mark_tube(canvas: Canvas, finding: Finding | None, tube: Tube) -> None:
    """Adds a tube to a finding's mask, at least one pixel wide."""
    if finding is None:
        return
    start, end, radius = tube
    reach = max(radius, 0.6 * canvas.grid.pixel_mm)
    box = box_of_capsule(canvas, start, end, reach)
    if box is not None:
        canvas.mark(finding, box, capsule_distance(box, start, end)[0] < reach)


def mark(canvas: Canvas, finding: Finding | None, box: Box, inside: Mask) -> None:
    """Adds voxels to a finding's mask; a distractor has none."""
    if finding is not None:
        canvas.mark(finding, box, inside)


def darken_to(canvas: Canvas, box: Box, share: Floats, hu: float) -> None:
    """Moves towards `hu` only what is denser."""
    part = canvas.hu[box.index]
    np.minimum(part, part + share * (np.float32(hu) - part), out=part)


def raise_to(canvas: Canvas, box: Box, share: Floats, hu: float | Floats) -> None:
    """Moves towards `hu` only what is less dense, so that vessels stay visible."""
    part = canvas.hu[box.index]
    np.maximum(part, part + share * (hu - part), out=part)
