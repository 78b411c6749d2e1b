"""Size of a compressed frame as its own codestream declares it: asked before a decoder makes room for it."""

import struct

_JPEG_FRAME_MARKERS = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7})
"""Start of frame of JPEG (ISO 10918-1 table B.1) and of JPEG-LS (0xF7, ISO 14495-1 C.1.1)."""
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def codestream_size(frame: bytes) -> tuple[int, int] | None:
    """(rows, columns) of a JPEG, JPEG-LS or JPEG 2000 frame, or None when it declares none (RLE, broken)."""
    if frame[:2] == b"\xff\xd8":
        return _jpeg_size(frame)
    start = frame.find(b"\xff\x4f\xff\x51", 0, 256)
    return _jpeg_2000_size(frame, start + 2) if start >= 0 else None


def _jpeg_size(frame: bytes) -> tuple[int, int] | None:
    """Lines and samples per line of the first start-of-frame segment. ISO 10918-1 B.2.2."""
    at = 2
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker in _JPEG_FRAME_MARKERS:
            rows, columns = struct.unpack_from(">HH", frame, at + 5)
            return rows, columns
        if marker == 0xFF:
            at += 1
        elif marker in _JPEG_ALONE:
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", frame, at + 2)[0]
    return None


def _jpeg_2000_size(frame: bytes, at: int) -> tuple[int, int] | None:
    """Image area on the reference grid: SIZ marker segment. ISO 15444-1 A.5.1."""
    if len(frame) < at + 22:
        return None
    right, bottom, left, top = struct.unpack_from(">IIII", frame, at + 6)
    return bottom - top, right - left
