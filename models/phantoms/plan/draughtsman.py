"""Finds places for findings in one person, on a coarse map of the thorax, and measures what was placed there."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.phantoms.anatomy import Anatomy
from models.phantoms.body import paint_regions
from models.phantoms.canvas import Canvas, Grid, Point, Region
from models.phantoms.findings import Attributes, Count, Finding, Grade, Lobe
from models.phantoms.lesions import Lesion
from models.phantoms.lobes import lobe_at, lobe_of

T = TypeVar("T")
Mask = NDArray[np.bool_]
_STEP_MM, _STEP_Z_MM = 6.0, 7.0
LOBES: tuple[Lobe, ...] = tuple(Lobe)
RELEVANT_SHARE = 0.15
"""A lobe is named when at least this share of a finding's volume lies in it."""


class Draughtsman:
    """Random places and numbers for one person. Draws are reproducible from the generator it is given."""

    def __init__(self, rng: np.random.Generator, anatomy: Anatomy, body: Canvas | None = None) -> None:
        """`body` is a map of the thorax; without one, it is painted from the anatomy."""
        self.rng, self.anatomy = rng, anatomy
        self.map = _painted(anatomy) if body is None else body
        lung = (self.map.region == Region.RIGHT_LUNG) | (self.map.region == Region.LEFT_LUNG)
        self._voxels: NDArray[np.intp] = np.argwhere(lung)
        s, row, column = self._voxels.T
        grid = self.map.grid
        self.places = np.stack([grid.x_mm[column], grid.y_mm[row], grid.z_mm[s]], axis=1)
        self.lobes = lobe_at(self.places[:, 0], self.places[:, 1], self.places[:, 2], anatomy)
        self.rim = _rim(lung)[s, row, column]
        self.free = np.ones(len(self.places), bool)

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return bool(self.rng.random() < probability)

    def uniform(self, low: float, high: float) -> float:
        """A random number between two."""
        return float(self.rng.uniform(low, high))

    def between(self, low: int, high: int) -> int:
        """A random whole number between two, both included."""
        return int(self.rng.integers(low, high + 1))

    def seed(self) -> int:
        """A seed for a shape."""
        return int(self.rng.integers(2**31))

    def grade(self, shares: Sequence[float] = (0.4, 0.35, 0.25)) -> Grade:
        """A random grade."""
        return Grade(int(self.rng.choice(3, p=shares)))

    def pick(self, choices: Sequence[T]) -> T:
        """One of several, all equally likely."""
        return choices[int(self.rng.integers(len(choices)))]

    def direction(self) -> NDArray[np.float64]:
        """A random unit vector."""
        way = self.rng.standard_normal(3)
        return way / np.linalg.norm(way)

    def lung_points(
        self,
        count: int,
        low: float = -1.0,
        high: float = 2.0,
        lobes: Iterable[Lobe] | None = None,
        rim: bool | None = None,
    ) -> list[Point]:
        """Random free places in the lungs, between two shares of their height, in some lobes, at the pleura or not."""
        share = self.places[:, 2] / self.anatomy.height_mm
        ok = (share >= low) & (share <= high)
        if lobes is not None:
            ok &= np.isin(self.lobes, [LOBES.index(lobe) for lobe in lobes])
        if rim is not None and (ok & (self.rim == rim)).any():
            ok &= self.rim == rim
        if (ok & self.free).any():
            ok &= self.free
        if not ok.any():
            ok = np.ones_like(ok)
        chosen = self.rng.choice(np.flatnonzero(ok), size=count)
        jitter = self.rng.uniform(-2.0, 2.0, (count, 3))
        return [(float(x), float(y), float(z)) for x, y, z in self.places[chosen] + jitter]

    def lobe_of(self, point: Point) -> Lobe:
        """The lobe of a place."""
        return lobe_of(point, self.anatomy)

    def some_lobes(self, count: int) -> tuple[Lobe, ...]:
        """That many different lobes."""
        return tuple(LOBES[k] for k in self.rng.permutation(len(LOBES))[:count])

    def occupy(self, point: Point, reach_mm: float) -> None:
        """No other finding is placed within reach of a point."""
        self.free &= ((self.places - np.array(point)) ** 2).sum(axis=1) > reach_mm**2

    def place(self, lesions: Iterable[Lesion], finding: Finding) -> Mask:
        """Paints lesions on the map; which of the lungs' voxels they hold [len(places)]."""
        for lesion in lesions:
            lesion.paint(self.map, self.anatomy)
        mask = self.map.masks.get(finding)
        if mask is None:
            return np.zeros(len(self.places), bool)
        s, row, column = self._voxels.T
        held: Mask = mask[s, row, column]
        return held

    def lobes_of(self, held: Mask) -> frozenset[Lobe]:
        """The lobes that hold a relevant part of what was placed."""
        volume = np.bincount(self.lobes[held], minlength=len(LOBES))
        if not volume.any():
            return frozenset()
        return frozenset(
            lobe for lobe, part in zip(LOBES, volume, strict=True) if part >= RELEVANT_SHARE * volume.sum()
        )


def _painted(anatomy: Anatomy) -> Canvas:
    """A coarse map of a thorax."""
    z = np.arange(-45.0, anatomy.height_mm * 1.02, _STEP_Z_MM, dtype=np.float32)
    side = np.arange(-168.0, 169.0, _STEP_MM, dtype=np.float32)
    body = Canvas.empty(Grid(z, side, side))
    paint_regions(body, anatomy)
    return body


def _rim(lung: Mask) -> Mask:
    """Voxels of the lung beside what is not lung, in their own slice."""
    inner = lung.copy()
    for axis in (1, 2):
        inner &= np.roll(lung, 1, axis) & np.roll(lung, -1, axis)
    return ~inner


def lobar(lobes: Iterable[Lobe], grade: Grade | None = None, count: Count | None = None) -> Attributes:
    """Attributes of a finding in lobes; its sides follow."""
    lobes = frozenset(lobes)
    return Attributes(frozenset(lobe.side for lobe in lobes), lobes, grade, count)


def count_of(number: int) -> Count:
    """The word for how many there are."""
    return Count.ONE if number == 1 else Count.FEW if number <= 4 else Count.MANY
