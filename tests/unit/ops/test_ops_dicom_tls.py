"""The contexts of DICOM over TLS: who is let in, what is too old, and what is wrong with files, in words."""

import socket
import ssl
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from pacs_agent.config import DimseTlsSettings, Settings
from pacs_agent.db import Database, utc_now
from pacs_agent.ops.conditions import conditions_now
from pacs_agent.ops.dicom_tls import (
    CIPHER_SUITES,
    RenewedContext,
    WrongTls,
    client_context,
    fault_found,
    handshake_fault,
    names_of,
    server_context,
)
from pacs_agent.ops.doctor import Grade, at_a_glance
from tests.peers.certificates import Authority, Pair


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("localhost")


def tls_of(pair: Pair, authority: Authority, **changed: object) -> DimseTlsSettings:
    files = {"certificate": pair.certificate, "key": pair.key, "ca_file": authority.file}
    return DimseTlsSettings.model_validate({**files, **changed})


def shaken(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[str, frozenset[str], str]:
    """Protocol, the client's names as the server sees them, and what was wrong for the server."""
    here, there = socket.socketpair()
    here.settimeout(5)
    there.settimeout(5)
    seen: list[tuple[str, frozenset[str], str]] = []

    def serve() -> None:
        try:
            with server.wrap_socket(here, server_side=True) as secured:
                seen.append((secured.version() or "", names_of(secured.getpeercert() or {}), ""))
                secured.send(b"!")
        except OSError as error:
            seen.append(("", frozenset(), handshake_fault(error)))
        finally:
            here.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(there, server_hostname="localhost") as secured:
            secured.recv(1)
    except OSError:
        there.close()
    thread.join()
    return seen[0]


def test_both_ends_prove_their_names(authority: Authority, pair: Pair) -> None:
    tls = tls_of(pair, authority)
    version, names, fault = shaken(
        server_context(tls), client_context(tls_of(authority.issue("CT-1.example"), authority))
    )
    assert (version, names, fault) == ("TLSv1.3", frozenset({"ct-1.example"}), "")


def test_the_common_name_counts_only_without_other_names(authority: Authority, pair: Pair) -> None:
    old = authority.issue("old-scanner", alternative=False)
    assert shaken(server_context(tls_of(pair, authority)), client_context(tls_of(old, authority)))[1] == {"old-scanner"}
    assert names_of({"subject": ((("commonName", "a"),),), "subjectAltName": (("DNS", "B"),)}) == {"b"}


@pytest.mark.parametrize("suite", CIPHER_SUITES[1::2] + CIPHER_SUITES[4:5])
def test_each_suite_of_tls_1_2_for_rsa_certificates(authority: Authority, pair: Pair, suite: str) -> None:
    client = client_context(tls_of(pair, authority))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(suite)
    assert shaken(server_context(tls_of(pair, authority)), client)[0] == "TLSv1.2"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_versions_are_refused(authority: Authority, pair: Pair, version: ssl.TLSVersion) -> None:
    client = client_context(tls_of(pair, authority))
    client.minimum_version = client.maximum_version = version
    client.set_ciphers("ALL:@SECLEVEL=0")
    assert "TLS 1.1 or older" in shaken(server_context(tls_of(pair, authority)), client)[2]


def test_suites_without_forward_secrecy_are_refused(authority: Authority, pair: Pair) -> None:
    client = client_context(tls_of(pair, authority))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("AES128-SHA:AES256-GCM-SHA384")
    assert "no cipher suite in common" in shaken(server_context(tls_of(pair, authority)), client)[2]


def test_who_shows_no_certificate_is_refused_unless_it_is_not_wanted(authority: Authority, pair: Pair) -> None:
    client = ssl.create_default_context(cafile=str(authority.file))
    assert "showed no certificate" in shaken(server_context(tls_of(pair, authority)), client)[2]
    lenient = server_context(tls_of(pair, authority, require_client_certificate=False))
    assert shaken(lenient, client)[1:] == (frozenset(), "")


def test_certificates_of_others_and_expired_ones_are_refused(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "Stranger CA").issue("CT-1.example")
    expired = authority.issue("expired.example", ends=-timedelta(days=1))
    for other, said in ((stranger, "unable to get"), (expired, "expired")):
        assert said in shaken(server_context(tls_of(pair, authority)), client_context(tls_of(other, authority)))[2]


def test_revoked_certificates_are_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own, kept, lost = (authority.issue(name) for name in ("localhost", "kept.example", "lost.example"))
    tls = tls_of(own, authority, crl_file=authority.revoke(lost))
    assert shaken(server_context(tls), client_context(tls_of(kept, authority)))[1:] == ({"kept.example"}, "")
    assert "revoked" in shaken(server_context(tls), client_context(tls_of(lost, authority)))[2]
    authority.revoke(own)
    with pytest.raises(ssl.SSLError, match="revoked"), socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=lambda: _shake_once(server_context(tls_of(own, authority)), listening)).start()
        client_context(tls).wrap_socket(
            socket.create_connection(listening.getsockname()), server_hostname="localhost"
        ).close()


def _shake_once(server: ssl.SSLContext, listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection, suppress(OSError):
        server.wrap_socket(connection, server_side=True).close()


def test_a_file_that_is_no_list_of_revoked_certificates_is_named(authority: Authority, pair: Pair) -> None:
    with pytest.raises(WrongTls, match="crl_file"):
        server_context(tls_of(pair, authority, crl_file=pair.certificate))


def test_the_context_follows_its_files(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("localhost")
    renewed = RenewedContext(tls_of(pair, authority))
    first = renewed.current()
    assert renewed.current() is first
    authority.issue("localhost")
    second = renewed.current()
    assert second is not first
    pair.key.write_text("half a key", encoding="ascii")
    assert renewed.current() is second, "the former one serves on"
    pair.key.unlink()
    assert renewed.current() is second
    authority.issue("localhost")
    assert renewed.current() is not second


def fault_when_called(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> str:
    """What the caller is told, who looks why an association did not come about."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            try:
                server.wrap_socket(connection, server_side=True).recv(1)
            except OSError:
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        said = fault_found(client, "127.0.0.1", listening.getsockname()[1], name, 5)
        thread.join()
        return said


def test_who_calls_is_told_what_is_wrong(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    tls = tls_of(pair, authority)
    stranger = Authority(tmp_path, "Stranger CA")
    assert fault_when_called(server_context(tls), client_context(tls), "localhost") == ""
    assert "Hostname mismatch" in fault_when_called(server_context(tls), client_context(tls), "pacs.example")
    nameless = ssl.create_default_context(cafile=str(authority.file))
    assert "wants a certificate" in fault_when_called(server_context(tls), nameless, "localhost")
    foreign = client_context(tls_of(pair, stranger))
    assert "not accepted" in fault_when_called(server_context(tls), foreign, "localhost")


def test_what_is_wrong_with_files_is_said_in_words(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    other, empty = authority.issue("other"), tmp_path / "empty.pem"
    empty.touch()
    for changed, said in (
        ({"key": other.key}, "is not that of the certificate"),
        ({"certificate": tmp_path / "missing.pem"}, "dimse.tls.certificate: .* cannot be read"),
        ({"certificate": empty}, "holds no certificate"),
        ({"key": empty}, "dimse.tls.key .* cannot be used"),
        ({"ca_file": empty}, "ca_file .* holds no certificate"),
    ):
        with pytest.raises(WrongTls, match=said):
            server_context(tls_of(pair, authority, **changed))


def test_a_silent_end_is_told_apart() -> None:
    assert "in time" in handshake_fault(TimeoutError())
    assert "connection broke" in handshake_fault(ConnectionResetError(104, "Connection reset by peer"))


@pytest.mark.parametrize(
    ("days", "grade", "conditions"), [(90, Grade.GOOD, 0), (10, Grade.WARNING, 1), (-1, Grade.BAD, 1)]
)
def test_a_certificate_that_ends_is_told_before(
    authority: Authority, database: Database, tmp_path: Path, days: int, grade: Grade, conditions: int
) -> None:
    pair = authority.issue(f"ends-{days}", ends=timedelta(days=days, minutes=1))
    tls = tls_of(pair, authority, ca_file=authority.issue("later").certificate)
    settings = Settings(data_dir=tmp_path, dimse={"tls": tls.model_dump()})  # type: ignore[arg-type]
    (check,) = [one for one in at_a_glance(settings, database) if one.name == "DICOM TLS"]
    assert check.grade is grade
    with database.reading() as session:
        found = [one.subject for one in conditions_now(session, settings, utc_now())]
    assert found.count("dimse.tls") == conditions


@pytest.mark.parametrize(("days", "told"), [(1, 0), (-1, 1)])
def test_a_list_of_revoked_certificates_that_ended_is_told(
    database: Database, tmp_path: Path, days: int, told: int
) -> None:
    authority, other = Authority(tmp_path / "one"), Authority(tmp_path / "other", "Other CA")
    lists = authority.revoke(ends=timedelta(days=days)).read_bytes() + other.revoke().read_bytes()
    (tmp_path / "lists.pem").write_bytes(lists)
    tls = tls_of(authority.issue("good"), authority, crl_file=tmp_path / "lists.pem")
    settings = Settings(data_dir=tmp_path, dimse={"tls": tls.model_dump()})  # type: ignore[arg-type]
    with database.reading() as session:
        found = [one.subject for one in conditions_now(session, settings, utc_now())]
    assert found.count("dimse.tls.crl_file") == told


def test_the_doctor_says_what_is_wrong_with_files(authority: Authority, database: Database, tmp_path: Path) -> None:
    tls = tls_of(authority.issue("good"), authority, key=authority.issue("other").key)
    settings = Settings(data_dir=tmp_path, dimse={"tls": tls.model_dump()})  # type: ignore[arg-type]
    (check,) = [one for one in at_a_glance(settings, database) if one.name == "DICOM TLS"]
    assert (check.grade, "not that of the certificate" in check.found) == (Grade.BAD, True)
