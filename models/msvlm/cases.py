"""Phantoms as training material: rendered once, put through the graph's own pre-processing, cached on disk."""

import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from models.msvlm.preprocess import body_centre_px, hounsfield_units, triangle_weights
from models.msvlm.preset import Preset
from models.msvlm.tokenizer import NORMAL_TAG, tag
from models.phantoms import FINDINGS, Phantom, generate

ENOUGH_MM2 = 40.0
"""Area of a finding in a patch from which the patch counts as fully positive."""
VISIBLE_MM2 = 15.0
"""Area of a finding in a slice from which the slice counts as fully positive."""
SPLITS = ("encoder", "reader", "validation", "test")


@dataclass(frozen=True)
class FieldSlices:
    """Slices on the field: HU int16 [n, field, field], patch and slice targets u8 (share × 255), z in mm [n]."""

    hu: NDArray[np.int16]
    patches: NDArray[np.uint8]
    slices: NDArray[np.uint8]
    z_mm: NDArray[np.float32]


@dataclass(frozen=True)
class CachedStudy:
    """A whole phantom: its slices, labels [F] and sentences as (tag, words)."""

    field: FieldSlices
    labels: NDArray[np.float32]
    sentences: tuple[tuple[str, str], ...]


def split_seeds(preset: Preset, split: str) -> range:
    """Phantom seeds of a split; no seed is in two splits."""
    counts = {
        "encoder": preset.amounts.encoder_phantoms,
        "reader": preset.amounts.reader_phantoms,
        "validation": preset.amounts.validation_phantoms,
        "test": preset.amounts.test_phantoms,
    }
    start = 1_000_000 * (SPLITS.index(split) + 1)
    return range(start, start + counts[split])


def field_slices(phantom: Phantom, preset: Preset) -> FieldSlices:
    """A phantom through the pre-processing of the slice encoder, its masks with it."""
    shape, n = preset.network, len(phantom.hu)
    hu = hounsfield_units(torch.from_numpy(phantom.hu), torch.ones(n), torch.zeros(n))
    centre, spacing = body_centre_px(hu), torch.full((n,), phantom.pixel_mm)
    rows, columns = (
        triangle_weights(centre[:, axis], hu.shape[axis + 1], spacing, shape.field_px, shape.pixel_mm)
        for axis in (0, 1)
    )
    columns = columns.transpose(1, 2)
    patches = torch.zeros(n, len(FINDINGS), shape.patch_grid, shape.patch_grid)
    slices = torch.zeros(n, len(FINDINGS))
    for index, finding in enumerate(FINDINGS):
        if finding in phantom.masks:
            mask = torch.from_numpy(phantom.masks[finding]).float()
            patches[:, index] = _patch_share(rows @ mask @ columns, preset)
            slices[:, index] = (mask.sum((1, 2)) * phantom.pixel_mm**2 / VISIBLE_MM2).clamp(max=1.0)
    field = rows @ (hu + 1024.0) @ columns - 1024.0
    return FieldSlices(field.round().to(torch.int16).numpy(), _bytes(patches), _bytes(slices), phantom.z_mm)


def _patch_share(mask: torch.Tensor, preset: Preset) -> torch.Tensor:
    stride = preset.network.field_px // preset.network.patch_grid
    area = torch.nn.functional.avg_pool2d(mask[:, None], stride)[:, 0] * (stride * preset.network.pixel_mm) ** 2
    return (area / ENOUGH_MM2).clamp(0.0, 1.0)


def _bytes(share: torch.Tensor) -> NDArray[np.uint8]:
    return (share * 255.0).round().to(torch.uint8).numpy()


def _tagged(phantom: Phantom) -> tuple[tuple[str, str], ...]:
    return tuple(
        (tag(sentence.kind, sentence.finding) if sentence.finding else NORMAL_TAG, sentence.text)
        for sentence in phantom.sentences
    )


def _render(task: tuple[Preset, str, int, Path]) -> None:
    preset, split, seed, path = task
    torch.set_num_threads(1)
    kept = preset.amounts.encoder_slices if split == "encoder" else None
    phantom = generate(seed, size_px=preset.amounts.phantom_px, kept_slices=kept)
    field = field_slices(phantom, preset)
    labels = np.array([phantom.labels[finding] for finding in FINDINGS], np.float32)
    draft = path.with_suffix(".part.npz")
    np.savez(draft, **vars(field), labels=labels, sentences=np.array(_tagged(phantom)))
    draft.replace(path)


def render_split(preset: Preset, split: str, cache: Path) -> list[Path]:
    """Renders what the cache does not hold yet; gives one file per phantom, in order of seed."""
    folder = cache / "phantoms" / split
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{seed}.npz" for seed in split_seeds(preset, split)]
    missing = [(preset, split, int(path.stem), path) for path in paths if not path.is_file()]
    if missing:
        with multiprocessing.get_context("spawn").Pool(preset.processes) as pool:
            for _ in track(pool.imap_unordered(_render, missing), f"phantoms: {split}", total=len(missing)):
                pass
    return paths


def load_study(path: Path) -> CachedStudy:
    """A cached phantom."""
    with np.load(path) as file:
        field = FieldSlices(file["hu"], file["patches"], file["slices"], file["z_mm"])
        return CachedStudy(field, file["labels"], tuple((str(a), str(b)) for a, b in file["sentences"]))


def load_slices(paths: list[Path]) -> FieldSlices:
    """All slices of many phantoms as one."""
    parts = [load_study(path).field for path in paths]
    names = ("hu", "patches", "slices", "z_mm")
    return FieldSlices(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
