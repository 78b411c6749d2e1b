"""The listener as peers meet it: pynetdicom and dcmtk as senders, over real sockets."""

import os
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pydicom.misc
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless
from pynetdicom import AE, _config
from pynetdicom.association import Association
from sqlalchemy import select

from pacs_agent.archive import STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES, Archive, split_part10
from pacs_agent.config import Settings
from pacs_agent.db import AuditEvent, Database, Instance, Peer, Study
from pacs_agent.receive import Listener
from tests.unit.archive.made_instances import ct_slice, part10, text_report

DCMTK = Path("/usr/bin")
"""Named in full: pynetdicom brings programs of the same names along."""
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT, DEFLATED, BIG_ENDIAN = (f"1.2.840.10008.1.2{last}" for last in (".1", "", ".1.99", ".2"))


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    return Archive(database, tmp_path / "archive")


@pytest.fixture
def listener(database: Database, archive: Archive, tmp_path: Path) -> Iterator[Listener]:
    with database.writing() as session:
        session.add(Peer(ae_title="SENDER", host="127.0.0.1"))
        session.add(Peer(ae_title="ECHOER", may_store=False))
    settings = Settings(data_dir=tmp_path, dimse={"port": 0, "max_associations": 6, "network_timeout_s": 3})
    listener = Listener(settings, database, archive)
    listener.start()
    yield listener
    listener.stop()


def associate(
    listener: Listener, contexts: Sequence[tuple[str, str]] = ((CT, EXPLICIT),), calling: str = "SENDER"
) -> Association:
    ae = AE(calling)
    for sop_class_uid, transfer_syntax_uid in contexts:
        ae.add_requested_context(sop_class_uid, transfer_syntax_uid)
    return ae.associate("127.0.0.1", listener.port, ae_title="PACSAGENT")


def send(association: Association, file: bytes, tmp_path: Path) -> int:
    """The status of a file sent byte for byte."""
    path = tmp_path / f"{time.monotonic_ns()}.dcm"
    path.write_bytes(file)
    _config.STORE_SEND_CHUNKED_DATASET = True
    try:
        return int(association.send_c_store(path).Status)
    finally:
        _config.STORE_SEND_CHUNKED_DATASET = False


def audit_lines(database: Database, action: str, wait_for: int = 1) -> Sequence[AuditEvent]:
    """The audit lines of an action; the end of an association is noticed a moment after its sender."""
    end = time.monotonic() + 10
    while True:
        with database.reading() as session:
            lines = session.scalars(select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id)).all()
        if len(lines) >= wait_for or time.monotonic() > end:
            return lines
        time.sleep(0.05)


def stored(database: Database) -> Sequence[Instance]:
    with database.reading() as session:
        return session.scalars(select(Instance)).all()


@pytest.mark.parametrize("transfer_syntax_uid", [EXPLICIT, IMPLICIT, DEFLATED, BIG_ENDIAN])
def test_uncompressed_instances_are_stored_byte_for_byte(
    listener: Listener, archive: Archive, tmp_path: Path, transfer_syntax_uid: str
) -> None:
    file = part10(ct_slice(), transfer_syntax_uid)
    association = associate(listener, [(CT, transfer_syntax_uid)])
    assert send(association, file, tmp_path) == 0
    association.release()
    kept = split_part10(archive.path(split_part10(file).digest).read_bytes())
    assert (kept.data_set, kept.transfer_syntax_uid) == (split_part10(file).data_set, transfer_syntax_uid)


@pytest.mark.parametrize("transfer_syntax_uid", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_instances_compressed_by_pydicom_are_stored_byte_for_byte(
    listener: Listener, archive: Archive, tmp_path: Path, transfer_syntax_uid: str
) -> None:
    data_set = ct_slice(size=64)
    data_set.compress(transfer_syntax_uid, generate_instance_uid=False)
    file = part10(data_set)
    association = associate(listener, [(CT, transfer_syntax_uid)])
    assert send(association, file, tmp_path) == 0
    association.release()
    kept = archive.read(split_part10(file).digest)
    assert split_part10(file).data_set == split_part10(archive.path(split_part10(file).digest).read_bytes()).data_set
    assert (kept.pixel_array == ct_slice(size=64).pixel_array).all()


@pytest.mark.peers
@pytest.mark.parametrize(
    ("command", "proposal", "transfer_syntax_uid"),
    [
        (["dcmcjpeg", "+e1"], "-xs", "1.2.840.10008.1.2.4.70"),
        (["dcmcjpeg", "+el"], None, "1.2.840.10008.1.2.4.57"),
        (["dcmcjpeg", "+eb"], "-xy", "1.2.840.10008.1.2.4.50"),
        (["dcmcjpeg", "+ee"], "-xx", "1.2.840.10008.1.2.4.51"),
        (["dcmcjpls", "+el"], "-xt", "1.2.840.10008.1.2.4.80"),
        (["dcmcjpls", "+en"], "-xu", "1.2.840.10008.1.2.4.81"),
        (["dcmcrle"], "-xr", "1.2.840.10008.1.2.5"),
        (["dcmconv", "+tb"], "-xb", BIG_ENDIAN),
        (["dcmconv", "+td"], None, DEFLATED),
        (["dcmconv", "+ti"], "-xi", IMPLICIT),
    ],
)
def test_dcmtk_sends_every_transfer_syntax(
    listener: Listener,
    archive: Archive,
    database: Database,
    tmp_path: Path,
    command: list[str],
    proposal: str | None,
    transfer_syntax_uid: str,
) -> None:
    eight_bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelData": bytes(range(256)) * 16}
    (tmp_path / "plain.dcm").write_bytes(part10(ct_slice(size=64, **(eight_bits if "+eb" in command else {}))))
    sent = tmp_path / "sent.dcm"  # without a proposal it is sent as it is: storescu would deflate it anew
    subprocess.run([f"{DCMTK}/{command[0]}", *command[1:], tmp_path / "plain.dcm", sent], check=True)
    if proposal is None:
        association = associate(listener, [(CT, transfer_syntax_uid)])
        assert send(association, sent.read_bytes(), tmp_path) == 0
        association.release()
    else:
        storescu(listener, proposal, "-R", str(sent))
    (instance,) = stored(database)
    kept = split_part10(archive.path(instance.digest).read_bytes())
    assert instance.transfer_syntax_uid == transfer_syntax_uid
    assert kept.data_set == split_part10(sent.read_bytes()).data_set


def storescu(listener: Listener, *arguments: str) -> None:
    titles = ["-aet", "SENDER", "-aec", "PACSAGENT"]
    *options, file = arguments
    command = [f"{DCMTK}/storescu", "-v", *titles, *options, "127.0.0.1", str(listener.port), file]
    environment = {**os.environ, "TCP_NODELAY": "1"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.peers
def test_echo_and_rejections_by_dcmtk(listener: Listener, database: Database) -> None:
    def echo(calling: str, called: str = "PACSAGENT") -> str:
        command = [f"{DCMTK}/echoscu", "-v", "-aet", calling, "-aec", called, "127.0.0.1", str(listener.port)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return "accepted" if result.returncode == 0 else result.stdout + result.stderr

    assert echo("SENDER") == echo("ECHOER") == "accepted"
    assert "Calling AE Title Not Recognized" in echo("STRANGER")
    assert "Called AE Title Not Recognized" in echo("SENDER", called="OTHER")
    rejected = audit_lines(database, "association.rejected", wait_for=2)
    assert [line.actor for line in rejected] == ["STRANGER@127.0.0.1", "SENDER@127.0.0.1"]
    assert [line.detail["diagnostic"] for line in rejected] == [3, 7]


@pytest.mark.peers
@pytest.mark.real_images
def test_real_series_arrives_whole_by_dcmsend(
    listener: Listener, archive: Archive, database: Database, lidc: list[Path]
) -> None:
    command = [
        f"{DCMTK}/dcmsend",
        "-aet",
        "SENDER",
        "-aec",
        "PACSAGENT",
        "127.0.0.1",
        str(listener.port),
        *map(str, lidc),
    ]
    subprocess.run(command, check=True, env={**os.environ, "TCP_NODELAY": "1"}, timeout=120)
    kept = {instance.sop_instance_uid: archive.read(instance.digest).PixelData for instance in stored(database)}
    sent = map(pydicom.dcmread, lidc)
    assert kept == {data_set.SOPInstanceUID: data_set.PixelData for data_set in sent}
    (line,) = audit_lines(database, "association")
    assert (line.detail["stored"], line.detail["refused"], line.detail["end"]) == (133, 0, "released")


@pytest.mark.real_images
def test_real_series_is_stored_byte_for_byte(
    listener: Listener, archive: Archive, lidc: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    association = associate(listener)
    assert {association.send_c_store(path).Status for path in lidc} == {0}
    association.release()
    for path in lidc:
        sent = split_part10(path.read_bytes())
        assert split_part10(archive.path(sent.digest).read_bytes()).data_set == sent.data_set


@pytest.fixture(scope="session")
def lidc(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("lidc")
    with tarfile.open(shared_data / "ct_dicom" / "LIDC-IDRI-0001_CT.tar.xz", "r:xz") as tar:
        tar.extractall(folder, filter="data")
    return [path for path in folder.rglob("*") if path.is_file() and pydicom.misc.is_dicom(path)]


def test_all_storage_classes_in_all_transfer_syntaxes_are_negotiated(listener: Listener) -> None:
    for sop_class_uid in STORAGE_SOP_CLASSES:
        association = associate(listener, [(sop_class_uid, uid) for uid in TRANSFER_SYNTAXES])
        accepted = {context.transfer_syntax[0] for context in association.accepted_contexts}
        association.release()
        assert accepted == set(TRANSFER_SYNTAXES)


def test_peer_without_the_right_to_store_gets_no_context(listener: Listener) -> None:
    association = associate(listener, [(CT, EXPLICIT), ("1.2.840.10008.1.1", IMPLICIT)], calling="ECHOER")
    assert [context.abstract_syntax for context in association.accepted_contexts] == ["1.2.840.10008.1.1"]
    assert association.send_c_echo().Status == 0
    association.release()


def test_associations_beyond_the_limit_are_rejected_until_one_ends(listener: Listener, database: Database) -> None:
    held = [associate(listener) for _ in range(6)]
    assert all(association.is_established for association in held)
    assert associate(listener).is_rejected
    held.pop().release()
    end = time.monotonic() + 10
    while not (late := associate(listener)).is_established and time.monotonic() < end:
        time.sleep(0.1)
    assert late.is_established
    for association in [*held, late]:
        association.release()
    assert audit_lines(database, "association.rejected")[0].detail["diagnostic"] == 2


def test_study_over_several_associations(listener: Listener, database: Database, tmp_path: Path) -> None:
    def send_some(first: int) -> list[int]:
        association = associate(listener)
        statuses = [send(association, part10(ct_slice(number)), tmp_path) for number in range(first, first + 5)]
        association.release()
        return statuses

    _config.STORE_SEND_CHUNKED_DATASET = True
    with ThreadPoolExecutor(4) as senders:
        assert list(senders.map(send_some, (0, 100, 200, 300))) == [[0] * 5] * 4
    assert len(stored(database)) == 20
    with database.reading() as session:
        assert len(session.scalars(select(Study)).all()) == 1
    lines = audit_lines(database, "association", wait_for=4)
    assert [line.detail["stored"] for line in lines] == [5] * 4


def test_bad_instances_are_refused_each_with_its_status_while_others_come_in(
    listener: Listener, database: Database, tmp_path: Path
) -> None:
    good, bad = associate(listener), associate(listener)
    whole = part10(ct_slice(1))
    mismatched = pydicom.dcmread(BytesIO(whole))
    mismatched.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5.6"
    stream = BytesIO()
    mismatched.save_as(stream, enforce_file_format=False)
    attacks = {
        "truncated": (whole[:-100], 0xC000),
        "other transfer syntax": (_relabelled(part10(ct_slice(1), IMPLICIT)), 0xC000),
        "not DICOM": (whole[: whole.index(b"\x08\x00\x05\x00CS")] + b"<html>" * 100, 0xC000),
        "other instance": (stream.getvalue(), 0xA900),
        "traversal": (part10(ct_slice(1)).replace(b"UI\x06\x001.2.3\0", b"UI\x06\x00../../"), 0xA900),
    }
    for number, (attack, (file, status)) in enumerate(attacks.items()):
        assert send(bad, file, tmp_path) == status, attack
        assert send(good, part10(ct_slice(50 + number)), tmp_path) == 0, attack
    assert send(bad, whole, tmp_path) == 0, "the association outlives what was refused"
    good.release(), bad.release()
    lines = {line.detail["stored"]: line.detail["refused"] for line in audit_lines(database, "association", wait_for=2)}
    assert lines == {5: 0, 1: 5}
    assert len(audit_lines(database, "instance.refused", wait_for=5)) == 5


def _relabelled(file: bytes) -> bytes:
    """Implicit VR inside, Explicit VR announced."""
    return file.replace(b"UI\x12\x001.2.840.10008.1.2\0", b"UI\x14\x001.2.840.10008.1.2.1\0")


def test_own_result_comes_back_without_a_trace(
    listener: Listener, archive: Archive, database: Database, tmp_path: Path
) -> None:
    own = text_report()
    archive.store_result(part10(own))
    association = associate(listener, [(own.SOPClassUID, EXPLICIT)])
    assert send(association, part10(own), tmp_path) == 0
    association.release()
    (line,) = audit_lines(database, "association")
    assert line.detail["own_result"] == 1
    assert len(stored(database)) == 1


def test_refusal_carries_a_comment(listener: Listener) -> None:
    association = associate(listener)
    answer: Any = association.send_c_store(_without_study())
    association.release()
    assert (answer.Status, answer.ErrorComment) == (0xA900, "StudyInstanceUID is missing or empty")


def _without_study() -> Dataset:
    return ct_slice(StudyInstanceUID=None)


def test_silent_connections_end_and_leave_the_listener_alive(listener: Listener) -> None:
    silent = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(3)]
    for number, connection in enumerate(silent):
        connection.settimeout(20)
        connection.sendall(b"\x01\x00\x00"[: number + 1])
    assert [connection.recv(100) for connection in silent[1:]] == [b"", b""]
    association = associate(listener)
    assert association.is_established
    association.release()
    for connection in silent:
        connection.close()


@pytest.mark.parametrize(
    "noise", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\x04\x00\x00\x00\x00\x06"]
)
def test_other_protocols_are_hung_up_on(listener: Listener, noise: bytes) -> None:
    with socket.create_connection(("127.0.0.1", listener.port)) as connection:
        connection.settimeout(20)
        connection.sendall(noise)
        while connection.recv(1000):
            pass
    association = associate(listener)
    assert association.is_established
    association.release()


def test_stop_gives_the_port_back(database: Database, archive: Archive, tmp_path: Path) -> None:
    listener = Listener(Settings(data_dir=tmp_path, dimse={"port": 0}), database, archive)
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = listener.port
    listener.start()
    port = listener.port
    listener.stop()
    again = Listener(Settings(data_dir=tmp_path, dimse={"port": port}), database, archive)
    again.start()
    again.stop()
