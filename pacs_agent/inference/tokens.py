"""Slice tokens on disk, so that a slice is encoded once for each model, however often its study is read."""

import hashlib
import os
import struct
import tempfile
import zipfile
import zlib
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
    """Tokens of one model under `<root>/<model digest>/<first two of key>/<key>.npz`."""

    def __init__(self, root: Path, model_digest: str, token_width: int, grid_shape: tuple[int, int, int]) -> None:
        self.folder = root / model_digest
        self._token_shape = (token_width,)
        self._grid_shape = grid_shape

    def load(self, key: str) -> SliceToken | None:
        """The token of a key, or None when there is none or its file is damaged (it is then encoded again)."""
        try:
            with np.load(self._path(key), allow_pickle=False) as file:
                found = SliceToken(file["token"], file["patch_grid"], file["field_centre_px"])
        except _UNREADABLE:
            return None
        return found if self._is_whole(found) else None

    def store(self, key: str, token: SliceToken) -> None:
        """Keeps a token; a reader sees the old file or the new one, never a part. Raises OSError on a full disk."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **vars(token))
            Path(draft).replace(path)
        finally:
            Path(draft).unlink(missing_ok=True)

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
