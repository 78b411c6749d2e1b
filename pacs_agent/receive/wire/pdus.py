"""PDUs (PS3.8 9.3): their heads, checked before anything of their content is read, and those that we send."""

import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum
from types import MappingProxyType

from pacs_agent.receive.wire.breach import AbortReason, AbortSource, Breach, ProbeOnly

MAXIMUM_PDU_BYTES = 1 << 20
"""A 512 × 512 image in one PDU; larger ones gain nothing."""
LARGEST_REQUEST_BYTES = 1 << 17
"""128 presentation contexts with 30 transfer syntaxes each."""
SMALLEST_REQUEST_BYTES = 68
HEAD_BYTES = 6
PDV_HEAD_BYTES = 6
"""Item length, presentation context ID and message control header (PS3.8 9.3.5.1, E.2)."""
_HEAD = struct.Struct(">BxL")
_PDV_HEAD = struct.Struct(">LBB")


class PduType(IntEnum):
    """Types of PDU (PS3.8 9.3.1)."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    P_DATA = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


Lengths = Mapping[int, tuple[int, int]]
"""Type of PDU to the least and greatest length that it may declare."""
AWAITING_REQUEST: Lengths = MappingProxyType(
    {PduType.ASSOCIATE_RQ: (SMALLEST_REQUEST_BYTES, LARGEST_REQUEST_BYTES), PduType.ABORT: (4, 4)}
)
ESTABLISHED: Lengths = MappingProxyType(
    {PduType.P_DATA: (PDV_HEAD_BYTES, MAXIMUM_PDU_BYTES), PduType.RELEASE_RQ: (4, 4), PduType.ABORT: (4, 4)}
)


def checked_head(head: bytes, expected: Lengths) -> tuple[int, int]:
    """Type and length of a PDU that may come in this state. Raises Breach."""
    kind, length = _HEAD.unpack(head)
    if kind not in expected:
        raise _unexpected(kind, expected)
    least, greatest = expected[kind]
    if not least <= length <= greatest:
        raise _in_state(
            expected, f"a {PduType(kind).name} PDU declares {length} bytes, {least} to {greatest} are taken"
        )
    return kind, length


def _unexpected(kind: int, expected: Lengths) -> Breach:
    if kind not in list(PduType):
        return _in_state(expected, f"a PDU of unknown type {kind:#04x}", AbortReason.UNRECOGNISED_PDU)
    if expected is AWAITING_REQUEST and kind == PduType.RELEASE_RQ:
        return ProbeOnly("a release without an association", AbortReason.NOT_SPECIFIED, AbortSource.SERVICE_USER)
    return _in_state(expected, f"an unexpected {PduType(kind).name} PDU", AbortReason.UNEXPECTED_PDU)


def _in_state(expected: Lengths, text: str, reason: AbortReason = AbortReason.INVALID_PARAMETER_VALUE) -> Breach:
    """Before an association the abort is the service user's, without a reason (PS3.8 9.2.3: AA-1, AA-8)."""
    if expected is AWAITING_REQUEST:
        return Breach(text, AbortReason.NOT_SPECIFIED, AbortSource.SERVICE_USER)
    return Breach(text, reason)


def abort(source: int, reason: int) -> bytes:
    """A-ABORT (PS3.8 9.3.8)."""
    return _HEAD.pack(PduType.ABORT, 4) + bytes((0, 0, source, reason))


def reject(result: int, source: int, diagnostic: int) -> bytes:
    """A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    return _HEAD.pack(PduType.ASSOCIATE_RJ, 4) + bytes((0, result, source, diagnostic))


def release_response() -> bytes:
    """A-RELEASE-RP (PS3.8 9.3.7)."""
    return _HEAD.pack(PduType.RELEASE_RP, 4) + bytes(4)


def data_pdus(context_id: int, message: bytes, *, is_command: bool, maximum_bytes: int) -> Iterator[bytes]:
    """A command set or a data set as P-DATA-TF PDUs (PS3.8 9.3.5) that a peer with this maximum takes; 0 is any."""
    room = (maximum_bytes or MAXIMUM_PDU_BYTES) - PDV_HEAD_BYTES & ~1
    for start in range(0, len(message) or 1, room):
        fragment = message[start : start + room]
        control = is_command | (start + room >= len(message)) << 1
        head = _HEAD.pack(PduType.P_DATA, len(fragment) + PDV_HEAD_BYTES)
        yield head + _PDV_HEAD.pack(len(fragment) + 2, context_id, control) + fragment


def pdv_head(head: bytes) -> tuple[int, int, bool, bool]:
    """Length of the fragment, context ID, whether it is of a command, whether it is the last (PS3.8 E.2)."""
    length, context_id, control = _PDV_HEAD.unpack(head)
    return length - 2, context_id, bool(control & 1), bool(control & 2)
