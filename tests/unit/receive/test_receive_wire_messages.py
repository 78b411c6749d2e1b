"""Messages from fragments: however the bytes are cut, what is kept is what was sent; what is no DICOM is a Breach."""

import itertools
from collections.abc import Iterator, Sequence
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.receive.wire import pdus as wire
from pacs_agent.receive.wire.association import Association, Message
from pacs_agent.receive.wire.breach import AbortReason, AbortSource, Breach, CommandBroken, PeerGone
from pacs_agent.receive.wire.budget import Budget, TimeLimits
from pacs_agent.receive.wire.commands import read_command, store_response
from pacs_agent.receive.wire.fragments import LARGEST_COMMAND_BYTES, ReleaseRequested
from pacs_agent.receive.wire.negotiation import Agreement, Context
from tests.peers import pdus
from tests.peers.pdus import pdv

LIMITS = TimeLimits(negotiation_s=9, silence_s=9, pdu_s=9, message_s=9)
CT = Context(pdus.CT, pdus.EXPLICIT)


class Scripted:
    """A transport whose peer sends what a test wrote, in pieces of the sizes given, the last one for the rest."""

    scatters = True

    def __init__(self, encoded: bytes, sizes: Sequence[int] = (1 << 20,)) -> None:
        self._rest = memoryview(encoded)
        self._sizes = self._each(sizes)
        self.sent = b""

    def _each(self, sizes: Sequence[int]) -> Iterator[int]:
        yield from sizes
        while True:
            yield sizes[-1]

    def receive(self, buffers: Sequence[memoryview]) -> int:
        """Fills the buffers in turn."""
        if not self._rest:
            raise PeerGone("all is said")
        left = min(next(self._sizes), len(self._rest))
        received = 0
        for buffer in buffers:
            count = min(len(buffer), left)
            buffer[:count] = self._rest[:count]
            self._rest, left, received = self._rest[count:], left - count, received + count
        return received

    def send(self, encoded: bytes) -> None:
        """Keeps what was sent."""
        self.sent += encoded


class Kept:
    """A sink that keeps all, in rooms of a size."""

    def __init__(self, room_bytes: int = 1 << 20) -> None:
        self.encoded = b""
        self._room = memoryview(bytearray(room_bytes))

    def room(self, count: int) -> memoryview:
        """The same memory each time."""
        return self._room[:count]

    def advance(self, count: int) -> None:
        """Keeps them."""
        self.encoded += bytes(self._room[:count])


class Timed(Scripted):
    """A transport that looks at the time, as a real one does."""

    def __init__(self, encoded: bytes, budget: Budget) -> None:
        super().__init__(encoded, (40_000,))
        self._budget = budget

    def receive(self, buffers: Sequence[memoryview]) -> int:
        """Raises TimeSpent."""
        self._budget.check(self._budget.monotonic(), heard=True)
        return super().receive(buffers)


def test_the_time_that_our_disk_takes_is_not_the_peers() -> None:
    now_s = [0.0]
    budget = Budget(LIMITS, lambda: now_s[0])

    class Slow(Kept):
        def room(self, count: int) -> memoryview:
            now_s[0] += 5
            return super().room(count)

    data_set = bytes(200_000)
    one = b"".join(pdus.fragments(1, data_set, size=200_000))
    association = Association(Timed(pdus.p_data(pdv(1, pdus.store_rq("1.2"), command=True)) + one, budget), budget)  # type: ignore[arg-type]
    association.accept(Agreement({1: CT}, 0, 1, b""))
    budget.end_negotiation()
    slow = Slow()
    association.read_data_set(association.next_message(), slow, 1 << 20)
    assert slow.encoded == data_set
    assert now_s[0] > 2 * LIMITS.pdu_s


def established(encoded: bytes, sizes: Sequence[int] = (1 << 20,), maximum_bytes: int = 0) -> Association:
    """An association on which a peer says this, with contexts 1 and 3."""
    association = Association(Scripted(encoded, sizes), Budget(LIMITS))  # type: ignore[arg-type]
    association.accept(Agreement({1: CT, 3: CT}, maximum_bytes, 1, b""))
    return association


def read(association: Association, room_bytes: int = 1 << 20, most_bytes: int = 1 << 20) -> tuple[Message, bytes]:
    message, kept = association.next_message(), Kept(room_bytes)
    if message.command.has_data_set:
        association.read_data_set(message, kept, most_bytes)
    return message, kept.encoded


def cut(encoded: bytes, places: Sequence[int]) -> list[bytes]:
    """The pieces between the places; none is missing, some are empty."""
    marks = [0, *sorted(place % (len(encoded) + 1) for place in places), len(encoded)]
    return [encoded[start:end] for start, end in itertools.pairwise(marks)]


def values(encoded: bytes, places: Sequence[int], *, command: bool) -> list[bytes]:
    pieces = cut(encoded, places)
    return [pdv(1, piece, command=command, last=number == len(pieces) - 1) for number, piece in enumerate(pieces)]


places = st.lists(st.integers(0, 400), max_size=6)


@given(
    data_set=st.binary(max_size=300),
    in_command=places,
    in_data=places,
    in_pdus=places,
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    room_bytes=st.integers(1, 64),
)
def test_messages_are_whole_however_they_are_cut(
    data_set: bytes,
    in_command: list[int],
    in_data: list[int],
    in_pdus: list[int],
    sizes: list[int],
    room_bytes: int,
) -> None:
    command = pdus.store_rq("1.2.3.4")
    fragments = values(command, in_command, command=True) + values(data_set, in_data, command=False)
    marks = [0, *sorted(place % (len(fragments) + 1) for place in in_pdus), len(fragments)]
    groups = [fragments[start:end] for start, end in itertools.pairwise(marks)]
    sent = b"".join(pdus.p_data(*group) for group in groups if group)
    association = established(sent + pdus.release_rq(), sizes)
    message, kept = read(association, room_bytes)
    assert (message.command.encoded, kept) == (command, data_set)
    assert message.command.sop_instance_uid == "1.2.3.4"
    with pytest.raises(ReleaseRequested):
        association.next_message()


def test_large_fragments_go_where_they_belong_and_the_next_heads_are_not_lost() -> None:
    data_set = bytes(range(256)) * 1200
    one = b"".join(pdus.fragments(1, data_set, size=131072))
    command = pdus.p_data(pdv(1, pdus.store_rq("1.2"), command=True))
    association = established((command + one) * 2, (70_001,))
    assert read(association)[1] == data_set
    assert read(association)[1] == data_set


def test_command_and_data_set_in_one_pdu() -> None:
    both = pdus.p_data(pdv(1, pdus.store_rq("1.2"), command=True), pdv(1, b"\0\1"))
    assert read(established(both))[1] == b"\0\1"


ECHO = pdus.echo_rq()
STORE = pdus.p_data(pdv(1, pdus.store_rq("1.2"), command=True))
UNLAST = pdv(1, ECHO, command=True, last=False)


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"\x09\0\0\0\0\x04", AbortReason.UNRECOGNISED_PDU),
        (b"GET / HTTP/1.1\r\n", AbortReason.UNRECOGNISED_PDU),
        (pdus.associate_rq(), AbortReason.UNEXPECTED_PDU),
        (pdus.release_rp(), AbortReason.UNEXPECTED_PDU),
        (pdus.pdu(4, b"", length=wire.MAXIMUM_PDU_BYTES + 1), AbortReason.INVALID_PARAMETER_VALUE),
        (pdus.pdu(4, b"", length=0xFFFFFFFF), AbortReason.INVALID_PARAMETER_VALUE),
        (pdus.pdu(4, b""), AbortReason.INVALID_PARAMETER_VALUE),
        (pdus.pdu(5, bytes(5)), AbortReason.INVALID_PARAMETER_VALUE),
        (pdus.p_data(pdv(5, ECHO, command=True)), AbortReason.INVALID_PARAMETER_VALUE),
        (pdus.p_data(pdv(2, ECHO, command=True)), AbortReason.INVALID_PARAMETER_VALUE),
        (pdus.p_data(pdv(1, ECHO, command=True, length=1)), AbortReason.INVALID_PARAMETER_VALUE),
        (pdus.p_data(pdv(1, ECHO, command=True, length=0)), AbortReason.INVALID_PARAMETER_VALUE),
        (pdus.p_data(pdv(1, ECHO, command=True, length=1000)), AbortReason.INVALID_PARAMETER_VALUE),
        (pdus.p_data(pdv(1, ECHO, command=True, length=0xFFFFFFFF)), AbortReason.INVALID_PARAMETER_VALUE),
        (pdus.p_data(UNLAST, b"\0\0"), AbortReason.INVALID_PARAMETER_VALUE),
        (pdus.p_data(UNLAST, pdv(3, ECHO, command=True)), AbortReason.INVALID_PARAMETER_VALUE),
        (pdus.p_data(UNLAST) + pdus.release_rq(), AbortReason.UNEXPECTED_PDU),
        (pdus.p_data(pdv(1, b"\0\0")), AbortReason.UNEXPECTED_PARAMETER),
        (STORE + pdus.p_data(pdv(1, ECHO, command=True)), AbortReason.UNEXPECTED_PARAMETER),
        (STORE + pdus.p_data(pdv(3, b"\0\0")), AbortReason.INVALID_PARAMETER_VALUE),
        (pdus.p_data(pdv(1, bytes(60_000), command=True, last=False)) * 2, AbortReason.INVALID_PARAMETER_VALUE),
    ],
)
def test_a_breach_has_its_reason(encoded: bytes, reason: AbortReason) -> None:
    with pytest.raises(Breach) as breach:
        read(established(encoded))
    assert (breach.value.reason, breach.value.source) == (reason, AbortSource.SERVICE_PROVIDER)


def test_a_fragment_that_is_never_the_last_ends_at_the_limit() -> None:
    endless = pdus.p_data(pdv(1, bytes(1000), last=False)) * 100
    with pytest.raises(Breach, match="more than 10000 bytes"):
        read(established(STORE + endless), most_bytes=10_000)
    assert LARGEST_COMMAND_BYTES < 1 << 20


@pytest.mark.parametrize(
    "command",
    [
        b"\0",
        pack("<HHL", 0, 0x0100, 8) + b"\1",
        pack("<HHL", 8, 0x0100, 0),
        pack("<HHL", 0, 0x0100, 0xFFFFFFFF),
        ECHO + pack("<HHLH", 0, 0x0100, 2, 1),
        pdus.command_set({0x0110: 1, 0x0800: 0x0101}),
        pdus.command_set({0x0100: 0x30, 0x0800: 0x0101}),
        pdus.command_set({0x0100: 0x30, 0x0110: 1}),
        pdus.command_set({0x0100: b"\1\0\0\0", 0x0110: 1, 0x0800: 1}),
        pdus.command_set({0x0100: 0x30, 0x0110: bytes(200), 0x0800: 0x0101}),
    ],
)
def test_broken_command_sets_are_aborted_by_the_user(command: bytes) -> None:
    with pytest.raises(CommandBroken) as breach:
        read(established(pdus.p_data(pdv(1, command, command=True))))
    assert (breach.value.source, breach.value.reason) == (AbortSource.SERVICE_USER, AbortReason.NOT_SPECIFIED)


def test_a_response_to_nothing_is_a_breach_and_a_cancel_is_passed_over() -> None:
    response = pdus.command_set({0x0100: 0x8001, 0x0120: 1, 0x0800: 0x0101})
    with pytest.raises(Breach, match="0x8001"):
        read(established(pdus.p_data(pdv(1, response, command=True))))
    cancel = pdus.command_set({0x0100: 0x0FFF, 0x0120: 1, 0x0800: 0x0101})
    both = pdus.p_data(pdv(1, cancel, command=True)) + pdus.p_data(pdv(1, ECHO, command=True))
    assert read(established(both))[0].command.field == 0x30


def test_an_abort_of_the_peer_leaves_nobody_to_answer() -> None:
    with pytest.raises(PeerGone, match="aborted"):
        read(established(STORE + pdus.abort()))


@given(noise=st.binary(max_size=200), before=st.sampled_from([b"", STORE, pdus.p_data(UNLAST)]))
def test_noise_ends_in_words_of_ours(noise: bytes, before: bytes) -> None:
    association = established(before + noise)
    with pytest.raises((Breach, PeerGone, ReleaseRequested)):
        while True:
            read(association)


@given(noise=st.binary(max_size=100))
def test_noise_within_a_command_ends_in_words_of_ours(noise: bytes) -> None:
    for command in (noise, ECHO + noise, pdus.store_rq("1.2", e0902=noise)):
        try:
            read_command(command).data_set()
        except CommandBroken as breach:
            assert str(breach)


def test_a_response_is_what_was_asked_with_its_status() -> None:
    request = read_command(pdus.store_rq("1.2.3", message_id=7))
    response = read_command(store_response(request, 0xA900, "too\xe4 long"))
    answered = response.data_set()
    assert (answered.CommandField, answered.MessageIDBeingRespondedTo, answered.Status) == (0x8001, 7, 0xA900)
    assert (answered.AffectedSOPClassUID, answered.AffectedSOPInstanceUID) == (pdus.CT, "1.2.3")
    assert (answered.CommandGroupLength, answered.ErrorComment) == (len(response.encoded) - 12, "too? long")
    assert not response.has_data_set


@pytest.mark.parametrize("uid", ["../../etc/passwd", "1.2\n", "1" * 66])
def test_what_is_no_uid_is_not_given_back(uid: str) -> None:
    response = read_command(store_response(read_command(pdus.store_rq(uid)), 0xA900))
    assert response.sop_instance_uid == ""


@given(size=st.integers(0, 100), maximum_bytes=st.sampled_from([0, 8, 9, 20, 16384]))
def test_answers_fit_the_peer(size: int, maximum_bytes: int) -> None:
    message = bytes(range(size))
    found, is_lasts = b"", []
    for one in wire.data_pdus(3, message, is_command=True, maximum_bytes=maximum_bytes):
        assert not maximum_bytes or len(one) - 6 <= maximum_bytes
        length, context_id, is_command, is_last = wire.pdv_head(one[6:12])
        assert (length, context_id, is_command) == (len(one) - 12, 3, True)
        found += one[12:]
        is_lasts.append(is_last)
    assert found == message
    assert is_lasts == [False] * (len(is_lasts) - 1) + [True]
