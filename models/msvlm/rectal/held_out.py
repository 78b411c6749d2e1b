"""Phantoms that no training has seen, encoded from stored values by the bundle's own slice encoder.

Each is made once: its tokens and what its slices truly show are kept beside the run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from models.datasets.cache import code_digest
from models.msvlm.distributed import mapped
from models.msvlm.rectal.items import told_of
from models.msvlm.rectal.phantoms import CODE, seeds_of
from models.msvlm.rectal.preset import SeriesPreset
from models.msvlm.rectal.runtime import SeriesRuntime
from models.msvlm.rectal.shown import Shown, shown_of
from models.msvlm.rectal.stored import SliceEncoding, encoded, stored_phantom
from models.msvlm.rectal.studies import SeriesStudy
from models.msvlm.whole_file import save_whole
from models.phantoms.pelvis import PelvisPhantom, generate_pelvis

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class HeldOut:
    """A test study as tokens, and what its slices truly show."""

    study: SeriesStudy
    shown: Shown


@dataclass(frozen=True)
class _Made:
    """One test study to make with the bundle in a folder."""

    bundle: Path
    preset: SeriesPreset
    seed: int
    path: Path
    threads: int


def held_out(bundle: Path, preset: SeriesPreset, cache: Path) -> list[HeldOut]:
    """The test studies of a preset; kept by the digests of the bundle's slice encoder and of the phantoms' code."""
    encoder = SeriesRuntime.open(bundle, threads=1).manifest.slice_encoder.sha256[:12]
    folder = cache / preset.name / f"test-{encoder}-{code_digest((*CODE, 'msvlm/rectal/shown.py'))[:8]}"
    threads = 1 if preset.processes > 1 else 0
    tasks = [_Made(bundle, preset, seed, folder / f"{seed}.pt", threads) for seed in seeds_of(preset, "test")]
    missing = [task for task in tasks if not task.path.is_file()]
    for _ in track(_done(missing, preset.processes), "test studies", total=len(missing), disable=not missing):
        pass
    return [_load(task.path) for task in tasks]


def _done(tasks: list[_Made], processes: int) -> Iterator[None]:
    return mapped(_make, tasks, processes) if processes > 1 and tasks else map(_make, tasks)


def _make(task: _Made) -> None:
    one = held_out_phantom(SeriesRuntime.open(task.bundle, task.threads), task.preset, task.seed)
    shown = {name: torch.from_numpy(values) for name, values in vars(one.shown).items()}
    save_whole({"study": vars(one.study), "shown": shown}, task.path)


def _load(path: Path) -> HeldOut:
    kept: dict[str, Any] = torch.load(path, weights_only=True)
    shown = {name: values.numpy() for name, values in kept["shown"].items()}
    return HeldOut(SeriesStudy(**kept["study"]), Shown(**shown))


def held_out_phantom(runtime: SeriesRuntime, preset: SeriesPreset, seed: int) -> HeldOut:
    """A phantom as tokens, and what its slices truly show."""
    phantom, marked = _phantom(preset, seed), _Marked(runtime)
    study = _encoded(marked, phantom)
    return HeldOut(study, shown_of(phantom, preset.network, np.concatenate(marked.grids)))


def encoded_phantom(runtime: SeriesRuntime, preset: SeriesPreset, seed: int) -> SeriesStudy:
    """The tokens of all series of a phantom, and what is true of it."""
    return _encoded(runtime, _phantom(preset, seed))


@dataclass
class _Marked:
    """A bundle's slice encoder that keeps what it marks on patches, series by series."""

    runtime: SeriesRuntime
    grids: list[Floats] = field(default_factory=list)

    @property
    def patch_mm(self) -> float:
        return self.runtime.patch_mm

    def encode(
        self, stored: NDArray[np.int16], intensities: tuple[Floats, Floats], spacing_mm: tuple[float, float]
    ) -> tuple[Floats, Floats]:
        tokens, grids = self.runtime.encode(stored, intensities, spacing_mm)
        self.grids.append(grids)
        return tokens, grids


def _phantom(preset: SeriesPreset, seed: int) -> PelvisPhantom:
    return generate_pelvis(seed, fineness=preset.data.fineness, voxel_mm=preset.data.voxel_mm)


def _encoded(encoder: SliceEncoding, phantom: PelvisPhantom) -> SeriesStudy:
    tumour = phantom.truth.tumour
    margin_mm = tumour.fascia_mm if tumour else float("nan")
    series = [stored_phantom(one) for one in phantom.series]
    return encoded(encoder, f"pelvis-{phantom.seed}", series, told_of(phantom.truth), margin_mm)
