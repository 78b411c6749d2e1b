"""Plane by plane, as with the whole grid in memory, to the last bit; and in the memory of one layer of patches."""

import pickle
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import whole_grid
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from segmented_phantom import write_phantom
from tiny_bundle import keys_of, settings_of
from tiny_segmenter import write_segmenter

from pacs_agent.imaging import order_series, read_headers
from pacs_agent.imaging.regrid import Lattice, even_lattice, grid_over
from pacs_agent.inference import BundleRefused, SegmenterBundle, load_any, segmenter_manifest
from pacs_agent.inference.reading import Code
from pacs_agent.inference.refusal import TooLarge
from pacs_agent.inference.segment import Windows, planes_of, probabilities_of, slab_bytes
from pacs_agent.inference.segmented_regions import Grids, Midline, regions_of_planes
from pacs_agent.inference.segmenter import Segmenter
from pacs_agent.inference.segmenter_manifest import StructureEntry

CODE = Code(value="1", scheme="99X", meaning="x")


def drawn_by_lot(classes: int):
    """A network whose probabilities are random, other ones for each patch, and always the same for the same patch."""

    def network(patches: NDArray[np.float32]) -> NDArray[np.float32]:
        answers = np.empty((len(patches), classes, *patches.shape[2:]), np.float32)
        for answer, patch in zip(answers, patches, strict=True):
            rng = np.random.default_rng(zlib.crc32(patch.tobytes()))
            answer[:] = rng.dirichlet(np.full(classes, 0.3), patch.shape[1:]).transpose(3, 0, 1, 2)
        return answers

    return network


def noise(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def same(values, windows: Windows, where=None, classes: int = 3) -> bool:
    network = drawn_by_lot(classes)
    found = np.stack(list(planes_of(values, network, classes, windows, where)), axis=1)
    wanted = whole_grid.probabilities_of(values, network, classes, windows, where)
    return found.dtype == wanted.dtype and np.array_equal(found, wanted)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.6])
@pytest.mark.parametrize("edge", [1, 2, 3, 4, 5])
def test_windows_that_leave_any_remainder_give_the_same_planes(edge: int, overlap: float) -> None:
    for size in range(1, 3 * edge + 2):
        windows = Windows((edge, 2, 3), overlap, 2)
        assert same(noise((size, 3, 4)), windows), size


@settings(deadline=None, max_examples=40)
@given(
    shape=st.tuples(*[st.integers(1, 13)] * 3),
    patch=st.tuples(*[st.integers(1, 7)] * 3),
    overlap=st.floats(0, 0.7),
    batch=st.integers(1, 4),
    share=st.sampled_from([0.002, 0.02, 1.0]),
)
def test_any_box_of_any_volume_gives_the_same_planes(shape, patch, overlap, batch, share) -> None:
    where = np.random.default_rng(1).random(shape) < share
    assert same(noise(shape), Windows(patch, overlap, batch), where)


def blobs(classes: int, shape: tuple[int, int, int], seed: int) -> NDArray[np.float16]:
    """Probabilities [classes, d, h, w] of a few balls each, with noise: smooth, so that there are parts to find."""
    rng = np.random.default_rng(seed)
    at = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    logits = rng.normal(0, rng.choice([0.0, 0.7]), (classes, *shape))
    for logit in logits[1:]:
        for _ in range(3):
            radius = rng.uniform(1.5, 5)
            logit += 6 * (np.linalg.norm(at - rng.uniform(0, shape), axis=-1) < radius)
    logits[0] += 3
    return (np.exp(logits) / np.exp(logits).sum(axis=0)).astype(np.float16)


def uneven(rng: np.random.Generator) -> Lattice:
    z_mm = np.cumsum(rng.uniform(0.5, rng.choice([2.0, 9.0]), rng.integers(2, 20)))
    return Lattice(z_mm, *even_lattice((1, 26, 31), (1.0, 1.1, 0.9)).axes[1:])


@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 10_000))
def test_the_same_regions_on_slices_finer_and_coarser_than_the_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source = uneven(rng)
    grid = grid_over(source, tuple(rng.choice([1.5, 2.0, 3.0], 3)))
    entries = [
        StructureEntry(key=key, name=key, category=CODE, type=CODE, colour=(1, 2, 3), kind=kind, laterality=sides)
        for key, kind, sides in (("lung", "organ", True), ("heart", "organ", False), ("nodule", "lesion", True))
    ]
    probabilities = blobs(4, grid.shape, seed)
    midline = Midline(2, True, grid.shape[2] / 2)
    on_source = np.full(source.shape, 99, np.uint8)
    found = regions_of_planes(iter(probabilities.swapaxes(0, 1)), Grids(source, grid), entries, midline, on_source)
    wanted = whole_grid.regions_of(probabilities, source, grid, entries, midline)
    assert np.array_equal(on_source, np.stack(list(whole_grid.labels_on_source(probabilities, source, grid))))
    facts = [(one.structure.key, one.number, one.side, one.box, one.crop.tobytes()) for one in found]
    assert facts == [(one.structure.key, one.number, one.side, one.box, one.crop.tobytes()) for one in wanted]


def test_memory_is_that_of_a_layer_of_patches_however_deep_the_volume() -> None:
    classes, windows = 20, Windows((8, 8, 8), 0.25)
    values = np.zeros((200, 24, 24), np.float32)
    whole = classes * values.size * 2

    def background(patches):
        answers = np.zeros((len(patches), classes, *patches.shape[2:]), np.float32)
        answers[:, 0] = 1
        return answers

    source = even_lattice(values.shape, (1.5, 1.5, 1.5))
    grids = Grids(source, grid_over(source, (1.5, 1.5, 1.5)))
    entries = [
        StructureEntry(key=f"s{n}", name="s", category=CODE, type=CODE, colour=(1, 2, 3), kind="organ")
        for n in range(1, classes)
    ]
    on_source = np.zeros(source.shape, np.uint8)
    tracemalloc.start()
    planes = planes_of(values, background, classes, windows)
    assert regions_of_planes(planes, grids, entries, Midline(2, True, 12), on_source) == ()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    needed = slab_bytes(values.shape, classes, windows)
    assert needed < whole / 10
    assert needed < peak < whole / 4


def test_a_bundle_whose_patches_fill_the_memory_is_refused(tmp_path: Path) -> None:
    grid = {"spacing_mm": (1.0, 1.0, 1.0), "patch": (512, 512, 1024), "overlap": 0.5}
    folder = write_segmenter(tmp_path / "bundles" / "tiny-segmenter-1.0", grid=grid)
    with pytest.raises(
        BundleRefused, match=r"3 classes in patches of 512 × 512 × 1024 .* need 7\.5 GB .* smaller patches"
    ):
        load_any(folder, keys_of(folder))


def test_a_series_for_which_a_segmenter_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_segmenter(tmp_path / "bundles" / "tiny-segmenter-1.0")
    bundle = load_any(folder, keys_of(folder))
    assert isinstance(bundle, SegmenterBundle)
    segmenter = Segmenter(bundle, settings_of(folder), tmp_path / "segmented")
    series = order_series(read_headers(write_phantom(tmp_path / "series", 4.0)))
    monkeypatch.setattr(segmenter_manifest, "MOST_SLAB_BYTES", 300_000)
    with pytest.raises(TooLarge, match=r"3 classes in patches of 16 × 16 × 16 over .* voxels need 0") as refused:
        segmenter.segment(series)
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)
    assert list((tmp_path / "segmented").iterdir()) == []


def test_all_planes_together_are_the_probabilities() -> None:
    values, network = noise((9, 5, 6)), drawn_by_lot(3)
    together = probabilities_of(values, network, 3, Windows((4, 4, 4)))
    assert np.array_equal(together, whole_grid.probabilities_of(values, network, 3, Windows((4, 4, 4))))
