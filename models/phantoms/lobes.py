"""The lobes of the lungs, parted by curved fissures: surfaces z(x, y) that differ from person to person."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Floats, Point
from models.phantoms.findings import Lobe

LOBES: tuple[Lobe, ...] = tuple(Lobe)
"""Order of the indices that `lobe_at` gives."""


@dataclass(frozen=True)
class Fissures:
    """Height in mm, over x and y, of the oblique fissures of both lungs and of the horizontal fissure."""

    right_oblique: Floats
    left_oblique: Floats
    horizontal: Floats


def fissures_over(x_mm: Floats, y_mm: Floats, anatomy: Anatomy) -> Fissures:
    """The three fissures over places that broadcast together.

    The oblique fissure falls from the back at two thirds of the lung's height to the front of its base; its upper part
    bulges forward, its lower part backward. The horizontal fissure is a low dome that falls to the front and the side.
    """
    front = y_mm / np.float32(anatomy.cavity_y_mm)
    side = np.abs(x_mm) / np.float32(anatomy.cavity_x_mm) - np.float32(0.5)
    right, left = (
        anatomy.height_mm * (base + 0.33 * front + 0.05 * np.sin(2.6 * front + bend) + curve * side**2 + 0.04 * side)
        for base, bend, curve in anatomy.oblique_fissures
    )
    base, slope, curve = anatomy.horizontal_fissure
    flat = anatomy.height_mm * (base + slope * front - curve * (side**2 + 0.4 * (front + 0.3) ** 2))
    return Fissures(*(np.asarray(height, np.float32) for height in (right, left, flat)))


def lobe_at(x_mm: Floats, y_mm: Floats, z_mm: Floats, anatomy: Anatomy) -> NDArray[np.uint8]:
    """Index into LOBES of each place, whether it lies in lung or not; the side is that of x."""
    fissures = fissures_over(x_mm, y_mm, anatomy)
    right = np.where(z_mm < fissures.right_oblique, 2, np.where(z_mm < fissures.horizontal, 1, 0))
    left = np.where(z_mm < fissures.left_oblique, 4, 3)
    return np.where(x_mm < 0.0, right, left).astype(np.uint8)


def lobe_of(point: Point, anatomy: Anatomy) -> Lobe:
    """The lobe of one place."""
    x, y, z = (np.float32(value) for value in point)
    return LOBES[int(lobe_at(np.asarray(x), np.asarray(y), np.asarray(z), anatomy))]
