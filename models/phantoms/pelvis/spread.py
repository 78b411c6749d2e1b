"""Spread of a tumour within the mesorectum: lymph nodes, benign ones too, and veins filled with tumour (EMVI)."""

from dataclasses import dataclass

import numpy as np

from models.phantoms.canvas import Floats, Point
from models.phantoms.pelvis.tissue import Tissue
from models.phantoms.pelvis.tube import Tube
from models.phantoms.pelvis.volume import Bools, Volume, capsule, ellipsoid

_FAT = frozenset({Tissue.MESORECTAL_FAT, Tissue.ARTERY, Tissue.VEIN})
LARGE_MM, SMALL_MM = 9.0, 5.0
_TRIES = 120


@dataclass(frozen=True)
class NodeTruth:
    """A mesorectal node as it was painted; sizes are measured on its voxels."""

    centre_mm: Point
    short_axis_mm: float
    round: bool
    irregular: bool
    heterogeneous: bool

    @property
    def suspicious(self) -> bool:
        """The size and morphology rule of ESGAR (Beets-Tan et al., Eur Radiol 2018;28:1465, table 3).

        From 9 mm always; from 5 mm with two, below with three of: round, irregular border, heterogeneous signal.
        """
        signs = self.round + self.irregular + self.heterogeneous
        return self.short_axis_mm >= LARGE_MM or signs >= (2 if self.short_axis_mm >= SMALL_MM else 3)


@dataclass(frozen=True)
class EmviTruth:
    """A vein filled with tumour; the calibre is that of its widest part."""

    calibre_mm: float
    length_mm: float


@dataclass
class Mesorectum:
    """The fat in which spread is laid, with the tumour's outer radius, so that nodes keep clear of it."""

    volume: Volume
    tube: Tube
    outer: Floats
    rng: np.random.Generator

    def nodes(self, count: int, suspicious: bool) -> list[NodeTruth]:
        """Paints nodes where they find room; there may be fewer than asked for."""
        found = (self._node(suspicious) for _ in range(count))
        return [node for node in found if node is not None]

    def _node(self, suspicious: bool) -> NodeTruth | None:
        rng = self.rng
        short = float(rng.uniform(5.8, 11.5) if suspicious else rng.uniform(2.6, 4.6))
        longer = float(rng.uniform(1.0, 1.2) if suspicious else rng.uniform(1.35, 1.9))
        centre = self._room(0.5 * short * longer)
        if centre is None:
            return None
        half = 0.5 * short
        shape = ellipsoid(self.volume, centre, (half, half * float(rng.uniform(1.0, 1.1)), half * longer), 20.0)
        if shape is None:
            return None
        box, field = shape
        if suspicious:
            a, b = rng.uniform(0.0, 6.28, 2)
            field = field + np.float32(0.55) * np.sin(box.x * 1.3 + a) * np.sin(box.y * 1.2 + box.z * 0.9 + b)
        tissue = Tissue.SUSPICIOUS_NODE if suspicious else Tissue.NODE
        painted = self.volume.paint(box, field < 0.0, tissue, _FAT)
        if painted.sum() < 4:
            return None
        axes = axes_mm(painted, self.volume.voxel_mm)
        return NodeTruth(centre, axes[0], bool(axes[2] / axes[0] < 1.3), suspicious, suspicious)

    def _room(self, half_mm: float) -> Point | None:
        """A place in the fat with room for a ball, clear of wall, tumour and fascia."""
        tube, rng = self.tube, self.rng
        for _ in range(_TRIES):
            length = float(rng.uniform(tube.person.anorectal_mm + 18.0, 145.0))
            angle = float(np.pi + rng.normal(0.0, 1.1))
            inner = max(tube.at(tube.wall, length, angle), tube.at(self.outer, length, angle)) + half_mm + 0.8
            most = tube.at(tube.envelope, length, angle) - half_mm - 0.8
            if most < inner:
                continue
            centre = tube.point(length, angle, float(rng.uniform(inner, most)))
            if self._free(centre, half_mm):
                return centre
        return None

    def _free(self, centre: Point, half_mm: float) -> bool:
        shape = ellipsoid(self.volume, centre, (half_mm + 1.0, half_mm + 1.0, half_mm + 1.0))
        if shape is None:
            return False
        around = self.volume.labels[shape[0].index][shape[1] < 0.0]
        return bool(np.isin(around, [int(tissue) for tissue in _FAT]).all())

    def emvi(self, length: float, extent: float, centre: float) -> EmviTruth | None:
        """A tumour-filled vein that leaves the tumour at its thickest mesorectum and runs upwards."""
        tube, rng = self.tube, self.rng
        side = self._thickest(length, extent, centre)
        start, end = tube.at(self.outer, length, side), tube.at(tube.envelope, length, side)
        if end - start < 6.0:
            return None
        steps = np.linspace(0.0, 1.0, 8)
        rise, swing = rng.uniform(10.0, 26.0), rng.normal(0.0, 0.25)
        angles = side + swing * steps + 0.07 * np.sin(6.0 * steps + rng.uniform(0.0, 6.28))
        radii = start - 1.5 + (min(end - start - 3.0, 10.0) + 1.5) * np.sqrt(steps)
        line = [tube.point(length + rise * t, a, r) for t, a, r in zip(steps, angles, radii, strict=True)]
        calibre = rng.uniform(2.8, 5.2)
        half = 0.5 * calibre * (1.0 - 0.35 * steps + 0.12 * np.sin(9.0 * steps))
        if not self._paint_line(line, half):
            return None
        gone = np.linalg.norm(np.diff(np.array(line), axis=0), axis=1).sum()
        return EmviTruth(float(2.0 * half.max()), float(gone))

    def _thickest(self, length: float, extent: float, centre: float) -> float:
        """The angle within the tumour's middle at which most fat is left."""
        angles = centre + np.linspace(-0.4, 0.4, 25) * extent
        room = [self.tube.at(self.tube.envelope, length, a) - self.tube.at(self.outer, length, a) for a in angles]
        return float(angles[int(np.argmax(room))])

    def _paint_line(self, line: list[Point], half: Floats) -> int:
        painted = 0
        for k in range(len(line) - 1):
            rod = capsule(self.volume, line[k], line[k + 1], (float(half[k]), float(half[k + 1])))
            if rod is not None:
                painted += int(self.volume.paint(rod[0], rod[1] < 0.0, Tissue.EMVI, _FAT).sum())
        return painted


def axes_mm(inside: Bools, voxel_mm: float) -> tuple[float, float, float]:
    """Axes of a body, shortest first: those of the ellipsoid with its second moments."""
    points = np.argwhere(inside).astype(np.float64)
    spread = np.linalg.eigvalsh(np.cov(points.T, bias=True))
    axes = 2.0 * np.sqrt(5.0 * np.maximum(spread + 1.0 / 12.0, 0.05)) * voxel_mm
    return float(axes[0]), float(axes[1]), float(axes[2])
