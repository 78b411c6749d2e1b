"""HTTP that is not what it says, against a live server: lying lengths, slow bodies, smuggling (hostile-inputs 33)."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests
from test_console_server import serving

from pacs_agent.db import Database

THREADS = 2


@pytest.fixture
def port(database: Database, tmp_path: Path) -> Iterator[int]:
    with serving(database, tmp_path, threads=THREADS, max_stow_mb=1) as url:
        yield int(url.rpartition(":")[2])


def send(port: int, head: str, body: bytes = b"", *, wait_s: float = 10) -> bytes:
    """What the server answers to these octets; nothing when it only closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait_s) as connection:
        answer = b""
        with suppress(ConnectionError):  # a server that resets has refused too
            connection.sendall(head.replace("\n", "\r\n").encode("latin-1") + body)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                answer += piece
    return answer


def is_alive(port: int) -> bool:
    return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=10).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: -1",
        "Content-Length: +5",
        "Content-Length: 1e3",
        "Content-Length: 5\nContent-Length: 6",
        "Content-Length: 5\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, chunked",
        "Content-Length: 99999999999",
        "Bad Header: x\nContent-Length: 0",
        "X: " + "a" * 300_000,
    ],
)
def test_a_lying_head_is_refused(port: int, headers: str) -> None:
    head = f"POST /api/v1/session HTTP/1.1\nHost: localhost\nContent-Type: application/json\n{headers}\n\n"
    answer = send(port, head, b"hello")
    assert not answer or answer.split()[1][:1] in (b"4", b"5")
    assert is_alive(port)


def test_a_body_shorter_than_it_says_is_no_login(port: int) -> None:
    head = "POST /api/v1/session HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 500\n\n"
    assert b"200 OK" not in send(port, head, b'{"login": "a"')
    assert is_alive(port)


@pytest.mark.alone
def test_slow_bodies_hold_no_thread(port: int) -> None:
    """Five times as many as there are threads drip their bodies; others are served meanwhile."""
    head = b"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
    with ExitStack() as open_ones:
        slow = [open_ones.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(5 * THREADS)]
        for one in slow:
            one.sendall(head)
        for _ in range(3):
            for one in slow:
                one.sendall(b"x")
            began = time.monotonic()
            assert is_alive(port)
            assert time.monotonic() - began < 5


def test_a_compressed_body_is_not_unpacked(port: int) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    bomb = b"\x1f\x8b" + b"\0" * 1000
    answer = requests.post(f"http://127.0.0.1:{port}/api/v1/session", data=bomb, headers=headers, timeout=10)
    assert answer.status_code == 400
    assert is_alive(port)
