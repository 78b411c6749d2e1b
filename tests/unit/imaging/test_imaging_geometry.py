"""Directions and turns: whatever the file's layout, the same pixel is at the same place in the patient."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pacs_agent.imaging import Plane
from pacs_agent.imaging.geometry import (
    Orientation,
    Turn,
    canonical_normal,
    display_turn,
    is_orientation,
    plane_of,
    turn_between,
)

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

turns = st.builds(Turn, st.booleans(), st.booleans(), st.booleans())
parts = st.floats(-1, 1).filter(lambda x: abs(x) > 1e-3)


@st.composite
def orientations(draw: st.DrawFn) -> Orientation:
    """Any pair of perpendicular unit vectors."""
    row = np.array([draw(parts), draw(parts), draw(parts)])
    other = np.array([draw(parts), draw(parts), draw(parts)])
    normal = np.cross(row, other)
    assume(np.linalg.norm(normal) > 1e-3)
    row = row / np.linalg.norm(row)
    normal = normal / np.linalg.norm(normal)
    return tuple(float(x) for x in (*row, *np.cross(normal, row)))  # type: ignore[return-value]


def place(position: object, orientation: Orientation, spacing: tuple[float, float], row: int, column: int) -> NDArray:
    """Where a pixel is. PS3.3 C.7.6.2.1.1, equation 1."""
    along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
    return np.array(position) + along_row * spacing[1] * column + along_column * spacing[0] * row


@given(orientations(), turns)
def test_a_turned_slice_has_each_pixel_where_it_was(orientation: Orientation, turn: Turn) -> None:
    shape, spacing, position = (3, 5), (0.7, 1.9), (10.0, -20.0, 30.0)
    pixels = np.arange(15).reshape(shape)
    turned = turn.pixels(pixels)
    turned_geometry = (turn.position(position, orientation, spacing, shape), turn.orientation(orientation))
    assert turned.shape == turn.pair(shape)
    for value in range(15):
        was = place(position, orientation, spacing, *np.argwhere(pixels == value)[0])
        now = place(*turned_geometry, turn.pair(spacing), *np.argwhere(turned == value)[0])
        np.testing.assert_allclose(now, was, atol=1e-9)


@given(orientations(), turns)
def test_the_turn_between_two_layouts_is_found_again(orientation: Orientation, turn: Turn) -> None:
    assert turn_between(orientation, turn.orientation(orientation)) == turn


@given(orientations(), turns)
def test_the_layout_for_reading_does_not_depend_on_the_layout_of_the_file(orientation: Orientation, turn: Turn) -> None:
    stored = turn.orientation(orientation)
    shown = np.array(display_turn(stored).orientation(stored))
    again = np.array(display_turn(orientation).orientation(orientation))
    targets = [np.array(target) for target in (SAGITTAL, CORONAL, AXIAL)]
    nearness = max(float(shown @ target) for target in targets)
    assert nearness == pytest.approx(max(float(again @ target) for target in targets), abs=1e-5)


@given(orientations(), turns)
def test_the_canonical_normal_points_to_head_left_or_posterior(orientation: Orientation, turn: Turn) -> None:
    normal = canonical_normal(turn.orientation(orientation))
    largest = np.abs(normal) > np.max(np.abs(normal)) - 1e-5
    assert np.any(normal[largest] > 0)
    np.testing.assert_allclose(normal, canonical_normal(orientation), atol=1e-9)


@pytest.mark.parametrize(
    ("orientation", "plane", "normal"),
    [
        (AXIAL, Plane.AXIAL, (0, 0, 1)),
        ((-1, 0, 0, 0, -1, 0), Plane.AXIAL, (0, 0, 1)),
        ((1, 0, 0, 0, -1, 0), Plane.AXIAL, (0, 0, 1)),
        (SAGITTAL, Plane.SAGITTAL, (1, 0, 0)),
        ((0, -1, 0, 0, 0, -1), Plane.SAGITTAL, (1, 0, 0)),
        (CORONAL, Plane.CORONAL, (0, 1, 0)),
        ((-1, 0, 0, 0, 0, -1), Plane.CORONAL, (0, 1, 0)),
        ((1, 0, 0, 0, 0.94837645, -0.31714683), Plane.AXIAL, (0, 0.31714683, 0.94837645)),
        ((1, 0, 0, 0, 0.70710678, -0.70710678), Plane.OBLIQUE, (0, 0.70710678, 0.70710678)),
    ],
)
def test_known_planes(orientation: Orientation, plane: Plane, normal: tuple[float, ...]) -> None:
    assert plane_of(orientation) is plane
    np.testing.assert_allclose(canonical_normal(orientation), normal, atol=1e-6)


@pytest.mark.parametrize("stored", [AXIAL, (-1, 0, 0, 0, -1, 0), (0, 1, 0, 1, 0, 0), (0, -1, 0, 1, 0, 0)])
def test_axial_slices_show_left_on_the_right_and_the_front_up(stored: Orientation) -> None:
    assert display_turn(stored).orientation(stored) == pytest.approx(AXIAL)


@pytest.mark.parametrize("wrong", [(1, 0, 0, 1, 0, 0), (0, 0, 0, 0, 1, 0), (2, 0, 0, 0, 1, 0), (1, 0, 0, 0.1, 1, 0)])
def test_what_is_no_pair_of_perpendicular_unit_vectors(wrong: Orientation) -> None:
    assert not is_orientation(wrong)
