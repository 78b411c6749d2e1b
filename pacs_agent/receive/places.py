"""How many associations may be open: in all, for each peer, and a reserve; over all processes that share a port.

The places are slots of a file. A slot names the process that holds it, so that those of one that died are free again.
"""

import fcntl
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pacs_agent.ops.open_count import ASSOCIATIONS, OpenCount

PLACES = "places"
"""File below `data_dir`, beside the one that tells how many are taken."""
RESERVED_SHARE = 4
_SLOT = struct.Struct("<Q120s")


@dataclass(frozen=True)
class PlaceLimits:
    """Associations at a time."""

    in_all: int
    per_peer: int
    """For one AE title at one address."""

    @property
    def reserved(self) -> int:
        """Places kept for peers that call from the host registered for them: nobody else can take the last ones."""
        return self.in_all // RESERVED_SHARE


class Places:
    """The open associations of all processes. Safe for any number of threads and processes."""

    def __init__(self, data_dir: Path, limits: PlaceLimits) -> None:
        self._limits = limits
        self._told = OpenCount(data_dir / ASSOCIATIONS)
        self._file = os.open(data_dir / PLACES, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()
        with self._locked() as slots:
            self._write([slot for slot in slots if slot[0] != os.getpid()])

    def take(self, source: str, *, at_its_host: bool) -> str:
        """Takes a place for a peer, "AE@address"; says why not, or nothing when it has one."""
        key = source.encode("ascii", "replace")[:120]
        with self._locked() as slots:
            if objection := self._objection(slots, key, at_its_host=at_its_host):
                return objection
            self._write([*slots, (os.getpid(), key)])
        return ""

    def give_back(self, source: str) -> None:
        """Gives back one place of a peer of this process."""
        slot = os.getpid(), source.encode("ascii", "replace")[:120]
        with self._locked() as slots:
            if slot in slots:
                slots.remove(slot)
            self._write(slots)

    def close(self) -> None:
        """Gives back all places of this process, and the file."""
        with self._locked() as slots:
            self._write([slot for slot in slots if slot[0] != os.getpid()])
        os.close(self._file)

    def _objection(self, slots: list[tuple[int, bytes]], key: bytes, *, at_its_host: bool) -> str:
        if len(slots) >= self._limits.in_all:
            return f"{self._limits.in_all} associations are open, which is the most"
        if sum(slot[1] == key for slot in slots) >= self._limits.per_peer:
            return f"{self._limits.per_peer} associations of this peer are open, which is the most of one"
        if not at_its_host and len(slots) >= self._limits.in_all - self._limits.reserved:
            return f"the last {self._limits.reserved} places are kept for peers with a registered host"
        return ""

    @contextmanager
    def _locked(self) -> Iterator[list[tuple[int, bytes]]]:
        """The slots taken by processes that live, while nobody else changes them."""
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield self._read()
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _read(self) -> list[tuple[int, bytes]]:
        content = os.pread(self._file, os.fstat(self._file).st_size // _SLOT.size * _SLOT.size, 0)
        slots = [(pid, key.rstrip(b"\0")) for pid, key in _SLOT.iter_unpack(content)]
        living = {pid for pid in {pid for pid, _ in slots} if _lives(pid)}
        return [slot for slot in slots if slot[0] in living]

    def _write(self, slots: list[tuple[int, bytes]]) -> None:
        os.pwrite(self._file, b"".join(_SLOT.pack(*slot) for slot in slots), 0)
        os.ftruncate(self._file, len(slots) * _SLOT.size)
        self._told.tell(len(slots))


def forget_places(data_dir: Path) -> None:
    """Frees all places; called before any process listens, as another may have the number of one that died."""
    (data_dir / PLACES).unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
