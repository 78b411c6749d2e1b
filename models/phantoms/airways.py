"""Trachea and main bronchi down to where the bronchi of the lobes begin."""

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Floats
from models.phantoms.tubes import Tubes

WALL_SHARE = 0.2
"""Thickness of a bronchus' wall as a share of its lumen's radius."""


def lobar_bronchi(anatomy: Anatomy) -> Floats:
    """Where the bronchus of each lobe begins [5, 3], in the order of LOBES."""
    s, z = anatomy.scale, anatomy.carina_z_mm
    right = ((-26, 10, -14), (-34, 6, -42), (-36, 10, -44))
    left = ((36, 8, -30), (39, 12, -34))
    return np.array([(x * s, y * s, z + dz * s) for x, y, dz in right + left], np.float32)


def main_airways(anatomy: Anatomy) -> Tubes:
    """Lumens of trachea, both main bronchi and the intermediate bronchus."""
    s, z, top = anatomy.scale, anatomy.carina_z_mm, 1.15 * anatomy.height_mm
    upper_right, middle, _, left, lower_left = lobar_bronchi(anatomy)
    carina = (1.0 * s, 11.0 * s, z)
    ways = (
        ((0.0, 2.0 * s, top), (0.0, 4.0 * s, 0.5 * (top + z)), 8.5, 8.5),
        ((0.0, 4.0 * s, 0.5 * (top + z)), carina, 8.5, 8.8),
        (carina, tuple(upper_right), 7.0, 6.2),
        (tuple(upper_right), tuple(middle), 5.4, 5.0),
        (carina, tuple(left), 6.6, 5.6),
        (tuple(left), tuple(lower_left), 5.0, 4.8),
    )
    start, end = (np.array([way[k] for way in ways], np.float32) for k in (0, 1))
    first, last = (np.array([way[k] for way in ways], np.float32) * np.float32(s) for k in (2, 3))
    return Tubes(start, end, first, last)
