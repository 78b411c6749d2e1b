"""Files named by digest: written whole, synced and renamed, or not there at all."""

import os
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pacs_agent.archive.errors import StorageFailure

STALE_AFTER_S = 3600.0
"""No write takes this long: an older temporary file belongs to a process that died."""


class DigestFiles:
    """The folder of the archive's files, `<root>/aa/<digest>.dcm`. Safe for any number of threads and processes.

    All 256 folders are made, and their names synced, before the first file: making one costs two more syncs, which no
    image should wait for, and a file in a folder whose name another process has not synced yet could be lost.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming = root / "incoming"
        for folder in (self.incoming, *(root / f"{byte:02x}" for byte in range(256))):
            folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(root)

    def path(self, digest: str) -> Path:
        """Where the file of a digest is, or would be. Raises ValueError for anything but 64 hexadecimal digits."""
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise ValueError(f"{digest!r} is not a SHA-256 digest in hexadecimal")
        return self.root / digest[:2] / f"{digest}.dcm"

    def write(self, digest: str, pieces: Iterable[bytes]) -> Path:
        """Puts a file in its place. On return its bytes and its name are on disk.

        Raises StorageFailure when the disk does not take it; nothing is left then.
        """
        target = self.path(digest)
        temporary = self.incoming / f"{uuid.uuid4().hex}.part"
        try:
            _write_synced(temporary, pieces)
            temporary.rename(target)
            _sync_folder(target.parent)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise StorageFailure(f"the archive's disk did not take an instance: {error.strerror or error}") from error
        return target

    def remove(self, digest: str) -> None:
        """Takes away a file that was never indexed."""
        self.path(digest).unlink(missing_ok=True)

    def take_away(self, digest: str, now_s: float | None = None) -> bool:
        """Removes a file that no row names any more; whether it is gone. One younger than an hour is left for later.

        The same instance may be arriving again right now: its file is written before its row, and replaces the old one.
        So the file is moved aside first, looked at there, and put back when it is a new one.
        """
        oldest_s = (time.time() if now_s is None else now_s) - STALE_AFTER_S
        path, aside = self.path(digest), self.incoming / f"{digest}.gone"
        if _modified_s(path) >= oldest_s:
            return not path.exists()
        with suppress(FileNotFoundError):
            path.rename(aside)
        return self._end_aside(aside, oldest_s)

    def digests(self, folder: int) -> list[str]:
        """The digests of the files in one of the 256 folders."""
        return sorted(path.stem for path in (self.root / f"{folder:02x}").glob("*.dcm"))

    def sweep(self, now_s: float | None = None) -> int:
        """Removes temporary files of processes that died; returns how many. Files being written now are younger."""
        oldest_s = (time.time() if now_s is None else now_s) - STALE_AFTER_S
        for aside in self.incoming.glob("*.gone"):
            self._end_aside(aside, oldest_s=0.0)  # whoever moved it aside died before it looked
        stale = [path for path in self.incoming.glob("*.part") if _modified_s(path) < oldest_s]
        for path in stale:
            path.unlink(missing_ok=True)
        return len(stale)

    def _end_aside(self, aside: Path, oldest_s: float) -> bool:
        """Puts a file back that is younger, without replacing one that came meanwhile; removes any other."""
        gone = _modified_s(aside) < oldest_s
        if not gone:
            with suppress(FileExistsError, FileNotFoundError):
                os.link(aside, self.path(aside.stem))
        aside.unlink(missing_ok=True)
        return gone

    def is_writable(self) -> bool:
        """Whether a file can be made here now."""
        probe = self.incoming / f"{uuid.uuid4().hex}.part"
        try:
            probe.touch()
            probe.unlink()
        except OSError:
            return False
        return True


def _write_synced(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("xb", buffering=0) as file:
        for piece in pieces:
            _write_all(file.fileno(), piece)
        os.fsync(file.fileno())


def _write_all(descriptor: int, piece: bytes) -> None:
    """One write may take less than it was given (2 GiB at most on Linux)."""
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _modified_s(path: Path) -> float:
    """Time of the last change; never stale when the file went away meanwhile."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")
