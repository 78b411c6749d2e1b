"""Held-out studies as the bundle's slice encoder sees them: encoded once in parallel processes and kept on disk.

What is kept of a study is small: its tokens, where each finding's strongest patch lies in each slice, which patches the
finding truly touches, and all that is known of the study. Every figure is made from these; no figure encodes again.
"""

import hashlib
import json
import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from rich.progress import track

from models.datasets.cache import code_digest
from models.datasets.study import LabelledStudy
from models.msvlm.runtime import BundleRuntime, StoredSeries, read_manifest
from models.phantoms.findings import FINDINGS, Attributes, Finding
from models.phantoms.report import TrueSentence
from pacs_agent.inference.manifest import Manifest, Precision

Floats = NDArray[np.float32]
AIR_HU = 1024
_ATTRIBUTES = TypeAdapter(dict[Finding, Attributes])
_SENTENCES = TypeAdapter(tuple[TrueSentence, ...])


class HeldOutSource(Protocol):
    """A named collection of labelled studies, each made on demand in whatever process asks."""

    @property
    def name(self) -> str:
        """Name of the collection, fit for a folder."""

    @property
    def code(self) -> tuple[str, ...]:
        """Files and folders below `models` on which its studies depend."""

    def __len__(self) -> int:
        """Number of studies."""

    def study(self, index: int) -> LabelledStudy:
        """A study, always the same for the same index."""

    def traits(self, index: int) -> frozenset[str]:
        """What else is known of a study: "contrast", names of distractors."""


@dataclass(frozen=True, eq=False)
class HeldOutStudy:
    """A study of L slices as the encoder gave it, and the truth. F findings, grid of gr × gc patches."""

    study: str
    patient: str
    traits: frozenset[str]
    tokens: Floats
    """[L, d]."""
    z_mm: Floats
    """[L]."""
    peaks: NDArray[np.uint8]
    """Row and column of each finding's strongest patch, [L, F, 2]."""
    lesion_patches: NDArray[np.bool_]
    """Patches that a finding touches, [L, F, gr, gc]."""
    area_mm2: Floats
    """Area of each finding in each slice, [L, F]."""
    labels: NDArray[np.float64]
    """[F], NaN where not known."""
    located: NDArray[np.bool_]
    """Findings that are there and have a mask, [F]."""
    attributes: dict[Finding, Attributes]
    sentences: tuple[TrueSentence, ...]

    @property
    def slices(self) -> NDArray[np.float64]:
        """1 where a slice shows a finding, [F, L]."""
        return (self.area_mm2 > 0.0).astype(float).T


def stored_series(study: LabelledStudy) -> StoredSeries:
    """A study as a CT stores it: intercept −1024."""
    stored = (study.hu.astype(np.int32) + AIR_HU).astype(np.int16)
    return StoredSeries(stored, 1.0, float(-AIR_HU), study.spacing_mm, study.z_mm)


def encode(runtime: BundleRuntime, study: LabelledStudy, traits: frozenset[str] = frozenset()) -> HeldOutStudy:
    """One study through the bundle's slice encoder."""
    tokens, grids, centres_px = runtime.encode(stored_series(study))
    area, patches = _truth(study, runtime.manifest, centres_px)
    flat = grids.reshape(*grids.shape[:2], -1).argmax(2)
    located = [finding in study.masks and bool(study.masks[finding].any()) for finding in FINDINGS]
    return HeldOutStudy(
        study=study.study,
        patient=study.patient,
        traits=traits,
        tokens=tokens,
        z_mm=study.z_mm.astype(np.float32),
        peaks=np.stack(np.divmod(flat, grids.shape[3]), axis=2).astype(np.uint8),
        lesion_patches=patches,
        area_mm2=area,
        labels=np.array([float(study.labels[f]) if f in study.labels else np.nan for f in FINDINGS]),
        located=np.array(located),
        attributes=study.attributes,
        sentences=study.sentences,
    )


def _truth(study: LabelledStudy, manifest: Manifest, centres_px: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    n, (rows, columns) = len(study.hu), manifest.patch_grid
    area = np.zeros((n, len(FINDINGS)), np.float32)
    patches = np.zeros((n, len(FINDINGS), rows, columns), np.bool_)
    pixel_mm2 = study.spacing_mm[0] * study.spacing_mm[1]
    for number, finding in enumerate(FINDINGS):
        if finding not in study.masks:
            continue
        mask = study.masks[finding]
        area[:, number] = mask.sum((1, 2)) * pixel_mm2
        slices, at_row, at_column = np.nonzero(mask)
        row = patch_of(at_row, centres_px[slices, 0], study.spacing_mm[0], manifest, 0)
        column = patch_of(at_column, centres_px[slices, 1], study.spacing_mm[1], manifest, 1)
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        patches[slices[inside], number, row[inside], column[inside]] = True
    return area, patches


def patch_of(
    pixel: NDArray[np.intp], centre_px: Floats, spacing_mm: float, manifest: Manifest, axis: int
) -> NDArray[np.intp]:
    """Row or column of the patch in which a stored pixel lies; outside the grid where the field does not reach."""
    field_px = (pixel - centre_px) * (spacing_mm / manifest.pixel_mm) + manifest.field_px[axis] / 2.0
    stride = manifest.field_px[axis] / manifest.patch_grid[axis]
    patch: NDArray[np.intp] = np.floor(field_px / stride).astype(np.intp)
    return patch


@dataclass(frozen=True)
class Encoder:
    """Which slice encoder reads the studies: a bundle's folder and one of its precisions."""

    folder: Path
    variant: Precision = "fp32"

    @property
    def digest(self) -> str:
        """Digest of the graph."""
        manifest = read_manifest(self.folder)
        graph = manifest.graphs.slice_encoder if self.variant == "fp32" else manifest.variants[self.variant]
        return graph.sha256


def encoded(encoder: Encoder, source: HeldOutSource, cache: Path, processes: int) -> list[HeldOutStudy]:
    """All studies of a source, encoded; what the cache holds is not encoded again."""
    folder = _folder(encoder, source, cache)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index:05d}.npz" for index in range(len(source))]
    missing = [(source, index, path) for index, path in enumerate(paths) if not path.is_file()]
    if missing:
        context = multiprocessing.get_context("spawn")
        with context.Pool(min(processes, len(missing)), _open, (encoder,)) as pool:
            for _ in track(pool.imap_unordered(_encode, missing), f"encoding {source.name}", total=len(missing)):
                pass
    return [load(path) for path in paths]


def _folder(encoder: Encoder, source: HeldOutSource, cache: Path) -> Path:
    code = code_digest(("evaluation/heldout.py", *source.code))
    key = hashlib.sha256(repr((encoder.digest, code, repr(source))).encode()).hexdigest()[:16]
    return cache / "evaluation" / f"{source.name}-{key}"


_runtime: BundleRuntime
"""The bundle of a worker process."""


def _open(encoder: Encoder) -> None:
    global _runtime
    _runtime = BundleRuntime.open(encoder.folder, threads=1, variant=encoder.variant)


def _encode(task: tuple[HeldOutSource, int, Path]) -> None:
    source, index, path = task
    save(encode(_runtime, source.study(index), source.traits(index)), path)


def save(study: HeldOutStudy, path: Path) -> None:
    """Writes an encoded study; first to a temporary name, so that a cut run leaves no half."""
    facts = {
        "study": study.study,
        "patient": study.patient,
        "traits": sorted(study.traits),
        "attributes": _ATTRIBUTES.dump_python(study.attributes, mode="json"),
        "sentences": _SENTENCES.dump_python(study.sentences, mode="json"),
        "grid": study.lesion_patches.shape,
    }
    arrays: dict[str, Any] = {
        name: getattr(study, name) for name in ("tokens", "z_mm", "peaks", "area_mm2", "labels", "located")
    }
    draft = path.with_suffix(".part.npz")
    np.savez(draft, **arrays, lesion_patches=np.packbits(study.lesion_patches), facts=np.array(json.dumps(facts)))
    draft.replace(path)


def load(path: Path) -> HeldOutStudy:
    """The study of `save`."""
    with np.load(path) as file:
        facts = json.loads(str(file["facts"]))
        bits = np.unpackbits(file["lesion_patches"], count=int(np.prod(facts["grid"])))
        arrays = {name: file[name] for name in ("tokens", "z_mm", "peaks", "area_mm2", "labels", "located")}
    return HeldOutStudy(
        study=facts["study"],
        patient=facts["patient"],
        traits=frozenset(facts["traits"]),
        attributes=_ATTRIBUTES.validate_python(facts["attributes"], strict=False),
        sentences=_SENTENCES.validate_python(facts["sentences"]),
        lesion_patches=bits.reshape(facts["grid"]).astype(np.bool_),
        **arrays,
    )


def labels_of(studies: Sequence[HeldOutStudy]) -> NDArray[np.float64]:
    """Labels [n, F]."""
    return np.stack([study.labels for study in studies])
