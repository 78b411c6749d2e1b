"""What is wrong with a service's certificate is said in words, by a server that has such a one."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pacs_agent.deliver import Means, Refused, StowAddress, StowDestination

Serve = Callable[..., tuple[str, Path]]


class Empty(BaseHTTPRequestHandler):
    """Finds no study."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serves HTTPS with a self-signed certificate; gives the address, and the file of the certificate."""
    with ExitStack() as running:

        def start(*, name: str = "localhost", ends: timedelta = timedelta(days=1)) -> tuple[str, Path]:
            file = tmp_path / "certificate.pem"
            file.write_bytes(certificate(name, datetime.now(UTC) + ends))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(file)
            server = running.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Empty))
            server.socket = context.wrap_socket(server.socket, server_side=True)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            running.callback(thread.join)
            running.callback(server.shutdown)
            return f"https://127.0.0.1:{server.server_port}", file

        yield start


def certificate(name: str, ends_at: datetime) -> bytes:
    """Key and self-signed certificate of a host, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    alternative: x509.GeneralName = x509.DNSName(name)
    if name[0].isdigit():
        alternative = x509.IPAddress(ip_address(name))
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(ends_at - timedelta(days=30))
        .not_valid_after(ends_at)
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + made.public_bytes(serialization.Encoding.PEM)


def probe(url: str, ca_file: Path | None = None) -> str:
    return StowDestination(StowAddress(url=url, ca_file=ca_file), Means(5)).probe()


def test_a_certificate_whose_file_is_given_is_trusted(serve: Serve) -> None:
    url, file = serve(name="127.0.0.1")
    assert "HTTP 204" in probe(url, file)


def test_a_self_signed_certificate(serve: Serve) -> None:
    url, _file = serve(name="127.0.0.1")
    with pytest.raises(Refused, match="self-signed; put it into ca_file"):
        probe(url)


def test_a_certificate_of_another_name(serve: Serve) -> None:
    url, file = serve(name="pacs.example")
    with pytest.raises(Refused, match="does not name this IP address"):
        probe(url, file)


def test_a_certificate_that_has_expired(serve: Serve) -> None:
    url, file = serve(name="127.0.0.1", ends=timedelta(days=-1))
    with pytest.raises(Refused, match="has expired"):
        probe(url, file)


def test_a_port_where_no_tls_is_spoken() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with pytest.raises(Refused, match="http instead of https"):
            probe(f"https://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()
