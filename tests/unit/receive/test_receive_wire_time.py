"""Time that a peer may have, the doorway, and audit lines, under a clock that the test moves, and over real sockets."""

import os
import socket
import threading
import time
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from pacs_agent.db import AuditEvent, Database, Peer
from pacs_agent.receive.audit_book import LINES_A_MINUTE, MINUTE_S, AuditBook
from pacs_agent.receive.doorway import Doorway, Visitor, registered_networks
from pacs_agent.receive.wire.breach import PeerGone, Stopping, TimeSpent
from pacs_agent.receive.wire.budget import Budget, TimeLimits
from pacs_agent.receive.wire.stream import Stream
from pacs_agent.receive.wire.transport import Transport

LIMITS = TimeLimits(negotiation_s=10, silence_s=20, pdu_s=30, message_s=40)
SHORT = TimeLimits(negotiation_s=60, silence_s=0.2, pdu_s=0.4, message_s=60)


class Clock:
    """A clock that stands still until it is told."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize(
    ("begun", "after_s", "said"),
    [
        ((), 11, "no association request within 10 s"),
        (("end_negotiation",), 21, "nothing came for 20 s"),
        (("end_negotiation", "begin_pdu"), 31, "a PDU took more than 30 s"),
        (("end_negotiation", "begin_message"), 41, "a message took more than 40 s"),
        (("end_negotiation", "begin_message", "begin_pdu", "end_pdu"), 41, "a message took more than 40 s"),
    ],
)
def test_each_deadline_ends_a_wait(begun: tuple[str, ...], after_s: float, said: str) -> None:
    clock = Clock()
    budget = Budget(LIMITS, clock)
    for name in begun:
        getattr(budget, name)()
    budget.check(clock.now_s, heard=False)
    since_s = clock.now_s
    clock.now_s += after_s
    with pytest.raises(TimeSpent, match=said):
        budget.check(since_s, heard="nothing" not in said)


def test_what_is_over_in_time_costs_nothing() -> None:
    clock = Clock()
    budget = Budget(LIMITS, clock)
    for name in ("begin_pdu", "end_pdu", "end_negotiation", "begin_message", "end_message"):
        getattr(budget, name)()
    clock.now_s += 1e6
    budget.check(clock.now_s, heard=False)


def test_who_is_owed_an_answer_is_not_silent_but_a_pdu_must_end() -> None:
    clock = Clock()
    budget = Budget(LIMITS, clock)
    budget.end_negotiation()
    since_s = clock.now_s
    budget.owe()
    budget.owe()
    clock.now_s += 1e6
    budget.check(since_s, heard=False)
    budget.pay()
    budget.check(since_s, heard=False)
    budget.begin_pdu()
    clock.now_s += 31
    with pytest.raises(TimeSpent, match="a PDU took more"):
        budget.check(since_s, heard=False)
    budget.end_pdu()
    budget.pay()
    clock.now_s += 19
    budget.check(since_s, heard=False)
    clock.now_s += 2
    with pytest.raises(TimeSpent, match="nothing came"):
        budget.check(since_s, heard=False)


@pytest.fixture
def ends() -> Any:
    ours, theirs = socket.socketpair()
    listening = socket.create_server(("127.0.0.1", 0))
    theirs.close(), ours.close()
    theirs = socket.create_connection(listening.getsockname())
    ours, _ = listening.accept()
    listening.close()
    yield ours, theirs
    ours.close(), theirs.close()


def transport(connection: socket.socket, stopping: threading.Event | None = None) -> Transport:
    return Transport(connection, Budget(SHORT), (stopping or threading.Event()).is_set)


def test_silence_ends(ends: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(TimeSpent, match="nothing came"):
        Stream(transport(ends[0])).wait()


def test_dripping_ends(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    stream, over = Stream(transport(ours)), threading.Event()

    def drip() -> None:
        while not over.wait(0.03):
            theirs.send(b"\1")

    dripping = threading.Thread(target=drip)
    dripping.start()
    budget = stream._transport._budget
    budget.end_negotiation()
    budget.begin_pdu()
    start_s = time.monotonic()
    with pytest.raises(TimeSpent, match="a PDU took"):
        stream.take(10_000)
    over.set()
    dripping.join()
    assert time.monotonic() - start_s < 10


def test_a_peer_that_reads_no_answer_ends(ends: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(TimeSpent, match="does not take"):
        transport(ends[0]).send(bytes(50 << 20))


def test_a_peer_that_is_gone_is_told_from_one_that_waits(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[1].close()
    with pytest.raises(PeerGone, match="closed"):
        Stream(transport(ends[0])).take(1)


def test_stopping_ends_a_wait(ends: tuple[socket.socket, socket.socket]) -> None:
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(Stopping):
        Stream(transport(ends[0], stopping)).wait()


def test_bodies_and_heads_over_a_real_socket(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    stream, body = Stream(transport(ours)), os.urandom(600_000)
    sender = threading.Thread(target=lambda: [theirs.sendall(b"head" + body + b"tail") for _ in range(3)])
    sender.start()
    for _ in range(3):
        assert stream.take(4) == b"head"
        kept, room = b"", memoryview(bytearray(len(body)))
        while len(kept) < len(body):
            count = stream.take_into(room[: len(body) - len(kept)])
            kept += bytes(room[:count])
        assert kept == body
        assert stream.take(4) == b"tail"
    sender.join()


def due(one: socket.socket) -> Transport:
    """A transport as it is over TLS: the socket's own timeout."""
    over = transport(one)
    over.scatters = False
    one.settimeout(0.05)
    return over


def test_what_is_due_comes_whole_or_as_far_as_it_came(ends: tuple[socket.socket, socket.socket]) -> None:
    one, other = ends
    room = memoryview(bytearray(100_000))
    sender = threading.Thread(target=other.sendall, args=(b"x" * 100_000,))
    sender.start()
    assert due(one).receive_due(room) == 100_000
    sender.join()
    other.sendall(b"half")
    assert due(one).receive_due(room) == 4
    other.close()
    with pytest.raises(PeerGone):
        due(one).receive_due(room)


def test_dripping_what_is_due_ends(ends: tuple[socket.socket, socket.socket]) -> None:
    one, other = ends
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.02):
            other.send(b"x")

    sender = threading.Thread(target=drip)
    sender.start()
    budget = Budget(SHORT)
    budget.begin_pdu()
    over = Transport(one, budget, lambda: False)
    over.scatters = False
    one.settimeout(0.05)
    began_s = time.monotonic()
    with pytest.raises(TimeSpent, match="a PDU took more"):
        while True:
            over.receive_due(memoryview(bytearray(100_000)))
    assert time.monotonic() - began_s < 5
    stop.set()
    sender.join()


# doorway


def test_the_oldest_of_an_address_then_the_oldest_stranger_gives_way(database: Database) -> None:
    with database.writing() as session:
        session.add(Peer(ae_title="PACS", host="10.0.0.0/24"))
        session.add(Peer(ae_title="NAMED", host="pacs.example"))
        session.add(Peer(ae_title="GONE", host="192.0.2.1", enabled=False))
    gone: list[str] = []
    doorway = Doorway(most=3, most_of_one_address=2)
    doorway.know(registered_networks(database))

    def enter(name: str, address: str) -> Visitor:
        visitor = Visitor(address, lambda: gone.append(name))
        doorway.enter(visitor)
        return visitor

    enter("known", "10.0.0.7")
    enter("stranger 1", "192.0.2.1")
    enter("stranger 2", "192.0.2.1")
    enter("stranger 3", "192.0.2.1")
    assert gone == ["stranger 1"]
    served = enter("another", "192.0.2.9")
    assert gone == ["stranger 1", "stranger 2"]
    doorway.leave(served)
    doorway.leave(served)
    enter("known 2", "10.0.0.8")
    enter("known 3", "10.0.0.9")
    enter("known 4", "10.0.0.10")
    assert gone == ["stranger 1", "stranger 2", "stranger 3", "known"]


def test_the_crowd_of_an_address_that_owes_is_not_let_in_nor_waits_in_threads() -> None:
    gone: list[int] = []
    owing = {"192.0.2.1"}
    doorway = Doorway(most=9, most_of_one_address=2, owes=owing.__contains__)
    first, second, third = (Visitor("192.0.2.1", partial(gone.append, number)) for number in range(3))
    assert [doorway.enter(one) for one in (first, second, third)] == [True, True, False]
    assert gone == [] and doorway.all() == [first, second]
    owing.clear()
    waiting = threading.Thread(target=first.wait, args=(60,))
    waiting.start()
    assert doorway.enter(third)
    waiting.join(10)
    assert not waiting.is_alive(), "it waits no longer when it has to give way"
    assert gone == [0] and first.sent_away and not second.sent_away


# audit


def test_what_is_only_counted_is_in_the_sum(database: Database) -> None:
    book = AuditBook(database, "PACSAGENT", Clock())
    for _ in range(5):
        book.count("192.0.2.1", "association.rejected", "pushing")
    assert lines(database) == []
    book.sum_up(all_minutes=True)
    (line,) = lines(database)
    assert (line.actor, line.detail["count"]) == ("@192.0.2.1", 5)


def test_a_flood_is_summed_up(database: Database) -> None:
    clock = Clock()
    book = AuditBook(database, "PACSAGENT", clock)
    for number in range(LINES_A_MINUTE + 30):
        book.rejected("EVIL@192.0.2.1", f"reason {number}", result=1, source=1)
    book.rejected("OTHER@192.0.2.2", "once")
    book.sum_up()
    assert len(lines(database)) == LINES_A_MINUTE + 1
    clock.now_s += MINUTE_S
    book.sum_up()
    (last,) = lines(database)[LINES_A_MINUTE + 1 :]
    assert (last.actor, last.detail["count"]) == ("@192.0.2.1", 30)
    assert "reason 49" in last.detail["reason"]
    book.rejected("EVIL@192.0.2.1", "a minute later")
    assert lines(database)[-1].detail["reason"] == "a minute later"


def lines(database: Database) -> list[AuditEvent]:
    with database.reading() as session:
        return list(session.scalars(select(AuditEvent).order_by(AuditEvent.id)))
