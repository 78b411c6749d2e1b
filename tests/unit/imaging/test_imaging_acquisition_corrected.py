"""What corrections say of images stands before all that the images say, and nothing else changes."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imaging_slices import headers
from mr_acquisitions import EPI, T1_TSE, T2_TSE, VIBE, enhanced_mr, frame_at, item, mr_stack, shared_axial
from pydicom import Dataset

from pacs_agent.imaging import Correction, Plane, Values
from pacs_agent.imaging.acquisition import Component, Contrast, Nulling, Stack, Weighting, group_study

SAGITTAL = (0, 1, 0, 0, 0, -1)


def stacks_of(datasets: Sequence[Dataset], *said: Correction, about: str = "") -> tuple[Stack, ...]:
    """Stacks where the corrections are about all images, or about those of one description."""

    def corrections(values: Values) -> Sequence[Correction]:
        return said if not about or about in values("SeriesDescription") else ()

    return group_study(headers(datasets), corrections).stacks


def test_a_correction_stands_before_attributes_and_says_what_they_said() -> None:
    [stack] = stacks_of(mr_stack(**T2_TSE), Correction("scanner 2", weighting=Weighting.T1))
    assert (stack.weighting.value, stack.weighting.corrected_by) == (Weighting.T1, "scanner 2")
    assert "correction “scanner 2” of the rules says so; by itself: T2, SE with echo time 104" in stack.weighting.reason
    assert stack.corrected_by == ("scanner 2",)
    assert stack.plane.corrected_by == ""


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"plane": Plane.CORONAL}, "T2 coronal"),
        ({"nulling": Nulling.FAT}, "T2 axial, fat nulled"),
        ({"contrast": Contrast.AFTER}, "T2 axial, after contrast"),
        ({"component": Component.WATER}, "T2 axial, water"),
        ({"weighting": Weighting.DIFFUSION, "b_value": 800.0}, "DWI b800 axial"),
        ({"b_value": 800.0}, "T2 axial"),
    ],
)
def test_each_answer_can_be_corrected(said: dict[str, Any], name: str) -> None:
    [stack] = stacks_of(mr_stack(**T2_TSE), Correction("x", **said))
    assert stack.name == name


def test_a_corrected_plane_does_not_turn_the_slices() -> None:
    [itself], [said] = (stacks_of(mr_stack(orientation=SAGITTAL), *by) for by in ((), (Correction("x", Plane.AXIAL),)))
    assert (said.normal, said.tilt_deg, said.plane.value) == (itself.normal, itself.tilt_deg, Plane.AXIAL)
    assert [frame.z_mm for frame in said.frames] == [frame.z_mm for frame in itself.frames]


def test_the_first_correction_that_gives_an_answer_counts() -> None:
    first, second = Correction("a", weighting=Weighting.T1), Correction("b", Plane.CORONAL, Weighting.PROTON_DENSITY)
    [stack] = stacks_of(mr_stack(**T2_TSE), first, second)
    assert (stack.weighting.corrected_by, stack.plane.corrected_by) == ("a", "b")
    assert stack.corrected_by == ("a", "b")


def test_images_without_a_b_value_get_one_and_stay_one_stack() -> None:
    [stack] = stacks_of(mr_stack(SeriesDescription="diffusion", **EPI), Correction("x", b_value=1000.0))
    assert (stack.b_value.value, stack.b_value.corrected_by) == (1000.0, "x")


def test_b_0_that_is_said_to_be_something_else_is_not_taken_for_diffusion() -> None:
    low, high = (mr_stack(SeriesInstanceUID="1.2.9", DiffusionBValue=b, **EPI) for b in (0.0, 800.0))
    for image in low:
        image.SeriesDescription = "anatomy"
    found = stacks_of([*low, *high], Correction("x", weighting=Weighting.T2), about="anatomy")
    assert sorted(stack.weighting.value.value for stack in found) == ["DWI", "T2"]


def test_contrast_that_is_corrected_is_not_settled_by_the_rest_of_the_study() -> None:
    at = {"StudyDate": "20260102", "SeriesDescription": "plain"}
    before = mr_stack(SeriesInstanceUID="1.2.1", AcquisitionTime="100000", **T1_TSE, **at)
    after = mr_stack(SeriesInstanceUID="1.2.2", AcquisitionTime="101000", ContrastBolusAgent="Gd", **T1_TSE)
    names = [stack.contrast.value for stack in stacks_of([*before, *after])]
    assert names == [Contrast.BEFORE, Contrast.AFTER]
    for said in (Contrast.NONE_NAMED, Contrast.UNCERTAIN, Contrast.AFTER):
        found = stacks_of([*before, *after], Correction("x", contrast=said), about="plain")
        assert found[0].contrast.value is said


def test_series_that_are_corrected_alike_become_phases() -> None:
    at = {"StudyDate": "20260102"}
    first = mr_stack(SeriesInstanceUID="1.2.1", AcquisitionTime="100000", SeriesDescription="x", **EPI, **at)
    second = mr_stack(SeriesInstanceUID="1.2.2", AcquisitionTime="100100", SeriesDescription="x", **EPI, **at)
    said = Correction("dynamic", weighting=Weighting.T1, contrast=Contrast.AFTER)
    phases = [stack.phase.value for stack in stacks_of([*first, *second], said)]
    assert [(phase.number, phase.count) for phase in phases if phase] == [(1, 2), (2, 2)]


def test_frames_of_an_enhanced_image_are_asked_one_by_one() -> None:
    frames = [
        frame_at(3.0 * place, MREchoSequence=item(EffectiveEchoTime=echo_ms))
        for echo_ms in (20.0, 90.0)
        for place in range(3)
    ]

    def corrections(values: Values) -> Sequence[Correction]:
        return (Correction("b", weighting=Weighting.T2),) if values("EffectiveEchoTime") == ("90.0",) else ()

    found = group_study(headers([enhanced_mr(frames, shared_axial())]), corrections).stacks
    assert [one.echo_ms for one in found] == [20.0, 90.0]
    assert sorted((one.weighting.value, len(one.frames)) for one in found) == [
        (Weighting.T2, 3),
        (Weighting.UNKNOWN, 3),
    ]


@given(
    weighting=st.sampled_from(Weighting),
    plane=st.none() | st.sampled_from(Plane),
    attributes=st.sampled_from((T2_TSE, T1_TSE, VIBE, EPI, {})),
)
def test_a_corrected_study_has_the_same_slices(
    weighting: Weighting, plane: Plane | None, attributes: dict[str, Any]
) -> None:
    datasets = mr_stack(3, **attributes)
    [stack] = stacks_of(datasets, Correction("x", plane, weighting))
    assert stack.weighting.value is weighting
    assert stack.plane.value is (plane or Plane.AXIAL)
    assert [frame.header.sop_instance_uid for frame in stack.frames] == [one.SOPInstanceUID for one in datasets]
