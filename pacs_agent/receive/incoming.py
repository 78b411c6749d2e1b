"""One instance on its way in: its bytes lie in memory up to a limit, then in a temporary file beside the archive.

Memory is shared out by `Arrivals`, one of a process: buffers are used again, so that an image costs no fresh pages, and
instances beyond the budget go to files at once. The digest goes along with the bytes.
"""

import hashlib
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pacs_agent.archive import DigestFiles, came, part10_head
from pacs_agent.db import Origin
from pacs_agent.receive.refusal import OutOfResources

SPOOL_BYTES = 8 << 20
"""What one instance may hold in memory; a CT slice has half a megabyte."""
MEMORY_BYTES = 256 << 20
"""What all instances of a process may hold in memory together."""
WINDOW_BYTES = 256 << 10
"""Memory of an instance beyond the budget: its bytes pass through to the file."""
HASHED_AT_ONCE_BYTES = 128 << 10
"""Large updates let other threads run meanwhile, and small ones would cost a call each."""
KEPT_WARM_BYTES = 1 << 20
"""Pages of a buffer that is not in use which stay with the process."""


@dataclass(frozen=True)
class Announced:
    """What a C-STORE request says of the instance that it brings (PS3.7 9.1.1.1), and who sent it."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    source: str
    """The peer as "AE@address"."""


class Arrivals:
    """The memory and the folder for instances on their way in. Safe for any number of threads."""

    def __init__(self, files: DigestFiles, memory_bytes: int = MEMORY_BYTES, spool_bytes: int = SPOOL_BYTES) -> None:
        self._files = files
        self._spool_bytes = spool_bytes
        self._free_slots = memory_bytes // spool_bytes
        self._idle: list[mmap.mmap] = []
        self._lock = threading.Lock()

    def begin(self, announced: Announced) -> "Incoming":
        """An empty instance."""
        return Incoming(announced, self)

    def take(self) -> mmap.mmap:
        """A buffer: of full size within the budget, a small one beyond it. Its pages are made when they are touched."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            within = self._free_slots > 0
            self._free_slots -= within
        return mmap.mmap(-1, self._spool_bytes if within else min(WINDOW_BYTES, self._spool_bytes))

    def give_back(self, buffer: mmap.mmap, touched_bytes: int) -> None:
        """Keeps a buffer for the next instance; pages that few instances need go back to the system."""
        if len(buffer) < self._spool_bytes:
            return
        if touched_bytes > KEPT_WARM_BYTES:
            buffer.madvise(mmap.MADV_DONTNEED, KEPT_WARM_BYTES)
        with self._lock:
            self._idle.append(buffer)

    def new_file(self) -> Path:
        """Where a new temporary file may be; the archive's sweep removes what died processes leave there."""
        return self._files.new_part()


class Incoming:
    """One instance on its way in: memory up to SPOOL_BYTES, then a temporary file. One thread at a time."""

    def __init__(self, announced: Announced, arrivals: Arrivals) -> None:
        self.announced = announced
        self.size_bytes = 0
        self._arrivals = arrivals
        self._buffer: mmap.mmap | None = arrivals.take()
        self._view = memoryview(self._buffer)
        self._filled = self._hashed = self._touched_bytes = 0
        self._sha256 = hashlib.sha256()
        self._head = part10_head(
            announced.sop_class_uid,
            announced.sop_instance_uid,
            announced.transfer_syntax_uid,
            came(Origin.RECEIVED, announced.source),
        )
        self._path: Path | None = None
        self._descriptor = -1

    def room(self, count: int) -> memoryview:
        """Where the next `count` bytes go; perhaps fewer than asked for, never none.

        Raises OutOfResources when the disk does not take what came before.
        """
        if self._filled == len(self._view):
            self._spool()
        return self._view[self._filled : self._filled + max(count, 1)]

    def advance(self, count: int) -> None:
        """So many bytes were put where `room` said."""
        self._filled += count
        self.size_bytes += count
        if self._filled - self._hashed >= HASHED_AT_ONCE_BYTES:
            self._hash()

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes so far, in hexadecimal."""
        self._hash()
        return self._sha256.hexdigest()

    @contextmanager
    def content(self) -> Iterator[memoryview]:
        """All bytes so far, not to be kept. Raises OutOfResources when the disk does not take them."""
        if self._path is None:
            yield self._view[: self._filled]
            return
        self._spool()
        with (
            mmap.mmap(self._descriptor, len(self._head) + self.size_bytes, prot=mmap.PROT_READ) as mapped,
            memoryview(mapped) as view,
            view[len(self._head) :] as data_set,
        ):
            yield data_set

    def create_in(self, files: DigestFiles) -> bool:
        """Makes the archive's file of it, or tells that there is one already. Raises StorageFailure."""
        if self._path is None:
            return files.create(self.digest, (self._head, self._view[: self._filled]))
        if files.path(self.digest).exists():
            return False
        self.replace_in(files)
        return True

    def replace_in(self, files: DigestFiles) -> None:
        """Makes the archive's file of it, whether there is one or not. Raises StorageFailure."""
        if self._path is None:
            files.replace(self.digest, (self._head, self._view[: self._filled]))
            return
        files.adopt(self.digest, self._path, self._descriptor)
        self._path = None

    def discard(self) -> None:
        """Gives back memory and file; nothing is left. Does no harm when called again, or after `finish`."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        if self._buffer is not None:
            buffer, self._buffer = self._buffer, None
            self._view = memoryview(b"")
            self._arrivals.give_back(buffer, max(self._touched_bytes, self._filled))

    def _hash(self) -> None:
        self._sha256.update(self._view[self._hashed : self._filled])
        self._hashed = self._filled

    def _spool(self) -> None:
        """Puts what is in memory behind what is in the file."""
        self._hash()
        self._touched_bytes = max(self._touched_bytes, self._filled)
        try:
            if self._path is None:
                self._path = self._arrivals.new_file()
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
                os.write(self._descriptor, self._head)
            rest = self._view[: self._filled]
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            with suppress(OSError):
                self.discard()
            raise OutOfResources(
                f"the archive's disk did not take an instance: {error.strerror or error}; make room there"
            ) from error
        self._filled = self._hashed = 0
