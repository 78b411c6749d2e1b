import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.phantoms.anatomy import Anatomy, draw_anatomy
from models.phantoms.body import arch_mm, heart_radius, level_of, paint_body, paint_regions
from models.phantoms.body.lungs import lung_points
from models.phantoms.canvas import Canvas, Grid, Region
from models.phantoms.findings import Lobe, Side
from models.phantoms.lobes import LOBES, lobe_at, lobe_of
from models.phantoms.tree import grow, paint_tree
from models.phantoms.tubes import Tubes, covered

LUNGS = (Region.RIGHT_LUNG, Region.LEFT_LUNG)


def person(seed: int) -> Anatomy:
    return draw_anatomy(np.random.default_rng(seed), frozenset())


def grid(anatomy: Anatomy, slices: int = 24, size: int = 112) -> Grid:
    z = np.linspace(-60.0, 1.08 * anatomy.height_mm, slices, dtype=np.float32)
    axis = ((np.arange(size) - (size - 1) / 2) * (400.0 / size)).astype(np.float32)
    return Grid(z, axis, axis)


@pytest.fixture(scope="module")
def painted():
    anatomy = person(3)
    canvas = Canvas.empty(grid(anatomy))
    paint_body(canvas, anatomy)
    return anatomy, canvas


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**31))
def test_every_person_has_two_lungs_of_a_plausible_size(seed):
    """A tall man's lungs hold 10 litres (Quanjer 1993: 8.9 and 1.65 standard deviations of 0.7 at 2 m)."""
    anatomy = person(seed)
    canvas = Canvas.empty(grid(anatomy, 40, 80))
    paint_regions(canvas, anatomy)
    spacing = canvas.grid.pixel_mm**2 * float(canvas.grid.z_mm[1] - canvas.grid.z_mm[0])
    litres = [(canvas.region == side).sum() * spacing / 1e6 for side in LUNGS]
    assert all(0.8 < volume < 5.5 for volume in litres), litres
    x = np.broadcast_to(canvas.grid.x_mm, canvas.region.shape)
    assert x[canvas.region == Region.RIGHT_LUNG].max() < 0.0
    assert x[canvas.region == Region.LEFT_LUNG].min() >= 0.0
    assert (canvas.region == Region.HEART).any()


def test_regions_of_a_coarse_map_are_those_of_the_painted_body(painted):
    anatomy, canvas = painted
    coarse = Canvas.empty(canvas.grid)
    paint_regions(coarse, anatomy)
    both = np.isin(coarse.region, LUNGS) == np.isin(canvas.region, LUNGS)
    assert both.mean() > 0.97


def test_tissues_have_their_ct_numbers(painted):
    anatomy, canvas = painted
    lungs = np.isin(canvas.region, LUNGS)
    assert abs(np.median(canvas.hu[lungs]) - anatomy.lung_hu) < 80.0
    assert np.median(canvas.hu[canvas.region == Region.AIRWAY]) < -900.0
    assert canvas.hu[canvas.region == Region.WALL].max() > 300.0
    heart = np.median(canvas.hu[canvas.region == Region.HEART])
    assert 0.0 < heart < 500.0


@given(
    st.integers(0, 50),
    st.floats(-120.0, 120.0, width=32),
    st.floats(-85.0, 85.0),
    st.floats(-30.0, 260.0),
)
def test_a_place_has_one_lobe_on_its_own_side(seed, x, y, z):
    lobe = lobe_of((x, y, z), person(seed))
    assert lobe.side == (Side.RIGHT if x < 0.0 else Side.LEFT)


@pytest.mark.parametrize("seed", range(4))
def test_lobes_lie_as_in_a_chest(seed):
    anatomy = person(seed)
    points = lung_points(anatomy, np.random.default_rng(0), 200)
    for index, lobe in enumerate(LOBES):
        at = lobe_at(points[index, :, 0], points[index, :, 1], points[index, :, 2], anatomy)
        # Points are jittered within a voxel of the coarse map, so few may cross a fissure.
        assert (at == index).mean() > 0.8, lobe
    height = dict(zip(LOBES, points[:, :, 2].mean(axis=1), strict=True))
    depth = dict(zip(LOBES, points[:, :, 1].mean(axis=1), strict=True))
    assert height[Lobe.RIGHT_UPPER] > height[Lobe.RIGHT_MIDDLE]
    assert height[Lobe.LEFT_UPPER] > height[Lobe.LEFT_LOWER]
    assert depth[Lobe.RIGHT_LOWER] > depth[Lobe.RIGHT_MIDDLE]


def test_a_tree_is_whole_and_tapers():
    tree = grow(person(1))
    for branches in (tree.arteries, tree.veins, tree.bronchi):
        for branch in branches[::7]:
            if branch.parent is None:
                continue
            parent = branches[branch.parent]
            assert parent.generation < branch.generation
            assert parent.side == branch.side
            assert branch.radius_mm <= parent.radius_mm * 1.001
    assert {branch.parent for branch in tree.bronchi[:5]} == {None}


def test_a_bronchus_runs_beside_its_artery():
    tree = grow(person(2))
    for bronchus in tree.bronchi[5:]:
        artery = tree.arteries[bronchus.partner]
        gap = np.linalg.norm(np.subtract(bronchus.end, artery.end))
        assert gap < 3.0 * (artery.radius_mm + bronchus.radius_mm + bronchus.wall_mm)
        assert bronchus.wall_mm >= 0.5


def test_vessels_reach_the_periphery(painted):
    anatomy, canvas = painted
    before = canvas.hu.copy()
    paint_tree(canvas, anatomy, grow(anatomy))
    lungs = np.isin(canvas.region, LUNGS)
    share = ((canvas.hu > before + 80.0) & lungs).sum() / lungs.sum()
    canvas.hu[:] = before
    assert 0.01 < share < 0.2


def test_a_tube_covers_its_volume():
    axis = np.arange(-20.0, 20.0, 0.5, dtype=np.float32)
    tube = Tubes(*(np.array(p, np.float32) for p in ([[-8.0, 1.0, 2.0]], [[8.0, 3.0, -2.0]], [3.0], [3.0])))
    index, share = covered(Grid(axis, axis, axis), tube)
    largest = np.zeros(len(axis) ** 3, np.float32)
    np.maximum.at(largest, index, share)
    length = float(np.linalg.norm(tube.end - tube.start))
    expected = np.pi * 9.0 * length + 4.0 / 3.0 * np.pi * 27.0
    assert largest.sum() * 0.125 == pytest.approx(expected, rel=0.04)


def test_the_arch_joins_ascending_and_descending_aorta():
    anatomy = person(4)
    assert arch_mm(anatomy, 0.0)[:2] == pytest.approx(anatomy.ascending_mm)
    assert arch_mm(anatomy, 1.0)[:2] == pytest.approx(anatomy.descending_mm)


def test_the_heart_is_where_its_radius_says(painted):
    anatomy, canvas = painted
    z = anatomy.heart_centre_mm[2]
    index = int(np.abs(canvas.grid.z_mm - z).argmin())
    radius, _, _ = heart_radius(level_of(canvas.grid, anatomy, float(canvas.grid.z_mm[index])), anatomy)
    assert (canvas.region[index][radius < 0.8] == Region.HEART).mean() > 0.95


def test_no_straight_steps(painted):
    """Edges that follow rows or columns for long would betray a box: real contours seldom do."""
    _, canvas = painted
    for index in range(2, len(canvas.hu) - 2, 3):
        lungs = np.isin(canvas.region[index], LUNGS)
        for axis in (0, 1):
            steps = np.diff(lungs, axis=axis)
            runs = steps.sum(axis=1 - axis)
            assert runs.max() < 40, (index, axis)
