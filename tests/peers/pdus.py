"""PDUs of the DICOM upper layer (PS3.8 9.3) and command sets (PS3.7 6.3) built by hand, so that they can also lie.

Every length is the true one unless another is given. Nothing here uses the product or pynetdicom.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import pack, unpack

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"

C_STORE_RQ, C_FIND_RQ, C_ECHO_RQ, N_EVENT_REPORT_RQ, N_ACTION_RQ = 0x0001, 0x0020, 0x0030, 0x0100, 0x0130
DATA_SET, NO_DATA_SET = 0x0001, 0x0101
"""Command Data Set Type (0000,0800): anything but 0101 says that a data set follows."""


@dataclass(frozen=True)
class Proposed:
    """A presentation context as it is proposed (PS3.8 9.3.2.2)."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: Sequence[str] = (EXPLICIT,)

    def encoded(self) -> bytes:
        """Item 20H."""
        syntaxes = b"".join(item(0x40, uid.encode()) for uid in self.transfer_syntaxes)
        return item(0x20, bytes([self.id, 0, 0, 0]) + item(0x30, self.abstract_syntax.encode()) + syntaxes)


ECHO_AND_CT = (Proposed(1, VERIFICATION, (IMPLICIT,)), Proposed(3, CT))


def pdu(kind: int, body: bytes, *, length: int | None = None) -> bytes:
    """A PDU: type, a reserved byte, length in 4 bytes, body."""
    return pack(">BBL", kind, 0, len(body) if length is None else length) + body


def item(kind: int, body: bytes, *, length: int | None = None) -> bytes:
    """An item of a negotiation PDU: type, a reserved byte, length in 2 bytes, body."""
    return pack(">BBH", kind, 0, len(body) if length is None else length) + body


def associate_rq(
    contexts: Sequence[Proposed] = ECHO_AND_CT,
    *,
    calling: str | bytes = "HOSTILE",
    called: str | bytes = "PACSAGENT",
    maximum_length: int = 16384,
    user_items: bytes = b"",
    items: bytes | None = None,
    version: int = 1,
    length: int | None = None,
) -> bytes:
    """A-ASSOCIATE-RQ (PS3.8 9.3.2). `user_items` come after the maximum length; `items` replaces all variable items."""
    if items is None:
        items = item(0x10, APPLICATION_CONTEXT.encode())
        items += b"".join(context.encoded() for context in contexts)
        items += user_information(maximum_length, user_items)
    fixed = pack(">HH16s16s32x", version, 0, _title(called), _title(calling))
    return pdu(ASSOCIATE_RQ, fixed + items, length=length)


def user_information(maximum_length: int = 16384, user_items: bytes = b"") -> bytes:
    """Item 50H with the maximum length, an implementation class UID, and further items."""
    return item(0x50, item(0x51, pack(">L", maximum_length)) + item(0x52, b"1.2.3.4") + user_items)


def asynchronous_operations(invoked: int, performed: int) -> bytes:
    """Sub-item 53H (PS3.7 D.3.3.3)."""
    return item(0x53, pack(">HH", invoked, performed))


def p_data(*values: bytes, length: int | None = None) -> bytes:
    """P-DATA-TF (PS3.8 9.3.5) of presentation data values."""
    return pdu(P_DATA, b"".join(values), length=length)


def pdv(
    context_id: int, fragment: bytes, *, command: bool = False, last: bool = True, length: int | None = None
) -> bytes:
    """A presentation data value: length, context, message control header (PS3.8 E.2), fragment."""
    control = command | last << 1
    return pack(">LBB", len(fragment) + 2 if length is None else length, context_id, control) + fragment


def release_rq() -> bytes:
    """A-RELEASE-RQ."""
    return pdu(RELEASE_RQ, bytes(4))


def release_rp() -> bytes:
    """A-RELEASE-RP."""
    return pdu(RELEASE_RP, bytes(4))


def abort(source: int = 0, reason: int = 0) -> bytes:
    """A-ABORT."""
    return pdu(ABORT, bytes([0, 0, source, reason]))


def command_set(values: Mapping[int, int | str | bytes], *, group_length: int | None = None) -> bytes:
    """Elements of group 0000 by their element number, in implicit VR little endian; an int is a US, a str a UI."""
    body = b"".join(_command_element(number, value) for number, value in sorted(values.items()))
    return pack("<HHLL", 0, 0, 4, len(body) if group_length is None else group_length) + body


def echo_rq(message_id: int = 1) -> bytes:
    """The command set of C-ECHO-RQ (PS3.7 9.3.5.1)."""
    return command_set({0x0002: VERIFICATION, 0x0100: C_ECHO_RQ, 0x0110: message_id, 0x0800: NO_DATA_SET})


def store_rq(
    sop_instance_uid: str | bytes,
    *,
    sop_class_uid: str | bytes = CT,
    message_id: int = 1,
    data_set: int = DATA_SET,
    **others: int | str | bytes,
) -> bytes:
    """The command set of C-STORE-RQ (PS3.7 9.3.1.1). `others` are further elements, named as e0110 for (0000,0110)."""
    values: dict[int, int | str | bytes] = {0x0002: sop_class_uid, 0x0100: C_STORE_RQ, 0x0110: message_id}
    values |= {0x0700: 0, 0x0800: data_set, 0x1000: sop_instance_uid}
    return command_set(values | {int(name[1:], 16): value for name, value in others.items()})


def fragments(context_id: int, encoded: bytes, *, size: int = 16000, last: bool = True) -> Iterator[bytes]:
    """P-DATA-TF PDUs that carry a data set, one fragment each. Without `last` none says that it is the last."""
    for start in range(0, max(len(encoded), 1), size):
        is_last = last and start + size >= len(encoded)
        yield p_data(pdv(context_id, encoded[start : start + size], last=is_last))


def message(context_id: int, command: bytes, encoded: bytes = b"") -> bytes:
    """A whole message: its command, and the data set if there is one."""
    head = p_data(pdv(context_id, command, command=True))
    return head + b"".join(fragments(context_id, encoded)) if encoded else head


@dataclass(frozen=True)
class Answer:
    """A PDU that came back."""

    kind: int
    body: bytes

    @property
    def rejection(self) -> tuple[int, int, int]:
        """Result, source and reason of A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
        if self.kind != ASSOCIATE_RJ:
            raise ValueError(f"no A-ASSOCIATE-RJ but {self}")
        return self.body[1], self.body[2], self.body[3]

    @property
    def abort(self) -> tuple[int, int]:
        """Source and reason of A-ABORT (PS3.8 9.3.8)."""
        if self.kind != ABORT:
            raise ValueError(f"no A-ABORT but {self}")
        return self.body[2], self.body[3]

    @property
    def results(self) -> dict[int, int]:
        """The result for each presentation context id of A-ASSOCIATE-AC (PS3.8 9.3.3.2); 0 is acceptance."""
        if self.kind != ASSOCIATE_AC:
            raise ValueError(f"no A-ASSOCIATE-AC but {self}")
        return {body[0]: body[2] for kind, body in _items(self.body[68:]) if kind == 0x21}

    @property
    def maximum_length(self) -> int:
        """The largest P-DATA-TF that the acceptor takes, without its header; 0 is any (PS3.8 D.1)."""
        user = next(body for kind, body in _items(self.body[68:]) if kind == 0x50)
        return int.from_bytes(next(body for kind, body in _items(user) if kind == 0x51), "big")

    @property
    def command(self) -> dict[int, bytes]:
        """The elements of the command set that a single P-DATA-TF holds."""
        if self.kind != P_DATA:
            raise ValueError(f"no P-DATA-TF but {self}")
        encoded, found = self.body[6:], dict[int, bytes]()
        while encoded:
            _, element, length = unpack("<HHL", encoded[:8])
            found[element], encoded = encoded[8 : 8 + length], encoded[8 + length :]
        return found

    @property
    def status(self) -> int:
        """Status (0000,0900) of a response."""
        return int.from_bytes(self.command[0x0900], "little")


def _items(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    while encoded:
        kind, length = unpack(">BxH", encoded[:4])
        yield kind, encoded[4 : 4 + length]
        encoded = encoded[4 + length :]


def _title(title: str | bytes) -> bytes:
    return (title.encode() if isinstance(title, str) else title).ljust(16)


def _command_element(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        encoded = pack("<H", value)
    else:
        encoded = value.encode() if isinstance(value, str) else value
        encoded += b"\0" * (len(encoded) % 2)
    return pack("<HHL", 0, number, len(encoded)) + encoded
