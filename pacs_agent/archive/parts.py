"""A file on its way into the archive: it goes to the disk while more of it is still to come.

What the disk has taken by the last byte need not be waited for. Nothing here makes a file durable: `DigestFiles` does.
"""

import ctypes
import errno
import os
from collections.abc import Sequence
from pathlib import Path

from pacs_agent.archive.errors import StorageFailure

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_AT_FDCWD, _RENAME_NOREPLACE = -100, 1
_SYNC_FILE_RANGE_WRITE, _FALLOC_KEEP_SIZE = 2, 1
BLOCK_BYTES = 4096
"""What is written in whole blocks is written once."""
_NOT_HERE = frozenset((errno.ENOSYS, errno.EINVAL, errno.EPERM))
_libc = ctypes.CDLL(None, use_errno=True)
_sync_file_range = getattr(_libc, "sync_file_range", None)
_fallocate = getattr(_libc, "fallocate", None)
_renameat2 = getattr(_libc, "renameat2", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
if _fallocate is not None:
    _fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


class Part:
    """A new temporary file, open until `close`. One thread at a time."""

    def __init__(self, path: str, expected_bytes: int = 0) -> None:
        """With room for what is expected, where that is known. Raises StorageFailure when the disk does not take it."""
        self.path: str | None = path
        """Where it is; None when it has another name by now, or none."""
        self.size_bytes = 0
        self._reserved_bytes = (expected_bytes + BLOCK_BYTES - 1) // BLOCK_BYTES * BLOCK_BYTES
        try:
            self.descriptor = os.open(path, _NEW, 0o666)
        except OSError as error:
            raise not_taken(error) from error
        if self._reserved_bytes and _fallocate is not None:  # only a hint, too
            _fallocate(self.descriptor, _FALLOC_KEEP_SIZE, 0, self._reserved_bytes)

    def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Puts the pieces behind what is there, and has the disk begin with them. Raises StorageFailure."""
        begin = self.size_bytes
        try:
            self.size_bytes += write_all(self.descriptor, pieces)
        except OSError as error:
            raise not_taken(error) from error
        if _sync_file_range is not None:  # only a hint: what goes wrong with the disk is told by the sync
            _sync_file_range(self.descriptor, begin, self.size_bytes - begin, _SYNC_FILE_RANGE_WRITE)

    def complete(self) -> None:
        """No more is written: gives back what was reserved in vain. Raises OSError."""
        if self._reserved_bytes >= self.size_bytes + BLOCK_BYTES:
            os.ftruncate(self.descriptor, self.size_bytes)

    def close(self) -> None:
        """Leaves nothing behind, unless the file has another name by now. Does no harm when called again."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        path, self.path = self.path, None
        if path is not None:
            Path(path).unlink(missing_ok=True)


def write_all(descriptor: int, pieces: Sequence[bytes | memoryview]) -> int:
    """Writes the pieces one after the other; gives their number of bytes. Raises OSError."""
    rest, total = [memoryview(piece) for piece in pieces], 0
    while rest:
        written = os.writev(descriptor, rest)
        total += written
        rest = _behind(rest, written)
    return total


def rename_new(source: str, target: str) -> bool | None:
    """Renames a file unless there is one of the new name: whether it did. None where the system cannot do that.

    Raises OSError.
    """
    if _renameat2 is None:
        return None
    if _renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE) == 0:
        return True
    code = ctypes.get_errno()
    if code == errno.EEXIST:
        return False
    if code in _NOT_HERE:
        return None
    raise OSError(code, os.strerror(code))


def not_taken(error: OSError) -> StorageFailure:
    """What the sender is told when the disk does not take an instance."""
    return StorageFailure(f"the archive's disk did not take an instance: {error.strerror or error}; make room there")


def _behind(pieces: list[memoryview], written: int) -> list[memoryview]:
    """What is left when so many bytes are written; one write takes 2 GiB at most on Linux."""
    for number, piece in enumerate(pieces):
        if written < len(piece):
            return [piece[written:], *pieces[number + 1 :]]
        written -= len(piece)
    return []
