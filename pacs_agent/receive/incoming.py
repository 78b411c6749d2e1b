"""One instance on its way in: its bytes lie in memory up to a limit, and go to a temporary file beside the archive.

Memory is shared out by `Spool`, one of a process: buffers are used again, so that an image costs no fresh pages, and
instances beyond the budget go to files at once. The digest goes along with the bytes.
"""

import hashlib
import mmap
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from pacs_agent.archive import BLOCK_BYTES, DigestFiles, Part, StorageFailure, came, part10_head
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
WRITTEN_AT_ONCE_BYTES = 256 << 10
"""The disk begins with so much while the rest is on the wire. What is smaller as a whole is written at its end."""
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


def no_room(error: OSError | MemoryError) -> OutOfResources:
    """What the sender is told where the machine has no memory or no file for an instance."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return OutOfResources(f"no room for an instance: {why}; it may be sent again")


class Spool:
    """The memory and the folder for instances on their way in. Safe for any number of threads."""

    def __init__(self, files: DigestFiles, memory_bytes: int = MEMORY_BYTES, spool_bytes: int = SPOOL_BYTES) -> None:
        self._files = files
        self._spool_bytes = spool_bytes
        self._free_slots = memory_bytes // spool_bytes
        self._idle: list[mmap.mmap] = []
        self._lock = threading.Lock()
        self._usual_bytes = 0

    def begin(self, announced: Announced) -> "Incoming":
        """An empty instance. Raises OutOfResources."""
        return Incoming(announced, self)

    def take(self) -> mmap.mmap:
        """A buffer: of full size within the budget, a small one beyond it. Its pages are made when they are touched.

        Raises OutOfResources.
        """
        with self._lock:
            if self._idle:
                return self._idle.pop()
            within = self._free_slots > 0
            self._free_slots -= within
        size_bytes = self._spool_bytes if within else min(WINDOW_BYTES, self._spool_bytes)
        try:
            return mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE)  # pages of a shared one would never be given back
        except (OSError, MemoryError) as error:
            with self._lock:
                self._free_slots += within
            raise no_room(error) from error

    def give_back(self, buffer: mmap.mmap, touched_bytes: int) -> None:
        """Keeps a buffer for the next instance; pages that few instances need go back to the system."""
        if len(buffer) < self._spool_bytes:
            return
        if touched_bytes > KEPT_WARM_BYTES:
            buffer.madvise(mmap.MADV_DONTNEED, KEPT_WARM_BYTES)
        with self._lock:
            self._idle.append(buffer)

    def new_part(self) -> Part:
        """A new temporary file; the archive's sweep removes what died processes leave there. Raises StorageFailure.

        It has room for what the last one came to: the images of a series are of one size, or nearly.
        """
        return self._files.begin(self._usual_bytes)

    def note_size(self, size_bytes: int) -> None:
        """A file came to this size."""
        self._usual_bytes = size_bytes if size_bytes <= self._spool_bytes else 0


class Incoming:
    """One instance on its way in. One thread at a time.

    It lies in memory up to SPOOL_BYTES and goes to a file meanwhile, piece by piece, unless it is small.
    """

    def __init__(self, announced: Announced, spool: Spool) -> None:
        self.announced = announced
        self.size_bytes = 0
        self._spool = spool
        self._buffer: mmap.mmap | None = spool.take()
        self._view = memoryview(self._buffer)
        self._filled = self._hashed = self._written = self._touched_bytes = 0
        self._sha256 = hashlib.sha256()
        self._head = part10_head(
            announced.sop_class_uid,
            announced.sop_instance_uid,
            announced.transfer_syntax_uid,
            came(Origin.RECEIVED, announced.source),
        )
        self._part: Part | None = None

    def room(self, count: int) -> memoryview:
        """Where the next `count` bytes go; perhaps fewer than asked for, never none.

        Raises OutOfResources when the disk does not take what came before.
        """
        if self._filled - self._written >= WRITTEN_AT_ONCE_BYTES:
            self._write(self._filled - (len(self._head) + self.size_bytes) % BLOCK_BYTES)
        if self._filled == len(self._view):
            self._begin_again()
        return self._view[self._filled : self._filled + max(count, 1)]

    def advance(self, count: int) -> None:
        """So many bytes were put where `room` said."""
        self._filled += count
        self.size_bytes += count
        if self._filled - self._hashed >= HASHED_AT_ONCE_BYTES:
            self._hash()

    def complete(self) -> None:
        """The last byte came: the disk begins with the rest. Raises OutOfResources."""
        if self._part is not None:
            self._write(self._filled)
            self._spool.note_size(self._part.size_bytes)

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes so far, in hexadecimal."""
        self._hash()
        return self._sha256.hexdigest()

    @contextmanager
    def content(self) -> Iterator[memoryview]:
        """All bytes so far, not to be kept. Raises OutOfResources when the disk does not take them."""
        if self._filled == self.size_bytes or self._part is None:
            yield self._view[: self._filled]
            return
        self._write(self._filled)
        with (
            mmap.mmap(self._part.descriptor, len(self._head) + self.size_bytes, prot=mmap.PROT_READ) as mapped,
            memoryview(mapped) as view,
            view[len(self._head) :] as data_set,
        ):
            yield data_set

    def create_in(self, files: DigestFiles) -> bool:
        """Makes the archive's file of it, or tells that there is one already. Raises StorageFailure."""
        if self._part is None:
            return files.create(self.digest, (self._head, self._view[: self._filled]))
        return files.place(self.digest, self._part)

    def replace_in(self, files: DigestFiles) -> None:
        """Makes the archive's file of it, whether there is one or not. Raises StorageFailure."""
        if self._part is None:
            files.replace(self.digest, (self._head, self._view[: self._filled]))
        else:
            files.adopt(self.digest, self._part)

    def discard(self) -> None:
        """Gives back memory and file; nothing is left. Does no harm when called again, or after `finish`."""
        try:
            if self._part is not None:
                self._part.close()
        finally:
            self._give_back()

    def _give_back(self) -> None:
        if self._buffer is not None:
            buffer, self._buffer = self._buffer, None
            self._view = memoryview(b"")
            self._spool.give_back(buffer, max(self._touched_bytes, self._filled))

    def _hash(self) -> None:
        self._sha256.update(self._view[self._hashed : self._filled])
        self._hashed = self._filled

    def _begin_again(self) -> None:
        """The buffer is full: what is in it is hashed and written, and makes room."""
        self._hash()
        self._write(self._filled)
        self._touched_bytes = max(self._touched_bytes, self._filled)
        self._filled = self._hashed = self._written = 0

    def _write(self, end: int) -> None:
        """Puts what is in memory alone, up to `end`, behind what is in the file."""
        pieces: list[bytes | memoryview] = [self._view[self._written : end]]
        try:
            if self._part is None:
                self._part = self._spool.new_part()
                pieces.insert(0, self._head)
            self._part.write(pieces)
        except StorageFailure as error:
            with suppress(OSError):
                self.discard()
            raise OutOfResources(str(error)) from error
        self._written = end
