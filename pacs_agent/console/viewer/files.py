"""Answers with a file: compressed where browsers take it, with an ETag, kept for a year where its name is a hash."""

import gzip
import re
from functools import lru_cache
from pathlib import Path

from flask import Response, request, send_file

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".jsonc": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}
"""Our own table: what Python knows besides depends on the machine, and a script of the wrong type does not run."""

_NAMED_BY_HASH = re.compile(r"(^|\.)[0-9a-f]{16,}\.[a-z0-9]+$")
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_SMALLEST_COMPRESSED_BYTES = 1024


def file_response(file: Path) -> Response:
    """The file, or 304 when the browser has it. A `.gz` beside it is given in its place to whoever takes gzip."""
    twin = file.with_name(f"{file.name}.gz")
    compressed = _takes_gzip() and twin.is_file()
    response = send_file(twin if compressed else file, conditional=True)
    return _described(response, file, compressed=compressed)


def small_file_response(file: Path) -> Response:
    """As `file_response`, for a file without a compressed twin: it is compressed once and kept in memory."""
    stat = file.stat()
    compressed = _takes_gzip() and stat.st_size >= _SMALLEST_COMPRESSED_BYTES
    body = _compressed(file, stat.st_mtime_ns) if compressed else file.read_bytes()
    response = Response(body)
    response.set_etag(f"{stat.st_mtime_ns:x}-{stat.st_size:x}{'-gzip' if compressed else ''}")
    response.make_conditional(request)
    return _described(response, file, compressed=compressed)


def _described(response: Response, file: Path, *, compressed: bool) -> Response:
    response.headers["Content-Type"] = MEDIA_TYPES.get(file.suffix, "application/octet-stream")
    response.headers.pop("Content-Disposition", None)  # a file is shown, never saved
    if compressed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = _FOR_EVER if _NAMED_BY_HASH.search(file.name) else _ASK_AGAIN
    return response


def _takes_gzip() -> bool:
    return request.accept_encodings.quality("gzip") > 0


@lru_cache(maxsize=16)
def _compressed(file: Path, _changed_ns: int) -> bytes:
    return gzip.compress(file.read_bytes(), mtime=0)
