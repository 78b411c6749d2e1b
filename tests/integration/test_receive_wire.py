"""The listener's own upper layer over real sockets: operations window, limits of an instance, several processes."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import func, select

from pacs_agent.archive import TRANSFER_SYNTAXES, Archive, split_part10
from pacs_agent.config import Settings
from pacs_agent.db import AuditEvent, Database, Instance, Peer, upgrade
from pacs_agent.ops.open_count import ASSOCIATIONS, told_count
from pacs_agent.receive import Listener
from tests.peers import pdus
from tests.peers.attacker import Attacker
from tests.peers.pdus import Proposed
from tests.peers.running import answers, free_port
from tests.unit.archive.made_instances import ct_slice, encoded, slice_in

REPOSITORY = Path(__file__).resolve().parents[2]
LISTEN = """
import sys
from pathlib import Path
from pacs_agent.config import Settings
from pacs_agent.receive import run_receive

run_receive(Settings(data_dir=Path(sys.argv[1]), dimse={"port": int(sys.argv[2]), "processes": 2}))
"""


@pytest.fixture
def listener(database: Database, tmp_path: Path) -> Iterator[Listener]:
    with database.writing() as session:
        session.add(Peer(ae_title="SENDER", host="127.0.0.0/8"))
        session.add(Peer(ae_title="ECHOER", host="127.0.0.0/8", may_store=False))
    dimse = {"port": 0, "network_timeout_s": 5, "max_object_mb": 1}
    listener = Listener(Settings(data_dir=tmp_path, dimse=dimse), database, Archive(database, tmp_path / "archive"))
    listener.start()
    yield listener
    listener.stop()


def store(number: int, message_id: int = 1, size: int = 16) -> bytes:
    """A C-STORE of a CT slice on context 3."""
    sent = encoded(ct_slice(number, size=size))
    return pdus.message(3, pdus.store_rq(sent.sop_instance_uid, message_id=message_id), sent.data_set)


def stored(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Instance)) or 0


def test_operations_under_way_at_a_time_are_all_answered(listener: Listener, database: Database) -> None:
    with Attacker("127.0.0.1", listener.port) as peer:
        connection = peer.associate(calling="SENDER", user_items=pdus.asynchronous_operations(4, 1))
        connection.send(b"".join(store(number, message_id=number) for number in range(1, 21)))
        answers_ = [connection.answer() for _ in range(20)]
        connection.release()
    found = {int.from_bytes(each.command[0x0120], "little"): each.status for each in answers_ if each}
    assert found == dict.fromkeys(range(1, 21), 0)
    assert stored(database) == 20


@pytest.mark.parametrize("bytes_of_a_fragment", [1, 7, 333])
def test_every_transfer_syntax_is_stored_byte_for_byte_wherever_fragments_end(
    listener: Listener, tmp_path: Path, bytes_of_a_fragment: int
) -> None:
    """Fragments end within tags and lengths, PDUs hold several of them, and TCP cuts where it likes."""
    contexts = [Proposed(2 * number + 1, pdus.CT, (uid,)) for number, uid in enumerate(TRANSFER_SYNTAXES)]
    with Attacker("127.0.0.1", listener.port) as peer:
        connection = peer.associate(contexts, calling="SENDER")
        for number, uid in enumerate(TRANSFER_SYNTAXES, 1):
            sent = slice_in(uid, number)
            command = pdus.store_rq(sent.sop_instance_uid, message_id=number)
            message = in_fragments(2 * number - 1, command, sent.data_set, bytes_of_a_fragment)
            connection.send(*(message[start : start + 1009] for start in range(0, len(message), 1009)))
            assert connection.status() == 0, uid
            digest = hashlib.sha256(sent.data_set).hexdigest()
            stored = split_part10((tmp_path / "archive" / digest[:2] / f"{digest}.dcm").read_bytes())
            assert (stored.data_set, stored.transfer_syntax_uid) == (sent.data_set, uid)
        connection.release()


def in_fragments(context_id: int, command: bytes, data_set: bytes, size: int) -> bytes:
    """A message whose command and data set come in fragments of this size, up to fifty to a PDU."""

    def values(content: bytes, *, command: bool) -> list[bytes]:
        starts = range(0, len(content), size)
        return [
            pdus.pdv(context_id, content[start : start + size], command=command, last=start == starts[-1])
            for start in starts
        ]

    every = values(command, command=True) + values(data_set, command=False)
    return b"".join(pdus.p_data(*every[start : start + 50]) for start in range(0, len(every), 50))


def test_an_instance_beyond_the_limit_is_refused_and_the_next_taken(listener: Listener, database: Database) -> None:
    with Attacker("127.0.0.1", listener.port) as peer:
        connection = peer.associate(calling="SENDER")
        connection.send(store(1, size=850))
        assert connection.status() == 0xA700
        connection.send(store(2))
        assert connection.status() == 0
        connection.send(store(3, size=1100))
        ending = connection.ending()
    assert ending is not None
    assert ending.abort == (2, 6)
    with database.reading() as session:
        refused = session.scalars(select(AuditEvent).where(AuditEvent.action == "instance.refused")).all()[0]
    assert (refused.actor, refused.detail["status"]) == ("SENDER@127.0.0.1", "A700")


def test_what_is_no_service_is_said_so_and_the_association_goes_on(listener: Listener) -> None:
    find = pdus.command_set({0x0002: pdus.CT, 0x0100: pdus.C_FIND_RQ, 0x0110: 7, 0x0800: pdus.DATA_SET})
    with Attacker("127.0.0.1", listener.port) as peer:
        connection = peer.associate(calling="SENDER")
        connection.send(pdus.message(3, find, bytes(1000)))
        answer = connection.answer()
        assert answer is not None
        assert (answer.status, int.from_bytes(answer.command[0x0100], "little")) == (0x0211, 0x8020)
        connection.send(store(1))
        assert connection.status() == 0
        connection.release()


def test_a_peer_without_the_right_to_store_is_told_so(listener: Listener) -> None:
    with Attacker("127.0.0.1", listener.port) as peer:
        connection = peer.associate(calling="ECHOER")
        sent = encoded(ct_slice(1))
        connection.send(pdus.message(1, pdus.store_rq(sent.sop_instance_uid), sent.data_set))
        assert connection.status() == 0x0124
        connection.release()


def test_the_smallest_answers_reach_a_peer_that_takes_no_larger_ones(listener: Listener) -> None:
    with Attacker("127.0.0.1", listener.port) as peer:
        connection = peer.associate(calling="SENDER", maximum_length=8)
        connection.send(store(1))
        answer = b""
        while not (piece := connection.answer()) or not piece.body[5] & 2:
            assert piece is not None
            answer += piece.body[6:]
        assert len(piece.body) <= 8
        assert b"\x00\x09\x02\x00\x00\x00\x00\x00" in answer
        connection.release()


@pytest.mark.slow
def test_processes_share_a_port_and_one_that_dies_is_replaced(tmp_path: Path) -> None:
    database = Database(Settings(data_dir=tmp_path).sqlalchemy_url)
    upgrade(database)
    with database.writing() as session:
        session.add(Peer(ae_title="SENDER", host="127.0.0.0/8"))
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", LISTEN, str(tmp_path), str(port)], cwd=REPOSITORY)
    try:
        _wait(lambda: answers(port))
        _wait(lambda: len(psutil.Process(process.pid).children()) == 2)
        first = {child.pid for child in psutil.Process(process.pid).children()}
        _store_over_many(port, 0)
        os.kill(min(first), signal.SIGKILL)
        _store_over_many(port, 100)
        _wait(lambda: len({c.pid for c in psutil.Process(process.pid).children()} - {min(first)}) == 2)
        _wait(lambda: told_count(tmp_path / ASSOCIATIONS) == 0)
        assert stored(database) == 16
        process.terminate()
        assert process.wait(30) == 0
        assert not psutil.pid_exists(max(first))
    finally:
        process.kill()
        database.close()


def _store_over_many(port: int, first: int) -> None:
    """Eight associations at a time, each with one image; a connection that a dying process took is made again."""
    with Attacker("127.0.0.1", port) as peer:
        held = [peer.associate(calling="SENDER") for _ in range(8)]
        for number, connection in enumerate(held):
            connection.send(store(first + number))
            assert connection.status() == 0
        for connection in held:
            connection.release()


def _wait(look: object, within_s: float = 60) -> None:
    end_s = time.monotonic() + within_s
    while not look():  # type: ignore[operator]
        assert time.monotonic() < end_s
        time.sleep(0.1)
