"""The summary of a phantom's rectal staging. Run this file to write the picture in the documentation again."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from several_series import ITEMS, STAGER, item
from study_readings import FACTS

from models.phantoms.pelvis import PelvisPhantom, TumourTruth, generate_pelvis
from models.phantoms.pelvis.dicom import write_study
from pacs_agent.imaging import HeaderFile, OrderedSeries, Slice, order_series, read_headers
from pacs_agent.inference.attributes import Attributes
from pacs_agent.inference.reading import (
    Code,
    FindingReading,
    MeasuredDistance,
    Presence,
    Sentence,
    StudyReading,
)
from pacs_agent.pipeline.summary import secondary_capture

PICTURE = Path(__file__).parents[3] / "docs/img/secondary-capture.png"
SEED = 43


def pixels(capture: Dataset) -> np.ndarray:
    """The picture of a Secondary Capture, shape (rows, columns, 3)."""
    flat = np.frombuffer(capture.PixelData, np.uint8)
    return flat[: capture.Rows * capture.Columns * 3].reshape(capture.Rows, capture.Columns, 3)


def phantom_reading(folder: Path) -> tuple[StudyReading, list[Dataset]]:
    """What a model that knows the truth of a phantom would say of it, and its headers."""
    phantom = generate_pelvis(SEED, tumour=True, t_stage=3)
    stacks = _stacks(read_headers(write_study(phantom, folder)))
    series = tuple(order_series(files) for files in stacks)
    return _reading(phantom, series), [file.dataset for files in stacks for file in files]


def _stacks(files: list[HeaderFile]) -> list[list[HeaderFile]]:
    """Files by series and b value."""
    found: dict[tuple[str, str], list[HeaderFile]] = {}
    for file in files:
        key = str(file.dataset.SeriesInstanceUID), str(file.dataset.get("DiffusionBValue", ""))
        found.setdefault(key, []).append(file)
    return list(found.values())


def _reading(phantom: PelvisPhantom, series: tuple[OrderedSeries, ...]) -> StudyReading:
    tumour = phantom.truth.tumour
    assert tumour is not None
    nodes = Presence.UNCERTAIN if phantom.truth.suspicious_nodes else Presence.ABSENT
    levels = {
        "location": ("lower", "middle", "upper").index(tumour.third),
        "t_stage": tumour.t_stage - 1,
        "sphincter": int(tumour.sphincter),
    }
    said = {
        "tumour": Presence.PRESENT,
        "location": Presence.PRESENT,
        "peritoneum": Presence.PRESENT if tumour.peritoneal else Presence.ABSENT,
        "t_stage": Presence.PRESENT,
        "crm": Presence.PRESENT if tumour.fascia_involved else Presence.ABSENT,
        "sphincter": Presence.PRESENT if tumour.sphincter else Presence.ABSENT,
        "nodes": nodes,
        "emvi": Presence.PRESENT if tumour.emvi else Presence.ABSENT,
    }
    by_name = {of.description: number for number, of in enumerate(series)}
    shown_on = ("t2_tse_sag", "t2_tse_cor", "t2_tse_tra", "ep2d_diff_tra_ADC", "t2_tse_tra", "t2_tse_cor")
    findings = []
    for key in ITEMS:
        at = by_name[shown_on[len(findings) % len(shown_on)]]
        where = tumour.fascia_points_mm[0] if key == "crm" and tumour.fascia_points_mm else tumour.centre_mm
        index, peak = _strongest(series, by_name["t2_tse_tra"] if key == "crm" else at, where)
        one = item(key, said[key], series, [index])
        evidence = tuple(each.model_copy(update={"peak_px": peak}) for each in one.evidence)
        attributes = Attributes(grade=levels[key]) if one.attributes.grade is not None else one.attributes
        findings.append(one.model_copy(update={"evidence": evidence, "attributes": attributes}))
    return StudyReading(
        bundle=STAGER,
        series=series[0],
        further_series=series[1:],
        findings=tuple(findings),
        sentences=(),
        impression=_impression(findings),
        distances=_distances(tumour, series[by_name["t2_tse_tra"]]),
    )


def _impression(findings: list[FindingReading]) -> tuple[Sentence, ...]:
    present = [one for one in findings if one.presence is Presence.PRESENT]
    words = ", ".join(f"{one.label.name} {one.grade}".strip() for one in present)
    uncertain = [one.label.name.lower() for one in findings if one.presence is Presence.UNCERTAIN]
    said = [f"{words}.", *([f"Possible: {', '.join(uncertain)}."] if uncertain else [])]
    return tuple(Sentence(text=text, findings=(), positive=True) for text in said)


def _distances(tumour: TumourTruth, axial: OrderedSeries) -> tuple[MeasuredDistance, ...]:
    ends = tumour.fascia_points_mm or (tumour.centre_mm, tumour.centre_mm)
    about = {"series_instance_uid": axial.series_instance_uid, "frame_of_reference_uid": axial.frame_of_reference_uid}
    margin, length = "Distance to the mesorectal fascia", "Length of the tumour"
    return tuple(
        MeasuredDistance.model_validate(
            {
                "finding": finding,
                "name": name,
                "type": Code(value=finding.upper(), scheme="99MSVLM", meaning=name),
                "value_mm": value_mm,
                "ends_mm": ends,
                **about,
            }
        )
        for finding, name, value_mm in (("crm", margin, tumour.fascia_mm), ("tumour", length, tumour.length_mm))
    )


def _strongest(
    series: tuple[OrderedSeries, ...], number: int, where_mm: tuple[float, float, float]
) -> tuple[int, tuple[float, float]]:
    """The slice of a series nearest to a place, counted through all, and the place in it."""
    first = sum(len(of.slices) for of in series[:number])
    away = [abs(_in_slice(one, where_mm)[2]) for one in series[number].slices]
    nearest = int(np.argmin(away))
    row, column, _ = _in_slice(series[number].slices[nearest], where_mm)
    return first + nearest, (row, column)


def _in_slice(one: Slice, where_mm: tuple[float, float, float]) -> tuple[float, float, float]:
    """Row, column and distance from the plane. PS3.3 C.7.6.2.1.1."""
    from_first = np.subtract(where_mm, one.position_mm)
    right, down = np.array(one.orientation[:3]), np.array(one.orientation[3:])
    along = float(from_first @ down) / one.spacing_mm[0], float(from_first @ right) / one.spacing_mm[1]
    return *along, float(from_first @ np.cross(right, down))


if __name__ == "__main__":
    from io import BytesIO

    from pydicom import dcmread

    with TemporaryDirectory() as folder:
        read, headers = phantom_reading(Path(folder))
        document = secondary_capture(read, headers, FACTS)
    Image.fromarray(pixels(dcmread(BytesIO(document.part10)))).save(PICTURE, optimize=True)
