"""A rectal tumour grown from the mucosa: its inner and outer radius as tables over the tube, and its paint."""

from dataclasses import dataclass

import numpy as np

from models.phantoms.canvas import Floats
from models.phantoms.pelvis.bowel import Rectum
from models.phantoms.pelvis.plan import TumourPlan
from models.phantoms.pelvis.tissue import Tissue
from models.phantoms.pelvis.tube import Places, Tube, rough, turn
from models.phantoms.pelvis.volume import Bools, Box, Volume

AROUND_MM = 34.0
"""How far about the tumour distances are measured."""


@dataclass(frozen=True, eq=False)
class Tumour:
    """A painted tumour: the box about it, the signed distance to its surface (along the radius) and where it lies."""

    plan: TumourPlan
    box: Box
    field: Floats
    places: Places
    replaced: dict[Tissue, int]
    """Voxels of each tissue that were there before."""

    @property
    def inside(self) -> Bools:
        """Its voxels in the box."""
        return np.asarray(self.field < 0.0)


def grow_tables(tube: Tube, plan: TumourPlan) -> tuple[Floats, Floats]:
    """Inner and outer radius of the tumour, [lengths, ANGLES]; equal where there is none."""
    rng = np.random.default_rng(plan.seed)
    rows = len(tube.lumen)
    noise = rough(rng, rows, 4.0, 12.0)
    rise = _profile(tube, plan, rough(rng, rows, 9.0, 30.0))
    hollow = 1.0 - plan.ulcer * rise**4
    inner = tube.lumen - np.minimum(plan.bulge_mm * rise * hollow, 0.75 * tube.lumen)
    outer = tube.lumen + np.sqrt(rise) * (tube.submucosa - tube.lumen)
    if plan.t_stage == 1:
        outer = tube.lumen + np.sqrt(rise) * np.maximum(tube.submucosa - 0.7 - tube.lumen, 0.8)
    elif plan.t_stage == 2:
        outer = outer + rise * plan.muscle_share * (tube.wall - tube.submucosa)
    else:
        outer = _outgrow(tube, plan, rise, noise)
    return np.asarray(inner, np.float32), np.asarray(outer, np.float32)


def _profile(tube: Tube, plan: TumourPlan, noise: Floats) -> Floats:
    """0 outside, 1 over the middle of the tumour."""
    along = np.abs((tube.lengths - plan.middle_mm) / (0.5 * plan.length_mm))
    off = np.abs(np.angle(np.exp(1j * (turn() - plan.centre))))
    about = off / (0.5 * plan.extent)
    far = along**2.6 + about**2.6 + 0.12 * noise * np.minimum(along + about, 1.0)
    return np.asarray(np.sqrt(np.clip(1.0 - far, 0.0, 1.0)), np.float32)


def _outgrow(tube: Tube, plan: TumourPlan, rise: Floats, noise: Floats) -> Floats:
    """From T3 on: through the wall, held back by the envelope, or through it where it breaches."""
    beyond = np.clip((rise - 0.4) / 0.6, 0.0, 1.0)
    fat = tube.envelope - tube.wall
    outer = tube.lumen + np.sqrt(rise) * (tube.wall - tube.lumen)
    outer = outer + plan.depth_mm * beyond * (1.0 + 0.28 * noise).clip(0.2)
    floor = np.where(tube.peritoneal, 1.4, plan.floor_mm)
    outer = np.minimum(outer, tube.envelope - np.minimum(floor, 0.4 * fat))
    if plan.t_stage == 4:
        outer = np.maximum(outer, _breach(tube, plan))
    return np.asarray(np.where(rise > 0.0, outer, tube.lumen), np.float32)


def _breach(tube: Tube, plan: TumourPlan) -> Floats:
    along = (tube.lengths - plan.middle_mm) / (0.26 * plan.length_mm)
    about = np.angle(np.exp(1j * (turn() - plan.centre))) / min(0.32 * plan.extent, 0.6)
    strength = np.exp(-(along**2) - about**2)
    allowed = tube.peritoneal if plan.peritoneal else ~tube.peritoneal
    reach = tube.envelope + plan.breach_mm * (1.6 * strength - 0.6)
    return np.asarray(np.where(allowed & (strength > 0.35), reach, 0.0), np.float32)


def paint_tumour(volume: Volume, rectum: Rectum, plan: TumourPlan) -> Tumour | None:
    """Grows the tumour of a plan into the volume; None where the grid is too coarse for any voxel of it."""
    inner, outer = grow_tables(rectum.tube, plan)
    radius = rectum.places.radius
    field = np.maximum(rectum.layer(inner) - radius, radius - rectum.layer(outer))
    field[rectum.places.length <= 0.0] = 1.0
    if not (field < 0.0).any():
        return None
    index = _around(field < 0.0, round(AROUND_MM / volume.voxel_mm))
    box = _part(rectum.box, index)
    near = field[index]
    before = volume.labels[box.index][near < 0.0]
    names, counts = np.unique(before, return_counts=True)
    replaced = {Tissue(int(name)): int(count) for name, count in zip(names, counts, strict=True)}
    volume.paint(box, near < 0.0, Tissue.TUMOUR)
    return Tumour(plan, box, near, rectum.places.part(index), replaced)


def _around(inside: Bools, margin: int) -> tuple[slice, slice, slice]:
    spans = []
    for axis in range(3):
        others = tuple(k for k in range(3) if k != axis)
        hit = np.flatnonzero(inside.any(axis=others))
        spans.append(slice(max(int(hit[0]) - margin, 0), int(hit[-1]) + margin + 1))
    return spans[0], spans[1], spans[2]


def _part(box: Box, index: tuple[slice, slice, slice]) -> Box:
    moved = [slice(o.start + s.start, min(o.start + s.stop, o.stop)) for o, s in zip(box.index, index, strict=True)]
    z, y, x = box.z[index[0]], box.y[:, index[1]], box.x[:, :, index[2]]
    return Box((moved[0], moved[1], moved[2]), z, y, x)
