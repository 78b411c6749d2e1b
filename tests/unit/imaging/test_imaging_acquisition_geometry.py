"""Planes and stacks by geometry alone: any turn of the patient, any order of files, tolerances at their edges."""

import math
import random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from imaging_slices import AXIAL, headers
from mr_acquisitions import T2_TSE, mr_slice, mr_stack
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from test_imaging_geometry import CORONAL, SAGITTAL, orientations

from pacs_agent.imaging import Plane
from pacs_agent.imaging.acquisition import Stack, group_study
from pacs_agent.imaging.checks import SAME_DIRECTION_DEG
from pacs_agent.imaging.geometry import OBLIQUE_BELOW, Orientation, plane_of

OBLIQUE_DEG = math.degrees(math.acos(OBLIQUE_BELOW))


def turned(orientation: Orientation, rotation: Rotation) -> list[float]:
    return [float(x) for x in rotation.apply(np.array(orientation).reshape(2, 3)).ravel()]


def only(stacks: tuple[Stack, ...]) -> Stack:
    [stack] = stacks
    return stack


def facts(stack: Stack) -> tuple[object, ...]:
    uids = [frame.header.sop_instance_uid for frame in stack.frames]
    return stack.name, stack.reason, uids, [frame.z_mm for frame in stack.frames], stack.phase, stack.repetition


rotations = st.builds(Rotation.from_rotvec, st.tuples(*[st.floats(-3, 3)] * 3))


@given(orientations(), st.integers(1, 6), st.floats(0.5, 10))
@settings(max_examples=25)
def test_a_stack_of_any_orientation_is_one_stack(orientation: Orientation, count: int, gap_mm: float) -> None:
    stack = only(group_study(headers(mr_stack(count, orientation, gap_mm, **T2_TSE))).stacks)
    assert len(stack.frames) == count
    assert stack.plane.value is plane_of(orientation)
    assert np.allclose(np.diff([frame.z_mm for frame in stack.frames]), gap_mm)
    assert abs(float(np.dot(stack.normal, np.cross(orientation[:3], orientation[3:])))) == pytest.approx(1, abs=1e-5)
    assert (stack.plane.value is Plane.OBLIQUE) == (stack.tilt_deg > OBLIQUE_DEG)


@given(rotations)
@settings(max_examples=25)
def test_a_turned_patient_has_the_same_stacks(rotation: Rotation) -> None:
    planes = [mr_stack(3, plane, SeriesInstanceUID=f"1.{i}", **T2_TSE) for i, plane in enumerate((AXIAL, SAGITTAL))]
    moved = [dataset for plane in planes for dataset in plane]
    for dataset in moved:
        dataset.ImagePositionPatient = [float(x) for x in rotation.apply(np.array(dataset.ImagePositionPatient))]
        dataset.ImageOrientationPatient = turned(tuple(dataset.ImageOrientationPatient), rotation)
    first, second = group_study(headers(moved)).stacks
    assert (len(first.frames), len(second.frames)) == (3, 3)
    assert float(np.dot(first.normal, second.normal)) == pytest.approx(0, abs=1e-6)


@given(st.randoms(use_true_random=False))
@settings(max_examples=12)
def test_the_order_of_the_files_changes_nothing(shuffle: random.Random) -> None:
    datasets = [
        *mr_stack(3, **T2_TSE),
        *mr_stack(3, CORONAL, first_number=4, **T2_TSE),
        *mr_stack(3, DiffusionBValue=0.0, SeriesInstanceUID="1.2", first_number=9),
        *mr_stack(3, DiffusionBValue=800.0, SeriesInstanceUID="1.2", first_number=1),
        *mr_stack(3, DiffusionBValue=800.0, SeriesInstanceUID="1.2", first_number=4),
        mr_slice(ImageOrientationPatient=None),
        mr_slice(ImagePositionPatient=None),
    ]
    files = headers(datasets)
    expected = group_study(files)
    shuffle.shuffle(files)
    found = group_study(files)
    assert [facts(stack) for stack in found.stacks] == [facts(stack) for stack in expected.stacks]
    assert found.left_out == expected.left_out
    assert sum(len(stack.frames) for stack in found.stacks) + len(found.left_out) == len(datasets)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("plane", [AXIAL, SAGITTAL, CORONAL])
@pytest.mark.parametrize("off_deg", [-0.01, 0.01])
def test_oblique_begins_at_its_angle(plane: Orientation, axis: int, off_deg: float) -> None:
    about: NDArray[np.float64] = np.array(plane[3 * axis : 3 * axis + 3])
    tilted = turned(plane, Rotation.from_rotvec(np.radians(OBLIQUE_DEG + off_deg) * about))
    stack = only(group_study(headers(mr_stack(2, tilted))).stacks)
    assert (stack.plane.value is Plane.OBLIQUE) == (off_deg > 0)
    assert stack.tilt_deg == pytest.approx(OBLIQUE_DEG + off_deg, abs=1e-3)


@given(st.floats(0, 3), st.sampled_from([AXIAL, SAGITTAL, CORONAL]), rotations)
@settings(max_examples=25)
def test_slices_within_half_a_degree_are_parallel(angle_deg: float, about: Orientation, rotation: Rotation) -> None:
    assume(abs(angle_deg - SAME_DIRECTION_DEG) > 1e-4)
    lean = Rotation.from_rotvec(np.radians(angle_deg) * np.array(about[:3]))
    one, other = turned(AXIAL, rotation), turned(AXIAL, rotation * lean)
    pair = [mr_slice((0, 0, 0), one), mr_slice(rotation.apply([0, 0, 5.0]), other)]
    assert len(group_study(headers(pair)).stacks) == (1 if angle_deg < SAME_DIRECTION_DEG else 2)


def test_an_angled_stack_keeps_its_normal_and_is_not_mixed_with_a_straight_one() -> None:
    angled = turned(AXIAL, Rotation.from_rotvec([math.radians(20), 0, 0]))
    straight, oblique = group_study(
        headers([*mr_stack(4, **T2_TSE), *mr_stack(5, angled, first_number=9, **T2_TSE)])
    ).stacks
    if straight.is_angled:
        straight, oblique = oblique, straight
    assert (straight.name, oblique.name) == ("T2 axial", "T2 axial angled by 20°")
    assert (len(straight.frames), len(oblique.frames)) == (4, 5)
    assert oblique.normal == pytest.approx(np.cross(angled[:3], angled[3:]))
    assert "leans 20.0°" in oblique.reason


def test_the_description_has_no_say_in_the_plane() -> None:
    stack = only(group_study(headers(mr_stack(3, SAGITTAL, SeriesDescription="t2_tse_tra", **T2_TSE))).stacks)
    assert stack.plane.value is Plane.SAGITTAL


def test_a_localizer_in_three_planes_is_three_stacks() -> None:
    planes = [mr_stack(3, plane, SeriesDescription="localizer") for plane in (AXIAL, SAGITTAL, CORONAL)]
    stacks = group_study(headers([dataset for plane in planes for dataset in plane])).stacks
    assert sorted(stack.name for stack in stacks) == ["localizer axial", "localizer coronal", "localizer sagittal"]


def test_positions_that_differ_by_rounding_are_one_place() -> None:
    again = mr_stack(3, first_number=4, origin=(0, 0, 0.0004), AcquisitionTime="100100")
    stacks = group_study(headers([*mr_stack(3, AcquisitionTime="100000"), *again])).stacks
    assert [stack.phase.value.number for stack in stacks if stack.phase.value] == [1, 2]
