"""A segmentation object says where in the patient the regions lie, whatever way files are stored."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from highdicom.seg import Segmentation as SegmentationRead
from highdicom.seg import segread
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from segmented_cases import (
    AXIAL,
    CASES,
    SEGMENTER,
    enhanced_headers,
    image_headers,
    ordered,
    places_mm,
    region,
    segmentation,
    turned,
)
from segmented_cases import LUNG as LUNG_STRUCTURE
from study_readings import FACTS, FRAME_OF_REFERENCE_UID

from pacs_agent.imaging.geometry import Turn
from pacs_agent.inference.measured import measurements_of
from pacs_agent.inference.segmented import Segmentation
from pacs_agent.results import ObjectKind, Predecessor, UnusableEvidence, compose_segmentation, write_bytes
from pacs_agent.results.segmentation import segmentation_reference
from pacs_agent.results.uids import replaced_by
from tests.judges import dciodvfy, errors


def _read(written: bytes) -> SegmentationRead:
    return segread(BytesIO(written))


def _composed(stored: list[Dataset], found: Segmentation | None = None) -> tuple[Segmentation, SegmentationRead]:
    found = found or segmentation(ordered(stored))
    return found, _read(write_bytes(compose_segmentation(found, stored, FACTS)))


def _places_of_segments(read: SegmentationRead) -> dict[int, NDArray[np.float64]]:
    """The places of the voxels of each segment, by nothing but what the object says. PS3.3 C.7.6.2.1.1."""
    shared = read.SharedFunctionalGroupsSequence[0]
    row_mm, column_mm = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    directions = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, np.float64)
    places: dict[int, list[NDArray[np.float64]]] = {}
    planes = read.pixel_array.reshape(-1, read.Rows, read.Columns)
    for frame, plane in zip(read.PerFrameFunctionalGroupsSequence, planes, strict=True):
        first = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, np.float64)
        rows, columns = np.nonzero(plane)
        found = first + columns[:, None] * column_mm * directions[:3] + rows[:, None] * row_mm * directions[3:]
        places.setdefault(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber, []).append(found)
    return {number: np.concatenate(found) for number, found in places.items()}


def _sorted(places: NDArray[np.float64]) -> NDArray[np.float64]:
    rounded = np.round(places, 3) + 0.0
    ordered_rows: NDArray[np.float64] = rounded[np.lexsort(rounded.T)]
    return ordered_rows


def _assert_same_places(found: Segmentation, read: SegmentationRead) -> None:
    everywhere = places_mm(found.series)
    shape = everywhere.shape[:3]
    said = _places_of_segments(read)
    assert sorted(said) == list(range(1, len(found.regions) + 1))
    for number, one in enumerate(found.regions, start=1):
        expected = everywhere[one.mask((shape[0], shape[1], shape[2]))]
        np.testing.assert_allclose(_sorted(said[number]), _sorted(expected), atol=2e-3)


@pytest.mark.parametrize("case", CASES)
def test_voxels_lie_where_they_were_segmented(case: str) -> None:
    _assert_same_places(*_composed(CASES[case]))


@settings(max_examples=15, deadline=None)
@given(
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.sampled_from((1.0, 2.5, 5.0)),
    st.integers(0, 2**32 - 1),
    st.sampled_from((image_headers, enhanced_headers)),
)
def test_any_mask_in_any_orientation(angles: tuple[float, float, float], gap_mm: float, seed: int, of: object) -> None:
    orientation = turned(AXIAL, angles)
    stored = image_headers(orientation, gap_mm=gap_mm) if of is image_headers else enhanced_headers(orientation)
    series = ordered(stored)
    mask = np.random.default_rng(seed).random(places_mm(series).shape[:3]) < 0.02
    mask[0, 0, 0] = True
    found = Segmentation(SEGMENTER, series, (region(LUNG_STRUCTURE, 1, "left", mask, series),))
    _assert_same_places(*_composed(stored, found))


@pytest.mark.parametrize("case", CASES)
def test_dciodvfy_finds_nothing(case: str, tmp_path: Path) -> None:
    stored = CASES[case]
    path = tmp_path / "segmentation.dcm"
    path.write_bytes(write_bytes(compose_segmentation(segmentation(ordered(stored)), stored, FACTS)))
    assert dciodvfy.programs()
    assert errors(dciodvfy.verdicts(path)) == []


def test_highdicom_finds_the_masks_by_source_instance() -> None:
    stored = CASES["flipped"]
    found, read = _composed(stored)
    uids = [header.SOPInstanceUID for header in stored]
    planes = read.get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True)
    masks = [one.mask((9, 21, 26))[:, ::-1, ::-1] for one in found.regions]
    np.testing.assert_array_equal(planes, np.stack(masks, axis=-1))


def test_highdicom_finds_the_masks_by_source_frame() -> None:
    [stored] = CASES["enhanced, flipped"]
    found, read = _composed([stored])
    planes = read.get_pixels_by_source_frame(
        stored.SOPInstanceUID, list(range(1, 10)), assert_missing_frames_are_empty=True
    )
    masks = [one.mask((9, 21, 26))[::-1, ::-1, ::-1] for one in found.regions]
    np.testing.assert_array_equal(planes, np.stack(masks, axis=-1))


def test_what_each_segment_is() -> None:
    _, read = _composed(CASES["axial"])
    right, left, effusion, nodule = (read.get_segment_description(number) for number in (1, 2, 3, 4))
    assert [each.segment_label for each in (right, left, effusion, nodule)] == [
        "Lung, right",
        "Lung, left",
        "Pleural effusion 1, right",
        "Lung nodule 1",
    ]
    assert right.segmented_property_category.value == "91723000"
    assert effusion.segmented_property_type.value == "60046008"
    modifier = left.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence[0]
    assert modifier.CodeValue == "7771000"
    assert {each.algorithm_type.value for each in (right, nodule)} == {"AUTOMATIC"}
    assert right.algorithm_identification[0].AlgorithmName == SEGMENTER.name
    uids = {each.tracking_uid for each in (right, left, effusion, nodule)}
    assert len(uids) == 4
    colours = [segment.RecommendedDisplayCIELabValue for segment in read.SegmentSequence]
    assert len({tuple(each) for each in colours}) == 3


def test_who_made_it_and_what_it_is_called() -> None:
    _, read = _composed(CASES["axial"])
    assert read.SeriesDescription == "Segmentation: AI-generated, unverified, not for clinical use"
    assert (read.Modality, read.SeriesNumber, read.SegmentsOverlap) == ("SEG", 9006, "NO")
    [processing, scanner] = read.ContributingEquipmentSequence
    assert (processing.DeviceUID, scanner.Manufacturer) == (SEGMENTER.device_uid, "SCANNERS INC")
    assert read.PatientName == "Müller^Änne"


def test_only_slices_with_content_are_referenced() -> None:
    stored = CASES["axial"]
    series = ordered(stored)
    found = Segmentation(SEGMENTER, series, segmentation(series).regions[2:])
    _, read = _composed(stored, found)
    assert read.NumberOfFrames == 3 + 2
    [of_series] = read.ReferencedSeriesSequence
    named = {each.ReferencedSOPInstanceUID for each in of_series.ReferencedInstanceSequence}
    assert named == {series.slices[index].sop_instance_uid for index in (1, 2, 3, 4, 5)}
    assert [list(f.FrameContentSequence[0].DimensionIndexValues) for f in read.PerFrameFunctionalGroupsSequence] == [
        [1, 1],
        [1, 2],
        [1, 3],
        [2, 4],
        [2, 5],
    ]


def test_frames_of_reference() -> None:
    _, common = _composed(CASES["axial"])
    assert common.FrameOfReferenceUID == FRAME_OF_REFERENCE_UID
    stored = image_headers()
    for number, header in enumerate(stored):
        header.FrameOfReferenceUID = f"1.2.3.{number}"
    _, own = _composed(stored)
    _, none = _composed(CASES["no frame of reference"])
    assert own.FrameOfReferenceUID == none.FrameOfReferenceUID
    assert own.FrameOfReferenceUID.startswith("2.25.")


def test_same_input_same_bytes_and_other_masks_another_object() -> None:
    stored = CASES["oblique"]
    found = segmentation(ordered(stored))
    once, again = (write_bytes(compose_segmentation(found, stored, FACTS)) for _ in range(2))
    assert once == again
    crop = found.regions[0].crop.copy()
    crop[1, 1, 1] = not crop[1, 1, 1]
    other = replace(found, regions=(replace(found.regions[0], crop=crop), *found.regions[1:]))
    assert compose_segmentation(other, stored, FACTS).SOPInstanceUID != _read(once).SOPInstanceUID


def test_a_segmentation_takes_the_place_of_the_earlier_one_and_of_no_document() -> None:
    """It has no place for references to predecessors; what it replaces is part of its UID."""
    earlier = tuple(Predecessor(kind, "1.2", f"1.2.{at}", "1.3", "1.4") for at, kind in enumerate(ObjectKind))
    own = replaced_by(ObjectKind.SEGMENTATION, replace(FACTS, predecessors=earlier))
    assert [each.kind for each in own] == [ObjectKind.SEGMENTATION]


def test_others_know_its_uid_beforehand() -> None:
    found, read = _composed(CASES["axial"])
    known = segmentation_reference(measurements_of(found), found.series, FACTS)
    assert (known.sop_instance_uid, known.series_instance_uid) == (read.SOPInstanceUID, read.SeriesInstanceUID)


def test_nothing_segmented_is_no_object() -> None:
    found = replace(segmentation(ordered(CASES["axial"])), regions=())
    with pytest.raises(UnusableEvidence, match="no region"):
        compose_segmentation(found, CASES["axial"], FACTS)


def test_headers_of_other_images_are_refused() -> None:
    found = segmentation(ordered(CASES["axial"]))
    with pytest.raises(UnusableEvidence, match="slices have no header"):
        compose_segmentation(found, CASES["axial"][:-1], FACTS)
    with pytest.raises(UnusableEvidence, match="no such frame"):
        compose_segmentation(segmentation(ordered(enhanced_headers(instances=1))), _without_frames(), FACTS)


def _without_frames() -> list[Dataset]:
    [stored] = enhanced_headers(instances=1)
    stored.NumberOfFrames = 3
    return [stored]


@given(st.booleans(), st.booleans(), st.booleans())
def test_a_turn_can_be_undone(transposed: bool, flipped_rows: bool, flipped_columns: bool) -> None:
    pixels = np.arange(12).reshape(3, 4)
    turn = Turn(transposed, flipped_rows, flipped_columns)
    np.testing.assert_array_equal(turn.undone(turn.pixels(pixels)), pixels)
