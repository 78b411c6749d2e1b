"""Images received per second from a well-behaved storescu while somebody attacks, beside the same without an attack.

`python -m tests.bench.attack KIND PORT ADDRESS` is the attacker: a process of its own, of the lowest priority, so that
the cores that it would burn elsewhere are not taken from the receiver here. It attacks until it is ended.
"""

import os
import shutil
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import repeat
from pathlib import Path
from statistics import median
from struct import pack

import psutil
from pydicom.uid import DeflatedExplicitVRLittleEndian
from sqlalchemy import func, select

from pacs_agent.db import AuditEvent, Database, Peer, upgrade
from tests.bench.report import Row
from tests.peers import Agent, RunningProcess, pdus, storescu
from tests.peers.attacker import Attacker, Connection, Rejected, Stalled
from tests.peers.studies import copies

CALLING_AE, HOSTILE, ATTACKERS = "BENCH", "HOSTILE", "127.66.0.0/16"
GOAL = 0.8
"""Share of its undisturbed speed that a well-behaved sender keeps, at least."""
SETTLE_S = 2.0
UNDER_WAY, BEGUN_WITHIN_S = "the attack is under way", 120.0
TOLD_WITHIN_S = 90.0
LOWEST_PRIORITY = 19
HALF_HEADS, DRIPPERS, LOOPS, ENDLESS = 60, 30, 4, 4
DRIP_S, FRAGMENT_S, PAUSE_S = 0.5, 0.05, 0.002
FRAGMENT_BYTES = 1 << 16
MANY_ITEMS, BOMB_BYTES = 2_100_000, 600 << 20
"""More than a data set may have, and than one may be inflated to."""
COMMITTED = 49_000
"""Nearly as many as a request may name."""
PUSH_MODEL, PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"

Say = Callable[[str], None]


class NotTold(RuntimeError):
    """The audit trail does not name the attacker."""


class NotServed(RuntimeError):
    """A well-behaved sender was turned away during an attack."""


def measure(folder: Path, images: Sequence[Path], say: Say, rounds: int = 1, count: int = 100) -> list[Row]:
    """Rows of every kind of attack: speed under it beside that without, and how much the receiver's memory grew.

    `images` are CT files, of which `count` copies are sent each time. Raises NotServed, NotTold.
    """
    return [row for kind in ATTACKS for row in _measured(kind, folder / kind, images, say, rounds, count)]


def _measured(kind: str, folder: Path, images: Sequence[Path], say: Say, rounds: int, count: int) -> Iterator[Row]:
    quiet: list[float] = []
    attacked: list[float] = []
    grown_mb: list[float] = []
    try:
        with _receiver(folder) as agent:
            _send(agent, images, folder / "warm-up", 20)
            for number in range(rounds):
                quiet.append(_send(agent, images, folder / f"quiet-{number}", count))
                with _attack(kind, agent, folder) as memory:
                    attacked.append(_send(agent, images, folder / f"attacked-{number}", count))
                grown_mb.append(memory.grown_mb)
                say(f"round {number + 1}, {kind}: {attacked[-1]:.0f} images/s, {quiet[-1]:.0f} without the attack")
            lines = _told(folder, kind)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    what = f"reception of {count} CT by one storescu while there is an attack: {ATTACKS[kind].__doc__} "
    what += f"The audit trail names the attacker ({lines} lines)."
    speeds = {"ours": attacked, "undisturbed": quiet}
    label = kind.replace("_", " ")
    yield Row(
        f"attack.{kind}.speed_ratio", f"under attack: {label}", what, "images/s", "higher",
        median(attacked), "undisturbed", median(quiet), None, speeds, GOAL,
    )  # fmt: skip
    yield Row(
        f"attack.{kind}.rss_mb", f"memory grown: {label}", what, "MB", "lower",
        max(grown_mb), "undisturbed", None, None, {"ours": grown_mb},
    )  # fmt: skip


@contextmanager
def _receiver(folder: Path) -> Iterator[Agent]:
    """Our receiver with its limits as they are by default, and two peers: one of them is hostile."""
    agent = Agent(folder, subcommand="receive")
    (folder / "data").mkdir()
    with closing(_database(folder)) as database:
        upgrade(database)
        with database.writing() as session:
            session.add(Peer(ae_title=CALLING_AE, host="127.0.0.1"))
            session.add(Peer(ae_title=HOSTILE, host=ATTACKERS))
    with agent:
        yield agent


def _send(agent: Agent, images: Sequence[Path], folder: Path, count: int) -> float:
    """Images per second of fresh copies. Raises NotServed."""
    copies(images, folder, count, label=str(folder))
    sent = storescu([folder], agent.port, agent.ae_title, calling_ae=CALLING_AE)
    shutil.rmtree(folder)
    if sent.code:
        raise NotServed(f"storescu was not served: {sent.output[-1000:]}")
    return count / sent.seconds


class _Memory:
    """How much the resident memory of a process and its children grows, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        self._top = psutil.Process(pid)
        self._before = self._most = self._now_bytes()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    @property
    def grown_mb(self) -> float:
        """The most that it had grown."""
        return (self._most - self._before) / 1e6

    def end(self) -> None:
        """Looks no more."""
        self._over.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            self._most = max(self._most, self._now_bytes())

    def _now_bytes(self) -> int:
        found = 0
        for process in [self._top, *self._top.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                found += int(process.memory_info().rss)
        return found


@contextmanager
def _attack(kind: str, agent: Agent, folder: Path) -> Iterator[_Memory]:
    """The attack under way, and the receiver's memory meanwhile."""
    memory = _Memory(agent.process.pid)
    command = [sys.executable, "-m", "tests.bench.attack", kind, agent.port, _address(kind)]
    attacker = RunningProcess("attacker", command, folder / "attacker.log")
    try:
        attacker.wait_until(lambda: UNDER_WAY in attacker.log_text, timeout_s=BEGUN_WITHIN_S)
        time.sleep(SETTLE_S)
        yield memory
    finally:
        attacker.stop()
        memory.end()


def _address(kind: str) -> str:
    return f"127.66.1.{1 + list(ATTACKS).index(kind)}"


def _told(folder: Path, kind: str) -> int:
    """How many audit lines name the attacker and tell of no success. Raises NotTold."""
    named = select(func.count()).select_from(AuditEvent)
    named = named.where(AuditEvent.actor.endswith(f"@{_address(kind)}"), AuditEvent.outcome != "success")
    deadline = time.monotonic() + TOLD_WITHIN_S  # a minute's refusals of one address may be summed up in one line
    with closing(_database(folder)) as database:
        while time.monotonic() < deadline:
            with database.reading() as session:
                if lines := session.scalar(named):
                    return lines
            time.sleep(0.5)
    raise NotTold(f"no audit line names {_address(kind)}, which attacked: {kind}")


def _database(folder: Path) -> Database:
    return Database(f"sqlite:///{folder / 'data' / 'pacs-agent.sqlite'}")


def half_heads(attacker: Attacker) -> None:
    """60 connections that send half a head and are silent, renewed when they are hung up on."""
    _each(HALF_HEADS, lambda: _silent(attacker.connect(), b"\x01\x00\x00"))


def drips(attacker: Attacker) -> None:
    """30 connections that send one byte of their request every half second."""
    _each(DRIPPERS, lambda: _drip(attacker.connect()))


def associate_abort(attacker: Attacker) -> None:
    """A registered peer that associates and aborts in four endless loops."""
    _each(LOOPS, lambda: _closed(attacker.connect(), pdus.associate_rq(), pdus.abort()))


def huge_lengths(attacker: Attacker) -> None:
    """Four endless loops of connections that declare 4 GiB and send what is taken of them."""
    _each(LOOPS, lambda: _flood(attacker.connect()))


def strangers(attacker: Attacker) -> None:
    """Four endless loops of association requests by AE titles that nobody registered."""
    _each(LOOPS, lambda: _closed(attacker.connect(), pdus.associate_rq(calling="STRANGER")))


def never_last(attacker: Attacker) -> None:
    """A registered peer with four associations, each with a data set that never ends, 1.3 MB of it a second."""
    _each(ENDLESS, lambda: _endless(attacker))


def many_items(attacker: Attacker) -> None:
    """A registered peer with four associations that send data sets of 2,100,000 empty items, one after the other."""
    data_set = pack("<HH2sHL", 0x0009, 0x1001, b"SQ", 0, 8 * MANY_ITEMS) + pack("<HHL", 0xFFFE, 0xE000, 0) * MANY_ITEMS
    _each(LOOPS, lambda: _refused(attacker, data_set, pdus.EXPLICIT))


def deflate_bombs(attacker: Attacker) -> None:
    """A registered peer with four associations that send deflated data sets of 600 MB, one after the other."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = packer.compress(pack("<HH2sHL", 0x0009, 0x1001, b"OB", 0, BOMB_BYTES)) + packer.flush(zlib.Z_FULL_FLUSH)
    bomb += (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)) * (BOMB_BYTES >> 20) + packer.flush()
    _each(LOOPS, lambda: _refused(attacker, bomb, str(DeflatedExplicitVRLittleEndian)))


def commitments(attacker: Attacker) -> None:
    """A registered peer with four associations that ask for commitment of 49,000 instances, one of them malformed."""
    named = (b"1.2.3.%d" % number for number in range(COMMITTED - 1))
    bodies = (_uid(0x1150, pdus.CT.encode()) + _uid(0x1155, uid) for uid in (*named, b"none"))
    items = b"".join(pack("<HHL", 0xFFFE, 0xE000, len(body)) + body for body in bodies)
    information = _uid(0x1195, b"1.2.3") + pack("<HH2sHL", 0x0008, 0x1199, b"SQ", 0, len(items)) + items
    command = {0x0003: PUSH_MODEL, 0x0100: pdus.N_ACTION_RQ, 0x0110: 1, 0x0800: pdus.DATA_SET}
    command |= {0x1001: PUSH_MODEL_INSTANCE, 0x1008: 1}
    request = pdus.message(3, pdus.command_set(command), information)
    _each(LOOPS, lambda: _asked(attacker, request))


ATTACKS: dict[str, Callable[[Attacker], None]] = {
    attack.__name__: attack
    for attack in (
        *(half_heads, drips, associate_abort, huge_lengths, strangers, never_last),
        *(many_items, deflate_bombs, commitments),
    )
}


def _each(threads: int, act: Callable[[], None]) -> None:
    """Repeats an act for ever in some threads, whatever the receiver does about it, and says so."""

    def repeated() -> None:
        while True:
            with suppress(OSError, Stalled, Rejected):
                act()
            time.sleep(PAUSE_S)

    running = [threading.Thread(target=repeated, daemon=True) for _ in range(threads)]
    for thread in running:
        thread.start()
    print(UNDER_WAY, flush=True)
    for thread in running:
        thread.join()


def _silent(connection: Connection, said: bytes) -> None:
    connection.send(said)
    connection.socket.settimeout(None)
    with closing(connection):
        connection.socket.recv(1)


def _drip(connection: Connection) -> None:
    with closing(connection):
        connection.drip(pdus.associate_rq(), every_s=DRIP_S, for_s=600)


def _closed(connection: Connection, *pieces: bytes) -> None:
    with closing(connection):
        connection.send(*pieces)
        connection.answer()


def _flood(connection: Connection) -> None:
    with closing(connection):
        connection.send(pdus.associate_rq(length=0xFFFFFFF0))
        connection.flood(repeat(bytes(FRAGMENT_BYTES), 1000))


def _endless(attacker: Attacker) -> None:
    fragment = pdus.p_data(pdus.pdv(3, bytes(FRAGMENT_BYTES), last=False))
    with closing(attacker.associate()) as association:
        association.send(pdus.message(3, pdus.store_rq(f"1.2.{time.monotonic_ns()}")))
        while association.send(fragment):
            time.sleep(FRAGMENT_S)


def _refused(attacker: Attacker, data_set: bytes, transfer_syntax_uid: str) -> None:
    """One association over which a data set is sent again and again, whatever it is answered with."""
    with closing(attacker.associate([pdus.Proposed(3, pdus.CT, (transfer_syntax_uid,))])) as association:
        association.socket.settimeout(None)
        while association.send(pdus.message(3, pdus.store_rq(f"1.2.{time.monotonic_ns()}"), data_set)):
            association.status()


def _asked(attacker: Attacker, request: bytes) -> None:
    """One association over which a request of storage commitment is sent again and again."""
    with closing(attacker.associate([pdus.Proposed(3, PUSH_MODEL)])) as association:
        association.socket.settimeout(None)
        while association.send(request):
            association.answer()


def _uid(element: int, value: bytes) -> bytes:
    """An element of group 0008 of VR UI."""
    value += b"\0" * (len(value) % 2)
    return pack("<HH2sH", 0x0008, element, b"UI", len(value)) + value


def _give_way() -> None:
    """The lowest priority: of the process, and of its session, by which Linux shares cores where it groups them so."""
    os.nice(LOWEST_PRIORITY)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(LOWEST_PRIORITY), encoding="ascii")


if __name__ == "__main__":
    _give_way()
    ATTACKS[sys.argv[1]](Attacker(sys.argv[3], int(sys.argv[2]), HOSTILE))
