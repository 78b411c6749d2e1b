"""The summary shows on one page what a reading says, with its pictures, and is a sound Secondary Capture image."""

import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage
from segmented_cases import CASES as STORED
from segmented_cases import ordered
from several_series import several_series
from study_cases import CASES, Case
from study_readings import FACTS, headers, reading, series
from summary_picture import PICTURE, phantom_reading, pixels

from pacs_agent.inference import Presence, StudyReading
from pacs_agent.pipeline.summary import secondary_capture
from pacs_agent.results import compose_secondary_capture, pictured, write_bytes
from pacs_agent.results.secondary_capture import MOST_PICTURES
from pacs_agent.results.summary_page import COLUMNS, ROWS, fitted, wrapped
from tests.judges import dciodvfy, errors

FOOT = 955
"""From this row on there is nothing but the foot."""
Shown = dict[tuple[str, int | None], np.ndarray]


def _shown(read: StudyReading, brightness: float = 1.0) -> Shown:
    """A slope of grey for every picture."""
    return {
        (one.slice.sop_instance_uid, one.slice.frame_number): brightness
        * np.linspace(-1000, 400, one.slice.rows * one.slice.columns, dtype=np.float32).reshape(
            one.slice.rows, one.slice.columns
        )
        for one in pictured(read)
    }


def _page(read: StudyReading, evidence: list[Dataset], shown: Shown | None = None) -> np.ndarray:
    return pixels(compose_secondary_capture(read, evidence, FACTS, _shown(read) if shown is None else shown))


def _several() -> Case:
    return several_series()


@pytest.mark.parametrize("case", [*CASES, "several series"])
def test_every_sort_of_study_has_a_sound_summary(case: str, tmp_path: Path) -> None:
    read, evidence = _several() if case == "several series" else CASES[case]()
    capture = compose_secondary_capture(read, evidence, FACTS, _shown(read))
    path = tmp_path / "summary.dcm"
    path.write_bytes(write_bytes(capture))
    said = [one.text for one in errors(dciodvfy.verdicts(path))]
    assert said == [] or case == "odd values"
    written = dcmread(path)
    assert np.array_equal(written.pixel_array, pixels(capture))
    assert written.StudyInstanceUID == evidence[0].StudyInstanceUID
    assert written.SeriesInstanceUID not in {one.SeriesInstanceUID for one in evidence}


def test_what_kind_of_image_it_is() -> None:
    read, evidence = _several()
    capture = compose_secondary_capture(read, evidence, FACTS, _shown(read))
    assert (capture.SOPClassUID, capture.Modality, capture.SeriesNumber) == (SecondaryCaptureImageStorage, "OT", 9009)
    assert (capture.BurnedInAnnotation, capture.ImageType) == ("YES", ["DERIVED", "SECONDARY"])
    assert (capture.PhotometricInterpretation, capture.BitsStored, capture.LossyImageCompression) == ("RGB", 8, "00")
    assert not capture.PatientOrientation
    assert "ImageOrientationPatient" not in capture
    assert capture.SeriesDescription == "Summary: AI-generated, unverified, not for clinical use"
    known = {(one.SeriesInstanceUID, one.SOPInstanceUID) for one in evidence}
    sources = {one.ReferencedSOPInstanceUID for one in capture.SourceImageSequence}
    assert {
        (of.SeriesInstanceUID, one.ReferencedSOPInstanceUID)
        for of in capture.ReferencedSeriesSequence
        for one in of.ReferencedInstanceSequence
    } <= known
    assert sources == {one.slice.sop_instance_uid for one in pictured(read)}


def test_the_same_reading_has_the_same_bytes_and_another_picture_another_instance() -> None:
    read, evidence = _several()
    first, again = (compose_secondary_capture(read, evidence, FACTS, _shown(read)) for _ in range(2))
    assert write_bytes(first) == write_bytes(again)
    other = compose_secondary_capture(read, evidence, FACTS, _shown(read, brightness=-1.0))
    assert other.SOPInstanceUID != first.SOPInstanceUID


@pytest.mark.parametrize(
    "attributes", [{"PatientName": "Großmann^Łukasz"}, {"PatientID": "4712"}, {"StudyDate": "20251231"}], ids=str
)
def test_patient_and_study_stand_on_the_page(attributes: dict[str, str]) -> None:
    before, after = _page(reading(), headers()), _page(reading(), headers(**attributes))
    rows, columns = np.nonzero((before != after).any(axis=2))
    assert rows.size
    assert rows.max() < 100
    assert columns.min() > COLUMNS // 2


def test_what_is_said_stands_on_the_page() -> None:
    read, evidence = _several()
    before = _page(read, evidence)
    without = read.model_copy(update={"distances": ()})
    quiet = read.model_copy(update={"impression": ()})
    real = read.model_copy(update={"bundle": read.bundle.model_copy(update={"demo": False})})
    for other in (without, quiet, real):
        assert (before != _page(other, evidence)).any()
    warned = (before != _page(real, evidence)).any(axis=2).nonzero()[0]
    assert 100 < warned.min() <= warned.max() < 150


def test_a_ring_is_where_the_finding_is_strongest() -> None:
    """By its colour, which nothing else in the pictures has."""
    read, evidence = _several()
    found = []
    for place in ((3.0, 3.0), (17.0, 3.0)):
        findings = tuple(
            one.model_copy(update={"evidence": tuple(e.model_copy(update={"peak_px": place}) for e in one.evidence)})
            for one in read.findings[:1]
        )
        page = _page(read.model_copy(update={"findings": findings, "distances": ()}), evidence)
        part = page[:, COLUMNS // 2 :].astype(int)
        rows, _ = np.nonzero((abs(part - (255, 176, 84)) < 8).all(axis=2))
        found.append(rows.mean())
    assert found[0] < found[1]


def test_what_is_present_comes_before_what_is_uncertain() -> None:
    read, evidence = _several()
    uncertain = read.findings[0].model_copy(update={"presence": Presence.UNCERTAIN})
    many = read.model_copy(update={"findings": (*[uncertain] * 40, read.findings[4]), "distances": ()})
    assert pictured(many)[0].slice.sop_instance_uid == read.findings[4].evidence[0].sop_instance_uid
    first_mark = _page(many, evidence)[250:420, 40:60].astype(int)
    assert (abs(first_mark - (255, 176, 84)) < 8).all(axis=2).any()


def test_pictures_that_are_not_there_leave_the_rest() -> None:
    read, evidence = _several()
    page = _page(read, evidence, {})
    assert (page[:, : COLUMNS // 2] == _page(read, evidence)[:, : COLUMNS // 2]).all()


def test_an_image_that_cannot_be_decoded_has_no_picture(caplog: pytest.LogCaptureFixture) -> None:
    read, evidence = _several()  # whose files are nowhere
    document = secondary_capture(read, evidence, FACTS)
    assert (pixels(dcmread(BytesIO(document.part10))) == _page(read, evidence, {})).all()


@settings(max_examples=10)
@given(st.integers(0, 80), st.integers(0, 80), st.text(max_size=200), st.text(max_size=60))
def test_long_lists_and_odd_words_stay_on_the_page(stated: int, absent: int, text: str, name: str) -> None:
    read = reading("present", series(4), findings_read=2)
    present, gone = read.findings
    label = present.label.model_copy(update={"name": name})
    findings = [present.model_copy(update={"label": label})] * stated + [gone] * absent
    impression = tuple(one.model_copy(update={"text": text}) for one in read.impression * 9)
    read = read.model_copy(update={"findings": tuple(findings), "impression": impression})
    page = _page(read, headers())
    column = page[FOOT:965, :620]
    assert (column == column[0, 0]).all()
    assert len(pictured(read)) <= MOST_PICTURES


def test_words_are_cut_where_there_is_no_room() -> None:
    assert fitted("short", 400, 20) == "short"
    assert fitted("a" * 400, 200, 20).endswith("a…")
    assert fitted("山田 Yamada", 400, 20) == "\ufffd\ufffd Yamada"
    assert wrapped("one two", 4000, 20) == ["one two"]
    assert wrapped("", 100, 20) == []
    lines = wrapped("word " * 40, 300, 20)
    assert " ".join(lines) == ("word " * 40).strip()
    assert len(lines) > 5


def test_windows_and_inverted_images() -> None:
    stored = STORED["axial"]
    read = reading("present", ordered(stored))
    by_slice = _page(read, stored)
    for attributes in (
        {"WindowCenter": [40, 50], "WindowWidth": [400, 1]},
        {"PhotometricInterpretation": "MONOCHROME1"},
    ):
        changed = [Dataset() for _ in stored]
        for one, header in zip(changed, stored, strict=True):
            one.update(header)
            for keyword, value in attributes.items():
                setattr(one, keyword, value)
        assert (_page(read, changed) != by_slice).any()


@pytest.mark.skipif(shutil.which("dcmj2pnm") is None, reason="dcmtk is not installed")
def test_another_reader_sees_the_same_picture(tmp_path: Path) -> None:
    read, evidence = _several()
    capture = compose_secondary_capture(read, evidence, FACTS, _shown(read))
    source, picture = tmp_path / "summary.dcm", tmp_path / "summary.ppm"
    source.write_bytes(write_bytes(capture))
    subprocess.run(["dcmj2pnm", "--write-8-bit-pnm", str(source), str(picture)], check=True, capture_output=True)
    assert np.array_equal(np.asarray(Image.open(picture)), pixels(capture))


@pytest.mark.slow
def test_the_picture_in_the_documentation_is_of_this_page(tmp_path: Path) -> None:
    read, evidence = phantom_reading(tmp_path)
    document = secondary_capture(read, evidence, FACTS)
    kept = np.asarray(Image.open(PICTURE).convert("RGB")).astype(int)
    assert kept.shape == (ROWS, COLUMNS, 3)
    difference = abs(kept - pixels(dcmread(BytesIO(document.part10))).astype(int))
    assert difference.mean() < 1, "run tests/unit/results/summary_picture.py"
