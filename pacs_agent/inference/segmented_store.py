"""Regions between two steps of a job: a packed file named by its series and its digest, in a folder that is bounded.

Nothing depends on a file being there: what is gone is segmented again. Those of a study that is removed go with it
(`archive.removal`), which finds them by their series.
"""

import hashlib
import io
import json
import os
import tempfile
import time
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pacs_agent.imaging import Measured
from pacs_agent.inference.segmented import Box, SegmentedRegion, Side, Structure

MOST_BYTES = 512 << 20
KEPT_S = 24 * 3600.0
"""Longer than any job waits between segmenting and writing what it says."""
_FACTS = "regions"
_UNREADABLE = (EOFError, KeyError, OSError, ValueError, ValidationError, zipfile.BadZipFile, zlib.error)


class _Facts(BaseModel):
    """A region without its mask."""

    model_config = ConfigDict(frozen=True)

    structure: str
    number: int
    side: Side
    box: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    measured: Measured | None


_LIST = TypeAdapter(tuple[_Facts, ...])


class SegmentedStore:
    """Regions under `<folder>/<SHA-256 of the Series Instance UID>-<digest>.npz`. Safe for threads and processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, series_instance_uid: str, regions: Sequence[SegmentedRegion]) -> str:
        """Keeps regions; their digest. The oldest files go where there are too many. Raises OSError on a full disk."""
        packed = _packed(regions)
        digest = hashlib.sha256(packed).hexdigest()
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=self.folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(packed)
            Path(draft).replace(self._path(series_instance_uid, digest))
        finally:
            Path(draft).unlink(missing_ok=True)
        self._sweep()
        return digest

    def load(
        self, series_instance_uid: str, digest: str, structures: Mapping[str, Structure]
    ) -> tuple[SegmentedRegion, ...] | None:
        """The regions of a digest, or None when their file is gone or is not what it was."""
        try:
            packed = self._path(series_instance_uid, digest).read_bytes()
            if hashlib.sha256(packed).hexdigest() != digest:
                return None
            return _unpacked(packed, structures)
        except _UNREADABLE:
            return None

    def _sweep(self) -> None:
        """Removes what is old, then the oldest until the rest fits."""
        left, long_ago_s = MOST_BYTES, time.time() - KEPT_S
        for changed_s, size, path in sorted(self._files(), reverse=True):
            left -= size
            if left < 0 or changed_s < long_ago_s:
                path.unlink(missing_ok=True)

    def _files(self) -> list[tuple[float, int, Path]]:
        found = []
        for path in self.folder.iterdir():
            with suppress(OSError):  # another process has just removed it
                state = path.stat()
                found.append((state.st_mtime, state.st_size, path))
        return found

    def _path(self, series_instance_uid: str, digest: str) -> Path:
        series = hashlib.sha256(series_instance_uid.encode()).hexdigest()
        return self.folder / f"{series}-{digest}.npz"


def _packed(regions: Sequence[SegmentedRegion]) -> bytes:
    facts = tuple(
        _Facts(
            structure=one.structure.key,
            number=one.number,
            side=one.side,
            box=tuple((along.start, along.stop) for along in one.box),
            measured=one.measured,
        )
        for one in regions
    )
    arrays: dict[str, Any] = {str(number): np.packbits(one.crop) for number, one in enumerate(regions)}
    arrays[_FACTS] = np.frombuffer(_LIST.dump_json(facts), np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _unpacked(packed: bytes, structures: Mapping[str, Structure]) -> tuple[SegmentedRegion, ...]:
    with np.load(io.BytesIO(packed), allow_pickle=False) as file:
        facts = _LIST.validate_python(json.loads(file[_FACTS].tobytes()))
        regions = []
        for number, one in enumerate(facts):
            z, y, x = (slice(*span) for span in one.box)
            box: Box = (z, y, x)
            shape = tuple(along.stop - along.start for along in box)
            crop = np.unpackbits(file[str(number)], count=int(np.prod(shape))).astype(np.bool_).reshape(shape)
            regions.append(SegmentedRegion(structures[one.structure], one.number, one.side, box, crop, one.measured))
    return tuple(regions)
