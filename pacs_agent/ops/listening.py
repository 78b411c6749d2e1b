"""Is somebody there, and does it speak the protocol expected?"""

import http.client
import socket
import ssl

from pacs_agent.config import DimseSettings
from pacs_agent.ops.dicom_tls import WrongTls, loopback_context

TIMEOUT_S = 3.0
_ABORT_OR_REJECT = {0x03, 0x07}


def listener_port(dimse: DimseSettings) -> int:
    """The port at which our own listener is asked: that of plain DICOM, unless it listens with TLS only."""
    return dimse.tls.port if dimse.tls is not None and dimse.tls.only else dimse.port


def listener_answers(dimse: DimseSettings) -> bool:
    """True when our own listener answers."""
    if dimse.tls is None or not dimse.tls.only:
        return answers_dicom(dimse.host, dimse.port)
    try:
        return answers_dicom(dimse.host, dimse.tls.port, loopback_context(dimse.tls))
    except WrongTls:
        return False


def answers_dicom(host: str, port: int, over: ssl.SSLContext | None = None) -> bool:
    """True when an unexpected PDU is answered with A-ABORT, as a DICOM upper layer must. PS3.8 9.2.3, AA-8."""
    try:
        with socket.create_connection((host, port), TIMEOUT_S) as plain:
            connection = over.wrap_socket(plain, server_hostname=host) if over else plain
            connection.settimeout(TIMEOUT_S)
            connection.sendall(b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00")  # A-RELEASE-RQ without an association
            answer = connection.recv(10)
            connection.close()
    except OSError:
        return False
    return bool(answer) and answer[0] in _ABORT_OR_REJECT


def answers_http(host: str, port: int) -> bool:
    """True when GET /healthz is answered with 200."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
