"""The person's surfaces over a grid: chest wall, diaphragm, mediastinal borders, heart, lungs.

Surfaces that do not change with z (the diaphragm, the fissures, the heart's cross-section) are maps over the grid's
rows and columns, made once; the others are tables over angle or over rows, one per level.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Floats, Region
from models.phantoms.lobes import Fissures, fissures_over

ANGLES = 720
"""Entries of a table over angle: from the back over the left side to the front and over the right side back."""
POLE_Y_MM = 6.0
"""Centre of the angles; x is 0."""
PLEURA_MM = 1.5
_SHARES = np.array((-0.5, 0.0, 0.3, 0.55, 0.72, 0.9, 1.05))
_ROWS = np.array((-1.1, -0.75, -0.45, -0.15, 0.15, 0.45, 0.68, 0.9, 1.2))
"""Knots of the mediastinal borders: shares of the lung's height, shares of the cavity's depth from front to back."""
_RIGHT_MM = np.array(
    (
        (12, 14, 18, 20, 18, 11, 11, 16, 22),
        (10, 13, 18, 22, 18, 10, 10, 16, 22),
        (6, 7, 15, 23, 17, 9, 9, 16, 22),
        (3, 3, 12, 27, 23, 13, 11, 17, 22),
        (3, 4, 14, 25, 20, 14, 13, 18, 24),
        (20, 21, 24, 24, 22, 19, 19, 22, 26),
        (40, 40, 38, 38, 36, 34, 34, 34, 36),
    ),
    np.float64,
)
_LEFT_MM = np.array(
    (
        (12, 16, 20, 18, 16, 18, 20, 18, 22),
        (12, 16, 20, 18, 16, 20, 22, 18, 22),
        (6, 9, 16, 18, 15, 20, 22, 18, 22),
        (3, 4, 13, 24, 22, 22, 22, 18, 22),
        (3, 4, 12, 24, 26, 24, 22, 20, 24),
        (20, 21, 24, 25, 24, 22, 21, 23, 26),
        (40, 40, 38, 38, 36, 34, 34, 34, 36),
    ),
    np.float64,
)


@dataclass(frozen=True, eq=False)
class Frame:
    """Coordinates of a part of a grid and the maps over it, shape [rows, columns]; lengths in mm."""

    x: Floats
    """[1, columns]"""
    y: Floats
    """[rows, 1]"""
    angle: NDArray[np.intp]
    """Place in a table over angle."""
    radius: Floats
    """Distance from the pole."""


@dataclass(frozen=True, eq=False)
class Cavity:
    """A frame about the thoracic cavity with the surfaces in it."""

    frame: Frame
    diaphragm: Floats
    fissures: Fissures
    heart_u: Floats
    heart_v: Floats
    heart_flat: Floats
    """Square of the distance from the heart's long axis plane, in units of its half axes."""


@dataclass(frozen=True, eq=False)
class Contours:
    """Tables of some levels: the cage's radius over angle, the mediastinum's right and left border over rows."""

    z_mm: Floats
    cage: Floats
    right: Floats
    left: Floats

    def level(self, index: int) -> "Contours":
        """Those of one level."""
        one = slice(index, index + 1)
        return Contours(self.z_mm[one], self.cage[one], self.right[one], self.left[one])


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Signed distances in mm at some levels, shape [levels, rows, columns]; negative inside."""

    wall: Floats
    """To the inner face of the ribs."""
    dome: Floats
    """To the diaphragm: negative above it."""
    mediastinum: Floats
    spine: Floats
    heart: Floats
    """To the pericardium."""
    lung: Floats


def frame_of(x_mm: Floats, y_mm: Floats) -> Frame:
    """The frame of rows and columns."""
    x, y = x_mm[None, :], y_mm[:, None]
    turn = np.arctan2(x, y - np.float32(POLE_Y_MM)) / np.float32(2.0 * np.pi)
    angle = np.round(turn * ANGLES).astype(np.intp) % ANGLES
    return Frame(x, y, angle, np.hypot(x, y - np.float32(POLE_Y_MM)))


def table_angles() -> Floats:
    """Angle from the front of each entry of a table, in -pi to pi; the left is positive."""
    return (np.pi - np.arange(ANGLES) / ANGLES * 2.0 * np.pi).astype(np.float32)


ANGLE = table_angles()
_SIN, _COS = np.abs(np.sin(ANGLE)), np.cos(ANGLE)


def cavity_of(frame: Frame, anatomy: Anatomy) -> Cavity:
    """The surfaces over a frame."""
    (cx, cy, _), (a, b, _) = anatomy.heart_centre_mm, anatomy.heart_axes_mm
    cos, sin = np.float32(np.cos(anatomy.heart_turn)), np.float32(np.sin(anatomy.heart_turn))
    dx, dy = frame.x - np.float32(cx), frame.y - np.float32(cy)
    u = np.asarray((cos * dx - sin * dy) / np.float32(a), np.float32)
    v = np.asarray((sin * dx + cos * dy) / np.float32(b), np.float32)
    return Cavity(frame, diaphragm_mm(frame, anatomy), fissures_over(frame.x, frame.y, anatomy), u, v, u * u + v * v)


def diaphragm_mm(frame: Frame, anatomy: Anatomy) -> Floats:
    """Height of the diaphragm over each place: two domes that fall to the back and to the sides."""
    rng = np.random.default_rng((anatomy.seed, 11))
    right, left = anatomy.dome_mm
    waves = rng.uniform(0.0, 6.28, 4)
    side = right + (left - right) / (1.0 + np.exp(-frame.x / np.float32(12.0)))
    across = np.abs(frame.x) - 0.5 * anatomy.cavity_x_mm
    lateral = across / (np.where(across > 0.0, 0.55, 0.75) * anatomy.cavity_x_mm)
    back = (frame.y + 0.15 * anatomy.cavity_y_mm) / anatomy.cavity_y_mm
    ripple = np.sin(frame.x / 31.0 + waves[0]) + np.sin(frame.y / 27.0 + frame.x / 40.0 + waves[1])
    fall = 45.0 * lateral**2 + 62.0 * np.maximum(back, 0.0) ** 2 + 25.0 * back**2
    return np.asarray(np.maximum(side - fall + 1.8 * ripple, -35.0), np.float32)


def cavity_size(share: Floats) -> Floats:
    """Size of the cavity at shares of the lung's height, relative to its largest."""
    above = np.maximum((share - 0.35) / 0.67, 0.0)
    return np.asarray(np.sqrt(np.maximum(1.0 - above**2.4, 1e-4)), np.float32)


def cage_table(anatomy: Anatomy, size: Floats) -> Floats:
    """Radius of the inner face of the ribs over angle, [levels, ANGLES], for relative sizes [levels]."""
    size = size[:, None]
    a, b = anatomy.cavity_x_mm * size**0.8, anatomy.cavity_y_mm * (0.12 + 0.88 * size)
    round_off = ((_SIN / a) ** 2.3 + (np.abs(_COS) / b) ** 2.3) ** np.float32(-1.0 / 2.3)
    turn = np.abs(ANGLE)
    gutter = 14.0 * np.exp(-(((turn - 2.6) / 0.32) ** 2)) - 5.0 * np.exp(-((turn / 0.35) ** 2))
    rng = np.random.default_rng((anatomy.seed, 12))
    wobble = sum(rng.normal(0.0, 1.6 / k) * np.cos(k * ANGLE + rng.uniform(0.0, 6.28)) for k in range(1, 6))
    centre_y = (1.0 - size) * 0.3 * anatomy.cavity_y_mm
    return np.asarray(round_off + size * (gutter + wobble) - _COS * (centre_y - POLE_Y_MM), np.float32)


def border_tables(anatomy: Anatomy, share: Floats, y_mm: Floats) -> tuple[Floats, Floats]:
    """X of the right and left border of the mediastinum, [levels, rows], without heart and great vessels."""
    rng = np.random.default_rng((anatomy.seed, 13))
    fat = 5.0 * anatomy.mediastinal_fat * np.exp(-(((_ROWS + 0.7) / 0.5) ** 2))
    tables = []
    for knots in (_RIGHT_MM, _LEFT_MM):
        spread = knots * anatomy.scale * rng.uniform(0.84, 1.16, knots.shape) + fat
        spline = RectBivariateSpline(_SHARES, _ROWS, spread, kx=3, ky=3)
        tables.append(spline(share.clip(-0.5, 1.05), (y_mm / anatomy.cavity_y_mm).clip(-1.1, 1.2)).astype(np.float32))
    swing = np.float32(rng.normal(0.0, 2.5)) * np.exp(-(((y_mm / anatomy.cavity_y_mm + 0.8) / 0.3) ** 2))
    return -tables[0] + swing + 2.0, tables[1] + swing + 2.0


def contours_of(cavity: Cavity, z_mm: Floats, anatomy: Anatomy) -> Contours:
    """The tables of some levels."""
    share = z_mm / anatomy.height_mm
    right, left = border_tables(anatomy, share, cavity.frame.y[:, 0])
    return Contours(z_mm, cage_table(anatomy, cavity_size(share)), right, left)


def surfaces_at(cavity: Cavity, contours: Contours, anatomy: Anatomy) -> Surfaces:
    """All surfaces of the cavity at some levels."""
    frame, z_mm = cavity.frame, contours.z_mm
    wall = frame.radius - contours.cage.take(frame.angle, axis=1)
    dome = (cavity.diaphragm - z_mm[:, None, None]) * np.float32(0.8)
    mediastinum = np.maximum(contours.right[:, :, None] - frame.x, frame.x - contours.left[:, :, None])
    heart = heart_distance(cavity, z_mm, anatomy)
    spine = spine_distance(frame, z_mm, anatomy)
    nearest = np.minimum(np.minimum(mediastinum, heart), spine)
    lung = np.maximum(np.maximum(wall + np.float32(PLEURA_MM), dome), -nearest)
    return Surfaces(wall, dome, mediastinum, spine, heart, lung)


def heart_distance(cavity: Cavity, z_mm: Floats, anatomy: Anatomy) -> Floats:
    """Distance to the pericardium, which holds heart, fat and fluid."""
    _, _, cz = anatomy.heart_centre_mm
    a, b, c = anatomy.heart_axes_mm
    mean = np.float32((a + b + c) / 3.0)
    radius = np.sqrt(cavity.heart_flat + (((z_mm - cz) / c) ** 2)[:, None, None].astype(np.float32))
    return (radius - np.float32(1.0)) * mean - np.float32(anatomy.pericardial_fluid_mm + anatomy.epicardial_fat_mm)


def spine_y_mm(anatomy: Anatomy, z_mm: Floats) -> Floats:
    """Centre of the vertebral bodies along the kyphosis."""
    share = z_mm / anatomy.height_mm
    bow = 0.5 * anatomy.kyphosis_mm * (1.0 - (2.0 * share - 1.0) ** 2).clip(-1.0)
    return np.asarray(anatomy.spine_y_mm + bow, np.float32)


def spine_distance(frame: Frame, z_mm: Floats, anatomy: Anatomy) -> Floats:
    """Distance to the vertebral bodies with the tissue about them."""
    s = anatomy.scale
    y = frame.y - (spine_y_mm(anatomy, z_mm)[:, None, None] + 4.0 * s).astype(np.float32)
    radius = np.sqrt((frame.x / np.float32(23.0 * s)) ** 2 + (y / np.float32(22.0 * s)) ** 2)
    return (radius - np.float32(1.0)) * np.float32(22.0 * s)


def regions(surfaces: Surfaces, x: Floats) -> NDArray[np.uint8]:
    """What each voxel of the cavity belongs to; the great vessels and airways come later."""
    region = np.full(surfaces.lung.shape, Region.WALL, np.uint8)
    inside = surfaces.wall < 0.0
    region[inside] = Region.MEDIASTINUM
    region[inside & (surfaces.dome > 0.0)] = Region.BELOW_DIAPHRAGM
    region[inside & (surfaces.heart < 0.0) & (surfaces.spine > 0.0)] = Region.HEART
    region[inside & (surfaces.spine < 0.0)] = Region.WALL
    lungs = np.where(x < 0.0, np.uint8(Region.RIGHT_LUNG), np.uint8(Region.LEFT_LUNG))
    return np.where(surfaces.lung < 0.0, lungs, region)
