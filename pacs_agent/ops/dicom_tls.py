"""DICOM over TLS: the context of either end, the names in a certificate, and what is wrong in words.

PS3.15 B.9 and B.10 (BCP 195, RFC 9325): TLS 1.3, or TLS 1.2 with ephemeral keys and authenticated encryption; nothing
older, no compression, no renegotiation. Both ends show certificates.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from pacs_agent.config import DimseTlsSettings
from pacs_agent.ops.log import get_log

CIPHER_SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "DHE-RSA-AES128-GCM-SHA256",
    "DHE-RSA-AES256-GCM-SHA384",
)
"""Of TLS 1.2, in OpenSSL's names: those of PS3.15 B.10 and, for certificates with elliptic curves, of RFC 9325 4.2."""
HANDSHAKE_TIMEOUT_S = 10.0
_ALERT_S = 1.0
_END_OF_LIST = b"-----END X509 CRL-----"
_GROUP = Path(__file__).with_name("ffdhe3072.pem")
"""RFC 7919 A.2: a group of known good for DHE."""
_REMEDIES = {
    "NO_SHARED_CIPHER": "no cipher suite in common: the other end offers none of PS3.15 B.10",
    "UNSUPPORTED_PROTOCOL": "the other end speaks only TLS 1.1 or older; it needs TLS 1.2 or 1.3",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the other end does not speak TLS 1.2 or 1.3 with us",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the other end showed no certificate; give it one of our authorities",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the other end wants a certificate of ours",
    "TLSV1_ALERT_UNKNOWN_CA": "the other end does not know the authority of our certificate; give it to it",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the other end says that our certificate expired; renew it",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the other end does not take our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the other end does not take our certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the other end found nothing in common: cipher suites or certificates differ",
    "HTTP_REQUEST": "HTTP on the port of DICOM over TLS",
    "WRONG_VERSION_NUMBER": "no TLS on the other end; plain DICOM belongs to the other port",
    "UNEXPECTED_EOF_WHILE_READING": "the other end broke the handshake off",
}


log = get_log("ops")


class WrongTls(ValueError):
    """The files of `dimse.tls` do not make a context; the text says which, and what to do."""


def server_context(tls: DimseTlsSettings) -> ssl.SSLContext:
    """The context of our listener. Who connects proves himself each time anew: no session is resumed by ticket.

    Raises WrongTls.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, tls)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_REQUIRED if tls.require_client_certificate else ssl.CERT_OPTIONAL
    context.load_dh_params(str(_GROUP))
    return context


class RenewedContext:
    """The context of our listener, made anew when one of its files changes: connections that are open keep theirs."""

    def __init__(self, tls: DimseTlsSettings) -> None:
        """Raises WrongTls."""
        self._tls = tls
        self._stamps = _stamps(tls)
        self._context = server_context(tls)

    def current(self) -> ssl.SSLContext:
        """For the next connection. Files that do not make a context are logged once; the former ones serve on."""
        stamps = _stamps(self._tls)
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self._context = server_context(self._tls)
                log.info("certificates read anew", certificate=str(self._tls.certificate))
            except (WrongTls, OSError) as fault:
                log.error("certificates not renewed, the former ones serve on", reason=str(fault))
        return self._context


def client_context(tls: DimseTlsSettings) -> ssl.SSLContext:
    """The context with which we call others: our own certificate is shown, theirs and its name are checked.

    Raises WrongTls.
    """
    return _context(ssl.PROTOCOL_TLS_CLIENT, tls)


def loopback_context(tls: DimseTlsSettings) -> ssl.SSLContext:
    """The context with which we ask our own listener whether it answers, under whatever name it was bound.

    Raises WrongTls.
    """
    context = client_context(tls)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def names_of(certificate: Mapping[str, Any]) -> frozenset[str]:
    """The names that a certificate proves, as `SSLSocket.getpeercert` gives it, in small letters.

    RFC 6125 6.4.4: its DNS names; the common name of its subject only where it has none.
    """
    named = {value.lower() for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"}
    if named:
        return frozenset(named)
    parts = (part for names in certificate.get("subject", ()) for part in names)
    return frozenset(value.lower() for key, value in parts if key == "commonName")


def handshake_fault(error: OSError) -> str:
    """Why a handshake failed, in words, for the audit trail and for people; no bytes of the other end are in it."""
    if isinstance(error, TimeoutError):
        return "the other end did not finish the TLS handshake in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of the other end is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        reason = error.reason or type(error).__name__
        return _REMEDIES.get(reason, f"the TLS handshake failed: {reason.replace('_', ' ').lower()}")
    return f"the connection broke during the TLS handshake ({error.strerror or type(error).__name__})"


def fault_found(context: ssl.SSLContext, host: str, port: int, name: str, timeout_s: float) -> str:
    """Why a node cannot be called over TLS, by one more handshake; empty when TLS is not what is wrong.

    In TLS 1.3 the other end looks at our certificate after our part of the handshake, so its alert is waited for.
    """
    try:
        plain = socket.create_connection((host, port), timeout_s)
    except OSError:
        return ""
    with plain:
        try:
            with context.wrap_socket(plain, server_hostname=name) as secured:
                secured.settimeout(_ALERT_S)
                return _alert(secured)
        except OSError as error:
            return handshake_fault(error)


def _alert(secured: ssl.SSLSocket) -> str:
    try:
        secured.recv(1)
    except TimeoutError:
        return ""
    except OSError as error:
        return handshake_fault(error)
    return ""


def certificate_ends_at(path: Path) -> datetime | None:
    """When the first certificate of a PEM file ends; None for a file that holds none."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.astimezone(UTC)
    except (OSError, ValueError):
        return None


def revocations_end_at(path: Path) -> datetime | None:
    """When the first of the lists of revoked certificates in a PEM file ends; None for a file that holds none.

    From then on nobody is let in whose authority has no other list (RFC 5280 5.1.2.5).
    """
    try:
        blocks = path.read_bytes().split(_END_OF_LIST)[:-1]
        lists = [x509.load_pem_x509_crl(block + _END_OF_LIST) for block in blocks]
    except (OSError, ValueError):
        return None
    return min((one.next_update_utc.astimezone(UTC) for one in lists if one.next_update_utc), default=None)


def _context(protocol: int, tls: DimseTlsSettings) -> ssl.SSLContext:
    for fault in _missing(tls):
        raise WrongTls(fault)
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(":".join(CIPHER_SUITES))
    try:
        context.load_cert_chain(tls.certificate, tls.key, password="")  # else OpenSSL asks the terminal
    except ssl.SSLError as error:
        raise WrongTls(_pair_fault(tls, error)) from error
    try:
        context.load_verify_locations(cafile=tls.ca_file)
    except ssl.SSLError as error:
        raise WrongTls(f"dimse.tls.ca_file {tls.ca_file} holds no certificate; give the authorities as PEM") from error
    if tls.crl_file is not None:
        _look_for_revoked(context, tls.crl_file)
    return context


def _look_for_revoked(context: ssl.SSLContext, crl_file: Path) -> None:
    """Certificates on the list are refused; so are all, when there is no list in force of who signed them."""
    try:
        x509.load_pem_x509_crl(crl_file.read_bytes())
    except ValueError as error:
        raise WrongTls(
            f"dimse.tls.crl_file {crl_file} holds no list of revoked certificates; give it as PEM"
        ) from error
    context.load_verify_locations(cafile=crl_file)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF


def _stamps(tls: DimseTlsSettings) -> tuple[tuple[int, int, int] | None, ...]:
    """What changes when one of the files does: renewed in place, replaced, or behind a link that leads elsewhere."""
    return tuple(_stamp(getattr(tls, name)) for name in _files(tls))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _files(tls: DimseTlsSettings) -> Iterator[str]:
    yield from ("certificate", "key", "ca_file")
    if tls.crl_file is not None:
        yield "crl_file"


def _missing(tls: DimseTlsSettings) -> Iterator[str]:
    for name in _files(tls):
        path: Path = getattr(tls, name)
        try:
            path.open("rb").close()
        except OSError as error:
            yield f"dimse.tls.{name}: {path} cannot be read ({error.strerror}); docs/operations.md says how to make it"


def _pair_fault(tls: DimseTlsSettings, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"the key {tls.key} is not that of the certificate {tls.certificate}; set both of one pair"
    if certificate_ends_at(tls.certificate) is None:
        return f"dimse.tls.certificate {tls.certificate} holds no certificate; give it as PEM"
    return f"dimse.tls.key {tls.key} cannot be used ({error.reason}); give it as PEM and without a password"
