"""Facts of the lungs: volume, density, dark and bright parts, by side and third of the height."""

import numpy as np
from scipy import ndimage

from models.gtgm.facts.fact import LEVELS, Fact, Kind
from models.gtgm.facts.grid import Mask, Spacing, Values
from models.gtgm.facts.pieces import Piece, pieces_of
from models.gtgm.facts.thorax import Thorax

EMPHYSEMA_HU, LOW_HU = -950.0, -910.0
"""Lung below -950 HU is a measure of emphysema (Gevenois, AJRCCM 1996;154:187); -910 HU one of overinflation."""
HAZE_HU, DENSE_HU = (-700.0, -350.0), -350.0
DARKEST_AIR_HU = -1024.0
SMOOTH_VOXELS = 0.6
"""Noise would count as emphysema; see the tests for what this costs."""
PREDOMINANT = 1.6
"""A third predominates when its share is this much larger than that of the whole."""
SMALLEST_DARK_MM, SMALLEST_BRIGHT_MM = 10.0, 8.0
LARGEST_LISTED = 5
OPENING_MM = 2.2
"""Vessels thinner than twice this vanish."""
HILUM_MM = 18.0
"""So near to the mediastinum bright pieces are vessels."""
ROUND, FULL = 1.9, 0.6
LARGE_MM, FULL_LARGE = 20.0, 0.7
"""Pieces that are more elongated are vessels; so are those whose inscribed ball is smaller than this share of the
diameter, and the edges of heart and diaphragm."""


def lung_facts(thorax: Thorax) -> list[Fact]:
    """Facts of the lungs that were found; none where there is no lung."""
    lungs = thorax.lungs()
    if not lungs:
        return []
    both = np.logical_or.reduce(list(lungs.values()))
    box = ndimage.find_objects(both.astype(np.uint8))[0]
    values = ndimage.gaussian_filter(thorax.values[box], SMOOTH_VOXELS)
    lungs = {side: mask[box] for side, mask in lungs.items()}
    both = both[box]
    facts = _volumes(lungs, thorax.step_mm)
    facts += _densities(values, thorax.values[box], lungs, both)
    facts += _dark_parts(values, lungs, both, thorax.step_mm)
    return facts + _bright_parts(thorax.values[box], lungs, both, thorax.step_mm)


def _volumes(lungs: dict[str, Mask], step_mm: Spacing) -> list[Fact]:
    litre = float(np.prod(step_mm)) / 1e6
    facts = [
        Fact(f"lung_volume.{side}", Kind.LUNG_VOLUME, float(mask.sum()) * litre, "L", side)
        for side, mask in lungs.items()
    ]
    facts.append(Fact("lung_volume", Kind.LUNG_VOLUME, sum(float(fact.value) for fact in facts), "L"))
    facts += [
        Fact(f"lung_height.{side}", Kind.LUNG_HEIGHT, float(mask.any(axis=(1, 2)).sum()) * step_mm[0], "mm", side)
        for side, mask in lungs.items()
    ]
    return facts


def _densities(smooth: Values, raw: Values, lungs: dict[str, Mask], both: Mask) -> list[Fact]:
    facts = [
        Fact(f"lung_density.{side}", Kind.LUNG_DENSITY, float(raw[mask].mean()), "HU", side)
        for side, mask in lungs.items()
    ]
    inside = smooth[both]
    facts += [
        Fact("lung_density", Kind.LUNG_DENSITY, float(raw[both].mean()), "HU"),
        Fact("lung_spread", Kind.LUNG_SPREAD, float(raw[both].std()), "HU"),
        Fact("below_950", Kind.BELOW_950, 100.0 * float((inside < EMPHYSEMA_HU).mean()), "%"),
        Fact("below_910", Kind.BELOW_910, 100.0 * float((inside < LOW_HU).mean()), "%"),
        Fact("haze_share", Kind.HAZE_SHARE, 100.0 * float(((inside > HAZE_HU[0]) & (inside < HAZE_HU[1])).mean()), "%"),
        Fact("dense_share", Kind.DENSE_SHARE, 100.0 * float((inside >= DENSE_HU).mean()), "%"),
    ]
    facts += [
        Fact(f"below_950.{side}", Kind.BELOW_950, 100.0 * float((smooth[mask] < EMPHYSEMA_HU).mean()), "%", side)
        for side, mask in lungs.items()
    ]
    return facts + _gradient(smooth, both) + _dark_level(smooth, both)


def _gradient(smooth: Values, both: Mask) -> list[Fact]:
    """How much denser air-filled lung is in its back third than in its front third."""
    air = both & (smooth < HAZE_HU[0])
    rows = np.flatnonzero(both.any(axis=(0, 2)))
    third = max(1, len(rows) // 3)
    front, back = slice(rows[0], rows[0] + third), slice(rows[-1] + 1 - third, rows[-1] + 1)
    if not air[:, front].any() or not air[:, back].any():
        return []
    rise = float(np.median(smooth[:, back][air[:, back]]) - np.median(smooth[:, front][air[:, front]]))
    return [Fact("lung_gradient", Kind.LUNG_GRADIENT, rise, "HU")]


def _dark_level(smooth: Values, both: Mask) -> list[Fact]:
    """The third of the lungs in which emphysema-like lung predominates; none where there is hardly any."""
    shares = [float((smooth[part][both[part]] < EMPHYSEMA_HU).mean()) for part in thirds(both)]
    whole = float((smooth[both] < EMPHYSEMA_HU).mean())
    if whole < 0.01 or max(shares) < PREDOMINANT * whole:
        return []
    return [Fact("dark_level", Kind.DARK_LEVEL, LEVELS[int(np.argmax(shares))])]


def thirds(mask: Mask) -> list[slice]:
    """Slices of the upper, middle and lower third of a mask's height, each with at least one voxel of it."""
    levels = np.flatnonzero(mask.any(axis=(1, 2)))
    low, high = int(levels[0]), int(levels[-1]) + 1
    cuts = [low + round((high - low) * part / 3.0) for part in range(4)]
    spans = [slice(cuts[2], cuts[3]), slice(cuts[1], cuts[2]), slice(cuts[0], cuts[1])]
    return [span if mask[span].any() else slice(low, high) for span in spans]


def place_of(centre: tuple[float, float, float], lungs: dict[str, Mask]) -> str:
    """Side and third of the lung nearest to a point."""
    z, y, x = (round(part) for part in centre)
    box = np.s_[max(0, z - 3) : z + 4, max(0, y - 3) : y + 4, max(0, x - 3) : x + 4]
    side = max(lungs, key=lambda name: int(lungs[name][box].sum()))
    levels = np.flatnonzero(lungs[side].any(axis=(1, 2)))
    share = (centre[0] - levels[0] + 0.5) / len(levels)
    return f"{side} {'lower' if share < 1 / 3 else 'middle' if share < 2 / 3 else 'upper'}"


def _dark_parts(values: Values, lungs: dict[str, Mask], both: Mask, step_mm: Spacing) -> list[Fact]:
    """Air spaces larger than SMALLEST_DARK_MM, as in bullae: their number and the largest."""
    smallest = np.pi / 6.0 * SMALLEST_DARK_MM**3
    pieces, _ = pieces_of(both & (values < EMPHYSEMA_HU), values, step_mm, smallest)
    facts = [Fact("dark_count", Kind.DARK_COUNT, float(len(pieces)))]
    if pieces:
        place = place_of(pieces[0].centre, lungs)
        facts.append(Fact("dark_diameter", Kind.DARK_DIAMETER, pieces[0].diameter_mm, "mm", place))
    return facts


def _bright_parts(values: Values, lungs: dict[str, Mask], both: Mask, step_mm: Spacing) -> list[Fact]:
    """Rounded pieces of soft tissue in the lungs: their number, and size, density and place of the largest."""
    pieces = bright_pieces(values, lungs, both, step_mm)
    facts = [Fact("bright_count", Kind.BRIGHT_COUNT, float(len(pieces)))]
    for number, piece in enumerate(pieces[:LARGEST_LISTED], start=1):
        place = place_of(piece.centre, lungs)
        facts.append(Fact(f"bright_diameter.{number}", Kind.BRIGHT_DIAMETER, piece.diameter_mm, "mm", place))
    if pieces:
        place = place_of(pieces[0].centre, lungs)
        facts.append(Fact("bright_density.1", Kind.BRIGHT_DENSITY, pieces[0].mean, "HU", place))
    return facts


def bright_pieces(values: Values, lungs: dict[str, Mask], both: Mask, step_mm: Spacing) -> list[Piece]:
    """Rounded soft-tissue pieces of at least SMALLEST_BRIGHT_MM away from the hilum, the largest first."""
    dense = both & (values > DENSE_HU)
    steps = [max(1, round(OPENING_MM / mm)) for mm in step_mm]
    ball = _ball(OPENING_MM, step_mm, steps)
    core = ndimage.binary_erosion(dense, ball)
    opened = ndimage.binary_dilation(core, ball) & dense
    pieces, label = pieces_of(opened, values, step_mm, np.pi / 6.0 * SMALLEST_BRIGHT_MM**3)
    away = _from_mediastinum(lungs, step_mm)
    boxes = ndimage.find_objects(label)
    found = []
    for piece in pieces:
        z, y, x = (round(part) for part in piece.centre)
        large = piece.diameter_mm > LARGE_MM
        if piece.elongation < ROUND and (away[z, y, x] or large):
            inside = np.pad(label[boxes[piece.label - 1]] == piece.label, 1)
            inscribed = 2.0 * float(ndimage.distance_transform_edt(inside, step_mm).max())
            if inscribed > (FULL_LARGE if large else FULL) * piece.diameter_mm:
                found.append(piece)
    return found


def _ball(radius_mm: float, step_mm: Spacing, steps: list[int]) -> Mask:
    z, y, x = np.ogrid[-steps[0] : steps[0] + 1, -steps[1] : steps[1] + 1, -steps[2] : steps[2] + 1]
    away = (z * step_mm[0]) ** 2 + (y * step_mm[1]) ** 2 + (x * step_mm[2]) ** 2
    return np.asarray(away <= radius_mm**2, bool)


def _from_mediastinum(lungs: dict[str, Mask], step_mm: Spacing) -> Mask:
    """Voxels that lie further than HILUM_MM, in their row, from the edge of the lung that faces the middle."""
    margin = round(HILUM_MM / step_mm[2])
    out: Mask = np.ones(next(iter(lungs.values())).shape, bool)
    for side, mask in lungs.items():
        # Columns run to the patient's left: the right lung faces the middle with its last column.
        inward = mask[:, :, ::-1] if side == "right" else mask
        medial = np.argmax(inward, axis=2)
        depth = np.arange(mask.shape[2])[None, None, :] - medial[:, :, None]
        near: Mask = np.asarray((depth < margin) & (depth >= -1) & inward.any(axis=2)[:, :, None], bool)
        out &= ~((near[:, :, ::-1] if side == "right" else near) & mask)
    return out
