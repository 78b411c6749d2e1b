"""How many associations may be open: in all, for each peer, and a reserve; over all processes that share a port.

The places are slots of a file. A slot names the process that holds it, so that those of one that died are free again.
Where places are short, an association that has brought nothing for long gives way: nobody keeps a place by C-ECHOs.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pacs_agent.ops.open_count import ASSOCIATIONS, OpenCount
from pacs_agent.receive.slots import (
    FREE,
    PLACES,
    Slot,
    cut_free_end,
    free_the_dead,
    key_of,
    mark_of,
    note_alive,
    note_brought,
    read_slots,
    told_to_leave,
    write_slot,
)

RESERVED_SHARE = 4
IDLE_S = 600.0
"""An association that brought no instance for so long gives way where places are short. The largest instance by a slow
line takes minutes."""


class NoPlace(Exception):
    """No further association of a peer may be open now; the text says which limit is reached."""


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


class Place:
    """The place of one association of this process."""

    def __init__(self, interrupt: Callable[[], None], tell: Callable[[bytes], None]) -> None:
        self.gives_way = False
        """It was taken for another association; its own is being ended."""
        self._interrupt = interrupt
        self._tell = tell
        self._study_instance_uid, self._mark = "", b""
        self._has_brought = True

    def begins(self) -> None:
        """An instance begins to come. However long it takes or is refused, it counts once until one was taken."""
        if self._has_brought:
            self._has_brought = False
            self._tell(self._mark)

    def brought(self, study_instance_uid: str) -> None:
        """An instance of a study was taken."""
        if study_instance_uid != self._study_instance_uid:
            self._study_instance_uid, self._mark = study_instance_uid, mark_of(study_instance_uid)
        self._has_brought = True
        self._tell(self._mark)

    def give_way(self) -> None:
        """Ends the association: its place is another's."""
        self.gives_way = True
        self._interrupt()


class Places:
    """The open associations of all processes. Safe for any number of threads and processes."""

    def __init__(self, data_dir: Path, limits: PlaceLimits, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._told = OpenCount(data_dir / ASSOCIATIONS)
        self._file = os.open(data_dir / PLACES, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()
        self._held: dict[int, Place] = {}
        """Those of this process, by the position of their slots."""
        with self._locked() as slots:
            self._free(slots, [position for position, slot in enumerate(slots) if slot.pid == os.getpid()])

    def take(self, source: str, *, at_its_host: bool, interrupt: Callable[[], None] = lambda: None) -> Place:
        """Takes a place for a peer, "AE@address". Raises NoPlace.

        `interrupt` ends a wait for that peer, from any thread; it is called when the association has to give way.
        """
        key = key_of(source)
        with self._locked() as slots:
            self._make_room(slots, key, at_its_host=at_its_host)
            position = next((at for at, slot in enumerate(slots) if not slot.pid), len(slots))
            now_s = self._monotonic()
            slots[position : position + 1] = [Slot(os.getpid(), key, False, now_s, now_s)]
            write_slot(self._file, position, slots[position])
            self._tell(slots)
            place = Place(interrupt, lambda study: self._note_brought(position, place, study))
            self._held[position] = place
            leaving = self._leaving(slots)
        for one in leaving:
            one.give_way()
        return place

    def give_back(self, place: Place) -> None:
        """Gives a place back. Does no harm where that was done before."""
        if self._file < 0:
            return  # all were given back
        with self._locked() as slots:
            self._free(slots, [position for position, held in self._held.items() if held is place])

    def keep(self) -> None:
        """Says that this process is there, and ends its associations that have to give way; called again and again.

        A slot of this process that could not be freed when its association ended is freed.
        """
        with self._locked() as slots:
            now_s = self._monotonic()
            self._free(slots, [at for at, slot in enumerate(slots) if slot.pid == os.getpid() and at not in self._held])
            for position in self._held:
                note_alive(self._file, position, now_s)
            leaving = self._leaving(slots)
        for place in leaving:
            place.give_way()

    def close(self) -> None:
        """Gives back all places of this process, and the file."""
        with self._locked() as slots:
            self._free(slots, list(self._held))
            os.close(self._file)
            self._file = -1

    def _make_room(self, slots: list[Slot], key: bytes, *, at_its_host: bool) -> None:
        """Has idle associations give way until there is a place. Raises NoPlace, and then none gives way."""
        leaving: dict[int, Slot] = {}
        while shortage := self._shortage(slots, set(leaving), key, at_its_host=at_its_host):
            words, among = shortage
            idle_since_s = self._monotonic() - IDLE_S
            idle = [position for position in among if slots[position].brought_s < idle_since_s]
            if not idle:
                raise NoPlace(words)
            longest = min(idle, key=lambda position: slots[position].brought_s)
            leaving[longest] = told_to_leave(slots[longest])
        for position, slot in leaving.items():
            slots[position] = slot
            write_slot(self._file, position, slot)

    def _shortage(
        self, slots: Sequence[Slot], leaving: set[int], key: bytes, *, at_its_host: bool
    ) -> tuple[str, list[int]] | None:
        """Which limit is reached, in words, and the positions of the slots of which one would have to give way."""
        staying = [at for at, slot in enumerate(slots) if slot.pid and not slot.leaving and at not in leaving]
        of_peer = [position for position in staying if slots[position].key == key]
        if len(staying) >= self._limits.in_all:
            return f"{self._limits.in_all} associations are open, which is the most", staying
        if len(of_peer) >= self._limits.per_peer:
            return f"{self._limits.per_peer} associations of this peer are open, which is the most of one", of_peer
        if not at_its_host and len(staying) >= self._limits.in_all - self._limits.reserved:
            return f"the last {self._limits.reserved} places are kept for peers with a registered host", staying
        return None

    def _leaving(self, slots: Sequence[Slot]) -> list[Place]:
        """Those of this process that have to give way and do not know it yet."""
        held = [(slots[position], place) for position, place in self._held.items() if position < len(slots)]
        return [place for slot, place in held if slot.leaving and not place.gives_way]

    def _note_brought(self, position: int, place: Place, study: bytes) -> None:
        if self._held.get(position) is place:  # and not given back, when the listener stops
            with suppress(OSError):  # a full disk is told to who stores; what is noted here may be old
                note_brought(self._file, position, self._monotonic(), study)

    def _free(self, slots: list[Slot], positions: Sequence[int]) -> None:
        for position in positions:
            self._held.pop(position, None)
            if position < len(slots):
                slots[position] = FREE
                write_slot(self._file, position, FREE)
        cut_free_end(self._file, slots)
        self._tell(slots)

    def _tell(self, slots: Sequence[Slot]) -> None:
        with suppress(OSError):  # a full disk ends no association, and keeps none from its place
            self._told.tell(_count(slots))

    @contextmanager
    def _locked(self) -> Iterator[list[Slot]]:
        """The slots by position, those of processes that died free, while nobody else takes or frees one."""
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield free_the_dead(self._file, read_slots(self._file))
            finally:
                if self._file >= 0:  # else the body closed it, and unlocked it thereby
                    fcntl.flock(self._file, fcntl.LOCK_UN)


def forget_places(data_dir: Path) -> None:
    """Frees all places; called before any process listens, as another may have the number of one that died."""
    (data_dir / PLACES).unlink(missing_ok=True)


def _count(slots: Sequence[Slot]) -> int:
    return sum(slot.pid != 0 for slot in slots)
