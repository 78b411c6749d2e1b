"""A hospital's own OHIF as its web server serves it: the stock viewer, its app-config, the PACS behind /dicom-web."""

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import requests

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css",
    ".wasm": "application/wasm",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
PACS_PREFIX = "/dicom-web/"
CONFIG = """
window.config = {
  routerBasename: '/',
  extensions: [], modes: [], customizationService: {},
  %s
  showStudyList: true,
  defaultDataSourceName: 'pacs',
  dataSources: [{
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
    sourceName: 'pacs',
    configuration: {
      friendlyName: 'PACS', name: 'pacs',
      qidoRoot: '/dicom-web', wadoRoot: '/dicom-web', wadoUriRoot: '/dicom-web',
      imageRendering: 'wadors', thumbnailRendering: 'wadors', enableStudyLazyLoad: true,
      bulkDataURI: { enabled: true }, omitQuotationForMultipartRequest: true,
    },
  }],
};
"""


class HospitalViewer:
    """A web server on its own port: another origin than the agent's."""

    def __init__(self, folder: Path, pacs_url: str, pacs_headers: Mapping[str, str]) -> None:
        """`folder` has the viewer's files, `pacs_url` is the DICOMweb service, asked with `pacs_headers`."""
        self._handler: type[_Handler] = type("_Own", (_Handler,), {"folder": folder, "pacs": (pacs_url, pacs_headers)})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def configure(self, lines: str) -> None:
        """Puts lines into the app-config."""
        self._handler.lines = lines

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    pacs: tuple[str, Mapping[str, str]]
    lines = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith(PACS_PREFIX):
            return self._pass_on()
        if path == "/app-config.js":
            return self._answer(200, KINDS[".js"], (CONFIG % self.lines).encode())
        file = self.folder / path.lstrip("/")
        if not file.is_file() and file.suffix:
            return self._answer(404, "text/plain", b"not here")
        page = file if file.is_file() else self.folder / "index.html"
        return self._answer(200, KINDS.get(page.suffix, "application/octet-stream"), page.read_bytes())

    def _pass_on(self) -> None:
        url, own = self.pacs
        asked = url + "/" + self.path.removeprefix(PACS_PREFIX)
        headers = {"Accept": self.headers.get("Accept", "*/*"), **own}
        with requests.get(asked, headers=headers, timeout=60) as answer:
            self._answer(answer.status_code, answer.headers.get("Content-Type", "application/json"), answer.content)

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: pytest shows what failed."""
