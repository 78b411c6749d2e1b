"""The rectum as a tube: its line, and its layers as tables over the length along the line and the angle about it.

Length 0 is the anal verge; angle 0 is in front (12 o'clock), a quarter turn is the patient's left (3 o'clock).
In the anal canal the same layers are the mucosa, the internal sphincter and the intersphincteric space.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter

from models.phantoms.canvas import Floats, Point
from models.phantoms.pelvis.person import Filling, Person
from models.phantoms.pelvis.volume import Box

ANGLES = 360
STEP_MM = 0.5
TOP_MM = 182.0
_KNOTS_Z = (-6.0, 0.0, 20.0, 38.0, 50.0, 65.0, 80.0, 100.0, 120.0, 140.0, 160.0, 184.0)
_KNOTS_Y = (24.0, 22.0, 15.0, 9.0, 12.0, 20.0, 27.5, 33.0, 35.0, 31.0, 21.0, 4.0)
INTERSPHINCTERIC_MM = 1.8


@dataclass(frozen=True, eq=False)
class Places:
    """Where points lie in the tube: length in mm, place in a flat table, distance from the line in mm."""

    length: Floats
    entry: NDArray[np.intp]
    radius: Floats

    def part(self, index: tuple[slice, slice, slice]) -> "Places":
        """Those of a part of a box."""
        return Places(self.length[index], self.entry[index], self.radius[index])


@dataclass(frozen=True, eq=False)
class Tube:
    """Line and layers. Tables over z have one entry per STEP_MM from the line's start; layers are [lengths, ANGLES]."""

    person: Person
    z: Floats
    x: Floats
    y: Floats
    slope: Floats
    """dy / dz of the line."""
    length: Floats
    """Along the line from the verge."""
    lumen: Floats
    """Radius of the lumen."""
    submucosa: Floats
    """Outer radius of the submucosa."""
    wall: Floats
    """Outer radius of the muscularis or of the internal sphincter."""
    envelope: Floats
    """Radius of the mesorectal fascia, of the peritoneum, or of the inner face of the external sphincter."""

    @property
    def lengths(self) -> Floats:
        """Length of each row of the tables, [lengths, 1]."""
        return (np.arange(len(self.lumen), dtype=np.float32) * STEP_MM)[:, None]

    @cached_property
    def peritoneal(self) -> NDArray[np.bool_]:
        """Where the envelope is peritoneum, [lengths, ANGLES]."""
        above = self.lengths - self.person.reflection_mm
        half = np.deg2rad(np.clip(52.0 + 1.1 * above, 0.0, 112.0))
        return np.asarray((above > 0.0) & (np.abs(turn()) < half))

    def places(self, x: Floats, y: Floats, z: Floats) -> Places:
        """Where points lie; coordinates broadcast against each other.

        Exact where the line is straight: the distance from a line that leans by a in the sagittal plane is
        hypot(dx, dy cos a), and the foot of the plumb line lies dy sin a further along.
        """
        at = np.clip(np.rint((z - self.z[0]) / STEP_MM).astype(np.intp), 0, len(self.z) - 1)
        cos = 1.0 / np.sqrt(1.0 + self.slope[at] ** 2)
        dx, dy = x - self.x[at], y - self.y[at]
        # Between two entries of the table the line goes on.
        rest = z - self.z[at]
        dy = dy - self.slope[at] * rest
        length = self.length[at] + rest / cos + dy * (self.slope[at] * cos)
        across = dy * cos
        angle = np.arctan2(dx, -across)
        column = np.rint(angle * np.float32(ANGLES / (2.0 * np.pi))).astype(np.intp) % ANGLES
        row = np.clip(np.rint(length / STEP_MM).astype(np.intp), 0, len(self.lumen) - 1)
        radius = np.asarray(np.hypot(dx, across), np.float32)
        entry = row * ANGLES + column
        return Places(np.broadcast_to(length.astype(np.float32), radius.shape), entry, radius)

    def places_in(self, box: Box) -> Places:
        """Where the voxels of a box lie."""
        return self.places(box.x, box.y, box.z)

    def point(self, length_mm: float, angle: float, radius_mm: float) -> Point:
        """x, y, z of a place in the tube."""
        z = float(np.interp(length_mm, self.length, self.z))
        slope = float(np.interp(z, self.z, self.slope))
        cos = 1.0 / np.sqrt(1.0 + slope**2)
        across = -radius_mm * np.cos(angle)
        x = float(np.interp(z, self.z, self.x)) + radius_mm * np.sin(angle)
        return float(x), float(np.interp(z, self.z, self.y) + across * cos), float(z - across * slope * cos)

    def at(self, table: Floats, length_mm: float, angle: float) -> float:
        """A layer's radius at a place."""
        row = int(np.clip(round(length_mm / STEP_MM), 0, len(table) - 1))
        return float(table[row, round(angle * ANGLES / (2.0 * np.pi)) % ANGLES])

    def front_mm(self, z_mm: float) -> float:
        """Y of the envelope's front at a level."""
        return self._edge(z_mm, 0.0, -1.0)

    def back_mm(self, z_mm: float) -> float:
        """Y of the envelope's back at a level."""
        return self._edge(z_mm, np.pi, 1.0)

    def _edge(self, z_mm: float, angle: float, sign: float) -> float:
        length = float(np.interp(z_mm, self.z, self.length))
        slope = float(np.interp(z_mm, self.z, self.slope))
        reach = self.at(self.envelope, length, angle) * np.sqrt(1.0 + slope**2)
        return float(np.interp(z_mm, self.z, self.y) + sign * reach)


def turn() -> Floats:
    """Angle of each column of the tables in -pi to pi, [1, ANGLES]."""
    angle = np.arange(ANGLES) * (2.0 * np.pi / ANGLES)
    return np.where(angle > np.pi, angle - 2.0 * np.pi, angle).astype(np.float32)[None, :]


def rough(rng: np.random.Generator, rows: int, along_mm: float, about_deg: float) -> Floats:
    """A smooth random table of unit spread, periodic over the angle."""
    white = rng.standard_normal((rows, ANGLES), dtype=np.float32)
    smooth = gaussian_filter(white, (along_mm / STEP_MM, about_deg * ANGLES / 360.0), mode=("nearest", "wrap"))
    return np.asarray(smooth / smooth.std(), np.float32)


def tube_of(person: Person) -> Tube:
    """The rectum of a person."""
    rng = np.random.default_rng((person.seed, 1))
    z = np.arange(_KNOTS_Z[0], TOP_MM + STEP_MM, STEP_MM)
    knots = np.asarray(_KNOTS_Y) + np.asarray(person.curve_mm)
    line = CubicSpline(_KNOTS_Z, knots, bc_type="natural")
    amplitude, phase = person.sway_mm
    x = amplitude * np.clip((z - 45.0) / 50.0, 0.0, 1.0) * np.sin(z / 22.0 + phase)
    y, slope = line(z), np.clip(line(z, 1), -1.1, 1.1)
    stretch = np.sqrt(1.0 + slope**2)
    length = np.concatenate([[0.0], np.cumsum(0.5 * (stretch[1:] + stretch[:-1]) * STEP_MM)])
    length -= np.interp(0.0, z, length)
    rows = int(length[-1] / STEP_MM) + 1
    tables = _layers(person, rows, rng)
    along = [np.asarray(values, np.float32) for values in (z, x, y, slope, length)]
    return Tube(person, along[0], along[1], along[2], along[3], along[4], *tables)


def _layers(person: Person, rows: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats, Floats]:
    length = (np.arange(rows, dtype=np.float32) * STEP_MM)[:, None]
    rectal = _smooth_step((length - person.anorectal_mm + 6.0) / 16.0)
    folds = rough(rng, rows, 5.0, 14.0)
    wide = 1.0 + 0.22 * rough(rng, rows, 18.0, 45.0)
    ampulla = 0.75 + 0.4 * np.exp(-(((length - 80.0) / 35.0) ** 2))
    mean = person.lumen_mm * (0.5 if person.filling is Filling.EMPTY else 1.0)
    lumen = 2.2 + rectal * (np.maximum(mean * ampulla * wide, 3.0) + 0.9 * folds - 2.2)
    lumen = np.maximum(lumen, 1.2)
    submucosa = lumen + person.submucosa_mm * (1.0 + 0.12 * folds)
    muscle = person.muscularis_mm + (1.0 - rectal) * 1.3
    wall = submucosa + muscle * (1.0 + 0.08 * rough(rng, rows, 8.0, 25.0))
    envelope = wall + _mesorectum(person, length, rng)
    return tuple(np.asarray(t, np.float32) for t in (lumen, submucosa, wall, envelope))  # type: ignore[return-value]


def _mesorectum(person: Person, length: Floats, rng: np.random.Generator) -> Floats:
    """Thickness of the mesorectum: nothing at the anorectal junction, most behind, little in front."""
    most = 10.0 + 10.0 * person.visceral_fat
    grown = _smooth_step((length - person.anorectal_mm - 1.0) / 42.0)
    about = 0.24 + 0.76 * ((1.0 - np.cos(turn())) / 2.0) ** 0.6
    sides = 1.0 + 0.35 * np.sin(turn()) ** 2
    wobble = 1.0 + 0.10 * rough(rng, len(length), 14.0, 30.0)
    return np.asarray(INTERSPHINCTERIC_MM + grown * np.maximum(most * about * sides * wobble - 1.0, 1.0), np.float32)


def _smooth_step(value: Floats) -> Floats:
    value = np.clip(value, 0.0, 1.0)
    return np.asarray(value * value * (3.0 - 2.0 * value), np.float32)
