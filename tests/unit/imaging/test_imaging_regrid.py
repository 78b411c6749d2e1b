import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measured_shapes import ellipsoid, middle_mm, places_mm, series
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pacs_agent.imaging.regrid import even_lattice, grid_over, labels_on_source, lattice_of, nearest, onto_grid

gaps_mm = st.floats(1.0, 5.0)
pixels_mm = st.tuples(st.floats(0.7, 1.5), st.floats(0.7, 1.5))
turns = st.tuples(*[st.floats(-40, 40)] * 3).map(lambda angles: Rotation.from_euler("xyz", angles, degrees=True))
GRIDS = ((2.0, 2.0, 2.0), (1.5, 1.5, 1.5), (3.0, 1.5, 2.0))


def both(mask: NDArray[np.float32]) -> NDArray[np.float32]:
    """Planes of the probabilities of background and of what a mask says."""
    return np.stack((1 - mask, mask), axis=1)


def there_and_back(mask: NDArray[np.bool_], source, grid) -> NDArray[np.bool_]:
    on_grid = onto_grid(mask, source, grid)
    return np.stack(list(labels_on_source(both(on_grid), source, grid))) > 0


@settings(deadline=None, max_examples=25)
@given(gap_mm=gaps_mm, pixel_mm=pixels_mm, turn=turns, axes=turns, spacing_mm=st.sampled_from(GRIDS))
def test_a_shape_keeps_its_volume_there_and_back(gap_mm, pixel_mm, turn, axes, spacing_mm) -> None:
    size_mm = 70.0
    count = int(size_mm / gap_mm)
    of = series(np.arange(count) * gap_mm, pixel_mm, (int(size_mm / pixel_mm[0]), int(size_mm / pixel_mm[1])), turn)
    mask = ellipsoid(of, middle_mm(of), np.array([18.0, 22.0, 26.0]), axes)
    source = lattice_of(of)
    again = there_and_back(mask, source, grid_over(source, spacing_mm))
    assert again.sum() == pytest.approx(mask.sum(), rel=0.03)
    assert 2 * (again & mask).sum() / (again.sum() + mask.sum()) > 0.95


def test_uneven_slices_keep_the_shape_where_it_was() -> None:
    rng = np.random.default_rng(0)
    z_mm = np.cumsum(rng.uniform(1.6, 2.4, 40))
    of = series(z_mm, (1.0, 1.0), (70, 70), Rotation.identity())
    centre_mm, radius_mm = places_mm(of)[20, 35, 35], 20.0
    mask = ellipsoid(of, centre_mm, np.full(3, radius_mm), Rotation.identity())
    source = lattice_of(of)
    grid = grid_over(source, (1.5, 1.5, 1.5))
    on_grid = onto_grid(mask, source, grid)
    weights = on_grid.sum(axis=(1, 2))
    assert (weights @ grid.z_mm) / weights.sum() == pytest.approx(z_mm[20], abs=0.5)
    assert weights.sum() * grid.voxel_ml == pytest.approx(4 / 3 * np.pi * 8, rel=0.03)
    assert there_and_back(mask, source, grid).sum() == pytest.approx(mask.sum(), rel=0.03)


@settings(deadline=None, max_examples=50)
@given(gap_mm=gaps_mm, pixel_mm=pixels_mm, turn=turns, spacing_mm=st.sampled_from(GRIDS), data=st.data())
def test_a_point_of_the_patient_goes_there_and_back_within_half_a_voxel(
    gap_mm, pixel_mm, turn, spacing_mm, data
) -> None:
    of = series(np.arange(12) * gap_mm, pixel_mm, (30, 24), turn)
    source = lattice_of(of)
    grid = grid_over(source, spacing_mm)
    index = tuple(data.draw(st.integers(0, count - 1)) for count in source.shape)
    on_grid = tuple(of_axis[i] for of_axis, i in zip(nearest(source, grid), index, strict=True))
    found_mm = np.array([axis[i] for axis, i in zip(grid.axes, on_grid, strict=True)])
    one = of.slices[0]
    row, column = np.array(one.orientation[:3]), np.array(one.orientation[3:])
    normal = turn.as_matrix()[:, 2]
    world_mm = one.position_mm + (found_mm[0] - one.z_mm) * normal + found_mm[1] * column + found_mm[2] * row
    away_mm = Rotation.inv(turn).apply(world_mm - places_mm(of)[index])[::-1]
    assert (np.abs(away_mm) <= np.array(spacing_mm) / 2 + 1e-6).all()


def test_a_spot_comes_to_its_place_on_the_grid() -> None:
    source = even_lattice((20, 40, 40), (1.0, 0.8, 0.8))
    grid = grid_over(source, (2.0, 2.0, 2.0))
    values = np.zeros(source.shape, np.float32)
    values[9, 12, 30] = 1
    found = onto_grid(values, source, grid)
    for axis, wanted_mm in ((0, 9.0), (1, 9.6), (2, 24.0)):
        others = tuple(other for other in range(3) if other != axis)
        along = found.sum(axis=others)
        assert (along @ grid.axes[axis]) / along.sum() == pytest.approx(wanted_mm, abs=0.4)


@settings(deadline=None, max_examples=20)
@given(shape=st.tuples(*[st.integers(1, 12)] * 3), spacing_mm=st.tuples(*[st.floats(0.5, 5)] * 3))
def test_what_is_the_same_everywhere_stays_it(shape, spacing_mm) -> None:
    source = even_lattice(shape, spacing_mm)
    grid = grid_over(source, (2.0, 2.0, 2.0))
    assert onto_grid(np.full(shape, -700.0), source, grid) == pytest.approx(-700.0, abs=0.01)
    assert (np.stack(list(labels_on_source(both(np.ones(grid.shape, np.float32)), source, grid))) == 1).all()


def test_what_is_finer_than_the_grid_is_averaged() -> None:
    source = even_lattice((8, 64, 64), (2.0, 0.5, 0.5))
    stripes = np.broadcast_to(np.arange(64) % 2, source.shape)
    inner = onto_grid(stripes, source, grid_over(source, (2.0, 2.0, 2.0)))[:, 2:-2, 2:-2]
    assert inner == pytest.approx(0.5, abs=0.02)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), classes=st.integers(2, 5))
def test_the_boxes_change_nothing(seed: int, classes: int) -> None:
    """Against the plain way: interpolate all classes everywhere, then take the largest."""
    rng = np.random.default_rng(seed)
    source, spacing_mm = even_lattice((7, 20, 16), (3.0, 1.0, 1.0)), (2.0, 2.0, 2.0)
    grid = grid_over(source, spacing_mm)
    logits = rng.normal(size=(classes, *grid.shape)) * rng.choice([1.0, 8.0])
    logits[1:] -= rng.choice([0.0, 6.0])
    probabilities = (np.exp(logits) / np.exp(logits).sum(axis=0)).astype(np.float32)
    found = np.stack(list(labels_on_source(probabilities.swapaxes(0, 1), source, grid)))
    plain = np.stack([_interpolated(one, source, grid) for one in probabilities])
    sure = np.sort(plain, axis=0)[-1] - np.sort(plain, axis=0)[-2] > 1e-5
    assert (found == plain.argmax(axis=0))[sure].all()


def _interpolated(values, source, grid):
    for axis, (to, at) in enumerate(zip(source.axes, grid.axes, strict=True)):
        values = np.apply_along_axis(lambda line, to=to, at=at: np.interp(to, at, line), axis, values)
    return values
