"""Saliency maps of the shipped model with a real archive: what shines most lies on the lesion that was put there."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from highdicom.pm import ParametricMap
from pydicom.dataset import Dataset

from models.phantoms import generate
from models.phantoms.dicom import write_series
from models.phantoms.thorax import Phantom
from pacs_agent.config import InferenceSettings
from pacs_agent.imaging import choose_series, read_headers
from pacs_agent.inference import Reader, StudyReading, load_bundle
from pacs_agent.pipeline.saliency import with_saliency_maps
from pacs_agent.results import DocumentFacts
from tests import shipped
from tests.peers import Orthanc

pytestmark = [pytest.mark.peers, pytest.mark.slow]

PUT_THERE = ("pleural_effusion", "lung_opacity")
NEAR_MM = 12.0
"""Between centres of a patch and of the pixel of a lesion nearest to it: a patch is up to 12 mm wide."""
FACTS = DocumentFacts(composed_at=datetime(2026, 1, 2, 11, 12, 13, tzinfo=UTC), input_digest="cd" * 32)


@dataclass
class Study:
    """A phantom with lesions, its images, and what the shipped model says of it."""

    phantom: Phantom
    images: list[Path]
    headers: list[Dataset]
    reading: StudyReading
    tokens: Path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("saliency")
    phantom = generate(11, slices=60, findings=PUT_THERE)
    images = write_series(phantom, folder / "images")
    settings = InferenceSettings(provider="cpu", precision="fp32", threads=1)
    reader = Reader(load_bundle(shipped.reader()), settings, folder / "tokens")
    found = read_headers(images)
    series = choose_series(found, reader.bundle.accepts).chosen
    assert series is not None
    encoding = reader.encode_missing(series)
    raw, evidence = reader.read(series, encoding), reader.weigh_evidence(series, encoding)
    reading = reader.describe(series, encoding, raw, evidence)
    return Study(phantom, images, [header.dataset for header in found], reading, folder / "tokens")


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with Orthanc(tmp_path_factory.mktemp("pacs")) as running:
        yield running


@pytest.mark.parametrize("form", ["patches", "images"])
def test_what_shines_most_lies_on_the_lesion(pacs: Orthanc, study: Study, form: str) -> None:
    shown = with_saliency_maps(study.reading, study.headers, FACTS, form, study.tokens)  # type: ignore[arg-type]
    assert shown.lacks == ""
    written = [document.part10 for document in shown.documents]
    pacs.upload([*(image.read_bytes() for image in study.images), *written])
    uid = study.reading.series.study_instance_uid
    kept = pacs.wait_for(len(written), timeout_s=30, StudyInstanceUID=uid, SeriesNumber="9008")
    assert {pacs.file(instance) for instance in kept} >= set(written)
    maps = dict(zip((one.finding for one in shown.reading.saliency_maps), written, strict=True))
    for finding in PUT_THERE:
        read = ParametricMap.from_file(BytesIO(maps[finding]))
        assert _nearest_mm(_strongest_mm(read), study.phantom, finding) <= NEAR_MM


def _strongest_mm(read: ParametricMap) -> Sequence[float]:
    """The place of the strongest value, by what the object says."""
    values = np.frombuffer(read.FloatPixelData, "<f4").reshape(-1, read.Rows, read.Columns)
    frame, row, column = np.unravel_index(values.argmax(), values.shape)
    shared = read.SharedFunctionalGroupsSequence[0]
    row_mm, column_mm = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    directions = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, np.float64)
    position = read.PerFrameFunctionalGroupsSequence[frame].PlanePositionSequence[0].ImagePositionPatient
    place = np.array(position, np.float64) + column * column_mm * directions[:3] + row * row_mm * directions[3:]
    return [float(each) for each in place]


def _nearest_mm(place: Sequence[float], phantom: Phantom, finding: str) -> float:
    """How far the lesion is, in the patient."""
    mask = next(mask for found, mask in phantom.masks.items() if found.value == finding)
    slices, rows, columns = np.nonzero(mask)
    x = phantom.first_pixel_mm[0] + columns * phantom.pixel_mm
    shifts = np.array([phantom.row_shift_mm(index) for index in range(len(phantom.z_mm))])
    y = phantom.first_pixel_mm[1] + rows * phantom.pixel_mm + shifts[slices]
    far = np.hypot(np.hypot(x - place[0], y - place[1]), phantom.z_mm[slices] - place[2])
    return math.inf if len(far) == 0 else float(far.min())
