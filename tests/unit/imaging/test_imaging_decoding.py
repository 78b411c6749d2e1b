"""Codecs work in processes of their own; one that dies or never ends costs its slice and nothing else."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from imaging_slices import ct_slice, enhanced_ct, saved, stack
from pydicom.uid import JPEGLSLossless, RLELossless

from pacs_agent.config import DecodingSettings
from pacs_agent.imaging import DecodingPool, UnusableSlice, order_series, read_headers, read_slices
from pacs_agent.imaging import decoding as decoding_module
from pacs_agent.imaging.decoding import DecodingProcess

SETTINGS = DecodingSettings(processes=1, memory_mb=1024, slice_s=20)


@pytest.fixture(scope="module")
def pool() -> Iterator[DecodingPool]:
    pool = DecodingPool(SETTINGS)
    yield pool
    pool.close()


def compressed(tmp_path: Path, count: int = 3, syntax: str = RLELossless):
    datasets = stack(count)
    for dataset in datasets:
        dataset.compress(syntax, generate_instance_uid=False)
    return order_series(read_headers(saved(datasets, tmp_path)))


def the_process(pool: DecodingPool) -> DecodingProcess:
    process = pool._idle.get()
    pool._idle.put(process)
    return process


def test_the_same_values_as_in_this_process(tmp_path: Path, pool: DecodingPool) -> None:
    series = compressed(tmp_path)
    for here, there in zip(read_slices(series), pool.read(series.slices), strict=True):
        np.testing.assert_array_equal(here, there)
        assert (here.dtype, here.shape) == (there.dtype, there.shape)


def test_frames_of_one_file_and_native_ones(tmp_path: Path, pool: DecodingPool) -> None:
    enhanced = enhanced_ct([(0, 0, 2.0 * number) for number in range(4)])
    enhanced.compress(JPEGLSLossless, generate_instance_uid=False)
    for series in (order_series(read_headers(saved(some, tmp_path))) for some in ([enhanced], stack(2))):
        here, there = list(read_slices(series)), list(pool.read(series.slices))
        np.testing.assert_array_equal(here, there)


def test_no_codec_is_started_for_native_slices(tmp_path: Path, pool: DecodingPool, monkeypatch) -> None:
    monkeypatch.setattr(decoding_module, "DecodingProcess", None)
    series = order_series(read_headers(saved(stack(2), tmp_path)))
    assert len(list(pool.read(series.slices))) == 2


def test_a_broken_slice_stops_no_other(tmp_path: Path, pool: DecodingPool) -> None:
    series = compressed(tmp_path)
    path = series.slices[1].path
    path.write_bytes(path.read_bytes()[:-100])
    first, broken, last = pool.read_each(series.slices)
    assert isinstance(broken, UnusableSlice)
    assert broken.sop_instance_uid == series.slices[1].sop_instance_uid
    with pytest.raises(UnusableSlice) as here:
        list(read_slices(series))
    assert broken.args == here.value.args
    assert isinstance(first, np.ndarray)
    assert isinstance(last, np.ndarray)


def test_a_decoder_that_is_killed_is_replaced(tmp_path: Path, pool: DecodingPool) -> None:
    series = compressed(tmp_path)
    list(pool.read(series.slices))
    killed = the_process(pool)
    os.kill(killed.pid, signal.SIGKILL)
    while killed.is_alive():
        time.sleep(0.01)
    assert len(list(pool.read(series.slices))) == 3
    assert the_process(pool).pid != killed.pid


def test_a_decoder_that_never_ends_is_killed_and_its_slice_given_up(tmp_path: Path, pool: DecodingPool) -> None:
    """SIGSTOP stands for an endless loop within a codec: nothing but SIGKILL ends either."""
    series = compressed(tmp_path)
    list(pool.read(series.slices))
    stuck = the_process(pool)
    stuck.settings = DecodingSettings(slice_s=0.2)
    os.kill(stuck.pid, signal.SIGSTOP)
    first, *others = pool.read_each(series.slices)
    assert isinstance(first, UnusableSlice)
    assert "did not end within 0.2 s" in first.reason
    assert all(isinstance(other, np.ndarray) for other in others)
    assert not stuck.is_alive()


def test_a_decoder_that_dies_at_work(tmp_path: Path, pool: DecodingPool) -> None:
    series = compressed(tmp_path)
    list(pool.read(series.slices))
    dying = the_process(pool)
    os.kill(dying.pid, signal.SIGSTOP)
    threading.Timer(0.2, os.kill, (dying.pid, signal.SIGKILL)).start()
    first, *others = pool.read_each(series.slices)
    assert isinstance(first, UnusableSlice)
    assert "died of signal 9" in first.reason
    assert len(others) == 2


def test_memory_is_limited(tmp_path: Path) -> None:
    pool = DecodingPool(DecodingSettings(processes=1, memory_mb=512, slice_s=20))
    dataset = ct_slice(pixels=np.zeros((8000, 8000), np.int16))
    dataset.compress(RLELossless, generate_instance_uid=False)
    series = order_series(read_headers(saved([dataset], tmp_path)))
    try:
        [decoded] = pool.read_each(series.slices)
    finally:
        pool.close()
    assert isinstance(decoded, UnusableSlice)


def test_it_ends_with_its_parent(tmp_path: Path, pool: DecodingPool) -> None:
    list(pool.read(compressed(tmp_path).slices))
    process = the_process(pool)
    process._process.stdin.close()
    assert process._process.wait(timeout=20) == 0


def test_secrets_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACS_AGENT_WEB__TOKEN", "secret")
    process = DecodingProcess(SETTINGS)
    try:
        assert b"PACS_AGENT_WEB" not in Path(f"/proc/{process.pid}/environ").read_bytes()
    finally:
        process.end()
