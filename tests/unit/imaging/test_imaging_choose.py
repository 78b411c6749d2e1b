"""Which series of a study is read, and what is said of the others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imaging_slices import ct_slice, headers, stack
from pydicom import Dataset
from pydicom.uid import ComprehensiveSRStorage, MRImageStorage, SecondaryCaptureImageStorage, SegmentationStorage

from pacs_agent.imaging import AcceptedInput, Plane, ReasonCode, SeriesChoice, choose_series
from pacs_agent.imaging.body_part import parts_in
from pacs_agent.imaging.kernel import Sharpness, sharpness_of

CHEST_CT = AcceptedInput(
    modalities=("CT",),
    body_parts=("CHEST", "THORAX"),
    planes=(Plane.AXIAL,),
    min_slices=5,
    max_slices=50,
    min_thickness_mm=0.5,
    max_thickness_mm=6,
    min_coverage_mm=10,
)


def series(uid: int, count: int = 10, gap_mm: float = 2.0, **changes: object) -> list[Dataset]:
    return stack(count, gap_mm, SeriesInstanceUID=f"1.2.{uid}", SeriesNumber=uid, **changes)


def choose(*groups: list[Dataset]) -> SeriesChoice:
    return choose_series(headers([dataset for group in groups for dataset in group]), CHEST_CT)


def chosen(choice: SeriesChoice) -> str:
    assert choice.chosen is not None
    assert [v.series_instance_uid for v in choice.verdicts if v.chosen] == [choice.chosen.series_instance_uid]
    return choice.chosen.series_instance_uid


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"gap_mm": 1.0, "count": 20}, {"gap_mm": 5.0}),
        ({"gap_mm": 2.0, "ConvolutionKernel": "B70f"}, {"gap_mm": 5.0, "ConvolutionKernel": "B31f"}),
        ({"ConvolutionKernel": "STANDARD"}, {"ConvolutionKernel": "LUNG"}),
        ({"gap_mm": 2.0, "ConvolutionKernel": "B31f"}, {"gap_mm": 1.0, "ConvolutionKernel": "B70f"}),
        ({"ConvolutionKernel": "B31f"}, {}),
        ({}, {"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED"]}),
        ({"gap_mm": 1.0, "count": 20}, {"gap_mm": 2.0}),
        ({"count": 20}, {"count": 12}),
    ],
)
def test_the_better_of_two(better: dict, worse: dict) -> None:
    assert chosen(choose(series(1, **worse), series(2, **better))) == "1.2.2"
    assert chosen(choose(series(1, **better), series(2, **worse))) == "1.2.1"


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_files_does_not_decide(shuffle) -> None:
    datasets = [*series(1), *series(2), *series(3, gap_mm=5.0), *series(4, count=2)]
    expected = choose(datasets)
    shuffle.shuffle(datasets)
    assert choose(datasets) == expected


def test_the_reason_is_recorded_for_every_series() -> None:
    choice = choose(series(1, gap_mm=5.0), series(2, ConvolutionKernel="B31f"), series(3, count=2))
    assert [verdict.code for verdict in choice.verdicts] == [None, None, ReasonCode.TOO_FEW_SLICES]
    assert choice.reason == "chosen: 10 axial slices, 2.00 mm apart, soft kernel B31f"
    assert "another series suits better" in choice.verdicts[0].reason
    assert choice.verdicts[2].reason == "2 slices; the model needs at least 5"
    assert SeriesChoice.model_validate_json(choice.model_dump_json()) == choice


@pytest.mark.parametrize(
    ("datasets", "code"),
    [
        (series(1, Modality="MR", SOPClassUID=MRImageStorage), ReasonCode.WRONG_MODALITY),
        (series(1, SOPClassUID=SecondaryCaptureImageStorage), ReasonCode.WRONG_MODALITY),
        (series(1, SOPClassUID=MRImageStorage), ReasonCode.WRONG_MODALITY),
        (series(1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), ReasonCode.LOCALIZER),
        (series(1, BodyPartExamined="HEAD"), ReasonCode.WRONG_BODY_PART),
        (series(1, BodyPartExamined=None, SeriesDescription="Brain thin"), ReasonCode.WRONG_BODY_PART),
        (series(1, count=1), ReasonCode.TOO_FEW_SLICES),
        (series(1, count=51, gap_mm=1.0), ReasonCode.TOO_MANY_SLICES),
        (series(1, gap_mm=7.0), ReasonCode.WRONG_THICKNESS),
        (series(1, gap_mm=0.2, count=50), ReasonCode.WRONG_THICKNESS),
        (series(1, gap_mm=1.0, count=6), ReasonCode.TOO_SHORT),
        (series(1, RescaleSlope=0), ReasonCode.UNUSABLE_RESCALE),
        ([], ReasonCode.NO_IMAGES),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_no_series(datasets: list[Dataset], code: ReasonCode) -> None:
    choice = choose(datasets)
    assert choice.chosen is None
    assert choice.code is code
    assert choice.reason


def test_a_ct_that_is_not_axial() -> None:
    coronal = [ct_slice((0, 2.0 * i, 0), (1, 0, 0, 0, 0, -1)) for i in range(8)]
    choice = choose(coronal)
    assert choice.code is ReasonCode.WRONG_PLANE
    assert choice.reason == "the slices are coronal; the model reads axial"


def test_the_series_that_came_furthest_speaks_for_the_study() -> None:
    choice = choose(series(1, count=1), series(2, gap_mm=7.0), series(3, Modality="MR", SOPClassUID=MRImageStorage))
    assert choice.code is ReasonCode.WRONG_THICKNESS


def test_reports_and_segmentations_are_no_candidates() -> None:
    report = ct_slice(SOPClassUID=ComprehensiveSRStorage, Modality="SR", Rows=None, Columns=None)
    segmentation = ct_slice(SOPClassUID=SegmentationStorage, Modality="SEG")
    assert choose([report, segmentation]).code is ReasonCode.NO_IMAGES
    assert choose([report, segmentation]).verdicts == ()


@pytest.mark.parametrize("description", ["CT Thorax", "unbenannt 2.0 B31f", "Chest/Abdomen", ""])
def test_a_series_without_body_part_is_judged_by_its_words(description: str) -> None:
    datasets = series(1, BodyPartExamined=None, SeriesDescription=description)
    assert chosen(choose(datasets)) == "1.2.1"


def test_words_are_whole_words() -> None:
    assert parts_in("CHIPS with armour, headache") == set()
    assert parts_in("Thorax+Abdomen 5.0") == {"CHEST", "ABDOMEN"}


@pytest.mark.parametrize(
    ("kernel", "sharpness"),
    [
        ("STANDARD", Sharpness.SOFT),
        ("BONEPLUS", Sharpness.SHARP),
        ("LUNG", Sharpness.SHARP),
        ("B31f", Sharpness.SOFT),
        ("B70f", Sharpness.SHARP),
        ("I70f\\3", Sharpness.SHARP),
        ("Br40d\\3", Sharpness.SOFT),
        ("Bl57d", Sharpness.SHARP),
        ("FC08", Sharpness.SOFT),
        ("FC52", Sharpness.SHARP),
        ("L", Sharpness.SHARP),
        ("B", Sharpness.SOFT),
        ("", Sharpness.UNKNOWN),
        ("🦴", Sharpness.UNKNOWN),
    ],
)
def test_kernels(kernel: str, sharpness: Sharpness) -> None:
    assert sharpness_of(kernel) is sharpness
