"""A reading of several series as rectal staging makes one: planes, b values, two frames of reference, distances.

Others use `several_series`; its parts are here for cases of their own.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage
from segmented_cases import AXIAL, CORONAL, image_headers, turned
from study_readings import BUNDLE, FRAME_OF_REFERENCE_UID, SERIES_UID

from pacs_agent.imaging import HeaderFile, OrderedSeries, Slice, order_series
from pacs_agent.inference.attributes import Attributes
from pacs_agent.inference.reading import (
    Code,
    EvidenceMethod,
    FindingLabel,
    FindingReading,
    MeasuredDistance,
    Presence,
    Sentence,
    SliceEvidence,
    StudyReading,
)

STAGER = BUNDLE.model_copy(update={"name": "rectal-mr-demo", "digest": "cd" * 32})
RECTUM = Code(value="34402009", scheme="SCT", meaning="Rectum")
OTHER_FRAME_UID = f"{FRAME_OF_REFERENCE_UID}.2"
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)

ITEMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "tumour": ("Rectal tumour", ()),
    "location": ("Location", ("lower", "middle", "upper")),
    "peritoneum": ("Peritoneal involvement", ()),
    "t_stage": ("T stage", ("T1", "T2", "T3", "T4")),
    "crm": ("Involved circumferential resection margin", ()),
    "sphincter": ("Anal sphincter involvement", ("free", "internal", "intersphincteric", "external")),
    "nodes": ("Suspicious mesorectal lymph nodes", ()),
    "emvi": ("Extramural vascular invasion", ()),
}
"""Names of the items, and the words of those that have levels."""
_LEVELS = {"location": 1, "t_stage": 2, "sphincter": 1}
_ABSENT = ("peritoneum", "emvi")


def mr_headers(
    number: int, orientation: Sequence[float] = AXIAL, count: int = 5, gap_mm: float = 4.0, **attributes: object
) -> list[Dataset]:
    """Headers of series `number` of an MR study."""
    named = {"SeriesInstanceUID": f"{SERIES_UID}.{number}", "SeriesDescription": f"series {number}"}
    same = {"Modality": "MR", "SOPClassUID": MRImageStorage, "BodyPartExamined": "PELVIS", "Manufacturer": "MAGNETS"}
    headers = image_headers(orientation, count, gap_mm, **{**same, **named, **attributes})
    for index, header in enumerate(headers, start=1):
        header.SOPInstanceUID = f"{SERIES_UID}.{number}.{index}"
    return headers


def as_read(stored: Sequence[Dataset]) -> OrderedSeries:
    """The series of headers, as the reader orders it; files lie where they do nowhere."""
    return order_series([HeaderFile(Path(f"/archive/{one.SOPInstanceUID}.dcm"), one) for one in stored])


def stacks_of_headers() -> list[list[Dataset]]:
    """T2 in three planes, one of them oblique, and diffusion with two b values in one series, after a pause.

    The two stacks of diffusion are one series in a frame of reference of their own.
    """
    planes = [
        mr_headers(1, AXIAL, 6),
        mr_headers(2, SAGITTAL, 5),
        mr_headers(3, turned(CORONAL, (20, 0, 0)), 4),
    ]
    diffusion = mr_headers(4, AXIAL, 8, FrameOfReferenceUID=OTHER_FRAME_UID)
    b_values = [diffusion[::2], diffusion[1::2]]
    for low, high in zip(*b_values, strict=True):
        high.ImagePositionPatient = low.ImagePositionPatient
    return [*planes, *b_values]


def item(key: str, presence: Presence, series: Sequence[OrderedSeries], strongest: Sequence[int]) -> FindingReading:
    """One item of staging; `strongest` are places among the slices of all series."""
    name, words = ITEMS[key]
    slices = [one for of in series for one in of.slices]
    said = presence is not Presence.ABSENT
    return FindingReading(
        label=FindingLabel(
            key=key, name=name, code=Code(value=key.upper(), scheme="99MSVLM", meaning=name), site=RECTUM
        ),
        probability={Presence.PRESENT: 0.93, Presence.UNCERTAIN: 0.45, Presence.ABSENT: 0.04}[presence],
        operating_point=0.5,
        uncertain_from=0.4,
        presence=presence,
        attributes=Attributes(grade=_LEVELS[key]) if words and said else Attributes(),
        applies=("grade",) if words else (),
        grades=words,
        slice_weights=tuple(1 / len(slices) for _ in slices),
        evidence=tuple(
            SliceEvidence(
                index=index,
                sop_instance_uid=slices[index].sop_instance_uid,
                frame_number=slices[index].frame_number,
                weight=0.8 / (rank + 1),
                peak_px=(9.0, 12.5),
                peak_mm=_place_mm(slices[index], 9.0, 12.5),
                peak_heat=0.7 / (rank + 1),
            )
            for rank, index in enumerate(strongest if said else ())
        ),
    )


def distance(
    series: OrderedSeries, value_mm: float = 2.4, key: str = "crm", name: str = "Distance to the mesorectal fascia"
) -> MeasuredDistance:
    """A distance on the second slice of a series."""
    one = series.slices[min(1, len(series.slices) - 1)]
    across = np.multiply(one.orientation[:3], value_mm)
    start = _place_mm(one, 9.0, 12.0)
    end = tuple(float(each) for each in np.add(start, across))
    return MeasuredDistance.model_validate(
        {
            "finding": key,
            "name": name,
            "type": Code(value="MARGIN" if key == "crm" else "LENGTH", scheme="99MSVLM", meaning=name),
            "value_mm": value_mm,
            "ends_mm": (start, end),
            "series_instance_uid": series.series_instance_uid,
            "frame_of_reference_uid": series.frame_of_reference_uid,
        }
    )


def staged(stacks: Sequence[Sequence[Dataset]]) -> StudyReading:
    """The reading of stacks: every item that is not absent rests on a slice of each of its series in turn."""
    series = tuple(as_read(stored) for stored in stacks)
    firsts = np.cumsum([0, *(len(of.slices) for of in series)])[:-1]
    strongest = [int(first) + len(of.slices) // 2 for first, of in zip(firsts, series, strict=True)]
    findings = tuple(
        item(
            key,
            Presence.ABSENT if key in _ABSENT else Presence.PRESENT,
            series,
            [*strongest[place % len(strongest) :], *strongest[: place % len(strongest)]][:3],
        )
        for place, key in enumerate(ITEMS)
    )
    distances = [distance(series[0])]
    if len(series) > 1:
        distances.append(distance(series[1], 41.7, "tumour", "Length of the tumour"))
    return StudyReading(
        bundle=STAGER,
        series=series[0],
        further_series=series[1:],
        findings=findings,
        sentences=tuple(
            Sentence(
                text=f"{one.label.name}: {one.grade or one.presence}.",
                findings=(one.label.key,),
                positive=one.presence is not Presence.ABSENT,
            )
            for one in findings
        ),
        impression=(Sentence(text="Rectal tumour, T3.", findings=("tumour", "t_stage"), positive=True),),
        evidence_method=EvidenceMethod.ATTENTION,
        distances=tuple(distances),
    )


def several_series() -> tuple[StudyReading, list[Dataset]]:
    """The reading of `stacks_of_headers`, and all headers."""
    stacks = stacks_of_headers()
    return staged(stacks), [header for stored in stacks for header in stored]


def _place_mm(one: Slice, row: float, column: float) -> tuple[float, float, float]:
    """PS3.3 C.7.6.2.1.1."""
    right, down = np.array(one.orientation[:3]), np.array(one.orientation[3:])
    by_row_mm, by_column_mm = one.spacing_mm
    place = np.array(one.position_mm) + column * by_column_mm * right + row * by_row_mm * down
    x, y, z = (float(each) for each in place)
    return x, y, z
