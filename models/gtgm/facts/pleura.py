"""Fluid-like layers behind and below the lungs: how much, how deep, on which side.

Fluid is told from muscle and vessels by its density, from the stomach and from fatty muscle by its place: within the
footprint that the lungs have in the slices above, against the lung, and reaching into the gutter beside the spine.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from models.gtgm.facts.grid import Mask, Values
from models.gtgm.facts.thorax import BONE_HU, CROSS, CROSS_IN_PLANE, Thorax

FLUID_HU = (-15.0, 30.0)
WIDE_FLUID_HU = (-150.0, 42.0)
"""At the edge of a layer, where voxels are partly filled."""
AIR_HU = -300.0
SMALLEST_ML = 25.0
SMOOTH_VOXELS = 0.7
FOOTPRINT_MM = 8.0
"""How much wider the chest may become below the lung."""
RECESS_MM = 40.0
"""How far fluid may stand below the lowest lung."""
RIB_WINDOW_MM, ANGLES = 12.0, 48
BACK_MUSCLES_MM = 50.0
LATERAL_MM = 45.0
"""A layer reaches at least this far from the midline; the aorta does not."""
BACK_HALF, GUTTER_SHARE = 0.48, 0.66
"""Shares of the way from the front to the back of the footprint. A layer is looked for in the back half, must reach the
gutter beside the spine, and holds at least a third of its volume there."""
LARGE_ML, LARGE_FRONT = 350.0, 0.2
"""A layer of this volume is followed into the front, up to this share of the way."""


@dataclass(frozen=True, eq=False)
class Layer:
    """Fluid on one side. `depth_mm` is the greatest thickness from front to back in one slice."""

    volume_ml: float
    depth_mm: float
    mean_hu: float
    mask: Mask
    """On the coarse grid."""


def fluid_layers(thorax: Thorax) -> dict[str, Layer]:
    """The layer of each side that has one; nothing where no lung was found."""
    right, left = thorax.closed
    if not right.any() and not left.any():
        return {}
    footprint = _footprint(thorax)
    footprint &= within_ribs(thorax, footprint)
    smooth = ndimage.gaussian_filter(thorax.coarse, SMOOTH_VOXELS)
    room = footprint & thorax.body & ~ndimage.binary_erosion(right | left, CROSS)
    fluid = room & (smooth > FLUID_HU[0]) & (smooth < FLUID_HU[1])
    fluid = ndimage.binary_opening(fluid, np.ones((1, 2, 2), bool))
    wide = room & (smooth > WIDE_FLUID_HU[0]) & (smooth < WIDE_FLUID_HU[1])
    columns = np.arange(fluid.shape[2])[None, None, :]
    rows = _way_back(footprint)
    back = (rows > BACK_HALF)[None, :, None]
    layers = {}
    for side, half in (("right", columns < thorax.midline), ("left", columns >= thorax.midline)):
        seed = _followed(_plausible(fluid & half & back, footprint, rows, thorax), fluid & half, rows, thorax)
        mask = ndimage.binary_dilation(seed, CROSS) & wide & half | seed
        layer = _layer(mask, seed, thorax)
        if layer.volume_ml >= SMALLEST_ML:
            layers[side] = layer
    return layers


def _footprint(thorax: Thorax) -> Mask:
    """Where the chest cavity lies: what the lungs of this slice or one above cover, on either side of the midline."""
    both = thorax.closed[0] | thorax.closed[1]
    both = both | _mirrored(both, thorax.midline)
    below = np.logical_or.accumulate(both[::-1], axis=0)[::-1]
    lowest = int(np.flatnonzero(both.any(axis=(1, 2)))[0])
    below[: max(0, lowest - round(RECESS_MM / thorax.coarse_step_mm[0]))] = False
    steps = max(1, round(FOOTPRINT_MM / thorax.coarse_step_mm[2]))
    # Behind the lungs beside the spine lie the long muscles of the back, in many people as dark as fluid.
    beside = np.abs(np.arange(both.shape[2]) - thorax.midline) * thorax.coarse_step_mm[2] > BACK_MUSCLES_MM
    wider: Mask = below | (ndimage.binary_dilation(below, CROSS_IN_PLANE, iterations=steps) & beside)
    return wider


def within_ribs(thorax: Thorax, footprint: Mask) -> Mask:
    """What lies inside the ring of ribs: nearer to the middle than the innermost bone seen in that direction.

    A slice cuts only some ribs, so bone of RIB_WINDOW_MM above and below counts too; where no bone is seen the
    footprint is the limit.
    """
    rows = np.flatnonzero(footprint.any(axis=(0, 2)))
    y = (np.arange(footprint.shape[1]) - rows.mean())[:, None] * thorax.coarse_step_mm[1]
    x = (np.arange(footprint.shape[2]) - thorax.midline)[None, :] * thorax.coarse_step_mm[2]
    radius = np.hypot(y, x)
    angle = ((np.arctan2(y, x) / (2.0 * np.pi) % 1.0) * ANGLES).astype(np.intp) % ANGLES
    reach = round(RIB_WINDOW_MM / thorax.coarse_step_mm[0])
    bone = ndimage.maximum_filter1d(thorax.coarse, 2 * reach + 1, axis=0) > BONE_HU
    out = np.zeros_like(footprint)
    for level in np.flatnonzero(footprint.any(axis=(1, 2))):
        edge = np.zeros(ANGLES)
        np.maximum.at(edge, angle[footprint[level]], radius[footprint[level]])
        limit = edge + 1.6 * thorax.coarse_step_mm[2]
        ring = bone[level] & (radius > 0.8 * edge[angle]) & (radius < 1.5 * edge[angle])
        np.minimum.at(limit, angle[ring], radius[ring])
        out[level] = radius < limit[angle]
    return out


def _mirrored(mask: Mask, midline: float) -> Mask:
    source = np.rint(2.0 * midline - np.arange(mask.shape[2])).astype(int)
    there = (source >= 0) & (source < mask.shape[2])
    out = np.zeros_like(mask)
    out[:, :, there] = mask[:, :, source[there]]
    return out


def _way_back(footprint: Mask) -> Values:
    """How far each row lies on the way from the front (0) to the back (1) of the footprint."""
    rows = np.flatnonzero(footprint.any(axis=(0, 2)))
    return np.asarray((np.arange(footprint.shape[1]) - rows[0]) / max(rows[-1] - rows[0], 1), np.float32)


def _plausible(fluid: Mask, footprint: Mask, rows: Values, thorax: Thorax) -> Mask:
    """The pieces that touch a lung, lie mostly in the gutter and reach to the side."""
    label, count = ndimage.label(fluid)
    air = thorax.closed[0] | thorax.closed[1] | (footprint & (thorax.coarse < AIR_HU))
    near_lung = ndimage.binary_dilation(air, CROSS, iterations=3)
    away = np.abs(np.arange(fluid.shape[2]) - thorax.midline) * thorax.coarse_step_mm[2]
    at_ribs = footprint & ~ndimage.binary_erosion(footprint, CROSS_IN_PLANE, iterations=2) & (away > LATERAL_MM)
    sizes, touching, in_gutter, against = (
        np.bincount(label[where].ravel(), minlength=count + 1)
        for where in (slice(None), near_lung, np.s_[:, rows > GUTTER_SHARE], at_ribs)
    )
    keep = (touching > 0) & (in_gutter > sizes / 3.0) & (against > sizes / 10.0)
    keep &= sizes * thorax.coarse_ml > 0.4 * SMALLEST_ML
    keep[0] = False
    for number in np.flatnonzero(keep):
        keep[number] = float(away[(label == number).any(axis=(0, 1))].max()) > LATERAL_MM
    kept: Mask = keep[label]
    return kept


def _followed(seed: Mask, fluid: Mask, rows: Values, thorax: Thorax) -> Mask:
    """A large layer followed into the front half, where only what is thick belongs to it."""
    if seed.sum() * thorax.coarse_ml < LARGE_ML:
        return seed
    room = ndimage.binary_opening(fluid & (rows > LARGE_FRONT)[None, :, None], np.ones((1, 3, 3), bool)) | seed
    followed: Mask = ndimage.binary_propagation(seed, CROSS, mask=room)
    return followed


def _layer(mask: Mask, seed: Mask, thorax: Thorax) -> Layer:
    thickness = mask.sum(axis=1)
    mean = float(thorax.coarse[seed].mean()) if seed.any() else 0.0
    return Layer(float(mask.sum()) * thorax.coarse_ml, float(thickness.max()) * thorax.coarse_step_mm[1], mean, mask)
