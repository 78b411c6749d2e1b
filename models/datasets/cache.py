"""Studies on the field, rendered once in parallel processes and kept on disk in shards.

A shard is `NNNN.npy`, records of all slices of its studies (read by memory map), and `NNNN.json`, their facts and which
records are whose. The folder's name holds the digest of everything that the content depends on: source code of the
generator, settings, seeds. What changed is rendered anew; what did not is never rendered twice.
"""

import hashlib
import logging
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from pydantic import TypeAdapter
from rich.progress import track

from models.datasets.fields import FieldStudy, Records, StudyFacts, on_field, record_type
from models.datasets.study import LabelledStudy, StudyUnreadable
from models.msvlm.preset import NetworkShape

MODELS = Path(__file__).parents[1]
AGENT = "pacs_agent/"
"""What begins with this lies in the agent beside `models`: rendered studies depend on what both sides share."""
RENDERING = ("datasets/fields.py", "msvlm/preprocess.py")
"""Source files on which all rendered studies depend, beside those that their source names."""
APART = MODELS / "phantoms" / "pelvis"
"""A package below a folder that sources name, on which none of their studies depends: these are thorax CTs."""
STUDIES_PER_SHARD = 16
_log = logging.getLogger(__name__)


class StudySource(Protocol):
    """A named collection of studies, each made on demand, in whatever process asks."""

    @property
    def name(self) -> str:
        """Name of the collection, fit for a folder."""

    @property
    def patches(self) -> bool:
        """Whether patch targets are wanted."""

    @property
    def code(self) -> tuple[str, ...]:
        """Files and folders below `models` on which its studies depend."""

    def __len__(self) -> int:
        """Number of studies."""

    def study(self, index: int) -> LabelledStudy:
        """A study, always the same for the same index. Raises StudyUnreadable for one that is to be left out."""


@dataclass(frozen=True)
class ShardStudy:
    """Which records of a shard are of which study."""

    first: int
    end: int
    facts: StudyFacts


_INDEX = TypeAdapter(tuple[ShardStudy, ...])


@dataclass(frozen=True)
class Shard:
    """One shard on disk."""

    path: Path

    @property
    def index(self) -> Path:
        """The file of its studies; it is written last."""
        return self.path.with_suffix(".json")

    def studies(self) -> tuple[ShardStudy, ...]:
        """Its studies, in order."""
        return _INDEX.validate_json(self.index.read_bytes())

    def records(self) -> Records:
        """Its slices, mapped from disk, not read."""
        records: Records = np.load(self.path, mmap_mode="r")
        return records


Task = tuple[StudySource, NetworkShape, int, Shard]


def code_digest(names: Sequence[str]) -> str:
    """Digest of code and tables below `models` or of the agent: files, or folders with all that is in them."""
    digest = hashlib.sha256()
    for name in names:
        root = MODELS.parent if name.startswith(AGENT) else MODELS
        path = root / name
        files = [path] if path.is_file() else sorted(path.rglob("*.py")) + sorted(path.rglob("*.json"))
        for file in (file for file in files if APART not in file.parents or APART in (path, *path.parents)):
            digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def cache_folder(source: StudySource, shape: NetworkShape, cache: Path) -> Path:
    """Where the rendered studies of a source lie."""
    code = code_digest((*RENDERING, *source.code))
    parts = (code, repr(source), str(record_type(shape, source.patches)), str(shape.pixel_mm))
    return cache / "fields" / f"{source.name}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"


def render(source: StudySource, shape: NetworkShape, cache: Path, processes: int) -> list[Shard]:
    """The shards of a source, in order; renders those that the cache does not hold yet."""
    folder = cache_folder(source, shape, cache)
    folder.mkdir(parents=True, exist_ok=True)
    firsts = range(0, len(source), STUDIES_PER_SHARD)
    shards = [Shard(folder / f"{number:04d}.npy") for number in range(len(firsts))]
    missing = [
        (source, shape, first, shard) for first, shard in zip(firsts, shards, strict=True) if not shard.index.is_file()
    ]
    for _ in track(_rendered(missing, processes), f"rendering {source.name}", total=len(missing), disable=not missing):
        pass
    return shards


def _rendered(missing: list[Task], processes: int) -> Iterator[None]:
    if processes == 1 or not missing:
        yield from map(_render_shard, missing)
        return
    with multiprocessing.get_context("spawn").Pool(processes, torch.set_num_threads, (1,)) as pool:
        yield from pool.imap_unordered(_render_shard, missing)


def _render_shard(task: Task) -> None:
    source, shape, first, shard = task
    indices = range(first, min(first + STUDIES_PER_SHARD, len(source)))
    studies = list(_on_field(source, indices, shape))
    ends = np.cumsum([len(study.slices) for study in studies]).tolist()
    index = tuple(
        ShardStudy(end - len(study.slices), end, study.facts) for study, end in zip(studies, ends, strict=True)
    )
    draft = shard.path.with_suffix(".part.npy")
    empty = np.empty(0, record_type(shape, source.patches))
    np.save(draft, np.concatenate([empty, *(study.slices for study in studies)]))
    draft.replace(shard.path)
    draft = shard.index.with_suffix(".part")
    draft.write_bytes(_INDEX.dump_json(index))
    draft.replace(shard.index)


def _on_field(source: StudySource, indices: range, shape: NetworkShape) -> Iterator[FieldStudy]:
    for index in indices:
        try:
            yield on_field(source.study(index), shape, source.patches)
        except StudyUnreadable as fault:
            _log.warning("study %d of %s is left out: %s", index, source.name, fault)


def stream(shards: Sequence[Shard]) -> Iterator[FieldStudy]:
    """The studies of some shards, one after the other."""
    for shard in shards:
        records = shard.records()
        for study in shard.studies():
            yield FieldStudy(records[study.first : study.end], study.facts)
