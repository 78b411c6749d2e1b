"""What is true of a study, measured on the geometry that was painted and not taken from the plan."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from models.phantoms.canvas import Floats, Point
from models.phantoms.pelvis.bowel import Rectum
from models.phantoms.pelvis.person import Sex
from models.phantoms.pelvis.spread import EmviTruth, NodeTruth
from models.phantoms.pelvis.tissue import Tissue
from models.phantoms.pelvis.tube import ANGLES, Places, Tube
from models.phantoms.pelvis.tumour import AROUND_MM, Tumour
from models.phantoms.pelvis.volume import Bools, surface_points

INVOLVED_MM = 1.0
"""The mesorectal fascia is involved from this distance down (ESGAR 2018)."""
TOUCH_MM, INVADED_MM3 = 0.3, 30.0
_BIN_DEG = 10

ORGANS: dict[str, tuple[Tissue, ...]] = {
    "prostate": (Tissue.PROSTATE_PERIPHERAL_ZONE, Tissue.PROSTATE_TRANSITION_ZONE),
    "seminal vesicles": (Tissue.SEMINAL_VESICLE,),
    "bladder": (Tissue.BLADDER_WALL, Tissue.URINE),
    "uterus": (Tissue.MYOMETRIUM, Tissue.ENDOMETRIUM, Tissue.CERVIX),
    "vagina": (Tissue.VAGINA,),
    "external anal sphincter": (Tissue.EXTERNAL_SPHINCTER,),
    "levator ani": (Tissue.LEVATOR_ANI,),
}


class Sphincter(IntEnum):
    """How deep a tumour reaches into the anal sphincter."""

    NONE = 0
    INTERNAL = 1
    INTERSPHINCTERIC = 2
    EXTERNAL = 3


@dataclass(frozen=True)
class TumourTruth:
    """A tumour's seven items and sizes; lengths in mm, points in patient coordinates."""

    height_mm: float
    """Lower edge over the anal verge, along the rectum."""
    length_mm: float
    """From the lower to the upper edge, along the rectum."""
    from_hour: float
    to_hour: float
    """The clock face it covers, clockwise as seen from the feet: 12 in front, 3 at the patient's left."""
    circumference: float
    """Share of the clock face, 0 to 1."""
    t_stage: int
    invaded: tuple[str, ...]
    """Organs it grows into (T4b)."""
    peritoneal: bool
    """Through the peritoneum (T4a)."""
    extramural_mm: float
    """Depth beyond the muscularis; 0 up to T2."""
    fascia_mm: float
    """Shortest distance of tumour and mesorectal fascia; 0 where it is breached; AROUND_MM and over are not told."""
    fascia_points_mm: tuple[Point, Point] | None
    """The ends of that distance on tumour and fascia; None where it is breached or not told."""
    sphincter: Sphincter
    emvi: EmviTruth | None
    volume_mm3: float
    centre_mm: Point

    @property
    def fascia_involved(self) -> bool:
        """Whether the circumferential margin is threatened."""
        return self.fascia_mm <= INVOLVED_MM

    @property
    def third(self) -> str:
        """The third of the rectum its lower edge lies in: up to 5, up to 10, up to 15 cm."""
        return "lower" if self.height_mm <= 50.0 else "middle" if self.height_mm <= 100.0 else "upper"

    @property
    def t_category(self) -> str:
        """The T stage with its subdivision (UICC 8; T3 by depth after Merkel: a < 1, b to 5, c to 15, d > 15 mm)."""
        if self.t_stage == 4:
            return "T4b" if self.invaded else "T4a"
        if self.t_stage == 3:
            depth = self.extramural_mm
            return "T3" + ("a" if depth < 1.0 else "b" if depth <= 5.0 else "c" if depth <= 15.0 else "d")
        return f"T{self.t_stage}"


@dataclass(frozen=True)
class Truth:
    """What is true of one study."""

    seed: int
    sex: Sex
    tumour: TumourTruth | None
    nodes: tuple[NodeTruth, ...]

    @property
    def suspicious_nodes(self) -> int:
        """How many mesorectal nodes are suspicious."""
        return sum(node.suspicious for node in self.nodes)

    @property
    def items(self) -> dict[str, str | int | bool | None]:
        """The seven items of rectal staging; without a tumour only the nodes are told."""
        found = self.tumour
        return {
            "location": found.third if found else None,
            "peritoneal_involvement": found.peritoneal if found else None,
            "t_stage": found.t_stage if found else None,
            "crm_involved": found.fascia_involved if found else None,
            "sphincter_involvement": found.sphincter > Sphincter.NONE if found else None,
            "suspicious_nodes": self.suspicious_nodes > 0,
            "emvi": found.emvi is not None if found else None,
        }


def measure_tumour(rectum: Rectum, tumour: Tumour, emvi: EmviTruth | None, voxel_mm: float) -> TumourTruth:
    """The truth of a painted tumour."""
    tube, inside = rectum.tube, tumour.inside
    points = surface_points(tumour.field, tumour.box)
    surface = tube.places(points[:, 0], points[:, 1], points[:, 2])
    lengths = tumour.places.length[inside]
    height = max(float(lengths.min()) - 0.5 * voxel_mm, 0.0)
    depth = surface.radius - _layer(tube.wall, surface)
    invaded = _invaded(tumour, voxel_mm)
    peritoneal = _touches_peritoneum(tube, surface)
    fascia, ends = _fascia(tube, tumour, points, surface)
    hours = _hours(tumour.places.entry[inside] % ANGLES)
    through = float(depth.max())
    return TumourTruth(
        height_mm=height,
        length_mm=float(lengths.max()) + 0.5 * voxel_mm - height,
        from_hour=hours[0],
        to_hour=hours[1],
        circumference=hours[2],
        t_stage=4 if invaded or peritoneal else _stage(tube, surface, through),
        invaded=invaded,
        peritoneal=peritoneal,
        extramural_mm=max(through, 0.0) if through > TOUCH_MM else 0.0,
        fascia_mm=fascia,
        fascia_points_mm=ends,
        sphincter=_sphincter(tube, surface, invaded),
        emvi=emvi,
        volume_mm3=float(inside.sum()) * voxel_mm**3,
        centre_mm=_centre(tumour),
    )


def _layer(table: Floats, places: Places) -> Floats:
    return np.asarray(table.ravel().take(places.entry), np.float32)


def _stage(tube: Tube, surface: Places, through_mm: float) -> int:
    if through_mm > TOUCH_MM:
        return 3
    into_muscle = float((surface.radius - _layer(tube.submucosa, surface)).max())
    return 2 if into_muscle > TOUCH_MM else 1


def _invaded(tumour: Tumour, voxel_mm: float) -> tuple[str, ...]:
    least = INVADED_MM3 / voxel_mm**3
    count = {organ: sum(tumour.replaced.get(t, 0) for t in tissues) for organ, tissues in ORGANS.items()}
    return tuple(organ for organ, voxels in count.items() if voxels >= least)


def _touches_peritoneum(tube: Tube, surface: Places) -> bool:
    over = tube.peritoneal.ravel().take(surface.entry)
    beyond = surface.radius - _layer(tube.envelope, surface)
    return bool((over & (beyond > TOUCH_MM)).any())


def _sphincter(tube: Tube, surface: Places, invaded: tuple[str, ...]) -> Sphincter:
    if "external anal sphincter" in invaded:
        return Sphincter.EXTERNAL
    low = surface.length < tube.person.anorectal_mm - 1.0
    if (low & (surface.radius - _layer(tube.wall, surface) > TOUCH_MM)).any():
        return Sphincter.INTERSPHINCTERIC
    if (low & (surface.radius - _layer(tube.submucosa, surface) > TOUCH_MM)).any():
        return Sphincter.INTERNAL
    return Sphincter.NONE


def _fascia(tube: Tube, tumour: Tumour, points: Floats, surface: Places) -> tuple[float, tuple[Point, Point] | None]:
    """Distance of the tumour's surface and the fascia's, both as points between voxels."""
    top = tube.person.anorectal_mm
    bare = ~tube.peritoneal.ravel()
    mesorectal = bare.take(surface.entry) & (surface.length > top)
    if (mesorectal & (surface.radius - _layer(tube.envelope, surface) > TOUCH_MM)).any():
        return 0.0, None
    envelope = surface_points(tumour.places.radius - _layer(tube.envelope, tumour.places), tumour.box)
    places = tube.places(envelope[:, 0], envelope[:, 1], envelope[:, 2])
    fascia = envelope[bare.take(places.entry) & (places.length > top)]
    if not len(fascia):
        return AROUND_MM, None
    distance, nearest = cKDTree(fascia).query(points)
    best = int(np.argmin(distance))
    return min(float(distance[best]), AROUND_MM), (_point(points[best]), _point(fascia[nearest[best]]))


def _hours(columns: NDArray[np.intp]) -> tuple[float, float, float]:
    """First and last hour and the share of the clock face, from columns of the tables."""
    counts = np.bincount(columns // _BIN_DEG, minlength=ANGLES // _BIN_DEG)
    there = counts >= max(3, 0.01 * counts.max())
    bins = len(there)
    if there.all():
        return 12.0, 12.0, 1.0
    # The longest empty stretch ends where the tumour begins.
    lengths = [_empty_before(there, k) if there[k] else 0 for k in range(bins)]
    first = int(np.argmax(lengths))
    covered = bins - max(lengths)
    start, end = first * 12.0 / bins, ((first + covered) % bins) * 12.0 / bins
    return start or 12.0, end or 12.0, covered / bins


def _empty_before(there: Bools, place: int) -> int:
    count = 0
    while not there[(place - count - 1) % len(there)]:
        count += 1
    return count


def _centre(tumour: Tumour) -> Point:
    where = np.nonzero(tumour.inside)
    box = tumour.box
    axes = (box.x.ravel()[where[2]], box.y.ravel()[where[1]], box.z.ravel()[where[0]])
    return _point(np.array([axis.mean() for axis in axes]))


def _point(values: NDArray[np.floating]) -> Point:
    x, y, z = (float(v) for v in values)
    return x, y, z
