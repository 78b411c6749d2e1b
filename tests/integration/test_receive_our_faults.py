"""What goes wrong on our side: the peer is told in the protocol's own terms, the audit trail too, and it may go on."""

import errno
import mmap
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.db import AuditEvent, Database, Peer
from pacs_agent.receive import Intake, Listener
from pacs_agent.receive.incoming import Incoming
from pacs_agent.receive.places import Places
from tests.peers import pdus
from tests.peers.attacker import Attacker, Rejected
from tests.unit.archive.made_instances import ct_slice, encoded

pytestmark = pytest.mark.alone
SILENCE_S = 1.0
FAULT = "an error of ours"


@pytest.fixture
def listener(database: Database, tmp_path: Path) -> Iterator[Listener]:
    with database.writing() as session:
        session.add(Peer(ae_title="SENDER", host="127.0.0.0/8"))
    dimse = {"port": 0, "network_timeout_s": SILENCE_S}
    listener = Listener(Settings(data_dir=tmp_path, dimse=dimse), database, Archive(database, tmp_path / "archive"))
    listener.start()
    yield listener
    listener.stop()


def store(number: int, message_id: int = 1) -> bytes:
    """A C-STORE of a CT slice on context 3."""
    sent = encoded(ct_slice(number, size=16))
    return pdus.message(3, pdus.store_rq(sent.sop_instance_uid, message_id=message_id), sent.data_set)


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


def lines(database: Database, action: str) -> list[AuditEvent]:
    with database.reading() as session:
        return list(session.scalars(select(AuditEvent).where(AuditEvent.action == action)))


def only_line(database: Database, action: str) -> AuditEvent:
    (line,) = lines(database, action)
    return line


@pytest.mark.parametrize("window", [1, 4])
def test_an_error_of_ours_is_told_to_the_peer_and_audited(
    listener: Listener, database: Database, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    with Attacker("127.0.0.1", listener.port) as peer:
        connection = peer.associate(calling="SENDER", user_items=pdus.asynchronous_operations(window, 1))
        connection.send(store(1))
        assert connection.status() == 0
        monkeypatch.setattr(Intake, "finish", failing(RuntimeError("SECRET^NAME")))
        connection.send(store(2))
        ending = connection.ending()
    assert ending is not None
    assert ending.abort == (2, 0), "PS3.8 9.3.8: service provider, reason not specified"
    line = only_line(database, "association")
    assert (line.outcome, line.detail["end"], line.detail["instances"]) == ("serious-failure", "aborted by us", 1)
    assert line.detail["reason"] == f"{FAULT} (RuntimeError)", "what the error says may be of a patient"


def test_an_error_before_there_is_an_association_rejects_it_for_now(
    listener: Listener, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(errno.EMFILE, "Too many open files")
    with Attacker("127.0.0.1", listener.port) as peer:
        with monkeypatch.context() as patch:
            patch.setattr(Places, "take", failing(error))
            with pytest.raises(Rejected):
                peer.associate(calling="SENDER")
        connection = peer.associate(calling="SENDER")
        connection.send(store(1))
        assert connection.status() == 0
        connection.release()
    line = only_line(database, "association.rejected")
    assert (line.detail["result"], line.detail["source"], line.detail["diagnostic"]) == (2, 2, 1)
    assert line.detail["reason"] == f"{FAULT} (Too many open files)"


NO_MEMORY = OSError(errno.ENOMEM, "Cannot allocate memory")


@pytest.mark.parametrize(
    ("of", "name", "error", "said"),
    [
        (os, "statvfs", OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (mmap, "mmap", NO_MEMORY, "Cannot allocate memory"),
        (mmap, "mmap", MemoryError(), "MemoryError"),
        (Incoming, "content", NO_MEMORY, "Cannot allocate memory"),
        (Incoming, "content", MemoryError(), "MemoryError"),
    ],
)
def test_what_the_machine_has_no_room_for_is_refused_and_the_association_goes_on(
    listener: Listener, database: Database, monkeypatch: pytest.MonkeyPatch, of: Any, name: str, error: Any, said: str
) -> None:
    with Attacker("127.0.0.1", listener.port) as peer:
        connection = peer.associate(calling="SENDER")
        with monkeypatch.context() as patch:
            patch.setattr(of, name, failing(error))
            for number in (1, 2):
                connection.send(store(number))
                assert connection.status() == 0xA700
        connection.send(store(1))
        assert connection.status() == 0
        connection.release()
    assert [said in line.detail["text"] for line in lines(database, "instance.refused")] == [True, True]
    assert only_line(database, "association").detail["end"] == "released"


def test_where_no_thread_can_be_had_images_are_finished_one_after_the_other(
    listener: Listener, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Attacker("127.0.0.1", listener.port) as peer:
        connection = peer.associate(calling="SENDER", user_items=pdus.asynchronous_operations(4, 1))
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", failing(RuntimeError("can't start new thread")))
            connection.send(store(1, 1), store(2, 2))
            assert [connection.status(), connection.status()] == [0, 0]
        connection.release()
    line = only_line(database, "association")
    assert (line.detail["end"], line.detail["instances"]) == ("released", 2)
    assert list((tmp_path / "archive" / "incoming").iterdir()) == []


def test_a_file_that_cannot_be_removed_costs_nobody_an_answer(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Attacker("127.0.0.1", listener.port) as peer:
        connection = peer.associate(calling="SENDER")
        monkeypatch.setattr(Incoming, "discard", failing(OSError(errno.EIO, "Input/output error")))
        connection.send(store(1))
        assert connection.status() == 0
        connection.release()


def test_the_house_is_kept_again_when_the_disk_has_room_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, keep = threading.Semaphore(0), Places.keep
    full = [OSError(errno.ENOSPC, "No space left on device")]

    def first_in_vain(places: Places) -> None:
        if full:
            raise full.pop()
        keep(places)
        kept.release()

    monkeypatch.setattr(Places, "keep", first_in_vain)
    monkeypatch.setattr("pacs_agent.receive.listener.HOUSEKEEPING_S", 0.05)
    listener = Listener(Settings(data_dir=tmp_path, dimse={"port": 0}), database, Archive(database, tmp_path / "a"))
    listener.start()
    try:
        assert kept.acquire(timeout=10)
    finally:
        listener.stop()


def test_who_waits_for_our_slow_disk_is_not_taken_for_silent(
    listener: Listener, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    awake, finish = threading.Event(), Intake.finish

    def slowly(intake: Intake, incoming: Incoming) -> Any:
        awake.wait(30)
        return finish(intake, incoming)

    monkeypatch.setattr(Intake, "finish", slowly)
    with Attacker("127.0.0.1", listener.port) as peer:
        connection = peer.associate(calling="SENDER", user_items=pdus.asynchronous_operations(4, 1))
        connection.send(store(1, 1), store(2, 2))
        time.sleep(2.5 * SILENCE_S)
        awake.set()
        assert [connection.status(), connection.status()] == [0, 0]
        time.sleep(0.6 * SILENCE_S)
        connection.send(store(3, 3))
        assert connection.status() == 0, "its silence counts from our answer"
        began_s = time.monotonic()
        assert connection.ending() is not None
        assert time.monotonic() - began_s > 0.9 * SILENCE_S
    assert only_line(database, "association").detail["reason"] == f"nothing came for {SILENCE_S:g} s"
