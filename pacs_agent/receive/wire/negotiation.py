"""The association request, read item by item, and its answer (PS3.8 9.3.2 and 9.3.3, PS3.7 D.3.3)."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext, build_context, negotiate_as_acceptor

from pacs_agent.archive import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pacs_agent.receive.identity import is_uid
from pacs_agent.receive.policy import Rejection
from pacs_agent.receive.wire.breach import AbortReason, AbortSource, Breach
from pacs_agent.receive.wire.pdus import MAXIMUM_PDU_BYTES, PDV_HEAD_BYTES

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
MOST_CONTEXTS = 128
ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
"""PS3.8 9.3.3.2."""
MOST_AT_A_TIME = 8
"""Operations that a peer may have under way at a time where it asks for more than one."""
SMALLEST_MAXIMUM_BYTES = PDV_HEAD_BYTES + 2
"""A PDU of less holds no fragment, which has an even number of bytes."""
LONGEST_UID_ITEM_BYTES = 128
"""A UID of 64 and as much padding: UIDs are remembered, and what is remembered of a peer must be bounded."""
_TITLES = struct.Struct(">H2x16s16s32x")
_ITEM = struct.Struct(">BxH")
_CONTEXT_ITEM, _USER_ITEM, _APPLICATION_ITEM, _ABSTRACT_ITEM, _TRANSFER_ITEM = 0x20, 0x50, 0x10, 0x30, 0x40
_MAXIMUM_ITEM, _WINDOW_ITEM, _ROLE_ITEM = 0x51, 0x53, 0x54


@dataclass(frozen=True)
class Titles:
    """The fixed fields of an association request."""

    calling_ae_title: str
    called_ae_title: str
    objection: Rejection | None
    """Why it is rejected whoever it is from."""


@dataclass(frozen=True)
class ProposedContext:
    """Item 20H (PS3.8 9.3.2.2)."""

    context_id: int
    abstract_syntax: UID
    transfer_syntaxes: Sequence[UID]

    def answered(self, result: int) -> PresentationContext:
        """It as pynetdicom has it, for an answer that needs no negotiation."""
        context = build_context(self.abstract_syntax, [self.transfer_syntaxes[0]])
        context.context_id, context.result = self.context_id, result
        return context

    def proposed(self) -> PresentationContext:
        """It as pynetdicom negotiates it."""
        context = build_context(self.abstract_syntax, list(self.transfer_syntaxes))
        context.context_id = self.context_id
        return context


@dataclass(frozen=True)
class Proposal:
    """The variable items of an association request."""

    contexts: Sequence[ProposedContext]
    roles: dict[UID, tuple[bool, bool]]
    """SOP class to whether the requestor would be its SCU, and its SCP."""
    maximum_bytes: int
    """Longest PDU that the requestor takes; 0 is any."""
    window: int | None
    """Operations that the requestor would have under way at a time, 0 is any; None when it says nothing of them."""
    application_context: str


@dataclass(frozen=True)
class Context:
    """An accepted presentation context."""

    sop_class_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True)
class Agreement:
    """What holds for an association, and the A-ASSOCIATE-AC that says so."""

    contexts: dict[int, Context]
    maximum_bytes: int
    at_a_time: int
    """Operations that the peer may have under way."""
    accept_pdu: bytes


def titles(body: bytes) -> Titles:
    """The fixed fields of an A-ASSOCIATE-RQ, of at least 68 bytes."""
    version, called, calling = _TITLES.unpack_from(body)
    objection = None
    if not version & 1:
        objection = Rejection(1, 2, 2, f"protocol version {version:#06x} is not 1")
    elif not _is_title(calling):
        objection = Rejection(1, 1, 3, "the calling AE title has other characters than PS3.5 6.2 allows, or none")
    elif not _is_title(called):
        objection = Rejection(1, 1, 7, "the called AE title has other characters than PS3.5 6.2 allows, or none")
    return Titles(_shown(calling), _shown(called), objection)


def proposal(body: bytes) -> Proposal:
    """The variable items of an A-ASSOCIATE-RQ; unknown ones are passed over (PS3.8 9.3.1). Raises Breach."""
    contexts: list[ProposedContext] = []
    application_context, user = "", b""
    for kind, content in _items(body[_TITLES.size :]):
        if kind == _CONTEXT_ITEM:
            contexts.append(_context(content))
        elif kind == _APPLICATION_ITEM:
            application_context = content.rstrip(b"\0 ").decode("latin-1")
        elif kind == _USER_ITEM:
            user = content
    ids = [context.context_id for context in contexts]
    if not contexts or len(contexts) > MOST_CONTEXTS or len(set(ids)) < len(ids):
        raise _wrong(
            f"{len(contexts)} presentation contexts, {len(set(ids))} different; 1 to {MOST_CONTEXTS} are taken"
        )
    return _with_user_items(contexts, user, application_context)


def agree(
    asked: Proposal, titles_: Titles, supported: list[PresentationContext], most_at_a_time: int
) -> Agreement | Rejection:
    """What is accepted of a proposal, or why nothing is."""
    if asked.application_context != APPLICATION_CONTEXT:
        return Rejection(1, 1, 2, "another application context than that of DICOM")
    if 0 < asked.maximum_bytes < SMALLEST_MAXIMUM_BYTES:
        return Rejection(1, 1, 1, f"a maximum PDU length of {asked.maximum_bytes} bytes leaves no room for any answer")
    results, roles = _negotiated(asked, supported)
    at_a_time = _at_a_time(asked.window, most_at_a_time)
    answer = A_ASSOCIATE()
    answer.application_context_name = UID(APPLICATION_CONTEXT)
    answer.calling_ae_title, answer.called_ae_title = titles_.calling_ae_title, titles_.called_ae_title
    answer.result, answer.result_source = 0, 1
    answer.presentation_context_definition_results_list = results
    answer.user_information = [*_about_us(), *roles, *_window_item(asked.window, at_a_time)]
    accepted = {
        int(context.context_id or 0): Context(str(context.abstract_syntax), str(context.transfer_syntax[0]))
        for context in results
        if context.result == 0
    }
    return Agreement(accepted, asked.maximum_bytes, at_a_time, A_ASSOCIATE_AC(answer).encode())


def _negotiated(
    asked: Proposal, supported: list[PresentationContext]
) -> tuple[list[PresentationContext], list[SCP_SCU_RoleSelectionNegotiation]]:
    """Results in the order of the proposal. A sender may offer a hundred classes: only ours are worth negotiating."""
    ours = {context.abstract_syntax for context in supported}
    known = [context.proposed() for context in asked.contexts if context.abstract_syntax in ours]
    negotiated, roles = negotiate_as_acceptor(known, supported, asked.roles)
    results = {int(context.context_id or 0): context for context in negotiated}
    return [
        results.get(context.context_id) or context.answered(ABSTRACT_SYNTAX_NOT_SUPPORTED) for context in asked.contexts
    ], roles


def _with_user_items(contexts: list[ProposedContext], user: bytes, application_context: str) -> Proposal:
    roles: dict[UID, tuple[bool, bool]] = {}
    maximum_bytes, window = 0, None
    for kind, content in _items(user):
        if kind == _MAXIMUM_ITEM:
            maximum_bytes = _number(content, 4)
        elif kind == _WINDOW_ITEM:
            window = _number(content, 4) >> 16
        elif kind == _ROLE_ITEM:
            sop_class_uid, role = _role(content)
            roles[sop_class_uid] = role
    return Proposal(contexts, roles, maximum_bytes, window, application_context)


def _items(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and content of each item (PS3.8 9.3.1)."""
    position = 0
    while position < len(encoded):
        start = position + _ITEM.size
        if start > len(encoded):
            raise _wrong("an item of the association request has no whole head")
        kind, length = _ITEM.unpack_from(encoded, position)
        position = start + length
        if position > len(encoded):
            raise _wrong(f"an item of type {kind:#04x} is longer than what holds it")
        yield kind, encoded[start:position]


def _context(content: bytes) -> ProposedContext:
    """Item 20H (PS3.8 9.3.2.2)."""
    context_id = content[0] if content else 0
    if context_id % 2 == 0:
        raise _wrong(f"a presentation context with ID {context_id}; odd ones are due")
    abstract_syntax, transfer_syntaxes = None, []
    for kind, name in _items(content[4:]):
        if kind == _ABSTRACT_ITEM:
            abstract_syntax = _uid(name)
        elif kind == _TRANSFER_ITEM:
            transfer_syntaxes.append(_uid(name))
    if abstract_syntax is None or not transfer_syntaxes:
        raise _wrong(f"presentation context {context_id} lacks its abstract syntax or any transfer syntax")
    return ProposedContext(context_id, abstract_syntax, transfer_syntaxes)


def _role(content: bytes) -> tuple[UID, tuple[bool, bool]]:
    """Sub-item 54H (PS3.7 D.3.3.4)."""
    length = _number(content[:2], 2)
    if len(content) != length + 4:
        raise _wrong("a role selection that is not as long as it says")
    return _uid(content[2 : 2 + length]), (content[-2] == 1, content[-1] == 1)


@lru_cache(maxsize=4096)
def _uid(name: bytes) -> UID:
    text = name.rstrip(b"\0 ").decode("latin-1")
    if not text or len(name) > LONGEST_UID_ITEM_BYTES or not is_uid(text):
        raise _wrong("a UID of the association request is none: digits and dots, at most 64")
    return UID(text)


def _number(content: bytes, size: int) -> int:
    if len(content) != size:
        raise _wrong(f"a number of the association request has {len(content)} bytes, {size} are due")
    return int.from_bytes(content, "big")


def _at_a_time(window: int | None, most: int) -> int:
    return 1 if window is None else min(window or most, most)


def _about_us() -> list[MaximumLengthNotification | ImplementationClassUIDNotification]:
    length, implementation, version = (
        MaximumLengthNotification(),
        ImplementationClassUIDNotification(),
        ImplementationVersionNameNotification(),
    )
    length.maximum_length_received = MAXIMUM_PDU_BYTES
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    return [length, implementation, version]


def _window_item(window: int | None, at_a_time: int) -> list[AsynchronousOperationsWindowNegotiation]:
    """PS3.7 D.3.3.3: answered where it was asked for; we call no operation ourselves beyond one at a time."""
    if window is None:
        return []
    item = AsynchronousOperationsWindowNegotiation()
    item.maximum_number_operations_invoked, item.maximum_number_operations_performed = at_a_time, 1
    return [item]


def _is_title(field: bytes) -> bool:
    text = field.strip(b" ")
    return bool(text) and all(0x20 <= byte <= 0x7E and byte != 0x5C for byte in text)


def _shown(field: bytes) -> str:
    """An AE title as it may stand in logs and audit lines."""
    return "".join(chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x5C else "?" for byte in field).strip()


def _wrong(text: str) -> Breach:
    """Before the association exists an abort is the service user's, without a reason (PS3.8 9.2.3, AA-1)."""
    return Breach(text, AbortReason.NOT_SPECIFIED, AbortSource.SERVICE_USER)
