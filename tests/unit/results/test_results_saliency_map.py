"""A saliency map says where in the patient the encoder sees a finding, whatever way files are stored."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from highdicom.pm import ParametricMap
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ParametricMapStorage
from segmented_cases import AXIAL, CASES, image_headers, ordered, places_mm, turned
from study_readings import FACTS, reading

from pacs_agent.imaging import OrderedSeries
from pacs_agent.inference import Heat, SaliencyMap, StudyReading
from pacs_agent.inference.heat import Field, heat_of
from pacs_agent.inference.tokens import slice_token
from pacs_agent.results import (
    ObjectKind,
    Predecessor,
    UnusableEvidence,
    compose_ai_result,
    compose_saliency_map,
    write_bytes,
)
from pacs_agent.results.saliency_map import saliency_map_references
from tests.judges import available_judges, dciodvfy, errors, judge_all
from tests.judges.content_tree import named, tree

FIELD = Field((40, 48), 1.0)
GRID = (10, 12)
PATCH_MM = 4.0
FORMS = ("patches", "images")


def _drawn(form: str, digest: str = "ab") -> SaliencyMap:
    return SaliencyMap.model_validate({"finding": "nodule", "form": form, "digest": digest})


def _heats(series: OrderedSeries, lesion_mm: NDArray[np.float64]) -> list[Heat]:
    """What an encoder gives that sees a lesion: each patch the more, the nearer its centre is to it in the patient."""
    heats = []
    for index, one in enumerate(series.slices):
        centre = np.array([one.rows / 2 + 0.3 * index, one.columns / 2 - 0.2 * index], np.float32)
        blank = heat_of(slice_token(np.zeros(4, np.float32), np.zeros((1, *GRID)), centre), 0, one, FIELD)
        rows, columns = np.mgrid[: GRID[0], : GRID[1]]
        steps = rows[..., None] * np.array(blank.row_step_mm) + columns[..., None] * np.array(blank.column_step_mm)
        far_mm = np.linalg.norm(np.array(blank.origin_mm) + steps - lesion_mm, axis=-1)
        logits = (4 - far_mm).astype(np.float32)[None]
        heats.append(heat_of(slice_token(np.zeros(4, np.float32), logits, centre), 0, one, FIELD))
    return heats


def _written(stored: list[Dataset], form: str) -> tuple[NDArray[np.float64], bytes]:
    """Where the lesion is, and the file of the map."""
    series = ordered(stored)
    lesion_mm = places_mm(series)[6, 14, 8]
    read = reading("present", series)
    return lesion_mm, write_bytes(compose_saliency_map(_drawn(form), _heats(series, lesion_mm), read, stored, FACTS))


def _composed(stored: list[Dataset], form: str) -> tuple[NDArray[np.float64], ParametricMap]:
    """Where the lesion is, and the map as it is read from its file."""
    lesion_mm, written = _written(stored, form)
    return lesion_mm, ParametricMap.from_file(BytesIO(written))


def _places(read: ParametricMap) -> NDArray[np.float64]:
    """The place of every value, shape (frames, rows, columns, 3), by nothing but what the object says."""
    shared = read.SharedFunctionalGroupsSequence[0]
    row_mm, column_mm = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    directions = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, np.float64)
    rows, columns = np.mgrid[: read.Rows, : read.Columns]
    in_plane = columns[..., None] * column_mm * directions[:3] + rows[..., None] * row_mm * directions[3:]
    return np.stack([_position(frame) + in_plane for frame in read.PerFrameFunctionalGroupsSequence])


def _position(frame: Dataset) -> NDArray[np.float64]:
    return np.array(frame.PlanePositionSequence[0].ImagePositionPatient, np.float64)


def _values(read: ParametricMap) -> NDArray[np.float32]:
    return np.frombuffer(read.FloatPixelData, "<f4").reshape(-1, read.Rows, read.Columns)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_the_strongest_value_lies_on_the_lesion(case: str, form: str) -> None:
    lesion_mm, read = _composed(CASES[case], form)
    values = _values(read)
    strongest_mm = _places(read)[np.unravel_index(values.argmax(), values.shape)]
    assert np.linalg.norm(strongest_mm - lesion_mm) <= np.hypot(PATCH_MM / 2, PATCH_MM / 2) + 0.8


@settings(max_examples=15, deadline=None)
@given(st.tuples(*[st.floats(-180, 180)] * 3), st.sampled_from((1.0, 2.5, 5.0)), st.sampled_from(FORMS))
def test_values_fall_with_the_distance_to_the_lesion_in_any_orientation(
    angles: tuple[float, float, float], gap_mm: float, form: str
) -> None:
    lesion_mm, read = _composed(image_headers(turned(AXIAL, angles), gap_mm=gap_mm), form)
    values = _values(read).astype(np.float64)
    far_mm = np.linalg.norm(_places(read) - lesion_mm, axis=-1)
    seen = (values > 0.02) & (values < 0.98)
    logits = np.log(values[seen] / (1 - values[seen]))
    tolerance = 0.05 if form == "patches" else 3.0
    np.testing.assert_allclose(4 - logits, far_mm[seen], atol=tolerance)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_dciodvfy_finds_nothing(case: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / "map.dcm"
    path.write_bytes(_written(CASES[case], form)[1])
    assert dciodvfy.programs()
    assert errors(dciodvfy.verdicts(path)) == []


@pytest.mark.parametrize("case", CASES)
def test_maps_of_images_are_as_viewers_lay_them_over(case: str) -> None:
    """A frame of 32 bits for each image, of its size and at its place, up along the normal of the planes."""
    stored = CASES[case]
    _, read = _composed(stored, "images")
    frames = sum(int(header.get("NumberOfFrames", 1)) for header in stored)
    assert (read.NumberOfFrames, read.BitsAllocated) == (frames, 32)
    assert {(read.Rows, read.Columns)} == {(header.Rows, header.Columns) for header in stored}
    directions = read.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient
    normal = np.cross(directions[:3], directions[3:])
    depths = [_position(frame) @ normal for frame in read.PerFrameFunctionalGroupsSequence]
    assert depths == sorted(depths)
    assert len(set(depths)) == frames


def test_each_frame_names_the_image_at_its_place() -> None:
    stored = CASES["flipped"]
    _, read = _composed(stored, "images")
    places = {header.SOPInstanceUID: list(map(float, header.ImagePositionPatient)) for header in stored}
    for frame in read.PerFrameFunctionalGroupsSequence:
        (source,) = frame.DerivationImageSequence[0].SourceImageSequence
        np.testing.assert_allclose(_position(frame), places[source.ReferencedSOPInstanceUID], atol=1e-3)
    assert len(read.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == len(stored)


def test_where_nothing_was_looked_at_nothing_is_seen() -> None:
    stored = CASES["axial"]
    series = ordered(stored)
    one = series.slices[0]
    token = slice_token(
        np.zeros(4, np.float32), np.full((1, 2, 2), 5.0, np.float32), np.array([10.0, 12.0], np.float32)
    )
    heats = [heat_of(token, 0, each, Field((6, 5), 1.0)) for each in series.slices]
    dataset = compose_saliency_map(_drawn("images"), heats, reading("present", series), stored, FACTS)
    plane = np.frombuffer(dataset.FloatPixelData, "<f4").reshape(len(stored), one.rows, one.columns)[0]
    rows, columns = np.nonzero(plane)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (8, 12, 10, 14)
    np.testing.assert_allclose(plane[plane > 0], 1 / (1 + np.exp(-5)), rtol=1e-3)


def test_what_the_values_are() -> None:
    _, read = _composed(CASES["axial"], "patches")
    (mapping,) = read.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    (quantity,) = mapping.QuantityDefinitionSequence
    assert quantity.ConceptCodeSequence[0].CodeValue == "130402"
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1, 0)
    assert (read.Rows, read.Columns) == GRID
    assert read.SeriesDescription == "Lung nodule: AI-generated, unverified, not for clinical use"
    assert read.ContentDescription == "Saliency map: Lung nodule"
    assert 0 <= _values(read).min() <= _values(read).max() <= 1


def test_a_long_name_leaves_room_for_the_warning() -> None:
    stored = CASES["axial"]
    series = ordered(stored)
    read = reading("present", series)
    label = read.findings[0].label.model_copy(update={"name": "Coronary artery wall calcification"})
    findings = (read.findings[0].model_copy(update={"label": label}), *read.findings[1:])
    read = read.model_copy(update={"findings": findings})
    dataset = compose_saliency_map(_drawn("patches"), _heats(series, places_mm(series)[0, 0, 0]), read, stored, FACTS)
    assert dataset.SeriesDescription == "Coronary arte...: AI-generated, unverified, not for clinical use"


def _with_map(stored: list[Dataset]) -> StudyReading:
    return reading("present", ordered(stored)).model_copy(update={"saliency_maps": (_drawn("images"),)})


def test_the_ai_result_refers_to_the_map_of_its_finding() -> None:
    stored = CASES["axial"]
    read = _with_map(stored)
    result = compose_ai_result(read, stored, FACTS)
    (explanation,) = named(tree(result), "130401")
    assert (explanation.value_type, explanation.relationship) == ("IMAGE", "CONTAINS")
    series = read.series
    made = compose_saliency_map(_drawn("images"), _heats(series, places_mm(series)[0, 0, 0]), read, stored, FACTS)
    (reference,) = explanation.item.ReferencedSOPSequence
    assert (reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID) == (
        ParametricMapStorage,
        made.SOPInstanceUID,
    )
    groups = [group for each in named(tree(result), "126010") for group in each.children]
    assert [any(named(group, "130401", deep=False)) for group in groups] == [True, False, False]


@pytest.mark.peers
@pytest.mark.slow
def test_all_judges_take_the_ai_result_that_refers_to_it(tmp_path: Path) -> None:
    assert len(available_judges()) >= 4
    stored = CASES["axial"]
    path = tmp_path / "result.dcm"
    path.write_bytes(write_bytes(compose_ai_result(_with_map(stored), stored, FACTS)))
    assert errors(judge_all([path])[path]) == []


def test_the_same_map_is_the_same_object_and_another_another() -> None:
    stored = CASES["axial"]
    series = ordered(stored)
    read, heats = reading("present", series), _heats(series, places_mm(series)[2, 3, 4])
    first, again = (write_bytes(compose_saliency_map(_drawn("patches"), heats, read, stored, FACTS)) for _ in range(2))
    assert first == again
    earlier = Predecessor(ObjectKind.SALIENCY_MAP, ParametricMapStorage, "1.2.3", series.study_instance_uid, "1.2.4")
    variants = (
        (_drawn("patches"), FACTS),
        (_drawn("patches", "cd"), FACTS),
        (_drawn("images"), FACTS),
        (_drawn("patches"), replace(FACTS, predecessors=(earlier,))),
    )
    uids = {compose_saliency_map(drawn, heats, read, stored, facts).SOPInstanceUID for drawn, facts in variants}
    assert len(uids) == len(variants)


def test_a_reading_without_maps_is_what_it_was() -> None:
    stored = CASES["axial"]
    read = reading("present", ordered(stored))
    assert saliency_map_references(read, FACTS) == {}
    assert "130401" not in compose_ai_result(read, stored, FACTS).to_json()


def test_heats_that_are_not_of_the_series_are_refused() -> None:
    stored = CASES["axial"]
    series = ordered(stored)
    with pytest.raises(UnusableEvidence, match="8 heats for 9 slices"):
        heats = _heats(series, places_mm(series)[0, 0, 0])[:-1]
        compose_saliency_map(_drawn("images"), heats, reading("present", series), stored, FACTS)
