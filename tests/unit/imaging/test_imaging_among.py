"""A choice among parts of a study alone: series, or stacks of them, in classic and in Enhanced images."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from imaging_slices import headers, stack
from mr_acquisitions import EPI, T2_TSE, enhanced_mr, frame_at, item, mr_stack, shared_axial
from pydicom import Dataset

from pacs_agent.imaging import (
    AcceptedInput,
    HeaderFile,
    Plane,
    ReasonCode,
    SeriesChoice,
    SeriesPart,
    choose_series,
    group_study,
    order_series,
)

PELVIC_MR = AcceptedInput(
    modalities=("MR",),
    body_parts=("PELVIS",),
    planes=tuple(Plane),
    min_slices=3,
    max_slices=50,
    min_thickness_mm=0.5,
    max_thickness_mm=10,
    min_coverage_mm=1,
)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def series(uid: int, *parts: list[Dataset]) -> list[Dataset]:
    for dataset in (one for part in parts for one in part):
        dataset.SeriesInstanceUID, dataset.SeriesNumber = f"1.2.{uid}", uid
    return [one for part in parts for one in part]


def prostate() -> list[HeaderFile]:
    """T2 axial and sagittal, and DWI of two b-values in one series."""
    low, high = (mr_stack(gap_mm=3.6, DiffusionBValue=b_value, **EPI) for b_value in (50.0, 800.0))
    return headers(
        [
            *series(1, mr_stack(6, gap_mm=4.0, **T2_TSE)),
            *series(2, mr_stack(5, SAGITTAL, **T2_TSE)),
            *series(3, low, high),
        ]
    )


def parts_of(images: list[HeaderFile]) -> list[SeriesPart]:
    return [SeriesPart.of_stack(one) for one in group_study(images).stacks]


def among(images: list[HeaderFile], *parts: SeriesPart) -> SeriesChoice:
    return choose_series(images, PELVIC_MR, parts)


def read(choice: SeriesChoice) -> set[tuple[str, int | None]]:
    assert choice.chosen is not None
    return {(one.sop_instance_uid, one.frame_number) for one in choice.chosen.slices}


def test_a_stack_is_read_and_no_other_slice_of_its_series() -> None:
    images = prostate()
    *_, high = parts_of(images)
    assert high.stack == "DWI b800 axial"
    assert choose_series(images, PELVIC_MR).verdicts[2].code is ReasonCode.DUPLICATE_POSITIONS, "as a whole it is none"
    choice = among(images, high)
    assert {uid for uid, _ in read(choice)} == set(high.images or ())
    assert [verdict.code for verdict in choice.verdicts] == [ReasonCode.NOT_EXPECTED, ReasonCode.NOT_EXPECTED, None]
    assert choice.reason == "chosen: DWI b800 axial: 4 axial slices, 3.60 mm apart"
    assert [(one.stack, one.slices, one.chosen) for one in choice.verdicts] == [
        ("", 6, False),
        ("", 5, False),
        ("DWI b800 axial", 4, True),
    ]
    assert SeriesChoice.model_validate_json(choice.model_dump_json()) == choice


def test_what_is_named_first_is_read_rather() -> None:
    images = prostate()
    axial, sagittal, low, high = parts_of(images)
    for first, *others in ((axial, sagittal, low), (sagittal, high, axial), (high, axial), (low, high, low)):
        choice = among(images, first, *others)
        assert {uid for uid, _ in read(choice)} == set(first.images or ())


def test_what_is_named_first_gives_way_where_no_model_can_read_it() -> None:
    images = prostate()
    axial, sagittal, *_ = parts_of(images)
    few = axial.model_copy(update={"images": dict(list((axial.images or {}).items())[:2])})
    choice = among(images, few, sagittal)
    assert {uid for uid, _ in read(choice)} == set(sagittal.images or ())
    assert choice.verdicts[0].reason == "2 slices; the model needs at least 3"


def test_a_whole_series_is_one_part() -> None:
    images = prostate()
    choice = among(images, SeriesPart(series_instance_uid="1.2.2"))
    assert choice.chosen is not None
    assert (choice.chosen.series_instance_uid, choice.chosen.plane) == ("1.2.2", Plane.SAGITTAL)


def test_a_part_that_is_not_there_leaves_nothing_to_read() -> None:
    images = prostate()
    axial, *_ = parts_of(images)
    gone = axial.model_copy(update={"images": {"1.9": ()}})
    choice = among(images, gone, SeriesPart(series_instance_uid="1.2.9"))
    assert (choice.chosen, choice.code) == (None, ReasonCode.NOT_EXPECTED)
    assert choice.reason == "it is none of the series that are expected"


def test_of_what_is_expected_one_that_came_far_speaks_for_the_study() -> None:
    images = [*prostate(), *headers(stack(10, SeriesInstanceUID="1.2.4"))]
    assert among(images, SeriesPart(series_instance_uid="1.2.4")).code is ReasonCode.WRONG_MODALITY


def multi_b() -> Dataset:
    """Enhanced MR of two b-values at each of four places."""
    frames = [
        frame_at(3.0 * place, MRDiffusionSequence=item(DiffusionBValue=b_value))
        for place in range(4)
        for b_value in (0.0, 1000.0)
    ]
    return enhanced_mr(frames, shared_axial(), SeriesInstanceUID="1.2.3", **EPI)


def test_the_frames_of_one_stack_of_an_enhanced_image() -> None:
    images = headers([multi_b()])
    low, high = parts_of(images)
    [uid] = high.images or ()
    assert (low.images, high.images) == ({uid: (1, 3, 5, 7)}, {uid: (2, 4, 6, 8)})
    assert read(among(images, high)) == {(uid, frame) for frame in (2, 4, 6, 8)}
    ordered = order_series(images, low)
    assert [(one.frame_number, one.z_mm) for one in ordered.slices] == [(1, 0.0), (3, 3.0), (5, 6.0), (7, 9.0)]


@settings(max_examples=60, deadline=None)
@given(chosen=st.lists(st.integers(0, 6), max_size=7), order=st.randoms(use_true_random=False))
def test_never_a_slice_outside_of_what_is_given(chosen: list[int], order: Any) -> None:
    enhanced = multi_b()
    enhanced.SeriesInstanceUID, enhanced.SeriesNumber = "1.2.7", 7
    images = [*prostate(), *headers([enhanced])]
    order.shuffle(images)
    known = [*parts_of(images), SeriesPart(series_instance_uid="1.2.1")]
    parts = [known[number] for number in chosen]
    choice = choose_series(images, PELVIC_MR, parts)
    assert (choice.chosen is None) == (not parts), "each of them can be read"
    if choice.chosen is None:
        assert {verdict.code for verdict in choice.verdicts} == {ReasonCode.NOT_EXPECTED}
        return
    assert choice.chosen.series_instance_uid == parts[0].series_instance_uid
    of_series = [one for one in parts if one.series_instance_uid == choice.chosen.series_instance_uid]
    for one in choice.chosen.slices:
        assert any(part.images is None or one.sop_instance_uid in part.images for part in of_series)
    assert sum(verdict.chosen for verdict in choice.verdicts) == 1
