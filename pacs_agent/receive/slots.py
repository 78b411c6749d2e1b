"""The file of open associations: a slot for each, shared by all processes of the machine.

A slot keeps its position as long as it is taken, so that its holder can note what its association brings without a
lock. Times are of the monotonic clock, which all processes of a machine have in common.
"""

import hashlib
import os
import struct
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

PLACES = "places"
"""File below `data_dir`, beside the one that tells how many are taken."""
LONGEST_KEY = 120
ALIVE_WITHIN_S = 20.0
"""A slot whose holder did not say for so long that it is there counts as none: its process died, or hangs."""
_SLOT = struct.Struct("<Q120s?7xdd8s")
_ALIVE, _ALIVE_AT = struct.Struct("<d"), 136
_BROUGHT, _BROUGHT_AT = struct.Struct("<d8s"), 144
_NO_STUDY = b""


@dataclass(frozen=True)
class Slot:
    """What is known of one open association."""

    pid: int
    """Of the process that serves it; 0 for a free slot."""
    key: bytes
    """The peer, "AE@address"."""
    leaving: bool = False
    """It was told to give way."""
    alive_s: float = 0.0
    """When its process last said that it is there."""
    brought_s: float = 0.0
    """When it last brought an instance, or began to; at first when it was opened."""
    study: bytes = _NO_STUDY
    """Mark of the study of the newest instance it brought."""


FREE = Slot(0, b"")


def key_of(source: str) -> bytes:
    """A peer as a slot names it."""
    return source.encode("ascii", "replace")[:LONGEST_KEY]


def mark_of(study_instance_uid: str) -> bytes:
    """Eight bytes that stand for a study."""
    return hashlib.blake2b(study_instance_uid.encode(), digest_size=8).digest()


def read_slots(file: int) -> list[Slot]:
    """All slots, by their position."""
    content = os.pread(file, os.fstat(file).st_size // _SLOT.size * _SLOT.size, 0)
    return [_slot(*fields) for fields in _SLOT.iter_unpack(content)]


def write_slot(file: int, position: int, slot: Slot) -> None:
    """Writes one slot, whole."""
    fields = (slot.pid, slot.key, slot.leaving, slot.alive_s, slot.brought_s, slot.study)
    os.pwrite(file, _SLOT.pack(*fields), position * _SLOT.size)


def cut_free_end(file: int, slots: list[Slot]) -> None:
    """Shortens the file after the last slot that is taken."""
    taken = max((position + 1 for position, slot in enumerate(slots) if slot.pid), default=0)
    os.ftruncate(file, taken * _SLOT.size)


def note_alive(file: int, position: int, alive_s: float) -> None:
    """The holder of a slot says that it is there."""
    os.pwrite(file, _ALIVE.pack(alive_s), position * _SLOT.size + _ALIVE_AT)


def note_brought(file: int, position: int, brought_s: float, study: bytes) -> None:
    """The holder of a slot says what its association brought last, and when."""
    os.pwrite(file, _BROUGHT.pack(brought_s, study), position * _SLOT.size + _BROUGHT_AT)


def still_open(
    data_dir: Path, studies: Collection[str], monotonic: Callable[[], float] = time.monotonic
) -> dict[str, str]:
    """Of these studies those of which an open association brought the newest of its instances: by which peer.

    An association that has gone on to another study holds none that it brought before.
    """
    try:
        with (data_dir / PLACES).open("rb") as file:
            slots = read_slots(file.fileno())
    except OSError:  # nothing listens on this machine: nobody's quiet time is lengthened
        return {}
    now_s = monotonic()
    peers = {slot.study: slot.key for slot in slots if slot.pid and 0 <= now_s - slot.alive_s <= ALIVE_WITHIN_S}
    found = {uid: peers.get(mark_of(uid)) for uid in studies}
    return {uid: peer.decode("ascii") for uid, peer in found.items() if peer}


def free_the_dead(file: int, slots: list[Slot]) -> list[Slot]:
    """The slots, those of processes that died free, also in the file: another may have the number of one of them."""
    dead = {pid for pid in {slot.pid for slot in slots} - {0} if not _lives(pid)}
    for position, slot in enumerate(slots):
        if slot.pid in dead:
            slots[position] = FREE
            write_slot(file, position, FREE)
    return slots


def told_to_leave(slot: Slot) -> Slot:
    """A slot whose association gives way."""
    return replace(slot, leaving=True)


def _slot(pid: int, key: bytes, leaving: bool, alive_s: float, brought_s: float, study: bytes) -> Slot:
    return Slot(pid, key.rstrip(b"\0"), leaving, alive_s, brought_s, study)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
