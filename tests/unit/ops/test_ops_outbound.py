"""Addresses that people configure: hostile ones are not asked, whatever they are dressed as."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.config import WebSettings
from pacs_agent.ops.outbound import AddressRefused, Outbound, outbound_of

INSIDE, OUTSIDE = Outbound(loopback=True), Outbound(loopback=False)

NEVER = [
    "http://169.254.169.254/latest/meta-data/",
    "http://[fe80::1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
    "http://0.0.0.0:8080/",
    "http://[::]/",
    "http://224.0.0.1/",
    "http://[ff02::1]/",
    "http://255.255.255.255/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://0x7f.1/",
    "http://127.1/",
    "http://017700000001/",
    "http://pacs@169.254.169.254/",
    "http://user:word@192.0.2.1/",
    "http://192.0.2.1\\@169.254.169.254/",
    "http://192.0.2.1 /",
    "http://192.0.2.1:port/",
    "http://[::1/",
    "ftp://192.0.2.1/",
    "file:///etc/passwd",
    "gopher://192.0.2.1/",
    "//192.0.2.1/",
    "http:///x",
    "",
]
"""Never asked, be this machine allowed or not."""

THIS_MACHINE = [
    "http://127.0.0.1/",
    "http://localhost:1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://127.9.9.9/",
]


@pytest.mark.parametrize("url", NEVER)
def test_hostile_addresses_are_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        INSIDE.check_url(url)


@pytest.mark.parametrize("url", THIS_MACHINE)
def test_this_machine_is_asked_only_where_it_is_allowed(url: str) -> None:
    INSIDE.check_url(url)
    with pytest.raises(AddressRefused, match="outbound_loopback"):
        OUTSIDE.check_url(url)


@pytest.mark.parametrize("url", ["http://192.0.2.1:8042/dicom-web", "https://10.0.0.5/", "http://[2001:db8::1]/"])
def test_addresses_of_hospitals_may_be_asked(url: str) -> None:
    OUTSIDE.check_url(url)


@given(st.integers(0, 2**32 - 1))
def test_an_ipv6_address_that_carries_an_ipv4_one_is_judged_by_it(number: int) -> None:
    plain = socket.inet_ntoa(number.to_bytes(4))
    assert bool(OUTSIDE.objection(f"::ffff:{plain}")) == bool(OUTSIDE.objection(plain))


@given(st.text(max_size=40))
def test_any_text_is_asked_or_refused(text: str) -> None:
    with suppress(AddressRefused):
        Outbound().check_url(f"http://{text.replace('.', '')}.invalid/")


@pytest.mark.parametrize(
    ("web", "allowed"),
    [
        ({}, True),
        ({"host": "0.0.0.0"}, False),
        ({"behind_tls_proxy": True}, False),
        ({"behind_tls_proxy": True, "outbound_loopback": True}, True),
        ({"outbound_loopback": False}, False),
    ],
)
def test_without_a_word_of_the_settings_this_machine_is_asked_while_nobody_else_reaches_us(
    web: dict[str, Any], allowed: bool
) -> None:
    assert outbound_of(WebSettings(**web)).loopback is allowed


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    class Handler(BaseHTTPRequestHandler):
        asked: list[str] = []  # noqa: RUF012

        def do_GET(self) -> None:
            self.asked.append(self.path)
            self.send_response(302 if self.path == "/redirect" else 200)
            self.send_header("Location", "/secret")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_redirects_are_not_followed(server: ThreadingHTTPServer) -> None:
    answer = INSIDE.session().get(f"http://127.0.0.1:{server.server_port}/redirect", timeout=5)
    assert answer.status_code == 302
    assert server.RequestHandlerClass.asked == ["/redirect"]  # type: ignore[attr-defined]


def test_a_name_that_means_another_address_a_moment_later_gains_nothing(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["192.0.2.1", "127.0.0.1"])

    def rebinding(_host: str, port: int, *_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr("pacs_agent.ops.outbound.socket.getaddrinfo", rebinding)
    url = f"http://pacs.example:{server.server_port}/"
    OUTSIDE.check_url(url)
    with pytest.raises(AddressRefused, match="this machine"):
        OUTSIDE.session().get(url, timeout=5)
    assert server.RequestHandlerClass.asked == []  # type: ignore[attr-defined]


def test_a_name_with_one_forbidden_address_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("192.0.2.1", "169.254.169.254")]
    monkeypatch.setattr("pacs_agent.ops.outbound.socket.getaddrinfo", lambda *_, **__: both)
    with pytest.raises(AddressRefused):
        INSIDE.session().get("http://pacs.example/", timeout=5)


def test_the_connection_goes_to_the_checked_address_under_its_name(server: ThreadingHTTPServer) -> None:
    answer = INSIDE.session().get(f"http://localhost:{server.server_port}/", timeout=5)
    assert answer.status_code == 200


def test_an_unknown_name_is_an_error_of_the_network() -> None:
    with pytest.raises(requests.ConnectionError):
        INSIDE.session().get("http://no-such-host.invalid/", timeout=5)
