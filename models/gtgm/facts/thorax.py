"""Regions of a chest CT by threshold, connection and closing: body, windpipe, both lungs, what lies between them.

Everything is found on a grid of about 4 mm, where noise has averaged out, and drawn exactly on the finer one.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from models.gtgm.facts.grid import Mask, Spacing, Values, blocks, factors_for, scaled, spread

COARSE_MM = 4.0
TISSUE_HU = -300.0
LUNG_EDGE_HU = -400.0
"""Half way between lung and soft tissue: where a voxel is half filled by either."""
LUNG_MEDIAN_HU = (-958.0, -500.0)
"""A piece of air is lung when its middle value lies here; gas of stomach and bowel is darker."""
GAS_HU, SMALLEST_GAS_ML, WALLED = -920.0, 2.0, 0.5
SMALLEST_LUNG_ML = 120.0
BONE_HU = 180.0
WINDPIPE_HU = -900.0
WINDPIPE_MM2 = (40.0, 900.0)
WINDPIPE_STEP_MM = 14.0
"""How far its centre may move from one coarse level to the next."""
BRONCHI_BOX_MM = (50.0, 22.0, 38.0)
"""Below, before and behind, and beside the end of the windpipe: where main bronchi are looked for."""
CLOSING_STEPS = 3
"""Of one coarse voxel each: vessels and nodules up to twice this width become part of the lung."""
CROSS = ndimage.generate_binary_structure(3, 1)
CROSS_IN_PLANE = CROSS & np.array([False, True, False])[:, None, None]
SQUARE_IN_PLANE = np.zeros((3, 3, 3), bool)
SQUARE_IN_PLANE[1] = True


@dataclass(frozen=True, eq=False)
class Thorax:
    """A CT on two grids with its regions. `values` HU [z, y, x] with `step_mm`; `coarse` likewise."""

    values: Values
    step_mm: Spacing
    factors: tuple[int, int, int]
    coarse: Values
    coarse_step_mm: Spacing
    body: Mask
    """On the coarse grid, as are `airway` and `closed`."""
    midline: float
    """Coarse column of the spine."""
    airway: Mask
    closed: tuple[Mask, Mask]
    """Right and left lung with their vessels and nodules; empty where none was found."""

    def lungs(self) -> dict[str, Mask]:
        """The lungs that were found, by side, with their vessels and nodules, on the finer grid."""
        airway = self.fine(ndimage.binary_dilation(self.airway, CROSS_IN_PLANE))
        lungs: dict[str, Mask] = {}
        for side, closed in zip(("right", "left"), self.closed, strict=True):
            if not closed.any():
                continue
            rim = self.fine(ndimage.binary_dilation(closed, CROSS)) & (self.values < LUNG_EDGE_HU) & ~airway
            mask = self.fine(ndimage.binary_erosion(closed, CROSS, border_value=1)) | (rim & self.fine(self.body))
            for other in lungs.values():
                mask &= ~other
            lungs[side] = mask
        return lungs

    @property
    def coarse_ml(self) -> float:
        """Volume of a coarse voxel."""
        z, y, x = self.coarse_step_mm
        return z * y * x / 1000.0

    def fine(self, mask: Mask) -> Mask:
        """A coarse mask on the finer grid."""
        return spread(mask, self.factors, self.values.shape)


def thorax_of(values: Values, step_mm: Spacing) -> Thorax:
    """The regions of a CT in HU."""
    factors = factors_for(step_mm, COARSE_MM, values.shape)
    coarse, coarse_step = blocks(values, factors), scaled(step_mm, factors)
    body = body_of(coarse)
    midline = midline_of(coarse, body)
    airway = windpipe_of(coarse, body, midline, coarse_step)
    closed = lungs_of(coarse, body & ~ndimage.binary_dilation(airway, CROSS_IN_PLANE), midline, coarse_step)
    return Thorax(values, step_mm, factors, coarse, coarse_step, body, midline, airway, closed)


def body_of(coarse: Values) -> Mask:
    """The patient without table and clothes: the largest piece of tissue, filled slice by slice."""
    tissue = coarse > TISSUE_HU
    opened = ndimage.binary_opening(np.pad(tissue, ((0, 0), (1, 1), (1, 1)), mode="edge"), SQUARE_IN_PLANE)[
        :, 1:-1, 1:-1
    ]
    label, count = ndimage.label(opened)
    if count == 0:
        return np.zeros(coarse.shape, bool)
    largest = label == 1 + int(np.bincount(label.ravel())[1:].argmax())
    # Opening tears a chest wall that is two voxels thin, and the lung behind it would be outside: mended here.
    return filled(ndimage.binary_dilation(largest, SQUARE_IN_PLANE, iterations=3, mask=tissue))


def filled(mask: Mask) -> Mask:
    """Fills what is enclosed in each slice, also where the field of view cuts the body: its edge closes the outline."""
    closed = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    for frame, line in (
        (closed[:, 0, 1:-1], mask[:, 0]),
        (closed[:, -1, 1:-1], mask[:, -1]),
        (closed[:, 1:-1, 0], mask[:, :, 0]),
        (closed[:, 1:-1, -1], mask[:, :, -1]),
    ):
        frame |= np.maximum.accumulate(line, axis=1) & np.maximum.accumulate(line[:, ::-1], axis=1)[:, ::-1]
    outside, _ = ndimage.label(~closed, CROSS_IN_PLANE)
    rim = np.zeros_like(closed)
    rim[:, 0], rim[:, -1], rim[:, :, 0], rim[:, :, -1] = True, True, True, True
    open_air = np.zeros(int(outside.max()) + 1, bool)
    open_air[outside[rim & ~closed]] = True
    out: Mask = ~open_air[outside][:, 1:-1, 1:-1] | mask
    return out


def midline_of(coarse: Values, body: Mask) -> float:
    """Column of the spine: the middle of bone in the back half of the body; of the body where there is no bone."""
    rows, columns = np.flatnonzero(body.any(axis=(0, 2))), np.flatnonzero(body.any(axis=(0, 1)))
    if len(rows) == 0:
        return float(coarse.shape[2]) / 2.0
    middle = int(rows.mean())
    bone = ((coarse[:, middle:] > BONE_HU) & body[:, middle:]).sum(axis=(0, 1))
    bone[: int(columns[0] + 0.3 * len(columns))] = 0
    bone[int(columns[0] + 0.7 * len(columns)) :] = 0
    if bone.sum() < 0.5 * len(coarse):
        return float(columns.mean())
    return float(np.average(np.arange(len(bone)), weights=bone))


def windpipe_of(coarse: Values, body: Mask, midline: float, step_mm: Spacing) -> Mask:
    """Windpipe, followed from the top downwards, and the main bronchi at its end; empty where none is seen."""
    dark = (coarse < WINDPIPE_HU) & body
    airway = np.zeros(coarse.shape, bool)
    centre: tuple[float, float] | None = None
    for level in range(len(coarse) - 1, -1, -1):
        found = _round_hole(dark[level], centre, midline, step_mm)
        if found is None:
            if centre is not None:
                break
            continue
        airway[level], centre = found
    if centre is None or airway.any(axis=(1, 2)).sum() * step_mm[0] < 15.0:
        return np.zeros(coarse.shape, bool)
    return airway | _main_bronchi(dark, airway, int(np.flatnonzero(airway.any(axis=(1, 2)))[0]), centre, step_mm)


def _round_hole(
    dark: Mask, last: tuple[float, float] | None, midline: float, step_mm: Spacing
) -> tuple[Mask, tuple[float, float]] | None:
    """The dark hole of a slice that carries on the windpipe, and its centre."""
    label, count = ndimage.label(dark)
    if count == 0:
        return None
    areas = np.bincount(label.ravel())[1:] * (step_mm[1] * step_mm[2])
    centres = ndimage.center_of_mass(dark, label, np.arange(1, count + 1))
    near: list[tuple[float, int]] = []
    for number, (area, (row, column)) in enumerate(zip(areas, centres, strict=True)):
        aim = last or (row, midline)
        away = float(np.hypot((row - aim[0]) * step_mm[1], (column - aim[1]) * step_mm[2]))
        if WINDPIPE_MM2[0] <= area <= WINDPIPE_MM2[1] and away < (WINDPIPE_STEP_MM if last else 25.0):
            near.append((away, number))
    if not near:
        return None
    best = min(near)[1]
    return label == best + 1, (float(centres[best][0]), float(centres[best][1]))


def _main_bronchi(dark: Mask, airway: Mask, end: int, centre: tuple[float, float], step_mm: Spacing) -> Mask:
    below, depth, beside = (round(mm / step) for mm, step in zip(BRONCHI_BOX_MM, step_mm, strict=True))
    row, column = round(centre[0]), round(centre[1])
    box = (
        slice(max(0, end - below), end + 1),
        slice(max(0, row - depth), row + depth + 1),
        slice(max(0, column - beside), column + beside + 1),
    )
    out = np.zeros_like(airway)
    out[box] = ndimage.binary_propagation(airway[box], CROSS, mask=dark[box] | airway[box])
    return out


def lungs_of(coarse: Values, body: Mask, midline: float, step_mm: Spacing) -> tuple[Mask, Mask]:
    """Right and left lung with the vessels and nodules in them."""
    air = (coarse < LUNG_EDGE_HU) & body
    gas = gas_in_tissue(coarse, body, step_mm)
    air &= ~gas
    core = ndimage.binary_erosion(air, CROSS, border_value=1)
    label, count = ndimage.label(core)
    right, left = np.zeros_like(air), np.zeros_like(air)
    if count == 0:
        return right, left
    sizes = np.bincount(label.ravel(), minlength=count + 1) * (float(np.prod(step_mm)) / 1000.0)
    columns = np.arange(air.shape[2])[None, None, :]
    for number in np.flatnonzero(sizes[1:] > 0.2 * SMALLEST_LUNG_ML) + 1:
        piece = label == number
        if not LUNG_MEDIAN_HU[0] < float(np.median(coarse[piece])) < LUNG_MEDIAN_HU[1]:
            continue
        on_right = float((piece & (columns < midline)).sum() / piece.sum())
        right |= piece & ((columns < midline) | (on_right > 0.8)) & (on_right > 0.2)
        left |= piece & ((columns >= midline) | (on_right < 0.2)) & (on_right < 0.8)
    return _grown(right, left, air, gas, step_mm)


def gas_in_tissue(coarse: Values, body: Mask, step_mm: Spacing) -> Mask:
    """Gas with a wall of soft tissue all about it, as in stomach, bowel and bronchi; a bulla has lung about it."""
    dark = (coarse < GAS_HU) & body
    label, count = ndimage.label(dark)
    sizes = np.bincount(label.ravel(), minlength=count + 1) * float(np.prod(step_mm)) / 1000.0
    gas, boxes = np.zeros_like(dark), ndimage.find_objects(label)
    for number in np.flatnonzero(sizes[1:] > SMALLEST_GAS_ML) + 1:
        box = tuple(slice(max(0, part.start - 3), part.stop + 3) for part in boxes[number - 1])
        near = ndimage.binary_dilation(label[box] == number, SQUARE_IN_PLANE)
        shell = ndimage.binary_dilation(near, SQUARE_IN_PLANE) & ~near
        if shell.any() and float((coarse[box][shell] > LUNG_EDGE_HU).mean()) > WALLED:
            gas[box] |= near
    return gas


def _grown(right: Mask, left: Mask, air: Mask, gas: Mask, step_mm: Spacing) -> tuple[Mask, Mask]:
    """Both cores grown back into the air, in turn so that neither takes from the other, then closed."""
    for _ in range(2):
        right = right | (ndimage.binary_dilation(right, CROSS) & air & ~left)
        left = left | (ndimage.binary_dilation(left, CROSS) & air & ~right)
    right, left = _closed(right) & ~gas, _closed(left) & ~gas
    return _large_enough(right, step_mm), _large_enough(left & ~right, step_mm)


def _large_enough(lung: Mask, step_mm: Spacing) -> Mask:
    large = float(lung.sum()) * float(np.prod(step_mm)) / 1000.0 > SMALLEST_LUNG_ML
    return lung if large else np.zeros_like(lung)


def _closed(lung: Mask) -> Mask:
    """Closes the gaps that vessels and nodules leave, and fills what is enclosed, slice by slice."""
    pad = CLOSING_STEPS + 1
    out = np.pad(lung, ((0, 0), (pad, pad), (pad, pad)))
    steps = [SQUARE_IN_PLANE if step % 2 else CROSS_IN_PLANE for step in range(CLOSING_STEPS)]
    for step in steps:
        out = ndimage.binary_dilation(out, step)
    for step in steps:
        out = ndimage.binary_erosion(out, step, border_value=1)
    return filled(out[:, pad:-pad, pad:-pad] | lung)
