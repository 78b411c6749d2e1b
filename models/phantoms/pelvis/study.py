"""A pelvic MR study of which everything is known: a seed becomes anatomy, tumour, truth, series and report."""

from dataclasses import dataclass, replace

import numpy as np

from models.phantoms.canvas import Point
from models.phantoms.pelvis.body import paint_body
from models.phantoms.pelvis.bowel import Rectum, paint_rectum
from models.phantoms.pelvis.organs import paint_organs
from models.phantoms.pelvis.person import Person, draw_person
from models.phantoms.pelvis.plan import TumourPlan, draw_plan
from models.phantoms.pelvis.report import ReportSentence, write_report
from models.phantoms.pelvis.series import Series, draw_scanner, render_study
from models.phantoms.pelvis.spread import EmviTruth, Mesorectum, NodeTruth
from models.phantoms.pelvis.truth import Truth, TumourTruth, measure_tumour
from models.phantoms.pelvis.tube import Tube, tube_of
from models.phantoms.pelvis.tumour import grow_tables, paint_tumour
from models.phantoms.pelvis.volume import Volume

LOW_MM, HIGH_MM = (-136.0, -118.0, -28.0), (136.0, 122.0, 182.0)
"""Corners of the volume about the anal verge; beyond them its border goes on."""
TUMOUR_SHARE = 0.75


@dataclass(frozen=True, eq=False)
class PelvisPhantom:
    """Anatomy, truth, series and report; all positions in patient coordinates, mm."""

    seed: int
    person: Person
    volume: Volume
    truth: Truth
    series: tuple[Series, ...]
    sentences: tuple[ReportSentence, ...]

    @property
    def report(self) -> str:
        """The report as text, one sentence per line."""
        return "\n".join(sentence.text for sentence in self.sentences)

    def one(self, key: str) -> Series:
        """A series by the key of its sequence. Raises KeyError where the protocol has none of it."""
        for series in self.series:
            if series.sequence.key == key:
                return series
        raise KeyError(key)


@dataclass(frozen=True, eq=False)
class PelvisAnatomy:
    """What there is to scan, in the anatomy's own coordinates: the anal verge lies at z = 0."""

    person: Person
    tube: Tube
    volume: Volume
    truth: Truth


def generate_pelvis(
    seed: int,
    tumour: bool | None = None,
    t_stage: int | None = None,
    fineness: float = 1.0,
    voxel_mm: float = 1.0,
) -> PelvisPhantom:
    """The study of a seed: with a tumour or not as the seed draws it, unless given.

    Person and scanner depend on the seed alone. `fineness` below 1 renders coarser pixels and a `voxel_mm` over 1 a
    coarser anatomy, both for quick tests. Raises ValueError for a `t_stage` outside 1 to 4.
    """
    anatomy = grow_pelvis(seed, tumour, t_stage, voxel_mm)
    scanner = draw_scanner(np.random.default_rng((seed, 11)))
    move = anatomy.person.placement_mm
    series = render_study(anatomy.volume, anatomy.person, scanner, fineness)
    return PelvisPhantom(
        seed=seed,
        person=anatomy.person,
        volume=anatomy.volume.moved(move),
        truth=_moved(anatomy.truth, move),
        series=tuple(each.moved(move) for each in series),
        sentences=write_report(anatomy.truth, np.random.default_rng((seed, 12))),
    )


def grow_pelvis(
    seed: int, tumour: bool | None = None, t_stage: int | None = None, voxel_mm: float = 1.0
) -> PelvisAnatomy:
    """The anatomy of a seed, without any series; a `t_stage` asks for a tumour. Raises ValueError as above."""
    if t_stage is not None and (t_stage not in (1, 2, 3, 4) or tumour is False):
        raise ValueError(f"t_stage is {t_stage}; give 1, 2, 3 or 4 for a tumour, or None")
    person = draw_person(np.random.default_rng((seed, 10)))
    drawn = np.random.default_rng((seed, 13)).random() < TUMOUR_SHARE
    wanted = t_stage is not None or (drawn if tumour is None else tumour)
    plan = draw_plan(seed, person, t_stage) if wanted else None
    tube = tube_of(person)
    volume = Volume.empty(LOW_MM, HIGH_MM, voxel_mm)
    paint_body(volume, person, tube)
    paint_organs(volume, person, tube)
    rectum = paint_rectum(volume, tube)
    found, nodes = _paint_disease(volume, rectum, plan)
    return PelvisAnatomy(person, tube, volume, Truth(seed, person.sex, found, nodes))


def _paint_disease(
    volume: Volume, rectum: Rectum, plan: TumourPlan | None
) -> tuple[TumourTruth | None, tuple[NodeTruth, ...]]:
    tube = rectum.tube
    painted = paint_tumour(volume, rectum, plan) if plan else None
    outer = grow_tables(tube, plan)[1] if plan else tube.wall
    fat = Mesorectum(volume, tube, outer, np.random.default_rng((tube.person.seed, 9)))
    emvi: EmviTruth | None = None
    if plan and plan.emvi:
        emvi = fat.emvi(plan.middle_mm, plan.extent, plan.centre)
    suspicious = fat.nodes(plan.suspicious_nodes, suspicious=True) if plan else []
    nodes = (*suspicious, *fat.nodes(tube.person.benign_nodes, suspicious=False))
    found = measure_tumour(rectum, painted, emvi, volume.voxel_mm) if painted else None
    return found, nodes


def _moved(truth: Truth, by_mm: Point) -> Truth:
    """The truth with its points moved into the scanner's coordinates."""
    nodes = tuple(replace(node, centre_mm=_shift(node.centre_mm, by_mm)) for node in truth.nodes)
    tumour = truth.tumour
    if tumour is not None:
        ends = tumour.fascia_points_mm
        moved = None if ends is None else (_shift(ends[0], by_mm), _shift(ends[1], by_mm))
        tumour = replace(tumour, centre_mm=_shift(tumour.centre_mm, by_mm), fascia_points_mm=moved)
    return replace(truth, tumour=tumour, nodes=nodes)


def _shift(point: Point, by_mm: Point) -> Point:
    return point[0] + by_mm[0], point[1] + by_mm[1], point[2] + by_mm[2]
