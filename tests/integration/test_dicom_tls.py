"""DICOM over TLS with real peers: dcmtk sends to us and receives from us; who does not belong is turned away."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from pacs_agent.archive import Archive
from pacs_agent.cli import main
from pacs_agent.config import Settings
from pacs_agent.db import AuditEvent, Database, Destination, Instance, Peer
from pacs_agent.deliver import (
    DeliveryError,
    DimseDestination,
    Refused,
    Unreachable,
    Verdict,
    open_destination,
    outgoing,
)
from pacs_agent.ops.listening import listener_answers
from pacs_agent.receive import Listener
from tests.integration.test_receive_listener import audit_lines
from tests.peers import StoreScp, free_port
from tests.peers.certificates import Authority, Pair
from tests.peers.dcmtk import Sent, storescu
from tests.unit.archive.made_instances import ct_slice, part10

pytestmark = pytest.mark.peers
CT_1 = "ct-1.example"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Pair:
    return authority.issue("127.0.0.1")


@pytest.fixture(scope="module")
def scanner(authority: Authority) -> Pair:
    return authority.issue(CT_1)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.dcm"
    path.write_bytes(part10(ct_slice()))
    return path


@pytest.fixture
def settings(tmp_path: Path, authority: Authority, ours: Pair) -> Settings:
    files = {"certificate": ours.certificate, "key": ours.key, "ca_file": authority.file}
    return Settings(data_dir=tmp_path, dimse={"port": 0, "tls": {"port": 0, **files}}, deliver={"timeout_s": 10})  # type: ignore[arg-type]


@pytest.fixture
def listener(database: Database, settings: Settings, tmp_path: Path) -> Iterator[Listener]:
    with database.writing() as session:
        session.add(Peer(ae_title="BOUND", host="127.0.0.1", certificate_name=CT_1.upper()))
        session.add(Peer(ae_title="OPEN", host="127.0.0.1"))
        session.add(Peer(ae_title="TLSONLY", host="127.0.0.1", tls_only=True))
    listener = Listener(settings, database, Archive(database, tmp_path / "archive"))
    listener.start()
    yield listener
    listener.stop()


def secured(pair: Pair, authority: Authority, *more: str) -> list[str]:
    """Options of dcmtk's tools for TLS with a certificate."""
    return ["+tls", str(pair.key), str(pair.certificate), "+cf", str(authority.file), *more]


def sent(image: Path, port: int, calling: str, options: Sequence[str] = ()) -> Sent:
    return storescu([image], port, "PACSAGENT", calling_ae=calling, options=options)


def stored(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count(Instance.id))) or 0


def rejections(database: Database, number: int = 1) -> str:
    """Why associations were rejected, by the audit trail, once there are so many lines."""
    return "; ".join(str(line.detail["reason"]) for line in audit_lines(database, "association.rejected", number))


def test_dcmtk_stores_over_tls(
    listener: Listener, database: Database, image: Path, scanner: Pair, authority: Authority
) -> None:
    for number, (calling, profile) in enumerate((("BOUND", "+py"), ("TLSONLY", "+px"), ("OPEN", "+pz"))):
        done = sent(image, listener.tls_port, calling, secured(scanner, authority, profile))
        assert done.code == 0, done.output
        assert len(audit_lines(database, "association", number + 1)) == number + 1
    assert stored(database) == 1


def test_a_certificate_of_another_node_is_rejected(
    listener: Listener, database: Database, image: Path, ours: Pair, authority: Authority
) -> None:
    assert sent(image, listener.tls_port, "BOUND", secured(ours, authority)).code != 0
    assert "must show a certificate of CT-1.EXAMPLE" in rejections(database)
    assert stored(database) == 0


def test_plain_associations_of_peers_that_must_come_over_tls_are_rejected(
    listener: Listener, database: Database, image: Path
) -> None:
    for number, calling in enumerate(("BOUND", "TLSONLY")):
        assert sent(image, listener.port, calling).code != 0
        assert rejections(database, number + 1).count("without TLS") == number + 1
    assert sent(image, listener.port, "OPEN").code == 0


def test_strangers_and_expired_certificates_do_not_get_through_the_handshake(
    listener: Listener, database: Database, image: Path, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger", "Stranger CA").issue(CT_1)
    expired = authority.issue("expired.example", ends=-timedelta(days=1))
    for number, (pair, said) in enumerate(((stranger, "unable to get local issuer"), (expired, "expired"))):
        assert sent(image, listener.tls_port, "OPEN", secured(pair, authority)).code != 0
        assert said in rejections(database, number + 1)
    assert stored(database) == 0


def test_who_shows_no_certificate_does_not_get_through_the_handshake(
    listener: Listener, database: Database, image: Path, authority: Authority
) -> None:
    assert sent(image, listener.tls_port, "OPEN", ["+tla", "+cf", str(authority.file)]).code != 0
    assert "showed no certificate" in rejections(database)


def _tls_1_1(scanner: Pair, authority: Authority) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.file))
    context.load_cert_chain(scanner.certificate, scanner.key)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_plain_dicom_and_http_at_the_tls_port(
    listener: Listener, database: Database, image: Path, scanner: Pair, authority: Authority
) -> None:
    with socket.create_connection(("127.0.0.1", listener.tls_port), 5) as plain, pytest.raises(OSError):
        _tls_1_1(scanner, authority).wrap_socket(plain, server_hostname="127.0.0.1")
    assert sent(image, listener.tls_port, "OPEN").code != 0
    with socket.create_connection(("127.0.0.1", listener.tls_port), 5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
    said = rejections(database, 3)
    assert all(words in said for words in ("TLS 1.1 or older", "no TLS on the other end", "HTTP on the port"))
    assert sent(image, listener.tls_port, "OPEN", secured(scanner, authority)).code == 0, "others are served meanwhile"


def test_a_listener_with_tls_only_is_known_to_answer(settings: Settings, database: Database, tmp_path: Path) -> None:
    assert settings.dimse.tls is not None
    tls = settings.dimse.tls.model_copy(update={"only": True, "port": free_port()})
    dimse = settings.dimse.model_copy(update={"tls": tls})
    assert not listener_answers(dimse)
    listener = Listener(settings.model_copy(update={"dimse": dimse}), database, Archive(database, tmp_path / "archive"))
    listener.start()
    try:
        assert listener_answers(dimse)
    finally:
        listener.stop()
    with database.reading() as session:
        refusals = session.scalars(select(AuditEvent.detail).where(AuditEvent.action == "association.rejected")).all()
    assert not [one for one in refusals if "certificate" in str(one)]


@pytest.fixture
def scp(tmp_path: Path, authority: Authority, ours: Pair) -> Iterator[Callable[..., StoreScp]]:
    running: list[StoreScp] = []

    def start(options: Sequence[str]) -> StoreScp:
        one = StoreScp(tmp_path / f"scp{len(running)}", options=options)
        one.__enter__()
        running.append(one)
        return one

    yield start
    for one in running:
        one.__exit__(None, None, None)


def destination(scp: StoreScp, settings: Settings, **changed: Any) -> DimseDestination:
    given = {"host": "127.0.0.1", "port": scp.port, "called_ae": scp.ae_title, "tls": True, **changed}
    opened = open_destination(Destination(name="pacs", kind="dimse", settings=given, enabled=True), settings)
    assert isinstance(opened, DimseDestination)
    return opened


def test_we_deliver_to_storescp_over_tls(
    scp: Callable[..., StoreScp], settings: Settings, authority: Authority, ours: Pair, scanner: Pair, image: Path
) -> None:
    there = scp(secured(ours, authority))
    assert [answer.verdict for answer in destination(there, settings).send([outgoing(image)])] == [Verdict.STORED]
    named = scp(secured(scanner, authority))
    assert destination(named, settings, certificate_name=CT_1).probe()
    with pytest.raises(Unreachable, match="IP address mismatch"):
        destination(named, settings).probe()
    with pytest.raises(DeliveryError, match="did not accept"):
        destination(there, settings, tls=False).probe()


def test_the_command_line_sends_over_tls(
    listener: Listener, database: Database, image: Path, settings: Settings, tmp_path: Path
) -> None:
    tls = settings.dimse.tls
    assert tls is not None
    files = {name: str(getattr(tls, name)) for name in ("certificate", "key", "ca_file")}

    def send(*options: str, **changed: object) -> Result:
        config = tmp_path / "agent.yaml"
        section = {"port": listener.port, "tls": {**files, "port": listener.tls_port, **changed}}
        config.write_text(json.dumps({"data_dir": str(tmp_path / "other"), "dimse": section}), encoding="utf-8")
        return CliRunner().invoke(main, ["--config", str(config), "send", str(image), "--calling-ae", *options])

    assert send("TLSONLY").exit_code == 1, "without TLS it is turned away"
    for sent_by in (send("TLSONLY", "--tls"), send("TLSONLY", only=True), send("OPEN", "--plain", only=True)):
        assert "1 of 1 stored" in sent_by.output, sent_by.output
    plain = tmp_path / "plain.yaml"
    plain.write_text(f"data_dir: {tmp_path / 'other'}", encoding="utf-8")
    refused = CliRunner().invoke(main, ["--config", str(plain), "send", str(image), "--tls"])
    assert refused.exit_code == 2 and "dimse.tls" in refused.output


def test_what_is_wrong_with_the_other_end_is_told(
    scp: Callable[..., StoreScp], settings: Settings, ours: Pair, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger", "Stranger CA")
    foreign = scp(secured(stranger.issue("127.0.0.1"), stranger))
    with pytest.raises(Unreachable, match="is not accepted: self-signed certificate in certificate chain"):
        destination(foreign, settings).probe()
    distrusting = scp(secured(ours, stranger))
    with pytest.raises(Unreachable, match="does not know the authority of our certificate"):
        destination(distrusting, settings).probe()
    plain = scp([])
    with pytest.raises(Unreachable, match="TLS"):
        destination(plain, settings).probe()
    with pytest.raises(Refused, match=r"set dimse\.tls"):
        destination(plain, Settings()).probe()
