"""Fuzz target: everything a peer sends over one connection, from its request to its release (PS3.8 9.2).

The first byte of an input is how many bytes come at a time; the others are the peer's.
"""

from collections.abc import Sequence

from pacs_agent.receive.contexts import supported_contexts
from pacs_agent.receive.wire.association import Association
from pacs_agent.receive.wire.breach import Breach, PeerGone
from pacs_agent.receive.wire.budget import Budget, TimeLimits
from pacs_agent.receive.wire.fragments import ReleaseRequested
from pacs_agent.receive.wire.negotiation import Agreement, agree
from pacs_agent.receive.wire.transport import Transport

AGES_S = 1e6
MOST_BYTES = 1 << 16


class Heard(Transport):
    """A connection whose peer has said everything already; what we answer is kept."""

    def __init__(self, said: bytes, at_a_time: int) -> None:
        self._rest = memoryview(said)
        self._at_a_time = at_a_time
        self.answered = b""
        self.scatters = True

    def receive(self, buffers: Sequence[memoryview]) -> int:
        """Puts the next bytes into the buffers, one after the other."""
        left = self._at_a_time
        for buffer in buffers:
            piece = self._rest[: min(left, len(buffer))]
            buffer[: len(piece)] = piece
            self._rest, left = self._rest[len(piece) :], left - len(piece)
        if left == self._at_a_time:
            raise PeerGone("the input is over")
        return self._at_a_time - left

    def send(self, encoded: bytes) -> None:
        """Keeps what is answered."""
        self.answered += encoded


class Kept:
    """A sink with little room at a time."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._room = memoryview(bytearray(100))

    def room(self, count: int) -> memoryview:
        """At most 100 bytes."""
        assert count > 0
        return self._room[:count]

    def advance(self, count: int) -> None:
        """Counts them."""
        assert 0 < count <= len(self._room)
        self.size_bytes += count


def check(encoded: bytes) -> None:
    """An association takes whatever comes, refuses it as a breach, or sees that the peer is gone."""
    if not encoded:
        return
    transport = Heard(encoded[1:], at_a_time=encoded[0] or 1 << 20)
    association = Association(transport, Budget(TimeLimits(AGES_S, AGES_S, AGES_S, AGES_S)))
    try:
        _converse(association, len(encoded))
    except Breach as breach:
        association.abort(breach)
    except ReleaseRequested:
        association.release()
    except PeerGone:
        pass
    _check_answers(transport.answered)


def _converse(association: Association, size_bytes: int) -> None:
    titles = association.requested()
    assert titles.calling_ae_title.isprintable() and titles.called_ae_title.isprintable()
    assert len(titles.calling_ae_title) <= 16
    agreement = agree(association.proposal(), titles, supported_contexts(may_echo=True, may_store=True), 8)
    if not isinstance(agreement, Agreement):
        association.reject(agreement)
        return
    association.accept(agreement)
    while True:
        message = association.next_message()
        if message.command.has_data_set:
            kept = Kept()
            association.read_data_set(message, kept, MOST_BYTES)
            assert kept.size_bytes <= size_bytes
        association.respond(message, b"\0" * 100)


def _check_answers(answered: bytes) -> None:
    """Whole PDUs of known types, none longer than the peer can be told to take."""
    while answered:
        kind, length = answered[0], int.from_bytes(answered[2:6], "big")
        assert kind in (2, 3, 4, 6, 7) and len(answered) >= 6 + length
        answered = answered[6 + length :]


if __name__ == "__main__":
    from tests.fuzz.fuzzer import fuzz

    fuzz()
