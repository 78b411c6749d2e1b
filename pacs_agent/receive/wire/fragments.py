"""Messages from their fragments (PS3.8 9.3.5, E.2): command first, then the data set, on one presentation context."""

from collections.abc import Container
from typing import NamedTuple, Protocol

from pacs_agent.receive.wire import pdus
from pacs_agent.receive.wire.breach import AbortReason, Breach, PeerGone
from pacs_agent.receive.wire.budget import Budget
from pacs_agent.receive.wire.stream import Stream

LARGEST_COMMAND_BYTES = 1 << 16


class ReleaseRequested(Exception):
    """A-RELEASE-RQ came between two messages."""


class Sink(Protocol):
    """Where the bytes of a data set go."""

    def room(self, count: int) -> memoryview:
        """Where the next `count` bytes go; may be shorter, never empty."""

    def advance(self, count: int) -> None:
        """So many bytes were put there."""


class Fragment(NamedTuple):
    """The head of a presentation data value."""

    length: int
    context_id: int
    is_command: bool
    is_last: bool


class Fragments:
    """Reads the messages of an established association."""

    def __init__(self, stream: Stream, budget: Budget, accepted: Container[int]) -> None:
        self._stream = stream
        self._budget = budget
        self._accepted = accepted
        self._left_in_pdu = 0

    def command(self) -> tuple[int, bytes]:
        """The next message's presentation context ID and command set. Raises Breach, PeerGone, ReleaseRequested."""
        fragment = self._next(within_message=False)
        context_id, command = fragment.context_id, bytearray()
        self._budget.begin_message()
        while True:
            self._check(fragment, context_id, is_command=True)
            if len(command) + fragment.length > LARGEST_COMMAND_BYTES:
                raise Breach(f"a command set of more than {LARGEST_COMMAND_BYTES} bytes")
            command += self._stream.take(fragment.length)
            self._consumed(fragment.length)
            if fragment.is_last:
                return context_id, bytes(command)
            fragment = self._next(within_message=True)

    def data_set(self, context_id: int, sink: Sink, most_bytes: int) -> None:
        """Puts the data set that follows a command into the sink. Raises Breach, PeerGone, and what the sink raises."""
        size_bytes, is_last = 0, False
        while not is_last:
            fragment = self._next(within_message=True)
            self._check(fragment, context_id, is_command=False)
            size_bytes += fragment.length
            if size_bytes > most_bytes:
                raise Breach(f"a data set of more than {most_bytes} bytes, and no end of it")
            self._into(sink, fragment.length)
            is_last = fragment.is_last
        self.end_message()

    def end_message(self) -> None:
        """The message has no more fragments."""
        self._budget.end_message()

    def _into(self, sink: Sink, left: int) -> None:
        stream = self._stream
        self._left_in_pdu -= left
        while left:
            since_s = self._budget.monotonic()
            room = sink.room(left)
            self._budget.put_off(since_s)
            count = stream.take_into(room)
            sink.advance(count)
            left -= count
        if not self._left_in_pdu:
            self._budget.end_pdu()

    def _next(self, *, within_message: bool) -> Fragment:
        if not self._left_in_pdu:
            self._next_pdu(within_message=within_message)
        if self._left_in_pdu < pdus.PDV_HEAD_BYTES:
            raise Breach("a PDU ends within the head of a fragment")
        length, context_id, is_command, is_last = pdus.pdv_head(self._stream.take(pdus.PDV_HEAD_BYTES))
        self._left_in_pdu -= pdus.PDV_HEAD_BYTES
        if not 0 <= length <= self._left_in_pdu:
            raise Breach(f"a fragment of {length} bytes in a PDU that has {self._left_in_pdu} left")
        if context_id not in self._accepted:
            raise Breach(f"presentation context {context_id} was not accepted")
        return Fragment(length, context_id, is_command, is_last)

    def _next_pdu(self, *, within_message: bool) -> None:
        kind, length = next_pdu(self._stream, self._budget, pdus.ESTABLISHED)
        if kind == pdus.PduType.P_DATA:
            self._left_in_pdu = length
        elif kind == pdus.PduType.ABORT:
            raise PeerGone("the peer aborted")
        elif within_message:
            raise Breach("a release within a message", AbortReason.UNEXPECTED_PDU)
        else:
            self._stream.take(length)
            self._budget.end_pdu()
            raise ReleaseRequested

    def _check(self, fragment: Fragment, context_id: int, *, is_command: bool) -> None:
        if fragment.context_id != context_id:
            raise Breach(f"a fragment on context {fragment.context_id} within a message on context {context_id}")
        if fragment.is_command != is_command:
            due = "a command" if is_command else "a data set"
            raise Breach(f"a fragment of another kind where one of {due} is due", AbortReason.UNEXPECTED_PARAMETER)

    def _consumed(self, length: int) -> None:
        self._left_in_pdu -= length
        if not self._left_in_pdu:
            self._budget.end_pdu()


def next_pdu(stream: Stream, budget: Budget, expected: pdus.Lengths) -> tuple[int, int]:
    """Type and length of the next PDU; its time runs from its first byte. Raises Breach, PeerGone."""
    stream.wait()
    budget.begin_pdu()
    return pdus.checked_head(stream.take(pdus.HEAD_BYTES), expected)
