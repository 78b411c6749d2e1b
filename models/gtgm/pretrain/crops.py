"""Two overlapping crops of a volume, turned and scaled a little; mirrored only where left and right mean nothing."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from models.gtgm.intensity import OUTSIDE
from models.gtgm.pretrain.preset import ViewSettings
from models.gtgm.volume import Modality

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""First voxel and the one after the last, along z, y, x."""
MAY_MIRROR = frozenset({Modality.EM})
"""Of a patient, a mirrored volume is another anatomy: the heart on the right, and a text with the wrong side."""
INSIDE = 0.5
"""A crop's centre keeps this share of half a crop away from the edge of the body."""


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a crop lies: voxel = centre + matrix · (place in the crop − middle of the crop)."""

    centre: NDArray[np.float64]
    matrix: NDArray[np.float64]


def two_placements(
    body: Box, settings: ViewSettings, modality: Modality, rng: np.random.Generator
) -> tuple[Placement, Placement]:
    """Places of both views; their upright boxes share at least `settings.overlap` of a crop."""
    crop = np.array(settings.crop_voxels, np.float64)
    edges = np.array(body, np.float64)
    low, high = edges[:, 0] + INSIDE * crop / 2.0, edges[:, 1] - INSIDE * crop / 2.0
    middle = edges.mean(1)
    low, high = np.where(low > high, middle, low), np.where(low > high, middle, high)
    first = rng.uniform(low, high)
    # Shifts of at most 1 − overlap^(1/3) along each axis; keeping the second centre in bounds only shortens them.
    reach = (1.0 - settings.overlap ** (1.0 / 3.0)) * crop
    second = np.clip(first + rng.uniform(-reach, reach), low, high)
    one, other = (Placement(centre, _matrix(settings, modality, rng)) for centre in (first, second))
    return one, other


def _matrix(settings: ViewSettings, modality: Modality, rng: np.random.Generator) -> NDArray[np.float64]:
    """Turn and scale in mm, as a map between voxels, whose sides may differ."""
    spacing = np.array(settings.spacing_mm[modality])
    angles = rng.uniform(-settings.turn_deg, settings.turn_deg, 3)
    turn = Rotation.from_euler("zyx", angles, degrees=True).as_matrix()
    scale = rng.uniform(1.0 - settings.scale, 1.0 + settings.scale)
    mirrored = _mirrored(spacing, rng) if modality in MAY_MIRROR else np.eye(3)
    matrix: NDArray[np.float64] = (turn * scale @ mirrored) * spacing[None, :] / spacing[:, None]
    return matrix


def _mirrored(spacing: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Mirrors and quarter turns; axes are exchanged only where their spacings are the same."""
    order = rng.permutation(3)
    if not np.allclose(spacing[order], spacing):
        order = np.arange(3)
    signs = rng.choice((-1.0, 1.0), 3)
    return np.asarray(np.eye(3)[order] * signs[:, None])


def cut(values: NDArray[Any], placement: Placement, size: tuple[int, int, int], outside: float) -> NDArray[np.float32]:
    """The crop [size], interpolated linearly; `outside` is what lies beyond the volume."""
    middle = (np.array(size) - 1.0) / 2.0
    corners = np.array(np.meshgrid(*((0.0, n - 1.0) for n in size), indexing="ij")).reshape(3, -1)
    reached = placement.centre[:, None] + placement.matrix @ (corners - middle[:, None])
    first = np.maximum(np.floor(reached.min(1)).astype(int), 0)
    after = np.minimum(np.ceil(reached.max(1)).astype(int) + 1, values.shape)
    if (first >= after).any():
        return np.full(size, outside, np.float32)
    part = values[tuple(slice(a, b) for a, b in zip(first, after, strict=True))].astype(np.float32)
    offset = placement.centre - placement.matrix @ middle - first
    cropped: NDArray[np.float32] = ndimage.affine_transform(
        part, placement.matrix, offset, output_shape=size, order=1, mode="constant", cval=outside
    )
    return cropped


def body_box(values: NDArray[np.float32], modality: Modality) -> Box:
    """Where the patient lies on standard values [z, y, x]: voxels above air or background, or all if there are none."""
    whole: Box = tuple((0, n) for n in values.shape)  # type: ignore[assignment]
    if modality is Modality.EM:
        return whole
    there = values > (OUTSIDE[modality] + (500.0 if modality is Modality.CT else 0.1))
    if not there.any():
        return whole
    lines = (np.flatnonzero(there.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    box: Box = tuple((int(line[0]), int(line[-1]) + 1) for line in lines)  # type: ignore[assignment]
    return box


def central(body: Box) -> Placement:
    """The upright crop at the middle of the body."""
    return Placement(np.array(body, np.float64).mean(1), np.eye(3))
