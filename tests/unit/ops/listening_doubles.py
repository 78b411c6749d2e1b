"""A mail server and a webhook, as small as they can be."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer


class MailServer(ThreadingTCPServer):
    """Takes every mail, unless `refusal` holds the answer to the recipient (RFC 5321).

    With `starttls` it offers encryption (RFC 3207), with `tls` it begins with it. `plain` and `hidden` are the lines
    that it heard without and with encryption.
    """

    allow_reuse_address = daemon_threads = True

    def __init__(self, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.starttls, self.tls = starttls, tls
        self.mails: list[str] = []
        self.plain: list[str] = []
        self.hidden: list[str] = []
        self.refusal = ""


class _Mail(StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        try:
            if self.server.tls:
                self._encrypt(self.server.tls)
            self._talk()
        except OSError:
            """The other side does not trust us, and is gone."""

    def _encrypt(self, context: ssl.SSLContext) -> None:
        self.request = self.connection = context.wrap_socket(self.request, server_side=True)
        self.setup()

    def _talk(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline().decode():
            is_hidden = isinstance(self.connection, ssl.SSLSocket)
            (self.server.hidden if is_hidden else self.server.plain).append(line.strip())
            word = line[:4].upper()
            if word == "EHLO":
                offered = ["AUTH PLAIN", *(["STARTTLS"] if self.server.starttls and not is_hidden else [])]
                self._say("\r\n".join(["250-here", *(f"250-{each}" for each in offered), "250 8BITMIME"]))
                continue
            if word == "STAR" and self.server.starttls:
                self._say("220 go on")
                self._encrypt(self.server.starttls)
                continue
            if word == "AUTH":
                self._say("235 welcome")
                continue
            if word == "DATA":
                self._say("354 go on")
                self.server.mails.append("".join(iter(lambda: self.rfile.readline().decode(), ".\r\n")))
            if word == "QUIT":
                self._say("221 bye")
                return
            self._say(self.server.refusal if word == "RCPT" and self.server.refusal else "250 fine")

    def _say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())


class Webhook(HTTPServer):
    """Keeps every request; answers with `status`, and with a Location where that is a redirect."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.status = 204


class _Hook(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers), body))
        self.send_response(self.server.status)
        if 300 <= self.server.status < 400:
            self.send_header("Location", self.path)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@contextmanager
def serving(server: MailServer | Webhook) -> Iterator[int]:
    """The server at work; gives its port."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
