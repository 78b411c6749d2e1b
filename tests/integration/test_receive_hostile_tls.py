"""Hostile TLS clients at a running receiver (hostile inputs f, 4 and 12): alerts, time limits, bound certificates."""

import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from pacs_agent.db import Peer
from tests.integration.siege import ATTACKERS, HOSTILE, Siege
from tests.peers import free_port, pdus
from tests.peers.attacker import Attacker, Connection
from tests.peers.certificates import Authority, Pair

pytestmark = pytest.mark.alone
CALLING_UNKNOWN = (1, 1, 3)
HANDSHAKE_WITHIN_S = 16
"""The receiver gives a handshake ten seconds; a busy machine some more."""
CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)


@dataclass(frozen=True)
class Certificates:
    """Those of the hospital's authority, and those that it does not know or know any more."""

    hospital: Authority
    hostile: Pair
    other: Pair
    expired: Pair
    stranger: Pair
    revoked: Pair

    def context(self, pair: Pair | None) -> ssl.SSLContext:
        """A client that trusts the receiver and shows a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.hospital.file)
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        return context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder: Path = tmp_path_factory.mktemp("certificates")
    hospital, nobody = Authority(folder / "hospital"), Authority(folder / "nobody", "Nobody's CA")
    return Certificates(
        hospital=hospital,
        hostile=hospital.issue("hostile.example"),
        other=hospital.issue("other.example"),
        expired=hospital.issue("expired.example", ends=timedelta(days=-1)),
        stranger=nobody.issue("hostile.example"),
        revoked=hospital.issue("revoked.example"),
    )


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Siege]:
    own, tls_port = certificates.hospital.issue("127.0.0.1"), free_port()
    files = {"certificate": own.certificate, "key": own.key, "ca_file": certificates.hospital.file}
    files["crl_file"] = certificates.hospital.revoke()
    tls = {name: str(path) for name, path in files.items()} | {"port": tls_port}
    siege = Siege(tmp_path_factory.mktemp("siege"), tls=tls)
    siege.doors.append((tls_port, certificates.context(certificates.other)))
    with siege.running():
        with siege.database.writing() as session:
            session.merge(Peer(ae_title=HOSTILE, host=ATTACKERS, certificate_name="hostile.example", tls_only=True))
        yield siege


@pytest.fixture
def tls_port(siege: Siege) -> int:
    return siege.doors[-1][0]


def hung_up(connection: Connection) -> None:
    started_s = time.monotonic()
    with suppress(ConnectionError):
        while connection.socket.recv(4096):
            pass
    assert time.monotonic() - started_s < HANDSHAKE_WITHIN_S


def reason(siege: Siege, attacker: Attacker) -> str:
    """Why the receiver says that it hung up."""
    line = siege.audited(attacker, "association.rejected")
    return str(line.detail["reason"])


def test_f_12_silent_clients_keep_no_other_client_waiting(siege: Siege, tls_port: int) -> None:
    with siege.attack(port=tls_port) as attacker:
        silent = [attacker.connect() for _ in range(20)]
        for connection in silent[10:]:
            connection.send(CLIENT_HELLO[:40])
        started_s = time.monotonic()
        siege.serves()
        assert time.monotonic() - started_s < HANDSHAKE_WITHIN_S / 2, "served while the others are silent"
        for connection in silent:
            hung_up(connection)
        assert "handshake in time" in reason(siege, attacker)


def test_12_a_handshake_that_drips_runs_out_of_time(siege: Siege, tls_port: int) -> None:
    with siege.attack(port=tls_port) as attacker:
        spent_s = attacker.connect().drip(CLIENT_HELLO, every_s=0.3, for_s=HANDSHAKE_WITHIN_S)
        assert spent_s < HANDSHAKE_WITHIN_S


@pytest.mark.parametrize(
    ("shown", "alert", "told"),
    [
        ("stranger", "unknown ca|UNKNOWN_CA", "self-signed|unable to get"),
        ("expired", "expired|EXPIRED", "expired"),
        (None, "required|REQUIRED", "no certificate"),
    ],
)
def test_12_wrong_certificates_get_an_alert(
    siege: Siege, certificates: Certificates, tls_port: int, shown: str | None, alert: str, told: str
) -> None:
    context = certificates.context(getattr(certificates, shown) if shown else None)
    with siege.attack(port=tls_port) as attacker:
        with pytest.raises(ssl.SSLError, match=alert):  # TLS 1.3 tells a client after its part of the handshake
            attacker.secure(context).socket.recv(1)
        assert any(word in reason(siege, attacker) for word in told.split("|"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_12_old_versions_of_tls_get_an_alert(
    siege: Siege, certificates: Certificates, tls_port: int, version: ssl.TLSVersion
) -> None:
    context = certificates.context(certificates.hostile)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = version
    with siege.attack(port=tls_port) as attacker:
        with pytest.raises(ssl.SSLError, match=r"(?i)version"):
            attacker.secure(context)
        assert "TLS 1.1 or older" in reason(siege, attacker)


@pytest.mark.parametrize("plain", [pdus.associate_rq(), b"GET / HTTP/1.1\r\n\r\n"], ids=["DICOM", "HTTP"])
def test_4_what_is_no_tls_is_hung_up_on_at_the_port_of_tls(siege: Siege, tls_port: int, plain: bytes) -> None:
    with siege.attack(port=tls_port) as attacker:
        connection = attacker.connect()
        connection.send(plain)
        hung_up(connection)
        siege.serves()


def test_12_a_certificate_of_another_peer_is_rejected(siege: Siege, certificates: Certificates, tls_port: int) -> None:
    with siege.attack(port=tls_port) as attacker:
        connection = attacker.secure(certificates.context(certificates.other))
        connection.send(pdus.associate_rq())
        answer = connection.answer()
        assert answer is not None
        assert answer.rejection == CALLING_UNKNOWN


def test_12_a_peer_bound_to_tls_is_rejected_without_it(siege: Siege) -> None:
    with siege.attack() as attacker:
        answer = attacker.request()
        assert answer is not None
        assert answer.rejection == CALLING_UNKNOWN


def test_12_the_bound_certificate_is_let_in_and_a_broken_stream_leaves_nothing(
    siege: Siege, certificates: Certificates, tls_port: int
) -> None:
    with siege.attack(port=tls_port) as attacker:
        connection = attacker.secure(certificates.context(certificates.hostile))
        connection.send(pdus.associate_rq())
        answer = connection.answer()
        assert answer is not None and answer.kind == pdus.ASSOCIATE_AC
        connection.send(pdus.message(3, pdus.store_rq("1.2.3")), *pdus.fragments(3, bytes(1 << 20), last=False))
        connection.reset()  # without close_notify
        assert siege.audited(attacker, "association").detail["end"] == "aborted"


def test_12_renewed_files_hold_for_the_next_connection(siege: Siege, certificates: Certificates, tls_port: int) -> None:
    hospital, context = certificates.hospital, certificates.context(certificates.revoked)
    with siege.attack(port=tls_port) as attacker:
        open_before = attacker.secure(context)
        shown = open_before.socket.getpeercert(binary_form=True)
        hospital.issue("127.0.0.1")
        hospital.revoke(certificates.revoked)
        with pytest.raises(ssl.SSLError, match=r"(?i)revoked"):
            attacker.secure(context).socket.recv(1)
        assert "revoked" in reason(siege, attacker)
        other = attacker.secure(certificates.context(certificates.other))
        assert other.socket.getpeercert(binary_form=True) != shown
        open_before.send(pdus.associate_rq())
        assert open_before.answer() is not None, "a connection that is open keeps what it began with"


def test_12_silence_after_the_handshake_is_hung_up_on(siege: Siege, certificates: Certificates, tls_port: int) -> None:
    with siege.attack(port=tls_port) as attacker:
        connection = attacker.secure(certificates.context(certificates.hostile))
        connection.send(b"\x01\x00\x00")
        siege.serves()
        connection.ending()
