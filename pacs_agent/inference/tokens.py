"""Slice tokens on disk, so that a slice is encoded once for each model, however often its study is read."""

import hashlib
import os
import struct
import tempfile
import threading
import zipfile
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pacs_agent.imaging import Slice

_FLOAT16_MAX = float(np.finfo(np.float16).max)
_UNREADABLE = (
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and numpy raise on a damaged file, as found by flipping bits."""


RECENT_BYTES = 64 << 20
"""Tokens that are kept in memory; a study of 600 slices of the demo model takes 15 MB."""
_Version = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class SliceToken:
    """What the encoder says of one slice.

    Its token [d]; per finding a grid of patch logits [F, gr, gc]; and where the field that the grid covers has its
    centre [2], as row and column of the slice. Token and centre are kept in float32, so that a reading from the cache
    is the reading; the grid, only looked at, in float16.
    """

    token: NDArray[np.float32]
    patch_grid: NDArray[np.float16]
    field_centre_px: NDArray[np.float32]

    @property
    def size_bytes(self) -> int:
        """Memory that it takes."""
        return self.token.nbytes + self.patch_grid.nbytes + self.field_centre_px.nbytes


def slice_token(
    token: NDArray[np.float32], patch_grid: NDArray[np.float32], field_centre_px: NDArray[np.float32]
) -> SliceToken:
    """A token as it is kept; logits beyond float16 are clipped, they mean certainty anyway."""
    return SliceToken(token, np.clip(patch_grid, -_FLOAT16_MAX, _FLOAT16_MAX).astype(np.float16), field_centre_px)


def token_key(stored: NDArray[np.int16], one: Slice) -> str:
    """SHA-256 of all that the encoder sees of a slice: shape, rescale, spacing and stored values."""
    facts = np.array([*stored.shape, one.slope, one.intercept, *one.spacing_mm], "<f8")
    digest = hashlib.sha256(facts.tobytes())
    digest.update(np.ascontiguousarray(stored, "<i2").tobytes())
    return digest.hexdigest()


class TokenCache:
    """Tokens of one model under `<root>/<model digest>/<first two of key>/<key>.npz`; the newest are in memory as well.

    What is in memory counts only while the file is there unchanged. Safe to use from several threads and processes.
    """

    def __init__(self, root: Path, model_digest: str, token_width: int, grid_shape: tuple[int, int, int]) -> None:
        self.folder = root / model_digest
        self._token_shape = (token_width,)
        self._grid_shape = grid_shape
        self._recent: OrderedDict[str, tuple[_Version, SliceToken]] = OrderedDict()
        self._recent_bytes = 0
        self._lock = threading.Lock()

    def load(self, key: str) -> SliceToken | None:
        """The token of a key, or None when there is none or its file is damaged (it is then encoded again)."""
        version = self._version(key)
        if version is None:
            return None
        with self._lock:
            known = self._recent.get(key)
        if known is not None and known[0] == version:
            return known[1]
        try:
            with np.load(self._path(key), allow_pickle=False) as file:
                found = SliceToken(file["token"], file["patch_grid"], file["field_centre_px"])
        except _UNREADABLE:
            return None
        if not self._is_whole(found):
            return None
        self._remember(key, version, found)
        return found

    def store(self, key: str, token: SliceToken) -> None:
        """Keeps a token; a reader sees the old file or the new one, never a part. Raises OSError on a full disk."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **vars(token))
            version = _version(Path(draft).stat())
            Path(draft).replace(path)
        finally:
            Path(draft).unlink(missing_ok=True)
        if self._is_whole(token):
            self._remember(key, version, token)

    def _remember(self, key: str, version: _Version, token: SliceToken) -> None:
        with self._lock:
            self._forget(key)
            self._recent[key] = version, token
            self._recent_bytes += token.size_bytes
            while self._recent_bytes > RECENT_BYTES:
                self._forget(next(iter(self._recent)))

    def _forget(self, key: str) -> None:
        known = self._recent.pop(key, None)
        self._recent_bytes -= known[1].size_bytes if known else 0

    def _version(self, key: str) -> _Version | None:
        """The version of the file of a key; None when there is none."""
        try:
            return _version(self._path(key).stat())
        except OSError:
            return None

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npz"

    def _is_whole(self, found: SliceToken) -> bool:
        """Whether a token is one that this model's encoder may have given."""
        wanted = (
            (found.token, np.float32, self._token_shape),
            (found.patch_grid, np.float16, self._grid_shape),
            (found.field_centre_px, np.float32, (2,)),
        )
        return all(
            values.dtype == dtype and values.shape == shape and bool(np.isfinite(values).all())
            for values, dtype, shape in wanted
        )


def _version(state: os.stat_result) -> _Version:
    """Tells a file from one that took its place."""
    return state.st_ino, state.st_size, state.st_mtime_ns
