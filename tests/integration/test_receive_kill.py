"""kill -9 of a listener in the middle of a transfer: what was answered with Success is on disk, whole and indexed."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from pynetdicom import AE
from sqlalchemy import select

from pacs_agent.archive import Archive, Taken, split_part10
from pacs_agent.config import Settings
from pacs_agent.db import Database, Instance, Peer, upgrade
from pacs_agent.receive import Intake
from tests.unit.archive.made_instances import CT, ct_slice, encoded

REPOSITORY = Path(__file__).resolve().parents[2]
LISTEN = """
import sys
from pathlib import Path
from pacs_agent.config import Settings
from pacs_agent.receive import run_receive

run_receive(Settings(data_dir=Path(sys.argv[1]), dimse={"port": int(sys.argv[2]), "processes": 1}))
"""


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def listening_process(data_dir: Path, port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", LISTEN, str(data_dir), str(port)], cwd=REPOSITORY)
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


@pytest.mark.parametrize("after_s", [0.3, 0.7, 1.1])
def test_every_acknowledged_image_survives(tmp_path: Path, port: int, after_s: float) -> None:
    database = prepared_database(tmp_path)
    process = listening_process(tmp_path, port)
    acknowledged: list[str] = []
    senders = [threading.Thread(target=send_until_cut, args=(port, first, acknowledged)) for first in (0, 5000)]
    try:
        for sender in senders:
            sender.start()
        time.sleep(after_s)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    for sender in senders:
        sender.join(60)
    archive = Archive(database, tmp_path / "archive")
    with database.reading() as session:
        indexed = {each.sop_instance_uid: each.digest for each in session.scalars(select(Instance))}
    assert acknowledged
    assert set(acknowledged) <= set(indexed)
    for digest in indexed.values():
        assert split_part10(archive.path(digest).read_bytes()).digest == digest
    resent = Intake(database, archive).accept(encoded(ct_slice(0, size=128)), source="SENDER@127.0.0.1")
    assert resent.outcome is Taken.DUPLICATE
    database.close()


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
