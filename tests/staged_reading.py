"""A reading of several series of one pelvis, as models of task "staging" give it: items in order, and a distance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs_agent.imaging import OrderedSeries, Slice
from pacs_agent.inference import (
    Attributes,
    BundleIdentity,
    Code,
    EvidenceMethod,
    FindingLabel,
    FindingReading,
    Presence,
    Sentence,
    SliceEvidence,
    StudyReading,
)
from pacs_agent.inference.reading import MeasuredDistance

Place = tuple[float, float, float]

BUNDLE = BundleIdentity(
    name="rectal-mr-demo",
    version="0.1.0",
    digest="ab" * 32,
    device_uid="2.25.7",
    manufacturer="PACS Agent project",
    intended_use="Demonstration and software tests only. Learned from computer-made phantoms. Not for clinical use.",
    training_data="Pelvic MR phantoms.",
    demo=True,
)
RECTUM = Code(value="34402009", scheme="SCT", meaning="Rectum")
DISTANCE = Code(value="121206", scheme="DCM", meaning="Distance")
REACH_MM = 6.0
"""A slice this far from the point has a third of the weight."""


@dataclass(frozen=True)
class Item:
    """An item, its levels from the least, the one that is said, and how likely. No levels: present or absent.

    What may be absent has levels for what is present alone, and is as likely as any of them.
    """

    key: str
    name: str
    probability: float
    presence: Presence = Presence.PRESENT
    levels: tuple[str, ...] = ()
    level: int | None = None


ITEMS = (
    Item("tumour", "Rectal tumour", 0.98),
    Item("location", "Location", 0.91, levels=("lower", "middle", "upper"), level=1),
    Item("peritoneum", "Peritoneal involvement", 0.03, Presence.ABSENT),
    Item("t_stage", "T stage", 0.87, levels=("T1", "T2", "T3", "T4"), level=2),
    Item("crm", "Involved circumferential resection margin", 0.9),
    Item(
        "sphincter", "Anal sphincter involvement", 0.12, Presence.ABSENT, ("internal", "intersphincteric", "external")
    ),
    Item("nodes", "Suspicious mesorectal lymph nodes", 0.52, Presence.UNCERTAIN),
)
"""The last item, EMVI, is not assessed. The margin follows its distance."""
INVOLVED_MM = 1.0
CLEAR: dict[str, Any] = {"probability": 0.1, "presence": Presence.ABSENT}


def staged(
    series: Sequence[OrderedSeries],
    rests_on: Mapping[str, Sequence[int]],
    point_mm: Place,
    ends_mm: tuple[Place, Place],
) -> StudyReading:
    """A reading of `series`: each item rests on those at the places that `rests_on` names, near `point_mm`.

    `ends_mm` are those of the distance of tumour and mesorectal fascia, measured on the first series.
    """
    margin_mm = round(float(np.linalg.norm(np.subtract(*ends_mm))), 1)
    is_clear = margin_mm > INVOLVED_MM
    items = [replace(item, **CLEAR) if item.key == "crm" and is_clear else item for item in ITEMS]
    slices = [one for each in series for one in each.slices]
    belongs = [place for place, each in enumerate(series) for _ in each.slices]
    first = series[0]
    return StudyReading(
        bundle=BUNDLE,
        series=first,
        further_series=tuple(series[1:]),
        findings=tuple(_finding(item, slices, belongs, rests_on.get(item.key, ()), point_mm) for item in items),
        sentences=(
            Sentence(text="Tumour of the middle rectum.", findings=("tumour", "location"), positive=True),
            Sentence(text="mrT3.", findings=("t_stage",), positive=True),
            Sentence(
                text=f"The mesorectal fascia is {'clear' if is_clear else 'involved'}.",
                findings=("crm",),
                positive=not is_clear,
            ),
        ),
        impression=(Sentence(text="Rectal tumour, T3.", findings=("tumour", "t_stage"), positive=True),),
        evidence_method=EvidenceMethod.ATTENTION,
        distances=(
            MeasuredDistance(
                finding="crm",
                name="Distance to the mesorectal fascia",
                type=DISTANCE,
                value_mm=margin_mm,
                ends_mm=ends_mm,
                series_instance_uid=first.series_instance_uid,
                frame_of_reference_uid=first.frame_of_reference_uid,
            ),
        ),
    )


def _finding(
    item: Item, slices: Sequence[Slice], belongs: Sequence[int], rests_on: Sequence[int], point_mm: Place
) -> FindingReading:
    away_mm = np.array([_away_mm(one, point_mm) for one in slices])
    counts = np.isin(belongs, rests_on) & (item.presence is not Presence.ABSENT)
    weights = np.where(counts, np.exp(-np.square(away_mm / REACH_MM)), 0.0).round(4)
    nearest = [min(np.flatnonzero(np.equal(belongs, place)), key=away_mm.__getitem__) for place in rests_on]
    strongest = sorted((int(index) for index in nearest if counts[index]), key=lambda index: -weights[index])
    return FindingReading(
        label=FindingLabel(key=item.key, name=item.name, code=_code(item), site=RECTUM),
        probability=item.probability,
        operating_point=0.6,
        uncertain_from=0.4,
        presence=item.presence,
        attributes=Attributes(grade=item.level),
        applies=("grade",) if item.levels else (),
        grades=item.levels,
        slice_weights=tuple(weights.tolist()),
        evidence=tuple(_evidence(index, slices[index], float(weights[index]), point_mm) for index in strongest),
    )


def _code(item: Item) -> Code:
    return Code(value=item.key.upper(), scheme="99PACSAGENT", meaning=item.name)


def _evidence(index: int, one: Slice, weight: float, point_mm: Place) -> SliceEvidence:
    """The slice with the foot of the point's perpendicular. PS3.3 C.7.6.2.1.1."""
    normal = _normal(one)
    foot = np.array(point_mm) - normal * (np.subtract(point_mm, one.position_mm) @ normal)
    from_first = foot - one.position_mm
    row = from_first @ np.array(one.orientation[3:]) / one.spacing_mm[0]
    column = from_first @ np.array(one.orientation[:3]) / one.spacing_mm[1]
    x, y, z = (round(float(value), 3) for value in foot)
    return SliceEvidence(
        index=index,
        sop_instance_uid=one.sop_instance_uid,
        frame_number=one.frame_number,
        weight=weight,
        peak_px=(round(float(row), 3), round(float(column), 3)),
        peak_mm=(x, y, z),
        peak_heat=None,
    )


def _away_mm(one: Slice, point_mm: Place) -> float:
    return float(abs(np.subtract(point_mm, one.position_mm) @ _normal(one)))


def _normal(one: Slice) -> NDArray[np.float64]:
    return np.cross(one.orientation[:3], one.orientation[3:])
