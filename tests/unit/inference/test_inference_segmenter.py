"""A phantom whose two lungs and nodule are known, through the tiny segmenter."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from segmented_phantom import NODULE_HU, NODULE_MM, lung_ml, write_phantom
from tiny_bundle import keys_of, settings_of
from tiny_segmenter import write_segmenter

from pacs_agent.imaging import OrderedSeries, order_series, read_headers
from pacs_agent.inference import SegmenterBundle, load_any, segmented_store
from pacs_agent.inference.segmented_store import SegmentedStore
from pacs_agent.inference.segmenter import Segmented, Segmenter


def phantom(folder: Path, gap_mm: float = 2.0, direction: tuple[int, ...] = (1, 0, 0, 0, 1, 0)) -> OrderedSeries:
    return order_series(read_headers(write_phantom(folder, gap_mm, direction)))


@pytest.fixture
def segmenter(tmp_path: Path) -> Segmenter:
    folder = write_segmenter(tmp_path / "bundles" / "tiny-segmenter-1.0")
    bundle = load_any(folder, keys_of(folder))
    assert isinstance(bundle, SegmenterBundle)
    return Segmenter(bundle, settings_of(folder), tmp_path / "segmented")


@pytest.mark.parametrize("gap_mm", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("direction", [(1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, -1, 0)])
def test_lungs_and_nodule_of_a_phantom(segmenter: Segmenter, tmp_path: Path, gap_mm: float, direction: tuple) -> None:
    series = phantom(tmp_path / "series", gap_mm, direction)
    told: list[int] = []
    done = segmenter.segment(series, lambda at, of: told.append(at))
    found = segmenter.segmentation(series, done)
    assert found.model.name == "tiny-segmenter"
    assert [(one.structure.key, one.side) for one in found.regions] == [
        ("lung", "right"),
        ("lung", "left"),
        ("lung_nodule", "left"),
    ]
    for one in found.regions[:2]:
        assert one.measured.volume_ml == pytest.approx(lung_ml(one.side), rel=0.03)
    nodule = found.regions[2]
    ball_ml = 4 / 3 * np.pi * NODULE_MM**3 / 1000
    assert nodule.measured.volume_ml == pytest.approx(ball_ml, rel=0.15 if gap_mm < 3 else 0.25)
    assert nodule.measured.longest_diameter_mm == pytest.approx(2 * NODULE_MM, abs=2)
    assert nodule.measured.mean_hu == pytest.approx(NODULE_HU, abs=250)
    where_mm = np.mean(nodule.measured.diameter_ends_mm, axis=0)
    assert where_mm == pytest.approx([88, 47, 30], abs=2.5)
    assert told == sorted(told)
    assert told[0] < 20
    assert told[-1] == 80


def test_what_is_gone_is_segmented_again(segmenter: Segmenter, tmp_path: Path) -> None:
    series = phantom(tmp_path / "series", 4.0)
    done = segmenter.segment(series)
    kept = segmenter.segmentation(series, done)
    (file,) = (tmp_path / "segmented").iterdir()
    for broken in (file.read_bytes()[:-200], b"", b"PK"):
        file.write_bytes(broken)
        again = segmenter.segmentation(series, done)
        assert [one.crop.tobytes() for one in again.regions] == [one.crop.tobytes() for one in kept.regions]
        assert [one.measured for one in again.regions] == [one.measured for one in kept.regions]
    assert segmenter.segment(series) == done
    assert Segmented.model_validate_json(done.model_dump_json()) == done


def test_it_can_be_stopped(segmenter: Segmenter, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done > 25:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        segmenter.segment(phantom(tmp_path / "series", 4.0), stop)
    assert list((tmp_path / "segmented").iterdir()) == []


def test_the_store_is_bounded(segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series = phantom(tmp_path / "series", 4.0)
    done = segmenter.segment(series)
    regions = segmenter.segmentation(series, done).regions
    store = SegmentedStore(tmp_path / "segmented")
    (path,) = store.folder.iterdir()
    long_ago_s = time.time() - segmented_store.KEPT_S - 60
    os.utime(path, (long_ago_s, long_ago_s))
    fewer = store.keep("1.2.3", regions[:1])
    assert [one.name.partition("-")[2] for one in store.folder.iterdir()] == [f"{fewer}.npz"]
    monkeypatch.setattr(segmented_store, "MOST_BYTES", path.stat().st_size if path.exists() else 600)
    last = store.keep("1.2.3", regions[1:2])
    assert last not in (fewer, done.regions)
    assert len(list(store.folder.iterdir())) <= 1
