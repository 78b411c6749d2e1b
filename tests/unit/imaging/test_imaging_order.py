"""Any order in, sorted slices out; whatever is no even stack is refused with its reason."""

import math
import pickle
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imaging_slices import AXIAL, ct_slice, gradient, headers, stack
from pydicom import Dataset
from pydicom.uid import MRImageStorage
from test_imaging_geometry import orientations

from pacs_agent.imaging import Plane, ReasonCode, UnusableSeries, order_series
from pacs_agent.imaging.geometry import Orientation, canonical_normal


def refusal(datasets: list[Dataset]) -> UnusableSeries:
    with pytest.raises(UnusableSeries) as caught:
        order_series(headers(datasets))
    return caught.value


@given(
    orientations(),
    st.integers(2, 7),
    st.floats(0.3, 12.0),
    st.tuples(*[st.floats(-500, 500)] * 3),
    st.randoms(use_true_random=False),
)
def test_slices_of_any_orientation_come_out_along_the_normal(
    orientation: Orientation, count: int, gap_mm: float, origin: tuple[float, ...], shuffle: random.Random
) -> None:
    normal = canonical_normal(orientation)
    datasets = [ct_slice(np.array(origin) + normal * gap_mm * i, orientation) for i in range(count)]
    in_order = [str(dataset.SOPInstanceUID) for dataset in datasets]
    numbers = list(range(1, count + 1))
    shuffle.shuffle(numbers)
    for dataset, number in zip(datasets, numbers, strict=True):
        dataset.InstanceNumber = number
    shuffle.shuffle(datasets)
    series = order_series(headers(datasets))
    assert [one.sop_instance_uid for one in series.slices] == in_order
    assert series.thickness_mm == pytest.approx(gap_mm, rel=1e-4)


@given(st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_files_changes_nothing(shuffle: random.Random) -> None:
    datasets = stack()
    expected = order_series(headers(datasets))
    shuffle.shuffle(datasets)
    assert order_series(headers(datasets)) == expected


def test_instance_numbers_do_not_count() -> None:
    datasets = stack(5)
    for number, dataset in enumerate(reversed(datasets)):
        dataset.InstanceNumber = number
    assert [one.z_mm for one in order_series(headers(datasets)).slices] == [0, 2, 4, 6, 8]


@pytest.mark.parametrize(
    ("orientation", "step", "plane"),
    [
        (AXIAL, (0, 0, 3), Plane.AXIAL),
        ((0, 1, 0, 0, 0, -1), (3, 0, 0), Plane.SAGITTAL),
        ((1, 0, 0, 0, 0, -1), (0, 3, 0), Plane.CORONAL),
    ],
)
def test_z_grows_to_head_left_and_posterior(orientation: Orientation, step: tuple[float, ...], plane: Plane) -> None:
    datasets = [ct_slice(np.array(step) * -i, orientation) for i in range(4)]
    series = order_series(headers(datasets))
    assert series.plane is plane
    assert [one.z_mm for one in series.slices] == pytest.approx([-9, -6, -3, 0])
    assert series.slices[-1].sop_instance_uid == datasets[0].SOPInstanceUID


def test_facts_of_the_series_and_its_slices() -> None:
    series = order_series(headers(stack(3)))
    first = series.slices[0]
    assert (series.modality, series.body_part, series.description) == ("CT", "CHEST", "Thorax 2.0")
    assert (first.rows, first.columns, first.spacing_mm) == (12, 16, (0.8, 0.6))
    assert (first.slope, first.intercept, first.frame_number) == (1.0, -1024.0, None)


def test_slope_and_intercept_are_each_slices_own() -> None:
    datasets = stack(3)
    datasets[1].RescaleSlope, datasets[1].RescaleIntercept = "0.5", "-500"
    assert [one.slope for one in order_series(headers(datasets)).slices] == [1.0, 0.5, 1.0]


def test_unsigned_16_bit_values_move_the_intercept() -> None:
    pixels = gradient().astype(np.uint16)
    datasets = [ct_slice((0, 0, i), pixels=pixels, RescaleSlope=2) for i in range(3)]
    assert order_series(headers(datasets)).slices[0].intercept == -1024 + 2 * 32768


def test_an_mr_without_rescale_means_its_stored_values() -> None:
    datasets = stack(3, Modality="MR", SOPClassUID=MRImageStorage, RescaleSlope=None, RescaleIntercept=None)
    assert order_series(headers(datasets)).slices[0].slope == 1.0


def test_every_image_with_a_frame_of_reference_of_its_own_is_a_fault_of_deidentification() -> None:
    datasets = stack(4)
    for index, dataset in enumerate(datasets):
        dataset.FrameOfReferenceUID = f"1.2.3.{index}"
    assert order_series(headers(datasets)).frame_of_reference_uid == ""


def half(keyword: str, value: object) -> Callable[[list[Dataset]], None]:
    """Changes an attribute in the upper half of a stack."""

    def change(datasets: list[Dataset]) -> None:
        for dataset in datasets[len(datasets) // 2 :]:
            setattr(dataset, keyword, value)

    return change


def everywhere(keyword: str, value: object) -> Callable[[list[Dataset]], None]:
    def change(datasets: list[Dataset]) -> None:
        for dataset in datasets:
            setattr(dataset, keyword, value)

    return change


def one_missing(datasets: list[Dataset]) -> None:
    del datasets[3]


def one_twice(datasets: list[Dataset]) -> None:
    datasets[3].ImagePositionPatient = list(datasets[2].ImagePositionPatient)


def uneven(datasets: list[Dataset]) -> None:
    datasets[3].ImagePositionPatient = [0, 0, float(datasets[3].ImagePositionPatient[2]) + 0.7]


def tilted(datasets: list[Dataset]) -> None:
    for index, dataset in enumerate(datasets):
        dataset.ImageOrientationPatient = [1, 0, 0, 0, math.cos(0.3), -math.sin(0.3)]
        dataset.ImagePositionPatient = [0, 0, 2.0 * index]


def lut(datasets: list[Dataset]) -> None:
    datasets[2].ModalityLUTSequence = [Dataset()]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (half("ImageOrientationPatient", [0, 1, 0, 0, 0, -1]), ReasonCode.MIXED_ORIENTATION),
        (half("ImageOrientationPatient", [0, 1, 0, -1, 0, 0]), ReasonCode.MIXED_ORIENTATION),
        (half("FrameOfReferenceUID", "1.2.3"), ReasonCode.MIXED_FRAMES_OF_REFERENCE),
        (half("Rows", 13), ReasonCode.MIXED_SIZES),
        (half("PixelSpacing", [1.0, 1.0]), ReasonCode.MIXED_SIZES),
        (half("SeriesInstanceUID", "1.2.3"), ReasonCode.NO_GEOMETRY),
        (one_missing, ReasonCode.MISSING_SLICES),
        (one_twice, ReasonCode.DUPLICATE_POSITIONS),
        (uneven, ReasonCode.IRREGULAR_SPACING),
        (tilted, ReasonCode.GANTRY_TILT),
        (half("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]), ReasonCode.LOCALIZER),
        (everywhere("ImageType", ["DERIVED", "SECONDARY", "AXIAL", "MIP"]), ReasonCode.PROJECTION),
        (half("RescaleSlope", 0), ReasonCode.UNUSABLE_RESCALE),
        (half("RescaleSlope", "NaN"), ReasonCode.UNUSABLE_RESCALE),
        (half("RescaleSlope", "1e400"), ReasonCode.UNUSABLE_RESCALE),
        (half("RescaleIntercept", "inf"), ReasonCode.UNUSABLE_RESCALE),
        (half("RescaleIntercept", ["1", "2", "3"]), ReasonCode.UNUSABLE_RESCALE),
        (half("RescaleType", "Z_EFF"), ReasonCode.UNUSABLE_RESCALE),
        (half("RescaleSlope", None), ReasonCode.UNUSABLE_RESCALE),
        (lut, ReasonCode.UNUSABLE_RESCALE),
        (half("ImagePositionPatient", None), ReasonCode.NO_GEOMETRY),
        (half("ImagePositionPatient", [0, 0]), ReasonCode.NO_GEOMETRY),
        (half("ImagePositionPatient", [0, 0, "NaN"]), ReasonCode.NO_GEOMETRY),
        (half("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]), ReasonCode.NO_GEOMETRY),
        (half("PixelSpacing", [0, 0]), ReasonCode.NO_GEOMETRY),
        (half("PixelSpacing", None), ReasonCode.NO_GEOMETRY),
        (half("Rows", 0), ReasonCode.UNREADABLE_PIXELS),
        (half("SamplesPerPixel", 3), ReasonCode.UNREADABLE_PIXELS),
        (half("BitsAllocated", 32), ReasonCode.UNREADABLE_PIXELS),
        (half("BitsStored", 17), ReasonCode.UNREADABLE_PIXELS),
        (half("NumberOfFrames", -1), ReasonCode.UNREADABLE_PIXELS),
        (half("NumberOfFrames", 2**31 - 1), ReasonCode.UNREADABLE_PIXELS),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_refused_with_a_reason(change: Callable[[list[Dataset]], None], code: ReasonCode) -> None:
    datasets = stack(8)
    change(datasets)
    error = refusal(datasets)
    assert error.code is code
    assert len(error.reason) > 15


def test_the_reason_says_where_slices_are_missing() -> None:
    datasets = stack(8)
    del datasets[3]
    assert "z 4.0 to 8.0 mm" in refusal(datasets).reason


def test_an_undecodable_transfer_syntax_is_refused() -> None:
    datasets = stack(3)
    datasets[1].file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
    assert refusal(datasets).code is ReasonCode.UNREADABLE_PIXELS


def test_no_images() -> None:
    assert refusal([]).code is ReasonCode.NO_IMAGES


def test_a_refusal_survives_the_workflows_tables() -> None:
    error = refusal([])
    again = pickle.loads(pickle.dumps(error))
    assert (again.code, again.reason, str(again)) == (error.code, error.reason, error.reason)
