"""Files named by digest. Whoever is told that one is there can rely on it; others may find one begun (decision 14).

A new file is synced under its own name, so that one sync makes its bytes and its name durable: a small one is begun
under it, a larger one is written meanwhile and gets it before the sync. It means nothing until a row names it: one that
its process did not live to sync is replaced when the instance comes again, or taken away by `recovery`. A file that is
there already is replaced by a whole and synced one, never written into.
"""

import os
import re
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pacs_agent.archive.parts import Part, not_taken, rename_new, write_all

STALE_AFTER_S = 3600.0
"""No write takes this long: an older temporary file belongs to a process that died."""
SYNC_NAMES_WITH_FILES = frozenset(("ext4", "xfs", "btrfs", "f2fs"))
"""File systems on which the sync of a new file makes its name durable too; on others its folder is synced as well."""

_DIGEST = re.compile("[0-9a-f]{64}")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


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
        self._root, self._incoming = str(root), str(self.incoming)
        self._name_goes_along = filesystem(root) in SYNC_NAMES_WITH_FILES

    def path(self, digest: str) -> Path:
        """Where the file of a digest is, or would be. Raises ValueError for anything but 64 hexadecimal digits."""
        return Path(self._where(digest))

    def _where(self, digest: str) -> str:
        """The same as text: making several Paths for each image is a part of its time that can be seen."""
        if _DIGEST.fullmatch(digest) is None:
            raise ValueError(f"{digest!r} is not a SHA-256 digest in hexadecimal")
        return f"{self._root}/{digest[:2]}/{digest}.dcm"

    def create(self, digest: str, pieces: Sequence[bytes | memoryview]) -> bool:
        """Makes a file, or tells that there is one, perhaps one that is only begun. On return it is on disk, name too.

        Raises StorageFailure when the disk does not take it; nothing is left then.
        """
        target = self._where(digest)
        try:
            descriptor = os.open(target, _NEW, 0o666)
        except FileExistsError:
            return False
        except OSError as error:
            raise not_taken(error) from error
        try:
            _write_synced(descriptor, pieces)
            self._sync_name(digest)
        except OSError as error:
            self._undo(digest, descriptor)
            raise not_taken(error) from error
        finally:
            os.close(descriptor)
        return True

    def replace(self, digest: str, pieces: Sequence[bytes | memoryview]) -> None:
        """Puts a whole, synced file where one may be: whoever was told that it is there keeps being right.

        Raises StorageFailure when the disk does not take it; the file that was there is untouched then.
        """
        temporary = Path(self._new_part())
        try:
            descriptor = os.open(temporary, _NEW, 0o666)
        except OSError as error:
            raise not_taken(error) from error
        try:
            _write_synced(descriptor, pieces)
            self._give_place(temporary, self.path(digest))
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise not_taken(error) from error
        finally:
            os.close(descriptor)

    def place(self, digest: str, part: Part) -> bool:
        """Gives a part that is written whole its place, as `create` does: or tells that there is a file already.

        It gets its name first and is synced then, so that one sync makes both durable. It takes no other file's name:
        that one may be relied on already. Raises StorageFailure.
        """
        renamed = None
        try:
            if self._name_goes_along and part.path is not None:
                part.complete()
                renamed = rename_new(part.path, self._where(digest))
        except OSError as error:
            raise not_taken(error) from error
        if renamed is None:
            return self._place_synced(digest, part)
        if renamed:
            part.path = None
            self._sync_placed(digest, part.descriptor)
        return renamed

    def adopt(self, digest: str, part: Part) -> None:
        """Gives a part that is written whole its place, as `replace` does. Raises StorageFailure."""
        if part.path is None:
            raise ValueError("a part has its place already")
        try:
            part.complete()
            os.fsync(part.descriptor)
            self._give_place(Path(part.path), self.path(digest))
        except OSError as error:
            raise not_taken(error) from error
        part.path = None

    def confirm(self, digest: str) -> None:
        """Makes a file durable that is there already. Raises StorageFailure."""
        path = self.path(digest)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            _sync_folder(path.parent)
        except OSError as error:
            raise not_taken(error) from error

    def sync_incoming(self) -> None:
        """Makes the names of what was made in `incoming` durable."""
        _sync_folder(self.incoming)

    def begin(self, expected_bytes: int = 0) -> Part:
        """A file that goes to the disk while more of it comes. Raises StorageFailure."""
        return Part(self._new_part(), expected_bytes if self._name_goes_along else 0)

    def _new_part(self) -> str:
        """Where a temporary file may be made; `sweep` takes away what died processes left there."""
        return f"{self._incoming}/{os.urandom(16).hex()}.part"

    def remove(self, digest: str) -> None:
        """Takes away a file that was never indexed."""
        self.path(digest).unlink(missing_ok=True)

    def take_away(self, digest: str, now_s: float | None = None) -> bool:
        """Removes a file that no row names any more; whether it is gone. One younger than an hour is left for later.

        The same instance may be arriving again right now: its file is written before its row, and replaces the old one.
        So the file is moved aside first, looked at there, and put back when it is a new one.
        """
        oldest_s = (time.time() if now_s is None else now_s) - STALE_AFTER_S
        path, aside = self.path(digest), self._new_aside(digest)
        if _modified_s(path) >= oldest_s:
            return not path.exists()
        with suppress(FileNotFoundError):
            path.rename(aside)
        return self._end_aside(aside, oldest_s)

    def digests(self, folder: int) -> list[str]:
        """The digests of the files in one of the 256 folders."""
        with os.scandir(self.root / f"{folder:02x}") as entries:
            return sorted(entry.name.removesuffix(".dcm") for entry in entries if entry.name.endswith(".dcm"))

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
                os.link(aside, self.path(aside.name[:64]))
        aside.unlink(missing_ok=True)
        return gone

    def is_writable(self) -> bool:
        """Whether a file can be made here now."""
        probe = Path(self._new_part())
        try:
            probe.touch()
            probe.unlink()
        except OSError:
            return False
        return True

    def _give_place(self, written: Path, target: Path) -> None:
        written.rename(target)
        _sync_folder(target.parent)

    def _place_synced(self, digest: str, part: Part) -> bool:
        """Where one sync is not enough: a part is whole on disk before it may take another's name."""
        if self.path(digest).exists():
            return False
        self.adopt(digest, part)
        return True

    def _sync_placed(self, digest: str, descriptor: int) -> None:
        try:
            os.fsync(descriptor)
        except OSError as error:
            self._undo(digest, descriptor)
            raise not_taken(error) from error

    def _undo(self, digest: str, descriptor: int) -> None:
        """Takes away a file that was begun here, unless another association has put its own in its place."""
        target, aside = self.path(digest), self._new_aside(digest)
        with suppress(OSError):
            target.rename(aside)
            if not os.path.samestat(aside.stat(), os.fstat(descriptor)):
                with suppress(FileExistsError):
                    os.link(aside, target)
            aside.unlink()

    def _new_aside(self, digest: str) -> Path:
        """Where a file is put aside to be looked at; `sweep` puts it back when its process dies meanwhile."""
        return self.incoming / f"{digest}.{uuid.uuid4().hex}.gone"

    def _sync_name(self, digest: str) -> None:
        if not self._name_goes_along:
            _sync_folder(self.path(digest).parent)


def filesystem(folder: Path) -> str:
    """Kind of file system a folder is on, by proc(5) mountinfo; empty where that cannot be known."""
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return ""
    kinds = [line.partition(" - ")[2].split()[0] for line in lines if line.split()[2] == wanted]
    return kinds[0] if kinds else ""


def _write_synced(descriptor: int, pieces: Sequence[bytes | memoryview]) -> None:
    write_all(descriptor, pieces)
    os.fsync(descriptor)


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
