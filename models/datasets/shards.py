"""Labelled studies on disk in shards: for volumes that are slow to read or to make, read back in any order.

A shard is `NNNN.npz` with HU, z and masks of a few studies, and `NNNN.json` with all else that is known of them; the
JSON file is written last, so that a shard is whole or missing, and a cut run goes on where it stopped. A study is read
from its shard alone: memory holds one study, however many there are.
"""

import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from rich.progress import track

from models.datasets.study import LabelledStudy
from models.phantoms.findings import Attributes, Finding
from models.phantoms.report import TrueSentence


class ShardFault(ValueError):
    """A shard is missing or broken; says which, and what to do."""


class Source(Protocol):
    """Studies by number, always the same for the same number."""

    def __len__(self) -> int:
        """How many there are."""

    def study(self, index: int) -> LabelledStudy:
        """One of them."""


@dataclass(frozen=True)
class ShardedStudy:
    """What a shard's JSON file says of a study: everything but its arrays."""

    patient: str
    study: str
    source: str
    spacing_mm: tuple[float, float]
    labels: dict[Finding, bool] = field(default_factory=dict)
    masked: tuple[Finding, ...] = ()
    """Findings with a mask, in the order in which the masks lie in the shard."""
    attributes: dict[Finding, Attributes] = field(default_factory=dict)
    sentences: tuple[TrueSentence, ...] = ()


_SHARD = TypeAdapter(tuple[ShardedStudy, ...])


def write_shard(studies: Sequence[LabelledStudy], path: Path) -> None:
    """Writes one shard; `path` ends in .npz, its JSON file lies beside it."""
    arrays: dict[str, NDArray[np.generic]] = {}
    facts = []
    for number, study in enumerate(studies):
        masked = tuple(study.masks)
        arrays[f"{number}/hu"], arrays[f"{number}/z_mm"] = study.hu, study.z_mm
        for place, finding in enumerate(masked):
            arrays[f"{number}/mask{place}"] = np.packbits(study.masks[finding])
        facts.append(
            ShardedStudy(
                patient=study.patient,
                study=study.study,
                source=study.source,
                spacing_mm=study.spacing_mm,
                labels=study.labels,
                masked=masked,
                attributes=study.attributes,
                sentences=study.sentences,
            )
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part.npz")
    np.savez_compressed(draft, allow_pickle=False, **arrays)
    draft.replace(path)
    draft = path.with_suffix(".part")
    draft.write_bytes(_SHARD.dump_json(tuple(facts)))
    draft.replace(path.with_suffix(".json"))


def read_study(path: Path, number: int, facts: ShardedStudy) -> LabelledStudy:
    """One study of a shard. Raises ShardFault when the shard is cut off or lacks it."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            hu, z_mm = arrays[f"{number}/hu"], arrays[f"{number}/z_mm"]
            packed = [arrays[f"{number}/mask{place}"] for place in range(len(facts.masked))]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ShardFault(f"{path} cannot be read ({error}): delete it with its .json file and write it anew") from error
    masks = {
        finding: np.unpackbits(bits, count=hu.size).reshape(hu.shape).astype(bool)
        for finding, bits in zip(facts.masked, packed, strict=True)
    }
    return LabelledStudy(
        patient=facts.patient,
        study=facts.study,
        source=facts.source,
        hu=hu,
        z_mm=z_mm,
        spacing_mm=facts.spacing_mm,
        labels=facts.labels,
        masks=masks,
        attributes=facts.attributes,
        sentences=facts.sentences,
    )


@dataclass(frozen=True)
class ShardedStudies:
    """All studies of a folder of shards. Itself a source of studies."""

    folder: Path

    @cached_property
    def index(self) -> tuple[tuple[Path, int, ShardedStudy], ...]:
        """Shard, number in it and facts of every study."""
        entries = []
        for facts_path in sorted(self.folder.glob("*.json")):
            try:
                shard = _SHARD.validate_json(facts_path.read_bytes())
            except ValidationError as error:
                raise ShardFault(f"{facts_path} is broken: delete it with its .npz file and write it anew") from error
            entries += [(facts_path.with_suffix(".npz"), number, facts) for number, facts in enumerate(shard)]
        if not entries:
            raise ShardFault(f"{self.folder} holds no shards: write them with write_shards")
        return tuple(entries)

    def __len__(self) -> int:
        """How many studies there are."""
        return len(self.index)

    def study(self, index: int) -> LabelledStudy:
        """One of them."""
        return read_study(*self.index[index])

    def order(self, seed: int, near: int = 4) -> list[int]:
        """A random order of all studies in which only `near` shards are in use at a time."""
        rng = np.random.default_rng(seed)
        shards: dict[Path, list[int]] = {}
        for position, (path, _, _) in enumerate(self.index):
            shards.setdefault(path, []).append(position)
        groups = [list(shards.values())[k] for k in rng.permutation(len(shards))]
        order: list[int] = []
        for first in range(0, len(groups), near):
            window = [position for group in groups[first : first + near] for position in group]
            order += [window[k] for k in rng.permutation(len(window))]
        return order

    def stream(self, seed: int, worker: int = 0, workers: int = 1, start: int = 0) -> Iterator[LabelledStudy]:
        """One worker's share of an epoch: disjoint from the others', of equal length, from its `start`-th study on.

        The few studies that are left over when they do not divide evenly wait for the next epoch's order: a
        distributed step needs every worker.
        """
        if not 0 <= worker < workers:
            raise ValueError(f"there is no worker {worker} among {workers}")
        share = self.order(seed)[worker::workers][: len(self) // workers]
        for position in share[start:]:
            yield self.study(position)


def write_shards(source: Source, folder: Path, per_shard: int = 16) -> ShardedStudies:
    """Writes the shards of a source that the folder does not hold yet."""
    firsts = range(0, len(source), per_shard)
    for number, first in enumerate(track(firsts, f"shards in {folder.name}")):
        path = folder / f"{number:04d}.npz"
        if not path.with_suffix(".json").is_file():
            write_shard([source.study(k) for k in range(first, min(first + per_shard, len(source)))], path)
    return ShardedStudies(folder)


def keyed_folder(cache: Path, name: str, *contents: object) -> Path:
    """A folder whose name changes with what its shards depend on: code digests, settings, seeds."""
    return cache / "studies" / f"{name}-{hashlib.sha256(repr(contents).encode()).hexdigest()[:16]}"
