"""Finds tensors that an ONNX file keeps in other files, without the onnx package.

Such a reference is a path chosen by the file (`../../etc/…`), which neither the manifest's digests nor the bundle's
folder bound. The file is a protobuf message (onnx.proto3); only the fields that lead to tensors are followed.
"""

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 32

_MODEL: dict[int, str] = {7: "graph", 20: "training", 25: "function"}
_CHILDREN: dict[str, dict[int, str]] = {
    "model": _MODEL,
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""Message kind → field number → kind of the message in it. onnx.proto3 of ONNX 1.17."""
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
"""Fields of TensorProto."""


class MalformedGraph(ValueError):
    """Bytes that are no ONNX model."""


def has_external_data(model: bytes) -> bool:
    """Whether any tensor of an ONNX model lies outside the file. Raises MalformedGraph for what is no protobuf."""
    return _has_external(memoryview(model), "model", 0)


def _has_external(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        raise MalformedGraph(f"graphs nest more than {_MAX_DEPTH} deep")
    children = _CHILDREN[kind]
    for field, value in _fields(message):
        if kind == "tensor" and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value != 0)):
            return True
        if field in children and isinstance(value, memoryview) and _has_external(value, children[field], depth + 1):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers and values (a number, or the bytes of a string or message) of a protobuf message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        wire = tag & 7
        if wire == _VARINT:
            number, at = _varint(message, at)
            yield tag >> 3, number
            continue
        length, at = _length(message, at, wire)
        if at + length > len(message):
            raise MalformedGraph(f"a field of {length} bytes runs past the end")
        yield tag >> 3, message[at : at + length]
        at += length


def _length(message: memoryview, at: int, wire: int) -> tuple[int, int]:
    """Length of a field that is no varint, and where its bytes begin."""
    if wire == _BYTES:
        return _varint(message, at)
    if wire in (_FIXED64, _FIXED32):
        return (8 if wire == _FIXED64 else 4), at
    raise MalformedGraph(f"wire type {wire} is not used by protobuf 3")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A base-128 number and the offset behind it."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise MalformedGraph("the file ends within a number")
        byte, at = message[at], at + 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise MalformedGraph("a number has more than ten bytes")
