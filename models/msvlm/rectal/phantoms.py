"""Pelvic phantoms as studies on the field: all slices of all series, or a few of them with what their patches show.

Made once and kept on disk. The folder's name holds the digest of all that the content depends on: source code of the
generator and of this package, sizes, amounts.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from models.datasets.cache import code_digest
from models.msvlm.distributed import mapped
from models.msvlm.preprocess import field_weights
from models.msvlm.rectal.acquired import acquired_by_phantom
from models.msvlm.rectal.field import field_of_image
from models.msvlm.rectal.items import step_targets, told_of
from models.msvlm.rectal.preset import SeriesPreset, SeriesShape
from models.msvlm.rectal.structures import DISEASE, STRUCTURES
from models.phantoms.pelvis import PelvisPhantom, Series, generate_pelvis
from pacs_agent.inference.staging.scale import intensity_range

SPLITS = ("encoder", "reader", "validation", "test")
FIRST_SEED = 10_000_000
CODE = (
    *("phantoms/pelvis", "phantoms/canvas.py", "phantoms/scan.py", "msvlm/preprocess.py"),
    *(f"msvlm/rectal/{name}.py" for name in ("phantoms", "acquired", "field", "items", "structures")),
    *(f"pacs_agent/inference/staging/{name}.py" for name in ("acquired", "levels", "scale")),
)
"""What a study on the field depends on."""
ENOUGH = 0.5
"""Share of a patch from which it shows a structure fully; a structure thinner than a patch never fills one."""


class FieldSlices(NamedTuple):
    """Slices of a study: images u8 [n, rows, columns] in 255ths of the intensity range, and where and what they are.

    `centre_mm` [n, 3], `orientation` [n, 6], `ids` i64 [n, 4] (plane, sequence, contrast, phase), `b_value` [n],
    `series` i64 [n] (place among the study's series), and in 255ths what the patches show u8 [n, S, gr, gc], of which
    n is 0 where it was not asked for.
    """

    images: NDArray[np.uint8]
    centre_mm: NDArray[np.float32]
    orientation: NDArray[np.float32]
    ids: NDArray[np.int64]
    b_value: NDArray[np.float32]
    series: NDArray[np.int64]
    patches: NDArray[np.uint8]


@dataclass(frozen=True)
class FieldStudy:
    """A study on the field and what is true of it."""

    name: str
    slices: FieldSlices
    keys: tuple[str, ...]
    """Its series, for example `t2_axial`."""
    taken: NDArray[np.float32]
    known: NDArray[np.bool_]
    """Steps taken and known [C]; see `items.py`."""
    margin_mm: float
    """True distance of tumour and mesorectal fascia; NaN without a tumour, AROUND_MM and over is not told."""


@dataclass(frozen=True)
class Made:
    """One phantom to make: its seed, its split's amounts, and where it is kept."""

    preset: SeriesPreset
    split: str
    seed: int
    path: Path


def seeds_of(preset: SeriesPreset, split: str) -> range:
    """Seeds of a split; no seed is in two splits."""
    first = FIRST_SEED + 1_000_000 * SPLITS.index(split)
    return range(first, first + getattr(preset.data, f"{split}_studies"))


def studies_of(preset: SeriesPreset, split: str, cache: Path) -> list[Path]:
    """The files of a split's studies, in order; makes those that the cache does not hold yet."""
    facts = [code_digest(CODE), preset.data.fineness, preset.data.voxel_mm, preset.network.field_px]
    facts.append(preset.network.pixel_mm)
    if split == "encoder":
        facts += [preset.network.patch_grid, preset.data.encoder_slices]
    folder = cache / "pelvis" / f"{split}-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [Made(preset, split, seed, folder / f"{seed}.npz") for seed in seeds_of(preset, split)]
    missing = [task for task in tasks if not task.path.is_file()]
    for _ in track(_done(missing, preset.processes), f"phantoms: {split}", total=len(missing), disable=not missing):
        pass
    return [task.path for task in tasks]


def _done(tasks: list[Made], processes: int) -> Iterator[None]:
    return mapped(make, tasks, processes) if processes > 1 and tasks else map(make, tasks)


def make(task: Made) -> None:
    """Makes one phantom and keeps it; first under a temporary name, so a cut run leaves no half."""
    data = task.preset.data
    phantom = generate_pelvis(task.seed, fineness=data.fineness, voxel_mm=data.voxel_mm)
    study = on_field(phantom, task.preset.network, data.encoder_slices if task.split == "encoder" else None)
    save(study, task.path)


def on_field(phantom: PelvisPhantom, shape: SeriesShape, kept_slices: int | None = None) -> FieldStudy:
    """All slices of a phantom, or `kept_slices` of them with what their patches show."""
    chosen = _chosen(phantom, kept_slices)
    parts = [
        _series_on_field(place, series, shape, kept, kept_slices is not None)
        for place, (series, kept) in enumerate(zip(phantom.series, chosen, strict=True))
        if len(kept)
    ]
    taken, known = step_targets(told_of(phantom.truth))
    tumour = phantom.truth.tumour
    return FieldStudy(
        name=f"pelvis-{phantom.seed}",
        slices=FieldSlices(*(np.concatenate(values) for values in zip(*parts, strict=True))),
        keys=tuple(series.sequence.key for series in phantom.series),
        taken=taken,
        known=known,
        margin_mm=tumour.fascia_mm if tumour else float("nan"),
    )


def _chosen(phantom: PelvisPhantom, count: int | None) -> list[NDArray[np.intp]]:
    """Slices of each series: all, or half of `count` at random and half through disease."""
    lengths = [len(series.pixels) for series in phantom.series]
    if count is None:
        return [np.arange(length) for length in lengths]
    rng = np.random.default_rng((phantom.seed, 41))
    tissues = [int(tissue) for place in DISEASE for tissue in list(STRUCTURES.values())[place]]
    shown = np.concatenate([np.isin(series.labels, tissues).any(axis=(1, 2)) for series in phantom.series])
    odds = np.where(shown, 1.0 / max(shown.sum(), 1), 0.0) + 1.0 / len(shown)
    picked = rng.choice(len(shown), size=min(count, len(shown)), replace=False, p=odds / odds.sum())
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return [np.sort(picked[(picked >= start) & (picked < end)] - start) for start, end in itertools.pairwise(starts)]


def _series_on_field(
    place: int, series: Series, shape: SeriesShape, kept: NDArray[np.intp], patches: bool
) -> FieldSlices:
    acquired, geometry, n = acquired_by_phantom(series.sequence), series.geometry, len(kept)
    low, high = intensity_range(series.pixels, acquired.sequence)
    shares = ((torch.from_numpy(series.pixels[kept].astype(np.float32)) - low) / (high - low)).clamp(0.0, 1.0)
    spacing = torch.full((n, 2), geometry.pixel_mm)
    images = field_of_image(shares, spacing, shape.field_px, shape.pixel_mm)
    grid = (len(STRUCTURES), *shape.patch_grid)
    return FieldSlices(
        images=_bytes(images),
        centre_mm=np.array([slice_centre_mm(series, index) for index in kept], np.float32).reshape(n, 3),
        orientation=np.tile(np.array(geometry.orientation, np.float32), (n, 1)),
        ids=np.tile(np.array(acquired.ids, np.int64), (n, 1)),
        b_value=np.full(n, acquired.b_value, np.float32),
        series=np.full(n, place, np.int64),
        patches=_patches(series, shape, kept) if patches else np.zeros((0, *grid), np.uint8),
    )


def slice_centre_mm(series: Series, index: int) -> NDArray[np.float64]:
    """Middle of an image in patient coordinates. PS3.3 C.7.6.2.1.1."""
    geometry = series.geometry
    across = 0.5 * (geometry.shape[2] - 1) * geometry.pixel_mm * np.array(geometry.along_rows)
    down = 0.5 * (geometry.shape[1] - 1) * geometry.pixel_mm * np.array(geometry.along_columns)
    middle: NDArray[np.float64] = np.array(geometry.position_mm(index)) + across + down
    return middle


def _patches(series: Series, shape: SeriesShape, kept: NDArray[np.intp]) -> NDArray[np.uint8]:
    """What each patch shows of each structure, as a share of ENOUGH."""
    labels = series.labels[kept]
    rows, columns = labels.shape[1:]
    middle = torch.tensor([[(rows - 1) / 2.0, (columns - 1) / 2.0]])
    spacing = torch.full((1, 2), series.geometry.pixel_mm)
    down, across = field_weights(middle, (rows, columns), spacing, shape.field_px, shape.pixel_mm)
    stride = shape.patch_stride_px
    down = down[0].unflatten(0, (-1, stride)).mean(1)
    across = across[0].unflatten(1, (-1, stride)).mean(2)
    table = np.zeros((len(STRUCTURES), 256), np.float32)
    for place, tissues in enumerate(STRUCTURES.values()):
        table[place, [int(tissue) for tissue in tissues]] = 1.0
    shown = [down @ torch.from_numpy(of[labels]) @ across for of in table]
    return _bytes(torch.stack(shown, dim=1) / ENOUGH)


def _bytes(shares: Tensor) -> NDArray[np.uint8]:
    return (shares.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).numpy()


def save(study: FieldStudy, path: Path) -> None:
    """Writes a study; first under a temporary name."""
    facts = {"name": study.name, "keys": study.keys, "margin_mm": study.margin_mm}
    draft = path.with_name(f".{path.name}")
    with draft.open("wb") as file:
        np.savez(file, taken=study.taken, known=study.known, facts=json.dumps(facts), **study.slices._asdict())
    draft.replace(path)


def load(path: Path) -> FieldStudy:
    """The study of `save`."""
    with np.load(path) as arrays:
        facts: dict[str, Any] = json.loads(str(arrays["facts"]))
        return FieldStudy(
            name=facts["name"],
            slices=FieldSlices(*(arrays[name] for name in FieldSlices._fields)),
            keys=tuple(facts["keys"]),
            taken=arrays["taken"],
            known=arrays["known"],
            margin_mm=facts["margin_mm"],
        )
