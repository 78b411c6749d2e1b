"""The bundle's self-test: a tiny fixed study with what this model must say of it on every machine.

Layout and tolerances: `pacs_agent/inference/self_test.py`.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.msvlm.runtime import BundleRuntime, Reading, StoredSeries
from pacs_agent.inference.manifest import Manifest, Precision

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


def write_self_test(folder: Path, manifest: Manifest) -> Path:
    """Reads the fixed study with the graphs in `folder`, in every precision, and writes what they say."""
    series = self_test_series()
    precisions: list[Precision] = ["fp32", *manifest.variants]
    runtimes = [BundleRuntime(folder, manifest, precision, threads=1) for precision in precisions]
    numbers, readings = zip(*(_numbers(runtime, series) for runtime in runtimes), strict=True)
    prompts = runtimes[0].prompts(readings[0])
    path = folder / "self_test" / FILE
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        path,
        stored=series.stored,
        slope=series.slope,
        intercept=series.intercept,
        spacing_mm=np.asarray(series.spacing_mm, np.float32),
        z_mm=series.z_mm,
        prompts=np.array(prompts),
        sentences=np.array(runtimes[0].decode(prompts, readings[0].visual_tokens)),
        **{name: values for one in numbers for name, values in one.items()},
    )
    return path


def _numbers(runtime: BundleRuntime, series: StoredSeries) -> tuple[dict[str, NDArray[np.float32]], Reading]:
    """What one precision says, under the names of the self-test."""
    encoding = runtime.encode(series, batch=8)
    reading = runtime.read(encoding.tokens, series.z_mm)
    numbers = {
        "token_sums": encoding.tokens.sum(axis=1),
        "grid_sums": encoding.grids.sum(axis=(1, 2, 3)),
        "field_centre_px": encoding.centres_px,
        "finding_logits": reading.logits,
        "probabilities": reading.probabilities,
        "slice_weights": reading.slice_weights,
        "slice_attention": reading.slice_attention,
        "attribute_logits": reading.attribute_logits,
    }
    return {f"{runtime.variant}.{name}": values for name, values in numbers.items()}, reading
