"""Facts of what lies between the lungs: heart density and width, contrast medium, calcium; and metal anywhere."""

import numpy as np
from scipy import ndimage

from models.gtgm.facts.fact import Fact, Kind
from models.gtgm.facts.grid import Mask, Values
from models.gtgm.facts.pieces import pieces_of
from models.gtgm.facts.thorax import CROSS, CROSS_IN_PLANE, Thorax

CONTRAST_HU = 85.0
"""Blood without contrast medium lies below 70 HU."""
BLOOD_HU = (0.0, 800.0)
CALCIUM_HU = 130.0
"""Agatston, JACC 1990;15:827. With contrast medium the threshold lies above the brightest blood."""
ABOVE_BLOOD_HU = 120.0
LARGEST_CALCIUM_MM3, SMALLEST_CALCIUM_MM3 = 3000.0, 12.0
METAL_HU = 2000.0
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
    """Greatest width between the lungs in the lower half of their height, over the greatest width of the chest."""
    both = right & False
    levels = np.flatnonzero((right | left).any(axis=(1, 2)))
    low, half = int(levels[0]), int(levels[0] + len(levels) // 2)
    both = between_lungs(right, left)
    level_of_dome = [z for z in range(low, half) if _lung_rows(right[z]) and _lung_rows(left[z])]
    widths = [
        float(np.percentile(both[z].sum(axis=1)[both[z].any(axis=1)], 90)) for z in level_of_dome if both[z].any()
    ]
    columns = np.flatnonzero((right | left).any(axis=(0, 1)))
    if not widths or len(columns) == 0:
        return []
    upper = widths[len(widths) // 3 :]
    return [Fact("heart_ratio", Kind.HEART_RATIO, max(upper) / float(columns[-1] + 1 - columns[0]))]


def _lung_rows(mask: Mask) -> bool:
    """Whether a level shows lung over enough of its depth: below, the dome of the diaphragm lies between the lungs."""
    return int(mask.any(axis=1).sum()) >= 8


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
    threshold = max(CALCIUM_HU, brightest + ABOVE_BLOOD_HU) if contrast else CALCIUM_HU
    return facts + _calcium(between, threshold, thorax)


def heart_region(between: Mask, thorax: Thorax) -> Mask:
    """The core of what lies between the lungs in the lower half of their height, before the spine."""
    levels = np.flatnonzero(between.any(axis=(1, 2)))
    lower = np.zeros_like(between)
    lower[int(levels[0] + len(levels) * 0.15) : int(levels[0] + len(levels) * 0.5) + 1] = True if len(levels) else False
    soft = (thorax.coarse > BLOOD_HU[0]) & (thorax.coarse < BLOOD_HU[1])
    core: Mask = ndimage.binary_erosion(between & lower & soft & _before_spine(between, thorax), CROSS)
    return core


def _before_spine(between: Mask, thorax: Thorax) -> Mask:
    """The front 55 % of the depth of the lungs."""
    rows = np.flatnonzero((thorax.closed[0] | thorax.closed[1]).any(axis=(0, 2)))
    last = rows[0] + 0.55 * (rows[-1] - rows[0])
    front: Mask = np.broadcast_to((np.arange(between.shape[1]) < last)[None, :, None], between.shape)
    return front


def _calcium(between: Mask, threshold: float, thorax: Thorax) -> list[Fact]:
    """Small bright pieces between the lungs that belong to no large bone and to no vessel full of contrast medium."""
    region = thorax.fine(ndimage.binary_dilation(between, CROSS_IN_PLANE, iterations=2))
    boxes = ndimage.find_objects(region.astype(np.uint8))
    if not boxes:
        return []
    box = boxes[0]
    values = thorax.values[box]
    smooth = ndimage.gaussian_filter(values, 0.5)
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
