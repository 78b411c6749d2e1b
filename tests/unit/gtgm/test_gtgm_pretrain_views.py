import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from models.gtgm.pretrain.augment import varied, varied_windows
from models.gtgm.pretrain.crops import Placement, body_box, cut, two_placements
from models.gtgm.pretrain.preset import ViewSettings
from models.gtgm.volume import Modality

pytestmark = pytest.mark.train


def views(overlap=0.3, crop=(8, 8, 8), spacing=(2.0, 1.0, 1.0)):
    return ViewSettings(spacing_mm=dict.fromkeys(Modality, spacing), crop_voxels=crop, overlap=overlap)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([*Modality]),
    st.floats(0.0, 0.9),
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40)),
)
@settings(max_examples=60, deadline=None)
def test_two_crops_always_share_the_wanted_part(seed, modality, overlap, shape):
    body = tuple((0, n) for n in shape)
    one, other = two_placements(body, views(overlap), modality, np.random.default_rng(seed))
    apart = np.abs(one.centre - other.centre)
    assert np.prod(np.maximum(8.0 - apart, 0.0)) / 8.0**3 >= overlap - 1e-9
    for place in (one, other):
        assert (place.centre >= 0).all() and (place.centre <= np.array(shape)).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from([Modality.CT, Modality.MR]))
@settings(max_examples=40, deadline=None)
def test_patients_are_never_mirrored_and_hardly_turned(seed, modality):
    placement, _ = two_placements(((0, 30),) * 3, views(), modality, np.random.default_rng(seed))
    in_mm = placement.matrix * np.array([2.0, 1.0, 1.0])[:, None] / np.array([2.0, 1.0, 1.0])[None, :]
    assert np.linalg.det(in_mm) > 0
    assert (np.diag(in_mm) > 0.8).all()


def test_neurons_are_mirrored_and_turned_within_equal_spacings():
    rng = np.random.default_rng(0)
    matrices = [two_placements(((0, 30),) * 3, views(), Modality.EM, rng)[0].matrix for _ in range(40)]
    assert {np.sign(np.linalg.det(m)) for m in matrices} == {-1.0, 1.0}
    assert all(abs(m[0, 0]) > 0.8 for m in matrices), "the coarse axis must stay where it is"


def test_an_upright_crop_is_the_voxels_themselves():
    values = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)
    found = cut(values, Placement(np.array([2.5, 3.0, 3.0]), np.eye(3)), (2, 3, 3), 0.0)
    assert np.array_equal(found, values[2:4, 2:5, 2:5])


def test_what_lies_beyond_the_volume_is_outside():
    values = np.zeros((4, 4, 4), np.int16)
    edge = cut(values, Placement(np.zeros(3), np.eye(3)), (4, 4, 4), -1000.0)
    assert edge[0, 0, 0] == -1000.0 and edge[3, 3, 3] == 0.0
    far = cut(values, Placement(np.full(3, 99.0), np.eye(3)), (4, 4, 4), -1000.0)
    assert (far == -1000.0).all()


def test_a_turned_crop_shows_the_same_place():
    z, y, x = np.meshgrid(*(np.arange(24.0),) * 3, indexing="ij")
    ball = np.exp(-((z - 12) ** 2 + (y - 9) ** 2 + (x - 14) ** 2) / 8.0).astype(np.float32)
    placement = two_placements(((0, 24),) * 3, views(), Modality.CT, np.random.default_rng(1))[0]
    at_ball = Placement(np.array([12.0, 9.0, 14.0]), placement.matrix)
    found = cut(ball, at_ball, (9, 9, 9), 0.0)
    assert np.unravel_index(found.argmax(), found.shape) == (4, 4, 4)


def test_the_body_is_found():
    values = np.full((10, 10, 10), -1000.0, np.float32)
    assert body_box(values, Modality.CT) == ((0, 10),) * 3
    values[2:5, 3:9, 4] = 40.0
    assert body_box(values, Modality.CT) == ((2, 5), (3, 9), (4, 5))
    assert body_box(values, Modality.EM) == ((0, 10),) * 3


@pytest.mark.parametrize("modality", [*Modality])
def test_intensities_vary_with_the_seed_alone(modality):
    values = np.random.default_rng(0).uniform(0.0, 1.0, (6, 6, 6)).astype(np.float32)
    one, again, other = (varied(values, modality, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.dtype == np.float32 and np.array_equal(one, again) and not np.array_equal(one, other)


def test_ct_numbers_stay_what_they_are():
    lung = np.full((12, 12, 12), -850.0, np.float32)
    means = [varied(lung, Modality.CT, np.random.default_rng(seed)).mean() for seed in range(20)]
    assert np.abs(np.array(means) + 850.0).max() < 12.0


@pytest.mark.parametrize("modality", [*Modality])
def test_windows_stay_in_order(modality):
    windows = varied_windows(modality, np.random.default_rng(3))
    assert windows.shape == (3, 2) and (windows[:, 0] < windows[:, 1]).all()
