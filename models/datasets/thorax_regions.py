"""Regions of a real chest CT by threshold, connection and closing: body, both lungs with their vessels, mediastinum.

Good enough to place lesions; nothing is measured by it.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.phantoms.canvas import Region

Mask = NDArray[np.bool_]
AIR_OF_LUNG_HU = (-965.0, -420.0)
"""After smoothing: outside air and bowel gas are darker, soft tissue is brighter."""
SMALLEST_LUNG_ML = 60.0
CLOSING_MM = 9.0
"""Vessels and nodules up to twice this width become part of the lung."""
TRACHEA_HU, TRACHEA_REACH_MM = -930.0, 40.0
CORE_MM = 5.0
"""Both lungs fall apart when they are shrunk by this."""


def regions_of(hu: NDArray[np.int16], spacing_mm: tuple[float, float], z_mm: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The region of every voxel [slices, rows, columns]; see `models.phantoms.canvas.Region`."""
    thickness = float(np.median(np.diff(z_mm)))
    step = (thickness, *spacing_mm)
    body = body_of(hu)
    right, left = lungs_of(hu, body, step)
    region = np.where(body, np.uint8(Region.WALL), np.uint8(Region.OUTSIDE))
    between = _between(right, left)
    region[between & body] = Region.MEDIASTINUM
    region[right], region[left] = Region.RIGHT_LUNG, Region.LEFT_LUNG
    return region


def body_of(hu: NDArray[np.int16]) -> Mask:
    """The patient without table and clothes: the largest piece of tissue, filled slice by slice."""
    tissue = ndimage.binary_opening(hu > -300, np.ones((1, 5, 5)))
    label, count = ndimage.label(tissue)
    if count == 0:
        return np.zeros(hu.shape, bool)
    largest = label == 1 + np.bincount(label.ravel())[1:].argmax()
    return np.stack([_filled(level) for level in largest])


def _filled(level: Mask) -> Mask:
    """Fills what is enclosed, also where the field of view cuts the chest: there its edge closes the outline."""
    frame = np.pad(level, 1)
    edges = (frame[:, 0], level[:, 0]), (frame[:, -1], level[:, -1]), (frame[-1], level[-1])
    everywhere = all(line.any() for _, line in edges)
    rows = np.flatnonzero(level.any(axis=1))
    for closed, line in edges:
        touched = np.flatnonzero(line)
        if everywhere:
            closed[: len(closed)] |= True
        elif len(touched):
            closed[touched[0] + 1 : touched[-1] + 2] = True
    if everywhere:
        frame[: rows[0] + 1] = False
    filled: Mask = ndimage.binary_fill_holes(frame)[1:-1, 1:-1]
    return filled


def midline_px(hu: NDArray[np.int16], body: Mask) -> float:
    """Column of the spine: the centre of bone in the back half of the body."""
    middle_row = int(4 * np.median(np.nonzero(body[::4, ::4, ::4])[1]))
    bone = (hu[:, middle_row:] > 180) & body[:, middle_row:]
    columns = np.nonzero(bone.any(axis=1).sum(axis=0) > 0.5 * len(hu))[0]
    return float(np.median(columns)) if len(columns) else hu.shape[2] / 2.0


def lungs_of(hu: NDArray[np.int16], body: Mask, step_mm: tuple[float, float, float]) -> tuple[Mask, Mask]:
    """Right and left lung with the vessels in them; trachea and main bronchi belong to neither."""
    midline = midline_px(hu, body)
    sigma = [min(1.6 / step, 1.6) for step in step_mm]
    smooth = ndimage.gaussian_filter(hu.astype(np.float32), sigma)
    inside = ndimage.binary_erosion(body, np.ones((1, 7, 7)), border_value=1)
    air = (smooth > AIR_OF_LUNG_HU[0]) & (smooth < AIR_OF_LUNG_HU[1]) & inside
    air &= ~_trachea(smooth, inside, midline, step_mm)
    label, _ = ndimage.label(air)
    sizes = np.bincount(label.ravel()) * (float(np.prod(step_mm)) / 1000.0)
    big = np.flatnonzero(sizes > SMALLEST_LUNG_ML)
    lungs = np.isin(label, big[big > 0])
    core = ndimage.distance_transform_edt(lungs, step_mm) > CORE_MM
    side = np.where(np.arange(hu.shape[2])[None, None, :] < midline, 1, 2) * core
    return _closed(_part(lungs, core, side, 1), step_mm), _closed(_part(lungs, core, side, 2), step_mm)


def _trachea(smooth: NDArray[np.float32], inside: Mask, midline: float, step_mm: tuple[float, float, float]) -> Mask:
    """Trachea and main bronchi with their walls: the tallest column of pure air about the midline."""
    columns = np.abs(np.arange(smooth.shape[2]) - midline) * step_mm[2] < TRACHEA_REACH_MM
    dark = (smooth < TRACHEA_HU) & inside & columns[None, None, :]
    label, count = ndimage.label(ndimage.binary_opening(dark, np.ones((1, 3, 3))))
    if count == 0:
        return dark
    heights = [place[0].stop - place[0].start for place in ndimage.find_objects(label)]
    tallest = label == 1 + int(np.argmax(heights))
    return np.stack([ndimage.binary_dilation(level, iterations=3) for level in tallest])


def _part(lungs: Mask, core: Mask, side: NDArray[np.intp], wanted: int) -> Mask:
    """Voxels of the lungs whose nearest core belongs to one side; a core belongs where most of it lies."""
    label, count = ndimage.label(core)
    if count == 0:
        return lungs & False
    votes = ndimage.mean(side, label, np.arange(count + 1))
    owner = np.where(votes > 1.5, 2, 1)[label]
    nearest = ndimage.distance_transform_edt(~core, return_distances=False, return_indices=True)
    part: Mask = lungs & (owner[tuple(nearest)] == wanted)
    return part


def _closed(lung: Mask, step_mm: tuple[float, float, float]) -> Mask:
    """Closes the gaps that vessels leave, slice by slice."""
    out = np.zeros_like(lung)
    for index in np.flatnonzero(lung.any(axis=(1, 2))):
        grown = ndimage.distance_transform_edt(~lung[index], step_mm[1:]) <= CLOSING_MM
        grown = np.pad(grown, 1, mode="edge")
        closed = ndimage.distance_transform_edt(grown, step_mm[1:])[1:-1, 1:-1] > CLOSING_MM
        out[index] = ndimage.binary_fill_holes(closed | lung[index])
    return out


def _between(right: Mask, left: Mask) -> Mask:
    """Voxels with right lung to one side and left lung to the other, in the same row."""
    after_right = np.maximum.accumulate(right, axis=2)
    before_left = np.maximum.accumulate(left[:, :, ::-1], axis=2)[:, :, ::-1]
    between: Mask = after_right & before_left
    return between
