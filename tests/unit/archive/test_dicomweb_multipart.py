"""multipart/related messages, read in pieces of any size."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest

from pacs_agent.archive.dicomweb import multipart
from pacs_agent.archive.dicomweb.multipart import Part, multipart_response, read_parts

CONTENT_TYPE = "application/dicom"


class Dribble(BytesIO):
    """A stream that gives a few bytes at a time."""

    pace = 3

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(self.pace, size) if size and size > 0 else self.pace)


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5), st.integers(1, 100))
def test_what_is_written_is_read(bodies: list[bytes], pace: int) -> None:
    response = multipart_response([Part(CONTENT_TYPE, body) for body in bodies], CONTENT_TYPE)
    boundary = response.headers["Content-Type"].rpartition("boundary=")[2].encode()
    stream = Dribble(response.get_data())
    stream.pace = pace
    assert [(part.content_type, part.body) for part in read_parts(stream, boundary)] == [
        (CONTENT_TYPE, b) for b in bodies
    ]


@given(st.binary(max_size=300))
def test_any_message_is_read_or_a_bad_request(noise: bytes) -> None:
    try:
        parts = list(read_parts(BytesIO(b"--b\r\n" + noise), b"b"))
    except BadRequest:
        return
    assert b"--b--" in noise or b"\r\n--b" in noise or not parts


def test_preamble_and_epilogue_are_left_out() -> None:
    message = b"hello\r\n--b\r\n\r\none\r\n--b\r\ncontent-TYPE: x/y\r\n\r\ntwo\r\n--b--\r\nbye"
    assert list(read_parts(BytesIO(message), b"b")) == [Part("", b"one"), Part("x/y", b"two")]


@pytest.mark.parametrize("message", [b"", b"--b", b"--b\r\n\r\nbody", b"--b\r\nheader without end"])
def test_message_that_is_cut_off(message: bytes) -> None:
    with pytest.raises(BadRequest, match="cut off"):
        list(read_parts(BytesIO(message), b"b"))


def test_header_of_a_part_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "LONGEST_PART_HEADER_BYTES", 100)
    with pytest.raises(BadRequest, match="too long"):
        list(read_parts(BytesIO(b"--b\r\n" + b"a: b\r\n" * 100), b"b"))
