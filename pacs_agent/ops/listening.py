"""Is somebody there, and does it speak the protocol expected?"""

import http.client
import socket

TIMEOUT_S = 3.0
_ABORT_OR_REJECT = {0x03, 0x07}


def answers_dicom(host: str, port: int) -> bool:
    """True when an unexpected PDU is answered with A-ABORT, as a DICOM upper layer must. PS3.8 9.2.3, AA-8."""
    try:
        with socket.create_connection((host, port), TIMEOUT_S) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.sendall(b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00")  # A-RELEASE-RQ without an association
            answer = connection.recv(10)
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
