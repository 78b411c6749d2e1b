"""What a segmenter needs is bounded and known before it is taken: memory by the grid, disk by the series."""

import errno
import os
from pathlib import Path

import pytest
from segmented_phantom import write_phantom
from tiny_bundle import keys_of, settings_of
from tiny_segmenter import write_segmenter

from pacs_agent.imaging import OrderedSeries, UnusableSeries, order_series, read_headers
from pacs_agent.inference import SegmenterBundle, load_any
from pacs_agent.inference import segmenter as module
from pacs_agent.inference.segmenter import Segmenter


@pytest.fixture
def segmenter(tmp_path: Path) -> Segmenter:
    folder = write_segmenter(tmp_path / "bundles" / "tiny-segmenter-1.0")
    bundle = load_any(folder, keys_of(folder))
    assert isinstance(bundle, SegmenterBundle)
    return Segmenter(bundle, settings_of(folder), tmp_path / "segmented")


@pytest.fixture
def series(tmp_path: Path) -> OrderedSeries:
    return order_series(read_headers(write_phantom(tmp_path / "series", 4.0)))


def test_a_full_disk_is_told_before_anything_is_written(
    segmenter: Segmenter, series: OrderedSeries, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        segmenter.segment(series)


def test_images_as_large_as_no_body_are_refused(
    segmenter: Segmenter, series: OrderedSeries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_VOXELS", 10_000)
    with pytest.raises(UnusableSeries, match="voxels"):
        segmenter.segment(series)
