"""Phantoms as slice tokens of a bundle's encoder, through onnxruntime: made once, kept on disk by content.

Every STEP-th slice becomes a token; the texts are of all slices. What a report would say of a study stands beside it:
labels and attributes of its findings, not where they lie.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from models.datasets.cache import code_digest
from models.datasets.fields import FieldStudy, StudyFacts, on_field
from models.datasets.phantoms import PhantomSource
from models.evaluation.heldout import stored_series
from models.gtgm.pretrain.captions import writings_of
from models.gtgm.sequence.variants import VARIANTS, UnreportedStudy, write_moved
from models.gtgm.volume import Modality, Volume
from models.msvlm.preset import NetworkShape
from models.msvlm.runtime import BundleRuntime, StoredSeries, read_manifest, session
from models.msvlm.studies import EncodedStudy

Floats = NDArray[np.float32]
STEP = 2
"""Every second slice: a phantom then has some 45 tokens, 5 to 8 mm apart, at half the cost."""
CODE = (
    *("phantoms", "datasets/phantoms.py", "datasets/fields.py", "msvlm/preprocess.py", "msvlm/runtime.py"),
    *("gtgm/facts", "gtgm/text", "gtgm/pretrain/captions.py", "gtgm/sequence/tokens.py", "gtgm/sequence/variants.py"),
)


@dataclass(frozen=True, eq=False)
class TokenStudy:
    """A study without its report, and with it."""

    unreported: UnreportedStudy
    reported: EncodedStudy


@dataclass(frozen=True)
class TokenMaker:
    """A bundle's slice encoder for the fields of one shape. `described`: with window variants and texts."""

    bundle: Path
    shape: NetworkShape
    described: bool = True

    def encoders(self, folder: Path) -> list[BundleRuntime]:
        """The bundle, and the same with its windows moved; the moved graphs are written into `folder`."""
        graph = self.bundle / read_manifest(self.bundle).graphs.slice_encoder.file
        runtimes = [BundleRuntime.open(self.bundle, threads=1) for _ in range(VARIANTS if self.described else 1)]
        for seed, runtime in enumerate(runtimes[1:], start=1):
            runtime.encoder = session(write_moved(graph, folder / f"moved-{seed}.onnx", seed), threads=1)
        return runtimes

    def folder(self, source: PhantomSource, cache: Path) -> Path:
        """Where the studies of a source lie; its name holds the digest of all that they depend on."""
        graph = read_manifest(self.bundle).graphs.slice_encoder.sha256
        parts = (graph, code_digest(CODE), repr(replace(source, seeds=range(0))), repr(self.shape), self.described)
        return cache / f"{source.name}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"

    def studies(self, source: PhantomSource, cache: Path) -> list[TokenStudy]:
        """All phantoms of a source; those that the cache holds are not made again."""
        folder = self.folder(source, cache)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{seed:07d}.npz" for seed in source.seeds]
        missing = [index for index, path in enumerate(paths) if not path.is_file()]
        encoders = self.encoders(folder) if missing else []
        for index in track(missing, f"slice tokens: {source.name}", disable=not missing):
            self.make(encoders, source, index, paths[index])
        return [load(path) for path in paths]

    def make(self, encoders: Sequence[BundleRuntime], source: PhantomSource, index: int, path: Path) -> None:
        """Renders, encodes and describes one phantom, and keeps what came of it."""
        study = source.study(index)
        series, field = thinned(stored_series(study)), on_field(study, self.shape, patches=False)
        tokens = np.stack([encoder.encode(series).tokens for encoder in encoders])
        texts = writings_of(field_volume(field, self.shape.pixel_mm), source.seeds[index]) if self.described else ()
        save(tokens, series.z_mm, texts, field.facts, path)


def thinned(series: StoredSeries) -> StoredSeries:
    """Every STEP-th slice of a series."""
    return replace(series, stored=series.stored[::STEP], z_mm=series.z_mm[::STEP])


def field_volume(study: FieldStudy, pixel_mm: float) -> Volume:
    """The field of a study as a volume [z, y, x] of which facts can be computed; slices in ascending z."""
    order = np.argsort(study.slices["z_mm"], kind="stable")
    z_mm = study.slices["z_mm"][order]
    distance = float(np.median(np.diff(z_mm))) if len(z_mm) > 1 else pixel_mm
    return Volume(study.slices["hu"][order].astype(np.float32), (max(distance, 0.1), pixel_mm, pixel_mm), Modality.CT)


def save(tokens: Floats, z_mm: Floats, texts: tuple[tuple[str, ...], ...], facts: StudyFacts, path: Path) -> None:
    """Writes a study; first to a temporary name, so that a cut run leaves no half. Tokens [variants, L, d] as f16."""
    draft = path.with_suffix(".part.npz")
    np.savez(
        draft,
        tokens=tokens.astype(np.float16),
        z_mm=z_mm.astype(np.float32),
        texts=np.array(json.dumps(texts)),
        labels=facts.label_targets(),
        known=facts.known(),
        attributes=facts.attribute_targets(),
        attributes_known=facts.attributes_known(),
    )
    draft.replace(path)


def load(path: Path) -> TokenStudy:
    """The study of `save`."""
    with np.load(path) as file:
        tokens, z_mm = torch.from_numpy(file["tokens"].astype(np.float32)), torch.from_numpy(file["z_mm"])
        writings = tuple(tuple(text) for text in json.loads(str(file["texts"])))
        known = {name: torch.from_numpy(file[name]) for name in ("labels", "known", "attributes", "attributes_known")}
    findings = len(known["labels"])
    reported = EncodedStudy(
        tokens=tokens[0],
        z_mm=z_mm,
        slices=torch.zeros(len(z_mm), findings),
        located=torch.zeros(findings, dtype=torch.bool),
        sentences=(),
        **known,
    )
    return TokenStudy(UnreportedStudy(tuple(tokens), z_mm, writings), reported)


def of_class(study: TokenStudy, width: int) -> TokenStudy:
    """The study with [CLS] alone in its tokens, as MS-VLM is published; `width` is that of [CLS]."""
    variants = tuple(tokens[:, :width] for tokens in study.unreported.variants)
    unreported = replace(study.unreported, variants=variants)
    return TokenStudy(unreported, replace(study.reported, tokens=variants[0]))
