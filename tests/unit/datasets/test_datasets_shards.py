"""Studies in shards come back as they were, in an order that workers share out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.datasets.shards import ShardedStudies, ShardFault, keyed_folder, read_study, write_shard, write_shards
from models.datasets.study import LabelledStudy
from models.phantoms.findings import Attributes, Count, Finding, Grade, Lobe, Side
from models.phantoms.report import TrueSentence

ATTRIBUTES = Attributes(frozenset({Side.LEFT}), frozenset({Lobe.LEFT_LOWER}), Grade.MODERATE, Count.FEW)


def study_of(number: int, shape: tuple[int, int, int] = (3, 4, 5)) -> LabelledStudy:
    rng = np.random.default_rng(number)
    return LabelledStudy(
        patient=f"P{number // 2}",
        study=f"S{number}",
        source="made up",
        hu=rng.integers(-1024, 3071, shape, dtype=np.int16),
        z_mm=np.arange(shape[0], dtype=np.float32) * 1.5,
        spacing_mm=(0.7, 0.8),
        labels={Finding.LUNG_NODULE: True, Finding.EMPHYSEMA: False},
        masks={Finding.LUNG_NODULE: rng.random(shape) > 0.7},
        attributes={Finding.LUNG_NODULE: ATTRIBUTES},
        sentences=(TrueSentence("present", Finding.LUNG_NODULE, "A nodule .", ATTRIBUTES),),
    )


class Made:
    """Studies by number, counting how often they are asked for."""

    def __init__(self, count: int) -> None:
        self.count, self.asked = count, 0

    def __len__(self) -> int:
        return self.count

    def study(self, index: int) -> LabelledStudy:
        self.asked += 1
        return study_of(index)


def same(a: LabelledStudy, b: LabelledStudy) -> bool:
    arrays = np.array_equal(a.hu, b.hu) and np.array_equal(a.z_mm, b.z_mm) and a.masks.keys() == b.masks.keys()
    masks = all(np.array_equal(a.masks[f], b.masks[f]) for f in a.masks)
    empty = {"hu": None, "z_mm": None, "masks": {}}
    return arrays and masks and replace(a, **empty) == replace(b, **empty)


@settings(deadline=None, max_examples=20)
@given(shape=st.tuples(*[st.integers(1, 6)] * 3), number=st.integers(0, 1000))
def test_a_study_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, shape, number):
    path = tmp_path_factory.mktemp("shard") / "0000.npz"
    write_shard([study_of(number, shape)], path)
    (entry,) = ShardedStudies(path.parent).index
    assert same(read_study(*entry), study_of(number, shape))


def test_a_cut_run_goes_on_where_it_stopped(tmp_path: Path):
    write_shards(Made(10), tmp_path, per_shard=4)
    (tmp_path / "0001.json").unlink()
    again = Made(10)
    studies = write_shards(again, tmp_path, per_shard=4)
    assert again.asked == 4
    assert [studies.study(k).study for k in range(10)] == [f"S{k}" for k in range(10)]


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**31), workers=st.integers(1, 5))
def test_workers_share_out_an_epoch_evenly_and_resume(tmp_path_factory: pytest.TempPathFactory, seed, workers):
    folder = tmp_path_factory.getbasetemp() / "eleven"
    studies = write_shards(Made(11), folder, per_shard=3)
    shares = [[s.study for s in studies.stream(seed, worker, workers)] for worker in range(workers)]
    assert {len(share) for share in shares} == {11 // workers}
    everything = [name for share in shares for name in share]
    assert len(set(everything)) == len(everything)
    assert [s.study for s in studies.stream(seed, 0, workers, start=1)] == shares[0][1:]


def test_every_epoch_has_its_own_order(tmp_path: Path):
    studies = write_shards(Made(12), tmp_path, per_shard=3)
    assert sorted(studies.order(1)) == list(range(12))
    assert studies.order(1) == ShardedStudies(tmp_path).order(1)
    assert studies.order(1) != studies.order(2)


def test_only_a_few_shards_are_in_use_at_a_time(tmp_path: Path):
    studies = write_shards(Made(12), tmp_path, per_shard=2)
    order = studies.order(5, near=2)
    assert all(len({position // 2 for position in order[first : first + 4]}) == 2 for first in (0, 4, 8))


def test_broken_shards_are_named(tmp_path: Path):
    studies = write_shards(Made(2), tmp_path)
    path = tmp_path / "0000.npz"
    path.write_bytes(path.read_bytes()[:80])
    with pytest.raises(ShardFault, match=r"0000\.npz cannot be read.*write it anew"):
        studies.study(0)
    (tmp_path / "0000.json").write_text("{")
    with pytest.raises(ShardFault, match=r"0000\.json is broken"):
        _ = ShardedStudies(tmp_path).index
    with pytest.raises(ShardFault, match="holds no shards"):
        _ = ShardedStudies(tmp_path / "empty").index


def test_the_folder_changes_with_what_the_shards_depend_on(tmp_path: Path):
    assert keyed_folder(tmp_path, "a", 1, "x") == keyed_folder(tmp_path, "a", 1, "x")
    assert keyed_folder(tmp_path, "a", 1, "x") != keyed_folder(tmp_path, "a", 2, "x")
