"""The rectum of a real study as the phantoms' tube, in the frame of its axial T2 planes, and tumours grown in it.

The frame's axes are the rows and columns of those planes and their normal, its origin that of the patient coordinates.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import binary_dilation, gaussian_filter1d

from models.datasets.pelvic_cases import PelvicCase
from models.phantoms.canvas import Floats
from models.phantoms.pelvis.bowel import Rectum
from models.phantoms.pelvis.person import draw_person
from models.phantoms.pelvis.plan import TumourPlan
from models.phantoms.pelvis.tissue import Tissue
from models.phantoms.pelvis.truth import TumourTruth, measure_tumour
from models.phantoms.pelvis.tube import ANGLES, STEP_MM, Tube
from models.phantoms.pelvis.tumour import Tumour, paint_tumour
from models.phantoms.pelvis.volume import Volume

Points = NDArray[np.float64]
VOXEL_MM = 0.6
BEYOND_MM = 16.0
"""How far the tube goes on beyond its first and last ring."""
ABOVE_ALL_MM = 300.0
"""No peritoneum lies over the part of the rectum that is in view."""
_TURN = 2.0 * np.pi


def frame_of(case: PelvicCase) -> Points:
    """Rows: the frame's axes in patient coordinates."""
    left, down = np.array([1.0, 0.0, 0.0]), np.array(case.down)
    return np.stack([left, down, np.cross(left, down)])


@dataclass(frozen=True, eq=False)
class GrownTumour:
    """A tumour in a real rectum: how much of each voxel it fills, and what is true of it."""

    plan: TumourPlan
    truth: TumourTruth
    """Its points are in patient coordinates."""
    coverage: Floats
    """0 to 1, [normal, column, row] of the frame."""
    first_mm: tuple[float, float, float]
    """Centre of the first voxel, along the normal, the columns and the rows."""
    frame: Points

    def index_of(self, points_mm: Points) -> Points:
        """Places of points [..., 3] in patient coordinates in the voxels [3, ...]."""
        along = np.einsum("ij,...j->i...", self.frame[::-1], points_mm)
        return np.asarray((along - np.reshape(self.first_mm, (3, *[1] * (along.ndim - 1)))) / VOXEL_MM)

    @property
    def points_mm(self) -> Points:
        """Centres of its voxels in patient coordinates [n, 3]."""
        inside = np.argwhere(self.coverage > 0.5) * VOXEL_MM + np.array(self.first_mm)
        return np.asarray(inside @ self.frame[::-1])


@lru_cache(maxsize=4)
def real_tube(case: PelvicCase) -> Tube:
    """The tube of a patient; length 0 is the anal verge. Between the rings it is interpolated."""
    frame = frame_of(case)
    line = np.array([case.verge_mm, case.junction_mm, *(ring.centre_mm for ring in case.rings)]) @ frame.T
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    z = np.arange(line[2, 2] - BEYOND_MM, line[-1, 2] + BEYOND_MM, STEP_MM)
    x, y, length = (np.interp(z, line[:, 2], values) for values in (line[:, 0], line[:, 1], lengths))
    length = length + np.maximum(z - line[-1, 2], 0.0)
    rows = np.arange(int(length[-1] / STEP_MM) + 1) * STEP_MM
    at_rings = lengths[2:]
    walls = np.stack([_about(ring.wall_mm) for ring in case.rings])
    fats = np.stack([_about(fat.thickness_mm) for fat in case.fat])
    wall = _along(rows, at_rings, walls)
    envelope = wall + np.maximum(_along(rows, at_rings[[fat.ring for fat in case.fat]], fats), 0.8)
    submucosa = wall - case.muscularis_mm
    lumen = submucosa - case.submucosa_mm
    person = replace(
        draw_person(np.random.default_rng(0)),
        anorectal_mm=float(lengths[1]),
        reflection_mm=ABOVE_ALL_MM,
        submucosa_mm=case.submucosa_mm,
        muscularis_mm=case.muscularis_mm,
    )
    axes = (np.asarray(values, np.float32) for values in (z, x, y, np.zeros_like(z), length))
    tables = (np.asarray(table, np.float32) for table in (lumen, submucosa, wall, envelope))
    return Tube(person, *axes, *tables)


def _about(values: tuple[float, ...]) -> Floats:
    """Values at even steps of the clock face at all angles of the tables."""
    turn = np.linspace(0.0, _TURN, len(values) + 1)
    spline = CubicSpline(turn, [*values, values[0]], bc_type="periodic")
    return np.asarray(spline(np.arange(ANGLES) * _TURN / ANGLES), np.float32)


def _along(rows: Floats, at_mm: Floats, tables: Floats) -> Floats:
    """Tables at some lengths at all of them."""
    columns = [np.interp(rows, at_mm, tables[:, angle]) for angle in range(ANGLES)]
    return np.asarray(gaussian_filter1d(np.stack(columns, 1), 1.5 / STEP_MM, axis=0, mode="nearest"))


def ring_lengths_mm(case: PelvicCase) -> tuple[float, float]:
    """Lengths over the anal verge of the first and the last ring."""
    tube, heights = real_tube(case), [ring.centre_mm @ frame_of(case)[2] for ring in case.rings]
    first, last = np.interp([heights[0], heights[-1]], tube.z, tube.length)
    return float(first), float(last)


def wall_points_mm(case: PelvicCase, lengths_mm: Points, angles: Points, beyond_mm: float, share: float) -> Points:
    """Points [n, 3] in patient coordinates about the wall: `share` of the way through the fat, and so far beyond."""
    tube = real_tube(case)
    points = [
        tube.point(length, angle, wall + share * (tube.at(tube.envelope, length, angle) - wall) + beyond_mm)
        for length in lengths_mm
        for angle in angles
        for wall in [tube.at(tube.wall, length, angle)]
    ]
    return np.asarray(np.array(points) @ frame_of(case))


def grow(case: PelvicCase, plan: TumourPlan) -> GrownTumour:
    """The tumour of a plan in a patient's rectum. Raises ValueError for one that no voxel shows."""
    tube, frame = real_tube(case), frame_of(case)
    rectum, volume = _painted(case, tube, plan)
    painted = paint_tumour(volume, rectum, plan)
    if painted is None:
        raise ValueError(f"no voxel shows the tumour of seed {plan.seed}")
    truth = measure_tumour(rectum, painted, None, VOXEL_MM)
    box = painted.box
    ends = truth.fascia_points_mm
    return GrownTumour(
        plan=plan,
        truth=replace(
            truth,
            centre_mm=_patient(truth.centre_mm, frame),
            fascia_points_mm=None if ends is None else (_patient(ends[0], frame), _patient(ends[1], frame)),
        ),
        coverage=_coverage(painted),
        first_mm=(float(box.z.flat[0]), float(box.y.flat[0]), float(box.x.flat[0])),
        frame=frame,
    )


def _coverage(tumour: Tumour) -> Floats:
    """How much of each voxel is tumour; where its two surfaces meet, the distance is 0 too and there is none."""
    near = binary_dilation(tumour.inside)
    return np.asarray(np.where(near, np.clip(0.5 - tumour.field / VOXEL_MM, 0.0, 1.0), 0.0), np.float32)


def _patient(point: tuple[float, float, float], frame: Points) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in np.array(point) @ frame)
    return x, y, z


def _painted(case: PelvicCase, tube: Tube, plan: TumourPlan) -> tuple[Rectum, Volume]:
    """The part of the rectum about a planned tumour, labelled."""
    low, high = np.interp([plan.lower_mm - 8.0, plan.lower_mm + plan.length_mm + 8.0], tube.length, tube.z)
    near = (tube.z > low) & (tube.z < high)
    reach = float(tube.wall.max()) + BEYOND_MM
    corners = [(tube.x[near].min() - reach, tube.y[near].min() - reach, low)]
    corners.append((tube.x[near].max() + reach, tube.y[near].max() + reach, high))
    volume = Volume.empty(*(tuple(float(value) for value in corner) for corner in corners), VOXEL_MM)
    box = volume.box(*corners)
    if box is None:
        raise ValueError(f"the tube of {case.patient} holds no length {plan.lower_mm:.0f} mm")
    rectum = Rectum(tube, box, tube.places_in(box))
    _label(case, volume, rectum)
    return rectum, volume


def _label(case: PelvicCase, volume: Volume, rectum: Rectum) -> None:
    tube, places = rectum.tube, rectum.places
    top = case.rings[case.prostate_rings - 1].centre_mm @ frame_of(case)[2]
    before = np.cos(places.entry % ANGLES * (_TURN / ANGLES)) > np.cos(0.7)
    volume.paint(rectum.box, places.radius < np.inf, Tissue.FAT)
    volume.paint(rectum.box, before & (rectum.box.z <= top), Tissue.PROSTATE_PERIPHERAL_ZONE)
    volume.paint(rectum.box, before & (rectum.box.z > top), Tissue.SEMINAL_VESICLE)
    layers = (
        (tube.envelope, Tissue.MESORECTAL_FAT),
        (tube.wall, Tissue.MUSCULARIS),
        (tube.submucosa, Tissue.SUBMUCOSA),
        (tube.lumen, Tissue.RECTAL_CONTENT),
    )
    for table, tissue in layers:
        volume.paint(rectum.box, places.radius < rectum.layer(table), tissue)
