"""Facts of what lies between the lungs: heart density and width, contrast medium, calcium; and metal anywhere."""

import numpy as np
from scipy import ndimage

from models.gtgm.facts.fact import Fact, Kind
from models.gtgm.facts.grid import Mask, Values
from models.gtgm.facts.pieces import pieces_of
from models.gtgm.facts.thorax import CROSS, CROSS_IN_PLANE, Thorax

CONTRAST_HU = 85.0
"""Blood without contrast medium lies below 70 HU."""
HEART_LEVELS = (0.36, 0.56)
"""Shares of the height of the lungs: below lie the domes of the diaphragm, above the great vessels."""
BLOOD_HU = (0.0, 800.0)
CALCIUM_HU = 130.0
"""Agatston, JACC 1990;15:827. Told from blood only where no contrast medium is in it: else no fact is given."""
LARGEST_CALCIUM_MM3, SMALLEST_CALCIUM_MM3 = 3000.0, 15.0
METAL_HU = 2000.0
CALCIUM_SMOOTH = 0.5
NOISES = 5.0
SPINE_BOX = (0.58, 20.0)
"""Behind this share of the depth of the lungs, and nearer than this many mm to the midline, lies the spine."""
SPINE_MM = 6.0
"""Nearer than this to large bones nothing counts as calcium."""


def middle_facts(thorax: Thorax) -> list[Fact]:
    """Facts of the mediastinum, where both lungs were found, and of metal."""
    facts = _metal(thorax)
    right, left = thorax.closed
    if not right.any() or not left.any():
        return facts
    between = between_lungs(right, left) & thorax.body
    facts += _heart_width(right, left, thorax)
    return facts + _blood_and_calcium(between, thorax)


def between_lungs(right: Mask, left: Mask) -> Mask:
    """Voxels with right lung to one side and left lung to the other, in the same row."""
    after = np.maximum.accumulate(right, axis=2) & ~right
    before = np.maximum.accumulate(left[:, :, ::-1], axis=2)[:, :, ::-1] & ~left
    between: Mask = after & before
    return between


def _heart_width(right: Mask, left: Mask, thorax: Thorax) -> list[Fact]:
    """Greatest width between the lungs at the level of the heart, over the greatest width of the chest."""
    both = between_lungs(right, left)
    levels = np.flatnonzero((right | left).any(axis=(1, 2)))
    heart = range(*(int(levels[0] + share * len(levels)) for share in HEART_LEVELS))
    widths = [float(np.percentile(both[z].sum(axis=1)[both[z].any(axis=1)], 90)) for z in heart if both[z].any()]
    columns = np.flatnonzero((right | left).any(axis=(0, 1)))
    if not widths:
        return []
    return [Fact("heart_ratio", Kind.HEART_RATIO, max(widths) / float(columns[-1] + 1 - columns[0]))]


def _blood_and_calcium(between: Mask, thorax: Thorax) -> list[Fact]:
    heart = heart_region(between, thorax)
    if not heart.any():
        return []
    density = float(np.median(thorax.coarse[heart]))
    soft = ndimage.binary_erosion(between, CROSS) & _before_spine(between, thorax)
    brightest = float(np.percentile(thorax.coarse[soft], 95)) if soft.any() else density
    contrast = density > CONTRAST_HU or brightest > 1.8 * CONTRAST_HU
    facts = [
        Fact("heart_density", Kind.HEART_DENSITY, density, "HU"),
        Fact("contrast", Kind.CONTRAST, "present" if contrast else "absent"),
    ]
    if contrast:
        return facts
    fine = np.s_[::2, ::2, ::2]
    noise = float(ndimage.gaussian_filter(thorax.values, CALCIUM_SMOOTH)[fine][thorax.fine(heart)[fine]].std())
    return facts + _calcium(between, max(CALCIUM_HU, density + NOISES * noise), thorax)


def heart_region(between: Mask, thorax: Thorax) -> Mask:
    """The core of what lies between the lungs at the level of the heart, before the spine."""
    levels = np.flatnonzero(between.any(axis=(1, 2)))
    heart = np.zeros_like(between)
    if len(levels):
        low, high = (int(levels[0] + share * len(levels)) for share in HEART_LEVELS)
        heart[low : high + 1] = True
    soft = (thorax.coarse > BLOOD_HU[0]) & (thorax.coarse < BLOOD_HU[1])
    core: Mask = ndimage.binary_erosion(between & heart & soft & _before_spine(between, thorax), CROSS)
    return core


def _before_spine(between: Mask, thorax: Thorax, share: float = 0.55) -> Mask:
    """The front share of the depth of the lungs."""
    rows = np.flatnonzero((thorax.closed[0] | thorax.closed[1]).any(axis=(0, 2)))
    last = rows[0] + share * (rows[-1] - rows[0])
    front: Mask = np.broadcast_to((np.arange(between.shape[1]) < last)[None, :, None], between.shape)
    return front


def _spine(between: Mask, thorax: Thorax) -> Mask:
    columns = np.abs(np.arange(between.shape[2]) - thorax.midline) * thorax.coarse_step_mm[2] < SPINE_BOX[1]
    spine: Mask = ~_before_spine(between, thorax, SPINE_BOX[0]) & columns[None, None, :]
    return spine


def _calcium(between: Mask, threshold: float, thorax: Thorax) -> list[Fact]:
    """Small bright pieces between the lungs that belong to no large bone and to no vessel full of contrast medium."""
    region = thorax.fine(ndimage.binary_dilation(between, CROSS_IN_PLANE) & ~_spine(between, thorax))
    boxes = ndimage.find_objects(region.astype(np.uint8))
    if not boxes:
        return []
    box = boxes[0]
    values = thorax.values[box]
    smooth = ndimage.gaussian_filter(values, CALCIUM_SMOOTH)
    bright = smooth > threshold
    bone = _bones(bright, thorax, values)
    pieces, _ = pieces_of(bright & ~bone & region[box], values, thorax.step_mm, SMALLEST_CALCIUM_MM3)
    pieces = [piece for piece in pieces if piece.volume_mm3 < LARGEST_CALCIUM_MM3]
    volume = sum(piece.volume_mm3 for piece in pieces) / 1000.0
    return [
        Fact("calcium_count", Kind.CALCIUM_COUNT, float(len(pieces))),
        *([Fact("calcium_volume", Kind.CALCIUM_VOLUME, volume, "mL")] if pieces else []),
    ]


def _bones(bright: Mask, thorax: Thorax, values: Values) -> Mask:
    """Large bright pieces with a margin."""
    label, count = ndimage.label(bright)
    if count == 0:
        return bright
    sizes = np.bincount(label.ravel()) * float(np.prod(thorax.step_mm))
    large = sizes > LARGEST_CALCIUM_MM3
    large[0] = False
    steps = max(1, round(SPINE_MM / thorax.step_mm[2]))
    bones: Mask = ndimage.binary_dilation(large[label], CROSS_IN_PLANE, iterations=steps)
    return bones


def _metal(thorax: Thorax) -> list[Fact]:
    """Volume of what is denser than any bone; none where there is hardly any."""
    volume = float((thorax.values > METAL_HU).sum()) * float(np.prod(thorax.step_mm)) / 1000.0
    return [Fact("metal_volume", Kind.METAL_VOLUME, volume, "mL")] if volume > 0.1 else []
