"""Directions in the patient coordinate system: x to the left, y to posterior, z to the head. PS3.3 C.7.6.2.1.1."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs_agent.imaging.series import Plane

Vector = tuple[float, float, float]
Orientation = tuple[float, float, float, float, float, float]
"""Direction of a row (growing column index), then of a column (growing row index), as unit vectors."""

OBLIQUE_BELOW = 0.8
"""A slice whose normal has no component of at least this is oblique (37 degrees from every axis)."""
_ORTHONORMAL_TOLERANCE = 0.01
_KNOWN = 256
"""Orientations of which is remembered what follows from them: all slices of a series have the same."""

_PLANE_OF_AXIS = (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)
_DISPLAY_OF_AXIS: tuple[Orientation, ...] = (
    (0, 1, 0, 0, 0, -1),  # sagittal: rows run to posterior, columns to the feet
    (1, 0, 0, 0, 0, -1),  # coronal: rows run to the left, columns to the feet
    (1, 0, 0, 0, 1, 0),  # axial: rows run to the left, columns to posterior
)


@lru_cache(_KNOWN)
def is_orientation(orientation: Orientation) -> bool:
    """Whether the six numbers are two perpendicular unit vectors, within what writers round to."""
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    faults = (row @ row - 1, column @ column - 1, row @ column)
    return bool(np.max(np.abs(faults)) <= _ORTHONORMAL_TOLERANCE)


@lru_cache(_KNOWN)
def canonical_normal(orientation: Orientation) -> NDArray[np.float64]:
    """Unit normal of a slice, shape (3,), read-only: to the head (axial), left (sagittal) or posterior (coronal)."""
    normal: NDArray[np.float64] = np.cross(np.array(orientation[:3]), np.array(orientation[3:]))
    normal = normal / np.linalg.norm(normal)
    normal = normal if normal[_dominant_axis(normal)] > 0 else -normal
    normal.setflags(write=False)
    return normal


@lru_cache(_KNOWN)
def plane_of(orientation: Orientation) -> Plane:
    """The plane of a slice by its normal alone."""
    normal = canonical_normal(orientation)
    axis = _dominant_axis(normal)
    return _PLANE_OF_AXIS[axis] if normal[axis] >= OBLIQUE_BELOW else Plane.OBLIQUE


def angle_deg(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Angle between two vectors in degrees, 0 to 180."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


def _dominant_axis(vector: NDArray[np.float64]) -> int:
    """Index of the largest component; the later one on a tie, so that rounding does not decide."""
    return int(2 - np.argmax(np.round(np.abs(vector[::-1]), 6)))


@dataclass(frozen=True)
class Turn:
    """One of the eight ways to lay out the same pixels: first transposed, then flipped."""

    transposed: bool
    flipped_rows: bool
    flipped_columns: bool

    def orientation(self, orientation: Orientation) -> Orientation:
        """Orientation of the turned slice."""
        row, column = _swapped(orientation[:3], orientation[3:], self.transposed)
        row_sign, column_sign = 1 - 2 * self.flipped_columns, 1 - 2 * self.flipped_rows
        return (*(row_sign * x for x in row), *(column_sign * x for x in column))

    def position(
        self, position: Vector, orientation: Orientation, spacing: tuple[float, float], shape: tuple[int, int]
    ) -> Vector:
        """Centre of the first pixel of the turned slice, from position, spacing and (rows, columns) as stored."""
        to_last_column = np.array(orientation[:3]) * spacing[1] * (shape[1] - 1)
        to_last_row = np.array(orientation[3:]) * spacing[0] * (shape[0] - 1)
        along_row, along_column = _swapped(to_last_column, to_last_row, self.transposed)
        moved = np.array(position) + self.flipped_columns * along_row + self.flipped_rows * along_column
        return (float(moved[0]), float(moved[1]), float(moved[2]))

    def pair(self, pair: tuple[Any, Any]) -> tuple[Any, Any]:
        """(rows, columns) or (row spacing, column spacing) of the turned slice."""
        return _swapped(pair[0], pair[1], self.transposed)

    def pixels(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """The turned pixels, contiguous."""
        turned = pixels.T if self.transposed else pixels
        row_step, column_step = 1 - 2 * self.flipped_rows, 1 - 2 * self.flipped_columns
        return np.ascontiguousarray(turned[::row_step, ::column_step])

    def undone(self, turned: NDArray[Any]) -> NDArray[Any]:
        """The pixels of which `turned` are the turned ones, contiguous."""
        row_step, column_step = 1 - 2 * self.flipped_rows, 1 - 2 * self.flipped_columns
        pixels = turned[::row_step, ::column_step]
        return np.ascontiguousarray(pixels.T if self.transposed else pixels)


def turn_between(original: Orientation, wanted: Orientation) -> Turn:
    """The turn that brings slices of an orientation nearest to the wanted one."""
    turns = [Turn(t, r, c) for t in (False, True) for r in (False, True) for c in (False, True)]
    return max(turns, key=lambda turn: round(float(np.dot(turn.orientation(original), wanted)), 6))


@lru_cache(_KNOWN)
def display_turn(original: Orientation) -> Turn:
    """The turn that lays a slice out as it is read: left of the patient to the right of the image, head or front up."""
    return turn_between(original, _DISPLAY_OF_AXIS[_dominant_axis(canonical_normal(original))])


def _swapped(first: Any, second: Any, swap: bool) -> tuple[Any, Any]:
    """A pair, in the other order when asked."""
    return (second, first) if swap else (first, second)
