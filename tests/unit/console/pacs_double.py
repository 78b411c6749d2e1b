"""A PACS made of one function: a real HTTP server that answers as a test wants, and keeps what it was asked."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

Answer = Callable[[BaseHTTPRequestHandler], None]


class PacsDouble:
    """`with PacsDouble() as pacs:` serves at `pacs.url`; `pacs.answer` may be changed at any time."""

    def __init__(self, base_path: str = "/dicom-web") -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.answer: Answer = json_answer("[]")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}{base_path}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _ in self.asked]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                double.asked.append((self.command, self.path, dict(self.headers)))
                double.answer(self)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                return

        return Handler


def plain_answer(status: int, headers: dict[str, str], body: bytes = b"") -> Answer:
    """An answer with a status, headers and a body."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)

    return answer


def json_answer(text: str) -> Answer:
    """DICOM JSON."""
    return plain_answer(200, {"Content-Type": "application/dicom+json"}, text.encode())
