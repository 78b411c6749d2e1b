"""Mail over STARTTLS and TLS: to the server that is meant alone, and no password before that is known."""

import base64
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from listening_doubles import MailServer, serving

from pacs_agent.config import Settings
from pacs_agent.db import Database
from pacs_agent.ops import notify
from pacs_agent.ops.runtime import SMTP_PASSWORD, Notifications, change_runtime_settings, set_secret
from pacs_agent.ops.ways import NotTaken

PASSWORD = "hunter2"
MAIL = {"mail_to": ["it@example.org"], "mail_from": "agent@example.org", "smtp_user": "agent"}
ServerContext = Callable[..., ssl.SSLContext]


def name_of(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


class Authority:
    """An authority as a hospital has one, which nobody else knows."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        builder = self.builder("authority", self.key, datetime.now(UTC) + timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        others = [
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
            *("crl_sign", "encipher_only", "decipher_only"),
        ]
        usage = dict.fromkeys(others, False)
        builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, **usage), critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())

    def builder(self, common_name: str, key: ec.EllipticCurvePrivateKey, end: datetime) -> x509.CertificateBuilder:
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(name_of(common_name))
            .issuer_name(name_of("authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=10))
            .not_valid_after(end)
            .add_extension(identifier, critical=False)
            .add_extension(issuer, critical=False)
        )

    def context(self, folder: Path, address: str = "127.0.0.1", days: int = 1) -> ssl.SSLContext:
        """Of a server at an address, whose certificate ends so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self.builder("mail", key, datetime.now(UTC) + timedelta(days=days))
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        signed = builder.add_extension(names, critical=False).sign(self.key, hashes.SHA256())
        path = folder / "mail.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(secret + signed.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server_context(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServerContext:
    """Makes the context of a mail server; this machine trusts the authority."""
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    return lambda **given: authority.context(tmp_path, **given)


def send(database: Database, folder: Path, port: int, security: str) -> str:
    with database.writing() as session:
        fields = {**MAIL, "smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": security}
        change_runtime_settings(session, Notifications(**fields), actor="test")  # type: ignore[arg-type]
        set_secret(session, SMTP_PASSWORD, PASSWORD, actor="test")
    return notify.send_test(Settings(data_dir=folder), database, "mail")


def was_sent(server: MailServer) -> bool:
    """Whether the server heard the password, in whichever form."""
    said = base64.b64encode(f"\0agent\0{PASSWORD}".encode()).decode()
    return any(said in line or PASSWORD in line for line in (*server.plain, *server.hidden))


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_goes_out_encrypted(
    database: Database, tmp_path: Path, server_context: ServerContext, security: str
) -> None:
    server = MailServer(**{security: server_context()})
    with serving(server) as port:
        assert "250 fine" in send(database, tmp_path, port, security)
    assert "[PACS agent PACSAGENT] TEST" in server.mails[0]
    assert was_sent(server)
    assert [line[:4] for line in server.plain] == (["ehlo", "STAR"] if security == "starttls" else [])
    assert server.hidden[0].startswith("ehlo"), "what was said in the open is not believed (RFC 3207 4.2)"


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"address": "192.0.2.1"}, "IP address mismatch"), ({"days": -1}, "expired"), ({}, "self-signed|unable to get")],
)
def test_a_server_that_is_not_the_one_that_is_meant_gets_no_password(
    database: Database,
    tmp_path: Path,
    server_context: ServerContext,
    monkeypatch: pytest.MonkeyPatch,
    security: str,
    wrong: dict[str, object],
    words: str,
) -> None:
    server = MailServer(**{security: server_context(**wrong)})
    if not wrong:  # nobody knows its authority
        monkeypatch.delenv("SSL_CERT_FILE")
    with serving(server) as port, pytest.raises(NotTaken, match=f"certificate verify failed.*({words})"):
        send(database, tmp_path, port, security)
    assert (was_sent(server), server.mails, server.hidden) == (False, [], [])


def test_where_encryption_is_taken_away_on_the_line_no_password_is_sent(database: Database, tmp_path: Path) -> None:
    server = MailServer()
    with serving(server) as port, pytest.raises(NotTaken, match="STARTTLS extension not supported"):
        send(database, tmp_path, port, "starttls")
    assert (was_sent(server), server.mails) == (False, [])


def test_a_server_that_does_not_encrypt_is_told_where_tls_is_wanted(database: Database, tmp_path: Path) -> None:
    server = MailServer()
    with serving(server) as port, pytest.raises(NotTaken, match="SSLError"):
        send(database, tmp_path, port, "tls")
    assert not was_sent(server)


def test_no_password_is_set_up_for_a_connection_in_the_open() -> None:
    with pytest.raises(ValueError, match="encrypted connection only"):
        Notifications(**MAIL, smtp_host="mail.example.org", smtp_security="none")  # type: ignore[arg-type]
