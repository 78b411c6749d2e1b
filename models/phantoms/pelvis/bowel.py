"""The rectum painted from its tube: lumen, wall, mesorectum, fascia, sphincters, levator and the mesorectal vessels."""

from dataclasses import dataclass

import numpy as np

from models.phantoms.canvas import Floats
from models.phantoms.pelvis.person import Filling
from models.phantoms.pelvis.tissue import Tissue
from models.phantoms.pelvis.tube import TOP_MM, Places, Tube, rough, turn
from models.phantoms.pelvis.volume import Box, Labels, Volume, paint_vessel

OUTER_SPHINCTER_MM, LEVATOR_MM = 6.0, 4.0
_SOFT = frozenset({Tissue.FAT, Tissue.MUSCLE})


@dataclass(frozen=True, eq=False)
class Rectum:
    """The box about the rectum and where its voxels lie in the tube."""

    tube: Tube
    box: Box
    places: Places

    def layer(self, table: Floats) -> Floats:
        """A layer's radius for every voxel of the box."""
        return np.asarray(table.ravel().take(self.places.entry), np.float32)


def paint_rectum(volume: Volume, tube: Tube) -> Rectum:
    """The rectum without disease."""
    reach = float(tube.envelope.max()) + 12.0
    low = (-reach, float(tube.y.min()) - reach, 0.0)
    box = volume.box(low, (reach, float(tube.y.max()) + reach, TOP_MM))
    if box is None:
        raise ValueError("the volume does not hold the rectum")
    rectum = Rectum(tube, box, tube.places_in(box))
    _paint_muscles(volume, rectum)
    _paint_layers(volume, rectum)
    _paint_vessels(volume, tube)
    return rectum


def _paint_muscles(volume: Volume, rectum: Rectum) -> None:
    """External sphincter with puborectalis, and the levator funnel that leaves it upwards and to the sides."""
    person, places = rectum.tube.person, rectum.places
    beyond = places.radius - rectum.layer(rectum.tube.envelope)
    about = np.abs(turn()).ravel()[places.entry % turn().size]
    top = person.anorectal_mm
    sling = 2.5 * np.exp(-(((places.length - top + 6.0) / 7.0) ** 2)) * (about > 0.9)
    ring = (places.length > 0.0) & (places.length < top + 3.0) & (beyond > -0.5) & (beyond < OUTER_SPHINCTER_MM + sling)
    volume.paint(rectum.box, ring, Tissue.EXTERNAL_SPHINCTER)
    over = places.length - top
    gap = beyond - np.maximum(0.0, 0.7 * (over - 12.0))
    funnel = (over > -2.0) & (over < 40.0) & (gap > 0.0) & (gap < LEVATOR_MM) & (about > 0.95)
    volume.paint(rectum.box, funnel, Tissue.LEVATOR_ANI, _SOFT)


def _paint_layers(volume: Volume, rectum: Rectum) -> None:
    tube, places = rectum.tube, rectum.places
    person, part = tube.person, volume.labels[rectum.box.index]
    canal = places.length < person.anorectal_mm - 2.0
    within = (places.radius < rectum.layer(tube.envelope)) & (places.length > 0.0)
    part[within] = np.where(canal, Tissue.INTERSPHINCTERIC_FAT, Tissue.MESORECTAL_FAT)[within]
    _paint_envelope(volume, rectum)
    wall = (places.radius < rectum.layer(tube.wall)) & (places.length > 0.0)
    part[wall] = np.where(canal, Tissue.INTERNAL_SPHINCTER, Tissue.MUSCULARIS)[wall]
    part[(places.radius < rectum.layer(tube.submucosa)) & wall] = Tissue.SUBMUCOSA
    lumen = (places.radius < rectum.layer(tube.lumen)) & wall
    part[lumen] = _filling(rectum)[lumen]


def _paint_envelope(volume: Volume, rectum: Rectum) -> None:
    """Fascia and peritoneum, one voxel thick."""
    tube, places = rectum.tube, rectum.places
    shell = np.abs(places.radius - rectum.layer(tube.envelope)) < 0.5 * volume.voxel_mm
    shell &= places.length > tube.person.anorectal_mm - 2.0
    peritoneal = tube.peritoneal.ravel().take(places.entry)
    volume.paint(rectum.box, shell & ~peritoneal, Tissue.MESORECTAL_FASCIA)
    volume.paint(rectum.box, shell & peritoneal, Tissue.PERITONEUM)


def _filling(rectum: Rectum) -> Labels:
    """What fills the lumen of each voxel; gas lies in front, because the patient lies on the back."""
    person, places = rectum.tube.person, rectum.places
    shape = places.length.shape
    if person.filling is Filling.EMPTY:
        return np.full(shape, Tissue.RECTAL_CONTENT, np.uint8)
    rng = np.random.default_rng((person.seed, 6))
    level = 3.0 * rough(rng, len(rectum.tube.lumen), 12.0, 60.0)[:, 0] + rng.uniform(-4.0, 6.0)
    columns = rectum.tube.lumen.shape[1]
    y = np.interp(rectum.box.z, rectum.tube.z, rectum.tube.y).astype(np.float32)
    shift = 3.0 if person.filling is Filling.GAS else -6.0
    gas = (rectum.box.y - y) < shift + level[places.entry // columns]
    gas &= places.length > person.anorectal_mm + 8.0
    return np.where(gas, np.uint8(Tissue.RECTAL_GAS), np.uint8(Tissue.RECTAL_CONTENT))


def _paint_vessels(volume: Volume, tube: Tube) -> None:
    """Superior rectal vessels behind the rectum and their branches about it."""
    rng = np.random.default_rng((tube.person.seed, 7))
    start = tube.person.anorectal_mm + 30.0
    lengths = np.linspace(float(tube.length[-1]) - 4.0, start, 14)
    for shift, tissue, radius in ((-0.12, Tissue.ARTERY, 1.3), (0.12, Tissue.VEIN, 1.7)):
        angles = np.pi + shift + np.cumsum(rng.normal(0.0, 0.07, len(lengths)))
        trunk = [tube.point(s, a, _between(tube, s, a, 0.55)) for s, a in zip(lengths, angles, strict=True)]
        radii = np.linspace(radius, 0.6 * radius, len(trunk))
        paint_vessel(volume, trunk, radii.tolist(), tissue, {Tissue.MESORECTAL_FAT})
    for _ in range(int(rng.integers(7, 12))):
        _paint_branch(volume, tube, rng, float(rng.uniform(start, lengths[0])))


def _paint_branch(volume: Volume, tube: Tube, rng: np.random.Generator, length: float) -> None:
    side = float(rng.choice((-1.0, 1.0)))
    turns = np.pi - side * np.linspace(0.0, rng.uniform(0.7, 2.0), 7)
    depth = np.linspace(0.55, rng.uniform(0.15, 0.5), 7)
    lengths = length - np.linspace(0.0, rng.uniform(0.0, 22.0), 7)
    places = zip(lengths, turns, depth, strict=True)
    points = [tube.point(s, a, _between(tube, s, a, d)) for s, a, d in places]
    tissue = Tissue.VEIN if rng.random() < 0.6 else Tissue.ARTERY
    paint_vessel(volume, points, np.linspace(1.3, 0.7, 7).tolist(), tissue, {Tissue.MESORECTAL_FAT})


def _between(tube: Tube, length: float, angle: float, share: float) -> float:
    """A radius between the wall (0) and the fascia (1)."""
    wall, envelope = tube.at(tube.wall, length, angle), tube.at(tube.envelope, length, angle)
    return wall + share * (envelope - wall)
