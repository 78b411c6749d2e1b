"""Command sets (PS3.7 6.3.1): implicit VR little endian, group 0000 alone, read and written without a data set."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO

from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode, encode

from pacs_agent.archive import UNREADABLE_VALUE
from pacs_agent.receive.wire.breach import CommandBroken

NO_DATA_SET = 0x0101
"""Command Data Set Type of a message without a data set (PS3.7 E.1)."""
RESPONSE = 0x8000
C_CANCEL_RQ = 0x0FFF
LONGEST_UID_BYTES = 64
_GROUP_LENGTH, _SOP_CLASS, _COMMAND_FIELD, _MESSAGE_ID, _ANSWERED_ID = 0x0000, 0x0002, 0x0100, 0x0110, 0x0120
_DATA_SET_TYPE, _STATUS, _ERROR_COMMENT, _SOP_INSTANCE = 0x0800, 0x0900, 0x0902, 0x1000
_ELEMENT = struct.Struct("<HHL")
_US, _UL = struct.Struct("<H"), struct.Struct("<L")


@dataclass(frozen=True)
class CommandSet:
    """The elements of a command set, by element number, as they came."""

    elements: Mapping[int, bytes]
    encoded: bytes

    @property
    def field(self) -> int:
        """Command Field (0000,0100)."""
        return self._number(_COMMAND_FIELD)

    @property
    def message_id(self) -> int:
        """Message ID (0000,0110)."""
        return self._number(_MESSAGE_ID)

    @property
    def has_data_set(self) -> bool:
        """Whether a data set follows (0000,0800)."""
        return self._number(_DATA_SET_TYPE) != NO_DATA_SET

    @property
    def sop_class_uid(self) -> str:
        """Affected SOP Class UID (0000,0002), as it was sent; empty when missing."""
        return self._text(_SOP_CLASS)

    @property
    def sop_instance_uid(self) -> str:
        """Affected SOP Instance UID (0000,1000), as it was sent; empty when missing."""
        return self._text(_SOP_INSTANCE)

    def data_set(self) -> Dataset:
        """The command set as pydicom has it, each value read. Raises CommandBroken."""
        try:
            command: Dataset = decode(BytesIO(self.encoded), is_implicit_vr=True, is_little_endian=True)
            for _element in command:
                pass
        except UNREADABLE_VALUE as error:
            raise CommandBroken("a command set with values that cannot be read") from error
        return command

    def _number(self, element: int) -> int:
        value = self.elements.get(element, b"")
        if len(value) != _US.size:
            raise CommandBroken(f"(0000,{element:04x}) is missing or no number of two bytes")
        return int(_US.unpack(value)[0])

    def _text(self, element: int) -> str:
        return self.elements.get(element, b"").rstrip(b"\0 ").decode("latin-1")


def read_command(encoded: bytes) -> CommandSet:
    """The elements of an encoded command set. Raises CommandBroken."""
    elements: dict[int, bytes] = {}
    position, end = 0, len(encoded)
    while position < end:
        if position + _ELEMENT.size > end:
            raise CommandBroken("a command set that ends within the head of an element")
        group, element, length = _ELEMENT.unpack_from(encoded, position)
        position += _ELEMENT.size
        if group or element in elements or length > end - position:
            raise CommandBroken(f"({group:04x},{element:04x}) of a command set: wrong group, twice, or too long")
        elements[element] = encoded[position : position + length]
        position += length
    return CommandSet(elements, encoded)


def store_response(request: CommandSet, status: int, comment: str = "") -> bytes:
    """C-STORE-RSP (PS3.7 9.3.1.2). UIDs are given back as they came, unless they are longer than UIDs may be."""
    return _encoded(
        (element, value)
        for element, value in (
            (_SOP_CLASS, _echoed(request, _SOP_CLASS)),
            (_COMMAND_FIELD, _US.pack(request.field | RESPONSE)),
            (_ANSWERED_ID, _US.pack(request.message_id)),
            (_DATA_SET_TYPE, _US.pack(NO_DATA_SET)),
            (_STATUS, _US.pack(status)),
            (_ERROR_COMMENT, comment.encode("ascii", "replace")),
            (_SOP_INSTANCE, _echoed(request, _SOP_INSTANCE)),
        )
        if value
    )


def service_response(request: CommandSet, answer: Dataset, *, has_data_set: bool) -> bytes:
    """The response of a service: its own elements and those that every response has (PS3.7 9.3, 10.3)."""
    command = Dataset()
    command.update(answer)
    for keyword, element in (("AffectedSOPClassUID", _SOP_CLASS), ("AffectedSOPInstanceUID", _SOP_INSTANCE)):
        if keyword not in command and (uid := _echoed(request, element)):
            setattr(command, keyword, uid.rstrip(b"\0 ").decode("latin-1"))
    command.CommandField = request.field | RESPONSE
    command.MessageIDBeingRespondedTo = request.message_id
    command.CommandDataSetType = 0x0001 if has_data_set else NO_DATA_SET
    encoded = encode(command, is_implicit_vr=True, is_little_endian=True)
    if encoded is None:
        raise ValueError(f"the answer to command {request.field:#06x} cannot be encoded")
    return _with_group_length(encoded)


def _echoed(request: CommandSet, element: int) -> bytes:
    uid = request.elements.get(element, b"")
    return uid if len(uid) <= LONGEST_UID_BYTES and not set(uid) - set(b"0123456789.\0") else b""


def _encoded(elements: Iterable[tuple[int, bytes]]) -> bytes:
    """Elements, in increasing order, with the group length before them."""
    pieces = []
    for element, value in elements:
        padded = value + (b" " if element == _ERROR_COMMENT else b"\0") * (len(value) % 2)
        pieces.append(_ELEMENT.pack(0, element, len(padded)) + padded)
    return _with_group_length(b"".join(pieces))


def _with_group_length(encoded: bytes) -> bytes:
    return _ELEMENT.pack(0, _GROUP_LENGTH, _UL.size) + _UL.pack(len(encoded)) + encoded
