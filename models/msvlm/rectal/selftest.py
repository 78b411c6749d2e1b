"""The self-test of a bundle that reads several series: a tiny fixed study with what this model must say of it.

Layout and tolerances: `pacs_agent/inference/staging/self_test.py`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.msvlm.rectal.items import SCALES
from models.msvlm.rectal.runtime import SeriesRuntime
from models.msvlm.rectal.sentences import prompt_word
from pacs_agent.imaging import Plane
from pacs_agent.inference.staging.acquired import PLANES, SequenceId

FILE = "self_test.npz"
SLICES, SIDE_PX, PIXEL_MM, GAP_MM = 6, 96, 2.2, 8.0
_ORIENTATIONS = {
    Plane.AXIAL: (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    Plane.SAGITTAL: (0.0, 1.0, 0.0, 0.0, 0.0, -1.0),
}


def self_test_study() -> dict[str, NDArray[Any]]:
    """Six axial and six sagittal coarse slices of a bright ring with a grey ball in it, from arithmetic alone."""
    parts = [_slices(plane) for plane in _ORIENTATIONS]
    given = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return given | {"spacing_mm": np.array([PIXEL_MM, PIXEL_MM], np.float32)}


def _slices(plane: Plane) -> dict[str, NDArray[Any]]:
    orientation = np.array(_ORIENTATIONS[plane])
    right, down = orientation[:3], orientation[3:]
    places_mm = (np.arange(SLICES) - (SLICES - 1) / 2.0) * GAP_MM
    centres = places_mm[:, None] * np.cross(right, down)
    grid = (np.arange(SIDE_PX) - (SIDE_PX - 1) / 2.0) * PIXEL_MM
    points = centres[:, None, None] + grid[:, None, None] * down + grid[None, :, None] * right
    away_mm = np.linalg.norm(points[..., :2], axis=-1)
    lesion_mm = np.linalg.norm(points - np.array([10.0, 6.0, 0.0]), axis=-1)
    values = np.where(away_mm < 90.0, 700.0, 40.0)
    values[away_mm < 35.0] = 1100.0
    values[away_mm < 18.0] = 300.0
    values[lesion_mm < 14.0] = 520.0
    texture = ((np.arange(SIDE_PX)[:, None] * 7 + np.arange(SIDE_PX) * 13) % 11 - 5.0) * 6.0
    return {
        "stored": np.round(values + texture).astype(np.int16),
        "low": np.full(SLICES, 20.0, np.float32),
        "high": np.full(SLICES, 1200.0, np.float32),
        "centre_mm": centres.astype(np.float32),
        "orientation": np.tile(orientation.astype(np.float32), (SLICES, 1)),
        "plane": np.full(SLICES, PLANES.index(plane), np.int64),
        "sequence": np.full(SLICES, SequenceId.T2, np.int64),
        "contrast": np.zeros(SLICES, np.int64),
        "phase": np.zeros(SLICES, np.int64),
        "b_value": np.zeros(SLICES, np.float32),
    }


def write_self_test(folder: Path, runtime: SeriesRuntime) -> Path:
    """Reads the fixed study with the graphs of a bundle and writes what they say."""
    given = self_test_study()
    tokens, grids = runtime.encode(given["stored"], (given["low"], given["high"]), (PIXEL_MM, PIXEL_MM))
    placed = {name: value[None] for name, value in given.items() if name not in ("stored", "low", "high", "spacing_mm")}
    mask = np.ones((1, len(tokens)), np.bool_)
    names = ["step_logits", "slice_attention", "visual_tokens"]
    steps, attention, visual = runtime.reader.run(names, {"tokens": tokens[None], "mask": mask, **placed})
    prompts = [prompt_word(scale.item, level) for scale in SCALES for level in range(len(scale.levels))]
    said = runtime.decoded(prompts, visual[0])
    path = folder / "self_test" / FILE
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        path,
        **given,
        token_sums=tokens.sum(axis=1),
        grid_sums=grids.sum(axis=(1, 2, 3)),
        step_logits=steps[0],
        slice_attention=attention[0],
        prompts=np.array(prompts),
        sentences=np.array([text or "" for text in said]),
    )
    return path
