"""multipart/related messages (RFC 2387), written and read part by part (PS3.18 8.6.1.2)."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from flask import Response
from werkzeug.exceptions import BadRequest

from pacs_agent.archive.dicomweb.accept import MULTIPART, media_type_of

CHUNK_BYTES = 1 << 18
LONGEST_PART_HEADER_BYTES = 8192


@dataclass(frozen=True)
class Part:
    """One part: its media type, with parameters, and its body."""

    content_type: str
    body: bytes
    location: str = ""


def multipart_response(parts: Iterable[Part], media_type: str) -> Response:
    """A streamed answer of parts of one media type."""
    boundary = uuid.uuid4().hex
    content_type = f'multipart/related; type="{media_type}"; boundary={boundary}'
    return Response(_encoded(parts, boundary), content_type=content_type)


def _encoded(parts: Iterable[Part], boundary: str) -> Iterator[bytes]:
    for part in parts:
        head = f"\r\n--{boundary}\r\nContent-Type: {part.content_type}\r\nContent-Length: {len(part.body)}\r\n"
        location = f"Content-Location: {part.location}\r\n" if part.location else ""
        yield f"{head}{location}\r\n".encode()
        yield part.body
    yield f"\r\n--{boundary}--\r\n".encode()


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type header names. Raises BadRequest when it is not multipart or names none."""
    media_type, options = media_type_of(content_type)
    boundary = options.get("boundary", "")
    if media_type != MULTIPART or not 1 <= len(boundary) <= 70 or not boundary.isascii():
        raise BadRequest("Content-Type must be multipart/related with a boundary of at most 70 characters")
    return boundary.encode()


def read_parts(stream: IO[bytes], boundary: bytes) -> Iterator[Part]:
    """The parts of a message, one at a time, so that only one is in memory. Raises BadRequest when it is cut off."""
    reader = _Reader(stream, b"\r\n--" + boundary)
    reader.skip_preamble()
    while not reader.at_end():
        yield reader.part()


class _Reader:
    """Reads a stream to each delimiter in turn; a delimiter may stand across two chunks."""

    def __init__(self, stream: IO[bytes], delimiter: bytes) -> None:
        self._stream = stream
        self._delimiter = delimiter
        self._buffer = bytearray(b"\r\n")  # the first delimiter may begin the message without its line end

    def skip_preamble(self) -> None:
        self._until(self._delimiter)

    def at_end(self) -> bool:
        """Whether the delimiter just read was the last one, followed by two hyphens."""
        self._fill(2)
        return self._buffer[:2] == b"--"

    def part(self) -> Part:
        header = self._until(b"\r\n\r\n", LONGEST_PART_HEADER_BYTES)
        return Part(_content_type(header), self._until(self._delimiter))

    def _until(self, mark: bytes, longest: int | None = None) -> bytes:
        searched = 0
        while (at := self._buffer.find(mark, searched)) < 0:
            if longest is not None and len(self._buffer) > longest:
                raise BadRequest("the header of a part is too long")
            searched = max(len(self._buffer) - len(mark) + 1, 0)
            self._fill(len(self._buffer) + 1)
        found = bytes(self._buffer[:at])
        del self._buffer[: at + len(mark)]
        return found

    def _fill(self, wanted_bytes: int) -> None:
        while len(self._buffer) < wanted_bytes:
            chunk = self._stream.read(CHUNK_BYTES)
            if not chunk:
                raise BadRequest("the message is cut off: no closing boundary")
            self._buffer += chunk


def _content_type(header: bytes) -> str:
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-type":
            return value.strip().decode("latin-1")
    return ""
