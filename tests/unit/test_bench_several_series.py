"""The benchmark's figures of several series: which slices are sent, and the row."""

from collections import Counter
from pathlib import Path

import pydicom
import pytest

from tests.bench.several_series import SLICES, pelvis, row
from tests.bench.streaming import Way


def test_the_medians_stand_beside_each_other() -> None:
    ways = {"MR": [Way(3.0, {}, 50.0), Way(4.0, {}, 50.0), Way(9.0, {}, 50.0)], "CT": [Way(2.0, {}, 50.0)] * 3}
    made = row(ways)
    assert (made.ours, made.peer_value, made.ratio) == (4.0, 2.0, 2.0)


def test_as_many_slices_of_each_of_six_series(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in pelvis(tmp_path)]
    assert set(Counter(one.SeriesInstanceUID for one in headers).values()) == {SLICES // 6}
    assert len({one.StudyInstanceUID for one in headers}) == 1
    diffusion = Counter(one.DiffusionBValue for one in headers if "DiffusionBValue" in one)
    assert len(set(diffusion.values())) == 1
