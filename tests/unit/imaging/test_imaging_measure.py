"""Volumes, diameters and CT numbers of shapes whose size is known, at any spacing and orientation."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measured_shapes import Floats, cropped, ellipsoid, middle_mm, places_mm, series
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pacs_agent.imaging.measure import Measured, NothingToMeasure, measure, outline_px, slice_extents_mm
from pacs_agent.imaging.series import OrderedSeries

STRAIGHT = Rotation.identity()
TURNS = st.tuples(*[st.floats(-60, 60)] * 3).map(lambda angles: Rotation.from_euler("xyz", angles, degrees=True))


def measured(mask: NDArray[np.bool_], of: OrderedSeries, hu: float = 40.0) -> Measured:
    crop, box = cropped(mask)
    return measure(crop, box, np.full(crop.shape, hu, np.float32), of)


def volume_of(
    rows: int, columns: int, count: int, gap_mm: float, spacing_mm: tuple[float, float], turn: Rotation
) -> OrderedSeries:
    return series(np.arange(count, dtype=np.float64) * gap_mm, spacing_mm, (rows, columns), turn)


@settings(max_examples=12, deadline=None)
@given(
    radius_mm=st.floats(16, 22),
    gap_mm=st.sampled_from((1.0, 1.5, 2.0, 3.0, 5.0)),
    pixel_mm=st.floats(0.6, 0.98),
    turn=TURNS,
    off_mm=st.tuples(*[st.floats(-2.5, 2.5)] * 3),
)
def test_spheres(
    radius_mm: float, gap_mm: float, pixel_mm: float, turn: Rotation, off_mm: tuple[float, float, float]
) -> None:
    size = math.ceil(52 / pixel_mm)
    of = volume_of(size, size, math.ceil(58 / gap_mm), gap_mm, (pixel_mm, pixel_mm), turn)
    centre = middle_mm(of) + np.array(off_mm)
    found = measured(ellipsoid(of, centre, np.full(3, radius_mm), STRAIGHT), of)

    assert found.volume_ml == pytest.approx(4 / 3 * math.pi * radius_mm**3 / 1000, rel=0.03)
    normal = turn.as_matrix()[:, 2]
    away_mm = min(abs((np.array(one.position_mm) - centre) @ normal) for one in of.slices)
    widest_mm = 2 * math.sqrt(radius_mm**2 - away_mm**2)
    assert found.longest_diameter_mm == pytest.approx(widest_mm, abs=pixel_mm * 1.01)
    assert found.short_diameter_mm == pytest.approx(widest_mm, abs=pixel_mm * 1.5)
    assert math.dist(*found.diameter_ends_mm) == pytest.approx(found.longest_diameter_mm)
    for end in found.diameter_ends_mm:
        assert math.dist(end, centre) == pytest.approx(radius_mm, abs=pixel_mm * 1.1)


@settings(max_examples=8, deadline=None)
@given(gap_mm=st.floats(1, 5), ratio=st.floats(1.3, 2.0), turned_deg=st.floats(0, 180), turn=TURNS)
def test_ellipsoids_have_their_two_axes(gap_mm: float, ratio: float, turned_deg: float, turn: Rotation) -> None:
    of = volume_of(90, 90, math.ceil(56 / gap_mm) | 1, gap_mm, (0.8, 0.8), turn)
    radii = np.array([16 * ratio, 16.0, 20.0])
    found = measured(ellipsoid(of, middle_mm(of), radii, turn * Rotation.from_euler("z", turned_deg, degrees=True)), of)
    assert found.volume_ml == pytest.approx(4 / 3 * math.pi * radii.prod() / 1000, rel=0.03)
    assert found.longest_diameter_mm == pytest.approx(2 * radii[0], abs=0.81)
    assert found.short_diameter_mm == pytest.approx(2 * radii[1], abs=1.6)
    assert abs(found.diameter_slice - len(of.slices) // 2) * gap_mm < 4  # neighbours differ by less than a pixel


def _by_trying_all(mask: NDArray[np.bool_], of: OrderedSeries) -> float:
    """The longest distance of any two midpoints of pixel edges in one slice."""
    longest = 0.0
    for index, one in enumerate(mask):
        edges = [
            ((row + down / 2) * of.slices[index].spacing_mm[0], (column + right / 2) * of.slices[index].spacing_mm[1])
            for row, column in np.argwhere(one)
            for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1))
        ]
        longest = max([longest, *(math.dist(a, b) for a, b in combinations(edges, 2))])
    return longest


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_blocks_agree_with_trying_all_pairs(data: st.DataObject) -> None:
    """One connected part, of pixels that are not square."""
    of = series(np.array([0.0, 1.0, 4.0]), (1.5, 0.5), (7, 9), STRAIGHT)
    mask = np.zeros((3, 7, 9), np.bool_)
    mask[:, 3, :] = True
    for row, column in data.draw(st.lists(st.tuples(st.sampled_from((2, 4)), st.integers(0, 8)), max_size=8)):
        mask[data.draw(st.integers(0, 2)), row, column] = True
    assert measured(mask, of).longest_diameter_mm == pytest.approx(_by_trying_all(mask, of))


def test_a_single_pixel_has_its_own_extent() -> None:
    of = series(np.array([0.0, 2.0]), (0.5, 0.8), (3, 3), STRAIGHT)
    mask = np.zeros((2, 3, 3), np.bool_)
    mask[1, 1, 1] = True
    found = measured(mask, of)
    assert (found.longest_diameter_mm, found.short_diameter_mm) == pytest.approx((0.8, 0.5))
    assert found.volume_ml == pytest.approx(0.5 * 0.8 * 2 / 1000)
    assert found.diameter_slice == 1


def test_two_parts_of_a_slice_have_no_diameter_in_common() -> None:
    of = series(np.array([0.0, 2.0]), (1.0, 1.0), (20, 20), STRAIGHT)
    mask = np.zeros((2, 20, 20), np.bool_)
    mask[0, 0, 0:4] = mask[0, 19, 14:20] = True
    assert measured(mask, of).longest_diameter_mm == pytest.approx(6.0)


def test_slices_of_uneven_distance_count_half_the_way_to_their_neighbours() -> None:
    of = series(np.array([0.0, 1.0, 4.0, 5.0]), (1.0, 1.0), (4, 4), STRAIGHT)
    assert slice_extents_mm(of).tolist() == [1.0, 2.0, 2.0, 1.0]
    assert measured(np.ones((4, 4, 4), np.bool_), of).volume_ml == pytest.approx(4 * 4 * 6 / 1000)


def test_ct_numbers() -> None:
    of = series(np.array([0.0, 1.0]), (1.0, 1.0), (2, 2), STRAIGHT)
    mask, values = np.ones((2, 2, 2), np.bool_), np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    mask[0, 0, 0] = False
    found = measure(mask, (slice(0, 2),) * 3, values, of)
    assert (found.mean_hu, found.sd_hu) == pytest.approx((4.0, 2.0))
    not_hu = measure(mask, (slice(0, 2),) * 3, (), of.model_copy(update={"modality": "MR"}))
    assert (not_hu.mean_hu, not_hu.sd_hu) == (None, None)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), far_hu=st.sampled_from((0.0, 3e4)))
def test_ct_numbers_slice_by_slice_are_those_of_the_whole(seed: int, far_hu: float) -> None:
    rng = np.random.default_rng(seed)
    of = series(np.arange(6.0), (1.0, 1.0), (5, 4), STRAIGHT)
    mask = rng.random((6, 5, 4)) < rng.choice([0.1, 0.5])
    mask[rng.integers(6)] = False
    mask[0, 0, 0] = True
    values = rng.normal(far_hu, 100, mask.shape).astype(np.float32)
    found = measure(mask, (slice(0, 6), slice(0, 5), slice(0, 4)), iter(values), of)
    whole = values[mask].astype(np.float64)
    assert (found.mean_hu, found.sd_hu) == pytest.approx((whole.mean(), whole.std()), rel=1e-12)


def test_ends_lie_where_the_region_is() -> None:
    of = series(np.arange(4.0), (0.7, 0.7), (30, 40), Rotation.from_euler("xyz", (20, -30, 50), degrees=True))
    mask = np.zeros((4, 30, 40), np.bool_)
    mask[2, 11, 5:25] = True
    found = measured(mask, of)
    places: Floats = places_mm(of)
    half = (places[2, 11, 1] - places[2, 11, 0]) / 2
    expected = {tuple(np.round(places[2, 11, 5] - half, 6)), tuple(np.round(places[2, 11, 24] + half, 6))}
    assert {tuple(np.round(end, 6)) for end in found.diameter_ends_mm} == expected


def test_outline_has_the_extent_of_pixels() -> None:
    points = outline_px(np.array([[False, True, True]]))
    assert {tuple(each) for each in points} == {(0, 0.5), (0, 2.5), (-0.5, 1), (-0.5, 2), (0.5, 1), (0.5, 2)}


def test_nothing_to_measure() -> None:
    of = series(np.array([0.0, 1.0]), (1.0, 1.0), (2, 2), STRAIGHT)
    whole = (slice(0, 2),) * 3
    with pytest.raises(NothingToMeasure, match="no voxel"):
        measure(np.zeros((2, 2, 2), np.bool_), whole, np.zeros((2, 2, 2), np.float32), of)
    with pytest.raises(NothingToMeasure, match="single slice"):
        measured(np.ones((1, 2, 2), np.bool_), of.model_copy(update={"slices": of.slices[:1]}))
