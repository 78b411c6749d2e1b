"""kill -9 of a listener in the middle of a transfer: what was answered with Success is on disk, whole and indexed."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from pynetdicom import AE
from sqlalchemy import select

from pacs_agent.archive import Archive, Taken, split_part10
from pacs_agent.config import Settings
from pacs_agent.db import AuditEvent, Database, Instance, Peer, upgrade
from pacs_agent.receive import Intake
from tests.peers import free_port
from tests.unit.archive.made_instances import CT, ct_slice, encoded

pytestmark = pytest.mark.alone
REPOSITORY = Path(__file__).resolve().parents[2]
LISTEN = """
import sys
from pathlib import Path
from pacs_agent.config import Settings
from pacs_agent.receive import run_receive

dimse = {"port": int(sys.argv[2]), "processes": int(sys.argv[3])}
run_receive(Settings(data_dir=Path(sys.argv[1]), dimse=dimse))
"""


@pytest.fixture
def port() -> int:
    return free_port()


def listening_process(data_dir: Path, port: int, processes: int = 1) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", LISTEN, str(data_dir), str(port), str(processes)]
    process = subprocess.Popen(command, cwd=REPOSITORY, start_new_session=True)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise TimeoutError("the listener did not begin to listen")


def send_until_cut(port: int, first: int, acknowledged: list[str]) -> None:
    """Sends slices until the peer is gone; notes each one that was answered with Success."""
    ae = AE("SENDER")
    ae.acse_timeout = ae.dimse_timeout = 3
    ae.add_requested_context(CT)
    association = ae.associate("127.0.0.1", port, ae_title="PACSAGENT")
    with suppress(RuntimeError):  # pynetdicom's word for an association that is gone
        for number in range(first, first + 1000):
            data_set = ct_slice(number, size=128)
            if association.send_c_store(data_set).get("Status") == 0:
                acknowledged.append(data_set.SOPInstanceUID)


@contextmanager
def killed_while_sending(
    process: subprocess.Popen[bytes], port: int, associations: int, acknowledged: list[str]
) -> Iterator[None]:
    """Several associations send, and in the end all processes of the listener are killed."""
    firsts = [5000 * number for number in range(associations)]
    senders = [threading.Thread(target=send_until_cut, args=(port, first, acknowledged)) for first in firsts]
    try:
        for sender in senders:
            sender.start()
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for sender in senders:
            sender.join(60)
    assert acknowledged


def indexed(database: Database) -> dict[str, str]:
    """Digests by SOP Instance UID."""
    with database.reading() as session:
        return {each.sop_instance_uid: each.digest for each in session.scalars(select(Instance))}


@pytest.mark.parametrize(("after_s", "associations", "processes"), [(0.4, 2, 1), (0.8, 4, 1), (1.2, 4, 2)])
def test_every_acknowledged_image_survives(
    tmp_path: Path, port: int, after_s: float, associations: int, processes: int
) -> None:
    database = prepared_database(tmp_path)
    acknowledged: list[str] = []
    with killed_while_sending(listening_process(tmp_path, port, processes), port, associations, acknowledged):
        await_one(acknowledged)
        time.sleep(after_s)
    archive, found = Archive(database, tmp_path / "archive"), indexed(database)
    assert set(acknowledged) <= set(found)
    for digest in found.values():
        assert split_part10(archive.path(digest).read_bytes()).digest == digest
    resent = Intake(database, archive).accept(encoded(ct_slice(0, size=128)), source="SENDER@127.0.0.1")
    assert resent.outcome is Taken.DUPLICATE
    database.close()


def test_images_whose_rows_a_loss_of_power_took_are_indexed_again(tmp_path: Path, port: int) -> None:
    """The database is put back to what it was some images ago; files are synced, so they are all there."""
    prepared_database(tmp_path).close()
    acknowledged: list[str] = []
    with killed_while_sending(listening_process(tmp_path, port), port, 4, acknowledged):
        await_one(acknowledged)
        copy_database(tmp_path / "pacs-agent.sqlite", tmp_path / "older.sqlite")
        time.sleep(0.8)
    for name in ("pacs-agent.sqlite-wal", "pacs-agent.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "older.sqlite").replace(tmp_path / "pacs-agent.sqlite")
    database = Database(Settings(data_dir=tmp_path).sqlalchemy_url)
    assert not set(acknowledged) <= set(indexed(database)), "nothing was lost, so nothing is tested"
    process = listening_process(tmp_path, port)
    try:
        end = time.monotonic() + 60
        while not set(acknowledged) <= set(indexed(database)) and time.monotonic() < end:
            time.sleep(0.2)
        assert set(acknowledged) <= set(indexed(database))
    finally:
        process.terminate()
        process.wait(20)
    assert not list((tmp_path / "archive" / "incoming").glob("*.mark"))
    with database.reading() as session:
        (line,) = session.scalars(select(AuditEvent).where(AuditEvent.action == "archive.recovered"))
        sources = set(session.scalars(select(Instance.source)))
    assert line.detail["indexed"] > 0
    assert sources == {"SENDER@127.0.0.1"}
    database.close()


def await_one(acknowledged: list[str]) -> None:
    end = time.monotonic() + 60
    while not acknowledged and time.monotonic() < end:
        time.sleep(0.01)


def copy_database(database: Path, copy: Path) -> None:
    """One state of a database that is being written to."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def test_process_ends_cleanly_on_sigterm(tmp_path: Path, port: int) -> None:
    prepared_database(tmp_path).close()
    process = listening_process(tmp_path, port)
    held = AE("SENDER")
    held.add_requested_context(CT)
    association = held.associate("127.0.0.1", port, ae_title="PACSAGENT")
    try:
        with socket.create_connection(("127.0.0.1", port)) as silent:
            silent.sendall(b"\1\0\0")
            process.terminate()
            assert process.wait(20) == 0
    finally:
        process.kill()
    assert not association.is_released


def prepared_database(data_dir: Path) -> Database:
    database = Database(Settings(data_dir=data_dir).sqlalchemy_url)
    upgrade(database)
    with database.writing() as session:
        session.add(Peer(ae_title="SENDER"))
    return database
