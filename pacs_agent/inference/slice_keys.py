"""Which token a slice of an archived file has, remembered, so that nobody decodes it again to learn that."""

import hashlib
import json
import os
import re
import tempfile
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from pathlib import Path

from pacs_agent.imaging import Slice

KEYS = "keys"
"""Folder among the tokens: `keys/<first two of digest>/<digest>.json`, for each file of the archive."""
RECENT_SLICES = 8000
_DIGEST = re.compile(r"[0-9a-f]{64}")


class SliceKeys:
    """Token keys by slice. Nothing is lost with it: without an entry a slice is decoded, which gives the same key.

    An entry holds for one version of a file that is named by the digest of its content, one frame, one layout and one
    rescale: all that `read_slices` and `token_key` go by. Files of other names are never remembered, as what is in them
    may change. Safe to use from several threads and processes.
    """

    def __init__(self, token_root: Path) -> None:
        self._folder = token_root / KEYS
        self._recent: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, one: Slice) -> str | None:
        """The token key of a slice, or None when it must be decoded."""
        name = slice_name(one)
        if name is None:
            return None
        with self._lock:
            if known := self._recent.get(name):
                return known
        found = self._read(one.path.stem)
        self._remember(found)
        return found.get(name)

    def keep(self, keys: Iterable[tuple[Slice, str]]) -> None:
        """Remembers the keys of slices. Raises OSError on a full disk."""
        of_files: dict[str, dict[str, str]] = defaultdict(dict)
        for one, key in keys:
            if name := slice_name(one):
                of_files[one.path.stem][name] = key
        for digest, new in of_files.items():
            known = self._read(digest)
            if new.items() <= known.items():
                continue
            self._write(digest, known | new)
            self._remember(new)

    def _remember(self, keys: dict[str, str]) -> None:
        with self._lock:
            self._recent.update(keys)
            while len(self._recent) > RECENT_SLICES:
                self._recent.popitem(last=False)

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / f"{digest}.json"

    def _read(self, digest: str) -> dict[str, str]:
        """What is remembered of a file; nothing when it is damaged."""
        try:
            found = json.loads(self._path(digest).read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {str(name): key for name, key in found.items() if isinstance(key, str) and _DIGEST.fullmatch(key)}

    def _write(self, digest: str, keys: dict[str, str]) -> None:
        path = self._path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(keys, file)
            Path(draft).replace(path)
        finally:
            Path(draft).unlink(missing_ok=True)


def slice_name(one: Slice) -> str | None:
    """SHA-256 of what fixes the stored values of a slice and how they are meant; None where its file may change."""
    if not _DIGEST.fullmatch(one.path.stem):
        return None
    try:
        file = one.path.stat()
    except OSError:
        return None
    version = (one.path.name, file.st_size, file.st_mtime_ns)
    layout = (one.orientation, one.rows, one.columns, one.spacing_mm, one.slope, one.intercept)
    facts = (version, one.sop_instance_uid, one.frame_number, layout)
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
