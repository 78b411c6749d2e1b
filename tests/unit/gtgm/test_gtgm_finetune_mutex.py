"""The mutex watershed against what affinities of a partition must give, and against Kruskal written down plainly."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial import cKDTree
from skimage.measure import label

pytest.importorskip("torch")

from models.gtgm.finetune.examples import Example
from models.gtgm.finetune.fit import FitSettings, fit
from models.gtgm.finetune.heads import new_segmenter
from models.gtgm.finetune.instances import UNKNOWN, affinities_of, instances_of
from models.gtgm.finetune.metrics import instance_agreement
from models.gtgm.finetune.mutex_watershed import clusters, edges_of, mutex_watershed
from models.gtgm.finetune.neighbours import FAR, NEAREST, NEAREST_AND_FAR, offsets_of, paired
from models.gtgm.finetune.predict import predicted
from models.gtgm.networks import EncoderShape
from models.gtgm.volume import Modality
from pacs_agent.inference.segment import Windows

pytestmark = pytest.mark.train
SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6)
EVERY = (1, 1, 1)
SHORT = (*NEAREST, (-2, 0, 0), (0, -2, 0), (0, 0, -2), (0, 2, -1))


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two numberings are of the same pieces: as many pairs of numbers as numbers."""
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1).shape[1]
    return pairs == len(np.unique(one)) == len(np.unique(other))


def probabilities(instances: np.ndarray, offsets=NEAREST_AND_FAR) -> np.ndarray:
    found = affinities_of(instances, offsets)
    return np.where(found == UNKNOWN, 1, found).astype(np.float32)


@given(hnp.arrays(np.uint32, SHAPES, elements=st.integers(1, 3)))
def test_affinities_of_a_partition_give_its_connected_pieces_back(truth: np.ndarray):
    found = mutex_watershed(probabilities(truth, SHORT), SHORT, EVERY)
    assert same_partition(found, label(truth, connectivity=1))
    assert found.min() == 1
    assert found.max() == len(np.unique(found))


@given(hnp.arrays(np.uint32, SHAPES, elements=st.integers(1, 4)), st.permutations([1, 2, 3, 4]), st.integers(0, 99))
def test_names_of_instances_do_not_matter(truth: np.ndarray, names: list[int], seed: int):
    renamed = np.array([0, *names], np.uint32)[truth]
    noise = np.random.default_rng(seed).normal(0.0, 0.2, (len(SHORT), *truth.shape)).astype(np.float32)
    one, other = (np.clip(probabilities(each, SHORT) + noise, 0.0, 1.0) for each in (truth, renamed))
    assert np.array_equal(mutex_watershed(one, SHORT, EVERY), mutex_watershed(other, SHORT, EVERY))


@given(st.integers(0, 10_000), st.permutations([0, 1, 2]))
def test_axes_may_be_exchanged(seed: int, order: list[int]):
    affinities = np.random.default_rng(seed).random((len(SHORT), 3, 4, 5), np.float32)
    offsets = tuple(tuple(offset[axis] for axis in order) for offset in SHORT)
    turned = mutex_watershed(affinities.transpose(0, *(1 + axis for axis in order)), offsets, EVERY)
    assert same_partition(turned, mutex_watershed(affinities, SHORT, EVERY).transpose(order))


def by_the_book(count: int, edges) -> np.ndarray:
    """Algorithm 1 with every pair of voxels that must stay apart in a table."""
    cluster, apart = np.arange(count), np.zeros((count, count), bool)
    for first, second, attracts in zip(*edges, strict=True):
        one, other = cluster == cluster[first], cluster == cluster[second]
        if attracts and not apart[np.ix_(one, other)].any():
            cluster[other] = cluster[first]
        elif not attracts and cluster[first] != cluster[second]:
            apart[np.ix_(one, other)] = True
            apart[np.ix_(other, one)] = True
    return cluster


AFFINITIES = hnp.arrays(
    np.float32, st.tuples(st.just(len(SHORT)), *[st.integers(1, 4)] * 3), elements=st.floats(0, 1, width=32)
)


@given(AFFINITIES)
def test_any_affinities_give_what_the_book_gives(affinities: np.ndarray):
    edges = edges_of(affinities, SHORT, EVERY)
    count = affinities[0].size
    assert same_partition(clusters(count, edges), by_the_book(count, edges))


@given(st.integers(0, 10_000))
def test_voxels_that_exclude_each_other_are_only_together_where_stronger_edges_joined_them_before(seed: int):
    affinities = np.random.default_rng(seed).random((len(SHORT), 3, 4, 4), np.float32)
    edges = edges_of(affinities, SHORT, EVERY)
    found, count = clusters(affinities[0].size, edges), affinities[0].size
    for number in np.flatnonzero(~edges.attractive):
        one, other = edges.firsts[number], edges.seconds[number]
        if found[one] == found[other]:
            before = type(edges)(*(part[:number] for part in edges))
            earlier = clusters(count, before)
            assert earlier[one] == earlier[other]


def cells(shape: tuple[int, int, int], count: int, seed: int = 0) -> np.ndarray:
    """Voronoi cells."""
    rng = np.random.default_rng(seed)
    voxels = np.stack(np.meshgrid(*(np.arange(size) for size in shape), indexing="ij"), -1).reshape(-1, 3)
    _, nearest = cKDTree(rng.uniform(0, shape, (count, 3))).query(voxels)
    return (nearest.reshape(shape) + 1).astype(np.uint32)


def test_a_leak_in_a_membrane_joins_two_cells_by_watershed_and_not_by_mutex_watershed():
    truth = np.ones((16, 24, 24), np.uint32)
    truth[:, :, 12:] = 2
    affinities = probabilities(truth)
    affinities[2, 4:12, 8:16, 12] = 0.99
    leaked, held = (instances_of(affinities, way) for way in ("watershed", "mutex_watershed"))
    assert instance_agreement(leaked, truth).arand > 0.2
    assert instance_agreement(held, truth) == pytest.approx((0.0, 0.0, 0.0))


def noisy(truth: np.ndarray, seed: int = 1) -> np.ndarray:
    """Affinities as an uncertain network gives them: borders that are hard to see in patches, and noise everywhere."""
    rng = np.random.default_rng(seed)
    affinities = probabilities(truth)
    hidden = rng.random(truth.shape) < 0.25
    affinities[: len(NEAREST)] = np.where(hidden, 1.0, affinities[: len(NEAREST)])
    return np.clip(0.1 + 0.8 * affinities + rng.normal(0.0, 0.1, affinities.shape), 0.0, 1.0).astype(np.float32)


def test_on_noisy_affinities_it_splits_and_merges_less_than_the_watershed():
    truth = cells((32, 64, 64), 24)
    affinities = noisy(truth)
    began_s = time.process_time()
    mutex = instance_agreement(instances_of(affinities, "mutex_watershed"), truth)
    assert time.process_time() - began_s < 30.0
    plain = instance_agreement(instances_of(affinities), truth)
    assert mutex.arand < plain.arand
    assert mutex.voi_split + mutex.voi_merge < plain.voi_split + plain.voi_merge


@pytest.mark.parametrize("offset", [*FAR, (2, -1, 0), (-9, 9, 9)])
def test_pairs_lie_at_their_offset_and_inside(offset: tuple[int, int, int]):
    shape = (5, 10, 12)
    places = np.stack(np.meshgrid(*(np.arange(size) for size in shape), indexing="ij"))
    here, there = paired(shape, offset, (2, 1, 3))
    moved = places[(slice(None), *there)] - places[(slice(None), *here)]
    assert (moved == np.reshape(offset, (3, 1, 1, 1))).all()
    assert paired(shape, offset)[0][1].stop <= shape[1]


def test_numbers_of_affinities_that_no_grouping_knows_are_refused():
    assert offsets_of(3) is NEAREST
    with pytest.raises(ValueError, match="9 outputs"):
        instances_of(np.zeros((3, 2, 2, 2)), "mutex_watershed")
    with pytest.raises(ValueError, match="give 3 outputs"):
        instances_of(np.zeros((4, 2, 2, 2)))
    with pytest.raises(ValueError, match="give one for each"):
        mutex_watershed(np.zeros((3, 2, 2, 2)))


def test_a_network_of_nine_outputs_learns_far_affinities_and_is_grouped_by_them(tmp_path):
    truth = np.ones((16, 16, 16), np.uint32)
    truth[:, :, 8:] = 2
    example = Example(np.where(truth == 1, 0.1, 0.9).astype(np.float32), truth, Modality.EM)
    shape = EncoderShape(channels=(4, 8), blocks=(1, 1))
    network = new_segmenter(shape, len(NEAREST_AND_FAR), modality=Modality.EM, output="affinities")
    fit(network, [example], FitSettings(steps=2, batch=1, rate=1e-3, patch=(8, 8, 8)), tmp_path)
    for grouping in ("watershed", "mutex_watershed"):
        assert predicted(network, example, Windows((8, 8, 8)), grouping).shape == truth.shape
    with pytest.raises(ValueError, match="outputs"):
        fit(
            new_segmenter(shape, 4, modality=Modality.EM, output="affinities"), [example],
            FitSettings(steps=1, batch=1, rate=1e-3, patch=(8, 8, 8)), tmp_path / "four",
        )  # fmt: skip
