"""The bundle's self-test: a tiny fixed study with what this model must say of it on every machine.

`self_test/self_test.npz` holds `stored` int16 [L, rows, columns], `slope`, `intercept`, `spacing_mm` [2], `z_mm` [L]
and the expected `probabilities` [F], `finding_logits` [F], `slice_weights` [F, L], `token_sums` [L] and `sentences`
(str [S], in the order of `tags` str [S]). Tolerance 1e-3; sentences must be equal.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.msvlm.runtime import BundleRuntime, StoredSeries
from pacs_agent.inference.manifest import FindingEntry

FILE = "self_test.npz"
SLICES, SIDE_PX = 8, 96


def self_test_series() -> StoredSeries:
    """Eight coarse slices of body, lungs and a dense ball, from arithmetic alone."""
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX].astype(np.float32)
    y, x = (rows - 46.0) * 4.0, (columns - 50.0) * 4.0
    volume = np.full((SLICES, SIDE_PX, SIDE_PX), -1000.0, np.float32)
    volume[:, (x / 165.0) ** 2 + (y / 115.0) ** 2 < 1.0] = 40.0
    for side in (-1.0, 1.0):
        volume[:, ((x - side * 75.0) / 55.0) ** 2 + (y / 85.0) ** 2 < 1.0] = -850.0
    for index in range(SLICES):
        radius = 40.0 - 8.0 * abs(index - 4)
        volume[index, (x - 75.0) ** 2 + (y - 40.0) ** 2 < max(radius, 0.0) ** 2] = 30.0
    texture = ((rows * 7 + columns * 13) % 11 - 5.0) * 6.0
    stored = np.round(volume + texture + 1024.0).astype(np.int16)
    return StoredSeries(stored, 1.0, -1024.0, (4.0, 4.0), np.arange(SLICES, dtype=np.float32) * 30.0)


def write_self_test(folder: Path, findings: Sequence[FindingEntry]) -> Path:
    """Reads the fixed study with the graphs in `folder` and writes what they say."""
    series, runtime = self_test_series(), BundleRuntime(folder, findings, threads=1)
    tokens, _ = runtime.encode(series)
    reading = runtime.read(tokens, series.z_mm)
    tags = runtime.tags(reading.probabilities)
    path = folder / "self_test" / FILE
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        path,
        stored=series.stored,
        slope=series.slope,
        intercept=series.intercept,
        spacing_mm=np.asarray(series.spacing_mm, np.float32),
        z_mm=series.z_mm,
        finding_logits=reading.logits,
        probabilities=reading.probabilities,
        slice_weights=reading.slice_weights,
        token_sums=tokens.sum(1),
        tags=np.array(tags),
        sentences=np.array(runtime.decode(tags, reading.visual_tokens)),
    )
    return path
