"""Where in a slice a finding lies: the encoder's patch logits, placed on the slice's pixels and in the patient.

The encoder crops a field about the body's centre and resamples it to one pixel size, so a patch is as large in every
patient but lies elsewhere in every slice. Pixels are counted as in the Slice: row and column, whole numbers at centres.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pacs_agent.imaging import Slice
from pacs_agent.inference.tokens import SliceToken

Point = tuple[float, float]
"""Row and column in pixels of a slice, or along them."""
Place = tuple[float, float, float]
"""In the patient coordinate system, in mm. PS3.3 C.7.6.2.1.1."""


@dataclass(frozen=True)
class Field:
    """What the encoder crops from a slice: rows and columns, and the side of its pixels."""

    size_px: tuple[int, int]
    pixel_mm: float


@dataclass(frozen=True, eq=False)
class Heat:
    """A finding in one slice as a grid of values in [0, 1], shape [gr, gc].

    The centre of the patch in row r and column c lies at `origin_px` + (r, c) × `step_px`, in the slice's own pixels,
    and at `origin_mm` + r × `row_step_mm` + c × `column_step_mm` in the patient. Patches may lie outside of the image.
    """

    values: NDArray[np.float32]
    origin_px: Point
    step_px: Point
    origin_mm: Place
    row_step_mm: Place
    column_step_mm: Place
    peak_px: Point
    """Centre of the strongest patch within the image."""
    peak_mm: Place
    peak_heat: float


def heat_of(token: SliceToken, finding: int, one: Slice, field: Field) -> Heat:
    """The heat of the finding at this place of the encoder's finding axis."""
    logits = token.patch_grid[finding].astype(np.float32)
    origin, step = placed(logits.shape, token.field_centre_px, one, field)
    row, column = _strongest(logits, origin, step, one)
    peak = _clipped((origin[0] + row * step[0], origin[1] + column * step[1]), one)
    values = _sigmoid(logits)
    first = patient_mm(one, origin)
    return Heat(
        values=values,
        origin_px=origin,
        step_px=step,
        origin_mm=first,
        row_step_mm=_difference(patient_mm(one, (origin[0] + step[0], origin[1])), first),
        column_step_mm=_difference(patient_mm(one, (origin[0], origin[1] + step[1])), first),
        peak_px=peak,
        peak_mm=patient_mm(one, peak),
        peak_heat=float(values[row, column]),
    )


def patient_mm(one: Slice, point: Point) -> Place:
    """The place of a point of a slice. PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1."""
    along_row, along_column = np.array(one.orientation[:3]), np.array(one.orientation[3:])
    row_mm, column_mm = point[0] * one.spacing_mm[0], point[1] * one.spacing_mm[1]
    x, y, z = np.array(one.position_mm) + along_column * row_mm + along_row * column_mm
    return float(x), float(y), float(z)


def placed(grid: tuple[int, ...], centre_px: NDArray[np.float32], one: Slice, field: Field) -> tuple[Point, Point]:
    """Centre of the first patch of a grid [gr, gc], and the way from one to the next, in pixels of the slice."""
    origin, step = [], []
    for axis in (0, 1):
        patch_px = field.size_px[axis] / grid[axis] * field.pixel_mm / one.spacing_mm[axis]
        step.append(patch_px)
        origin.append(float(centre_px[axis]) - (grid[axis] - 1) / 2 * patch_px)
    return (origin[0], origin[1]), (step[0], step[1])


def _strongest(logits: NDArray[np.float32], origin: Point, step: Point, one: Slice) -> tuple[int, int]:
    """The strongest patch whose centre lies in the image; the first one where none does."""
    rows, columns = (origin[axis] + step[axis] * np.arange(logits.shape[axis], dtype=np.float64) for axis in (0, 1))
    inside = _within(rows, one.rows)[:, None] & _within(columns, one.columns)[None, :]
    row, column = np.unravel_index(np.argmax(np.where(inside, logits, -np.inf)), logits.shape)
    return int(row), int(column)


def _clipped(point: Point, one: Slice) -> Point:
    return min(max(point[0], 0.0), one.rows - 1.0), min(max(point[1], 0.0), one.columns - 1.0)


def _within(places_px: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    return (places_px >= 0) & (places_px <= count - 1)


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = (0.5 * (1 + np.tanh(logits / 2))).astype(np.float32)
    return values


def _difference(a: Place, b: Place) -> Place:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]
