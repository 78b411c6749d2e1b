"""Hostile bytes and silences at a running receiver (hostile inputs a to d and 1 to 13, but for TLS)."""

import itertools
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from struct import pack

import pytest
from pydicom.uid import generate_uid

from pacs_agent.receive.hesitation import EMPTY_S
from pacs_agent.receive.wire.transport import LINGER_S
from tests.integration.siege import ROAMING, Siege
from tests.peers import pdus
from tests.peers.attacker import Attacker, Connection
from tests.peers.pdus import ABORT, CT, EXPLICIT, Proposed
from tests.unit.archive.made_instances import ct_slice, encoded

pytestmark = pytest.mark.alone
LIMITS = {
    "negotiation_timeout_s": 2,
    "network_timeout_s": 2,
    "pdu_timeout_s": 3,
    "message_timeout_s": 5,
    "max_object_mb": 16,
    "max_waiting_per_address": 32,
    "max_associations": 12,
    "max_associations_per_peer": 4,
}
FREE_ECHOES = 300
"""So many that each receiving process has had its hundred, which cost nothing."""
PATIENT_S = 9
"""By then every time limit is over, on a machine that has other things to do as well."""
TOO_MANY = (2, 3, 2)
"""A-ASSOCIATE-RJ: transient, by the presentation service, local limit exceeded (PS3.8 9.3.4)."""
PROVIDER = 2
UNRECOGNISED_PDU, UNEXPECTED_PDU, UNEXPECTED_PARAMETER, INVALID_VALUE = 1, 2, 5, 6
"""Reasons of an A-ABORT by the service provider (PS3.8 9.3.8)."""


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    with Siege(tmp_path_factory.mktemp("siege"), **LIMITS).running() as siege:
        yield siege


def fresh_slice() -> tuple[bytes, str]:
    """A data set and its SOP Instance UID."""
    uid = str(generate_uid())
    return encoded(ct_slice(study="1.2.6", series="1.2.6.1", SOPInstanceUID=uid)).data_set, uid


def ends(connection: Connection) -> tuple[int, int] | None:
    """Source and reason of the A-ABORT by which the receiver ends a connection; None when it hung up without one."""
    answer = connection.ending()
    return None if answer is None else answer.abort


def within(started_s: float) -> bool:
    return time.monotonic() - started_s < PATIENT_S


SILENCES = {"1 silent connect": b"", "2 partial header": b"\x01\x00\x00", "2 header alone": pdus.associate_rq()[:6]}


@pytest.mark.parametrize("silence", SILENCES)
def test_a_1_2_silence_is_hung_up_on(siege: Siege, silence: str) -> None:
    with siege.attack() as attacker:
        started_s = time.monotonic()
        connection = attacker.connect()
        connection.send(SILENCES[silence])
        siege.serves()
        connection.ending()
        assert within(started_s)


def test_a_sixty_silent_connections_refuse_nobody_service(siege: Siege) -> None:
    with siege.attack() as attacker:
        held = [attacker.connect() for _ in range(60)]
        for connection in held:
            connection.send(b"\x01\x00\x00")
        for _ in range(3):
            siege.serves()
        started_s = time.monotonic()
        for connection in held:
            connection.ending()
        assert within(started_s)


def test_b_3_bytes_that_drip_in_a_header_run_out_of_time(siege: Siege) -> None:
    with siege.attack() as attacker:
        spent_s = attacker.connect().drip(pdus.associate_rq(), every_s=0.2, for_s=PATIENT_S)
        assert spent_s < PATIENT_S


DRIPS: dict[str, Callable[[str, bytes], bytes]] = {
    "command": lambda uid, data_set: pdus.message(3, pdus.store_rq(uid)),
    "data set": lambda uid, data_set: next(pdus.fragments(3, data_set)),
    "head of a PDU": lambda uid, data_set: b"".join(repeat(pdus.p_data(pdus.pdv(3, b"", last=False)), 20)),
}


@pytest.mark.parametrize("where", DRIPS)
def test_b_3_bytes_that_drip_within_a_message_run_out_of_time(siege: Siege, where: str) -> None:
    data_set, uid = fresh_slice()
    with siege.attack() as attacker:
        association = attacker.associate()
        if where != "command":
            association.send(pdus.message(3, pdus.store_rq(uid)))
        association.drip(DRIPS[where](uid, data_set), every_s=0.2, for_s=PATIENT_S)
        siege.serves()
        assert ends(association) in ((PROVIDER, 0), None)
    assert siege.stored(uid) is None


def test_3_fragments_far_apart_run_out_of_the_message_s_time(siege: Siege) -> None:
    data_set, uid = fresh_slice()
    with siege.attack() as attacker:
        association = attacker.associate()
        association.send(pdus.message(3, pdus.store_rq(uid)))
        started_s = time.monotonic()
        for piece in pdus.fragments(3, data_set, size=20):
            if not association.send(piece) or not within(started_s):
                break
            time.sleep(0.5)
        assert within(started_s)
        assert ends(association) in ((PROVIDER, 0), None)
    assert siege.stored(uid) is None


def test_1_an_idle_association_is_aborted(siege: Siege) -> None:
    with siege.attack() as attacker:
        started_s = time.monotonic()
        association = attacker.associate()
        siege.serves()
        assert ends(association) == (PROVIDER, 0)
        assert within(started_s)


def test_1_answers_that_nobody_reads_are_given_up(siege: Siege) -> None:
    with siege.attack() as attacker:
        association = attacker.associate()
        association.socket.settimeout(0.5)
        echoes = pdus.message(1, pdus.echo_rq()) * 200
        started_s = time.monotonic()
        try:
            while within(started_s) and association.send(echoes):
                pass
        except TimeoutError:
            siege.serves()  # its receive buffer and ours are full: nothing more is read of it
        else:
            pytest.fail("echoes were answered without end to one who reads nothing")


NOISES = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600),
    "SMB": b"\x00\x00\x00\x85\xffSMB" + bytes(60),
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "zeros": bytes(100_000),
}


def test_4_other_protocols_are_aborted_at_once(siege: Siege) -> None:
    with siege.attack() as attacker:
        for protocol, noise in NOISES.items():
            connection = attacker.connect()
            started_s = time.monotonic()
            connection.send(noise)
            assert ends(connection) in ((0, 0), (PROVIDER, UNRECOGNISED_PDU), None), protocol
            assert time.monotonic() - started_s < LIMITS["negotiation_timeout_s"], protocol
        siege.serves()


LENGTHS = (0, 1, 67, 0x00400000, 0xFFFFFFFF)


def test_c_5_requests_of_a_wrong_length_are_aborted_before_they_are_read(siege: Siege) -> None:
    with siege.attack() as attacker:
        for length in LENGTHS:
            connection = attacker.connect()
            started_s = time.monotonic()
            connection.send(pdus.pdu(pdus.ASSOCIATE_RQ, b"", length=length))
            assert ends(connection) in ((0, 0), (PROVIDER, INVALID_VALUE)), length
            assert time.monotonic() - started_s < LIMITS["negotiation_timeout_s"]


def test_c_four_gibibytes_of_a_request_are_not_kept(siege: Siege) -> None:
    with siege.attack() as attacker:
        before = siege.rss_bytes()
        connection = attacker.connect()
        connection.send(pdus.associate_rq(length=0xFFFFFFF0))
        sent = connection.flood(repeat(bytes(1 << 20), 512))
        assert siege.rss_bytes() - before < 50 << 20
        assert sent < 64 << 20, "what nobody wants is not read for long either"
        siege.serves()


def test_c_what_follows_a_wrong_head_is_reset_unread(siege: Siege) -> None:
    with siege.attack() as attacker:
        connection = attacker.connect()
        connection.send(pdus.associate_rq(length=0xFFFFFFF0))
        started_s = time.monotonic()
        assert connection.flood(repeat(bytes(1 << 16), 1000)) < 16 << 20, "what the kernels of both ends hold"
        assert time.monotonic() - started_s < LINGER_S, "nobody waits for the rest"
        answer = connection.answer()
        assert answer is None or answer.abort == (0, 0)


def test_5_wrong_lengths_within_an_association_are_aborted(siege: Siege) -> None:
    with siege.attack() as attacker:
        for kind, length in itertools.product((pdus.P_DATA, pdus.RELEASE_RQ, pdus.ABORT), (0, 1, 0xFFFFFFFF)):
            association = attacker.associate()
            association.send(pdus.pdu(kind, b"", length=length))
            assert ends(association) == (PROVIDER, INVALID_VALUE), (kind, length)
        siege.serves()


BEFORE_ANY_ASSOCIATION = {
    "unknown type": pdus.pdu(0x42, bytes(10)),
    "P-DATA": pdus.message(1, pdus.echo_rq()),
    "A-ASSOCIATE-AC": pdus.pdu(pdus.ASSOCIATE_AC, bytes(68)),
    "A-RELEASE-RQ": pdus.release_rq(),
    "A-RELEASE-RP": pdus.release_rp(),
}


def test_6_pdus_before_an_association_are_aborted(siege: Siege) -> None:
    with siege.attack() as attacker:
        for kind, sent in BEFORE_ANY_ASSOCIATION.items():
            connection = attacker.connect()
            connection.send(sent)
            assert ends(connection) in ((0, 0), (PROVIDER, UNEXPECTED_PDU), (PROVIDER, UNRECOGNISED_PDU)), kind


WITHIN_AN_ASSOCIATION = {
    "unknown type": (pdus.pdu(0x42, bytes(10)), UNRECOGNISED_PDU),
    "second A-ASSOCIATE-RQ": (pdus.associate_rq(), UNEXPECTED_PDU),
    "A-ASSOCIATE-RJ": (pdus.pdu(pdus.ASSOCIATE_RJ, bytes(4)), UNEXPECTED_PDU),
    "A-RELEASE-RP": (pdus.release_rp(), UNEXPECTED_PDU),
}


def test_6_unexpected_pdus_within_an_association_are_aborted(siege: Siege) -> None:
    with siege.attack() as attacker:
        for kind, (sent, reason) in WITHIN_AN_ASSOCIATION.items():
            association = attacker.associate()
            association.send(sent)
            assert ends(association) == (PROVIDER, reason), kind


CT_ITEMS = pdus.item(0x30, CT.encode()) + pdus.item(0x40, EXPLICIT.encode())
CONTEXT_HEAD = bytes([1, 0, 0, 0])
APPLICATION = pdus.item(0x10, pdus.APPLICATION_CONTEXT.encode())
GOOD_CONTEXT = pdus.item(0x20, CONTEXT_HEAD + CT_ITEMS)
BROKEN_ITEMS = {
    "7 context longer than the PDU": APPLICATION + pdus.item(0x20, CONTEXT_HEAD + CT_ITEMS, length=0xFFFF),
    "7 abstract syntax longer than its context": APPLICATION
    + pdus.item(0x20, CONTEXT_HEAD + pdus.item(0x30, CT.encode(), length=500)),
    "7 half an item": APPLICATION + GOOD_CONTEXT + b"\x50\x00\x00",
    "7 user information longer than the PDU": APPLICATION + GOOD_CONTEXT + pdus.item(0x50, b"", length=200),
    "7 maximum length of two bytes": APPLICATION + GOOD_CONTEXT + pdus.item(0x50, pdus.item(0x51, bytes(2))),
    "7 contexts within contexts": APPLICATION + pdus.item(0x20, CONTEXT_HEAD + GOOD_CONTEXT * 100),
    "7 role selection that lies": APPLICATION
    + GOOD_CONTEXT
    + pdus.user_information(user_items=pdus.item(0x54, pack(">H", 400) + CT.encode() + b"\1\1")),
    "8 context without an id": APPLICATION + pdus.item(0x20, b""),
    "8 no abstract syntax": APPLICATION + pdus.item(0x20, CONTEXT_HEAD + pdus.item(0x40, EXPLICIT.encode())),
    "8 no transfer syntax": APPLICATION + pdus.item(0x20, CONTEXT_HEAD + pdus.item(0x30, CT.encode())),
    "8 no contexts": APPLICATION + pdus.user_information(),
    "e a path as abstract syntax": APPLICATION
    + pdus.item(0x20, CONTEXT_HEAD + pdus.item(0x30, b"../../x") + pdus.item(0x40, EXPLICIT.encode())),
    "18 a UID of 300 digits": APPLICATION
    + pdus.item(0x20, CONTEXT_HEAD + pdus.item(0x30, b"1" * 300) + pdus.item(0x40, EXPLICIT.encode())),
}


def test_7_8_requests_with_broken_items_are_aborted(siege: Siege) -> None:
    with siege.attack() as attacker:
        for fault, items in BROKEN_ITEMS.items():
            connection = attacker.connect()
            connection.send(pdus.associate_rq(items=items))
            assert ends(connection) in ((0, 0), (PROVIDER, INVALID_VALUE)), fault
        siege.serves()


BROKEN_CONTEXTS = {
    "8 even id": [Proposed(2, CT)],
    "8 duplicate ids": [Proposed(1, CT), Proposed(1, pdus.VERIFICATION)],
    "8 200 contexts": [Proposed(number % 256, CT) for number in range(1, 401, 2)],
}


def test_8_wrong_context_ids_are_aborted(siege: Siege) -> None:
    with siege.attack() as attacker:
        for fault, contexts in BROKEN_CONTEXTS.items():
            connection = attacker.connect()
            connection.send(pdus.associate_rq(contexts))
            assert ends(connection) in ((0, 0), (PROVIDER, INVALID_VALUE)), fault


def test_8_ten_thousand_transfer_syntaxes_stall_nobody(siege: Siege) -> None:
    many = [Proposed(number, CT, ["1.2"] * 5000) for number in (1, 3, 5)]
    with siege.attack(told=False) as attacker:
        connection = attacker.connect()
        started_s = time.monotonic()
        connection.send(pdus.associate_rq(many))
        answer = connection.answer()
        assert answer is not None
        assert time.monotonic() - started_s < PATIENT_S
        if answer.kind == pdus.ASSOCIATE_AC:
            assert set(answer.results.values()) == {4}, "transfer syntaxes not supported (PS3.8 9.3.3.2)"
        else:
            assert answer.kind in (pdus.ASSOCIATE_RJ, ABORT)


def test_9_answers_fit_whatever_maximum_the_peer_takes(siege: Siege) -> None:
    with siege.attack(told=False) as attacker:
        for maximum_length in (0, 16, 128, 0xFFFFFFFF):
            association = attacker.associate(maximum_length=maximum_length)
            association.send(pdus.message(1, pdus.echo_rq()))
            answer = association.answer()
            assert answer is not None and answer.kind == pdus.P_DATA, maximum_length
            assert len(answer.body) <= (maximum_length or 1 << 20)
            association.close()


def test_9_a_maximum_that_leaves_no_room_is_rejected(siege: Siege) -> None:
    with siege.attack() as attacker:
        for maximum_length in (1, 7):
            answer = attacker.request(maximum_length=maximum_length)
            assert answer is not None
            assert answer.rejection == (1, 1, 1)


def test_d_9_a_pdu_larger_than_agreed_is_aborted_unread(siege: Siege) -> None:
    with siege.attack() as attacker:
        connection = attacker.connect()
        connection.send(pdus.associate_rq())
        answer = connection.answer()
        assert answer is not None
        most = answer.maximum_length
        assert 0 < most <= 1 << 20
        connection.send(pdus.message(3, pdus.store_rq("1.2.3")))
        connection.send(pdus.pdu(pdus.P_DATA, b"", length=most + 1))
        assert ends(connection) == (PROVIDER, INVALID_VALUE)


LYING_VALUES = {
    "longer than its PDU": pdus.p_data(pdus.pdv(1, pdus.echo_rq(), command=True, length=0x7FFFFFFF)),
    "shorter than its head": pdus.p_data(pdus.pdv(1, b"", command=True, length=1)),
    "without length": pdus.p_data(pdus.pdv(1, b"", command=True, length=0)),
    "half a head at the end": pdus.p_data(pdus.pdv(1, pdus.echo_rq(), command=True, last=False), b"\0\0\0"),
}


def test_9_values_whose_length_lies_are_aborted(siege: Siege) -> None:
    with siege.attack() as attacker:
        for lie, sent in LYING_VALUES.items():
            association = attacker.associate()
            association.send(sent)
            assert ends(association) == (PROVIDER, INVALID_VALUE), lie


def test_d_10_a_data_set_without_end_is_refused_in_bounded_memory_and_disk(siege: Siege) -> None:
    endless = pdus.p_data(pdus.pdv(3, bytes(65000), last=False))
    with siege.attack() as attacker:
        association = attacker.associate()
        association.send(pdus.message(3, pdus.store_rq(str(generate_uid()))))
        before = siege.rss_bytes()
        sent = association.flood(repeat(endless, 8000))
        assert sent < 100 << 20
        assert siege.rss_bytes() - before < 50 << 20
        assert ends(association) in ((PROVIDER, INVALID_VALUE), (PROVIDER, 0), None)


def test_10_a_command_set_without_end_is_aborted(siege: Siege) -> None:
    endless = pdus.p_data(pdus.pdv(3, bytes(16000), command=True, last=False))
    with siege.attack() as attacker:
        association = attacker.associate()
        before = siege.rss_bytes()
        assert association.flood(repeat(endless, 6500)) < 32 << 20
        assert siege.rss_bytes() - before < 20 << 20
        assert ends(association) in ((PROVIDER, INVALID_VALUE), None)


def test_10_empty_fragments_without_end_run_out_of_time(siege: Siege) -> None:
    endless = pdus.p_data(*repeat(pdus.pdv(3, b"", last=False), 1000))
    with siege.attack() as attacker:
        association = attacker.associate()
        association.send(pdus.message(3, pdus.store_rq("1.2.3")))
        started_s = time.monotonic()
        while association.send(endless):
            assert within(started_s)
            time.sleep(0.01)
        siege.serves()


def test_11_associations_of_one_peer_are_limited_and_others_find_room(siege: Siege) -> None:
    with siege.attack() as attacker:
        held = [attacker.associate() for _ in range(LIMITS["max_associations_per_peer"])]
        answer = attacker.request()
        assert answer is not None
        assert answer.rejection == TOO_MANY
        siege.serves()
        for association in held:
            association.release()
        attacker.associate().release()


def test_11_the_last_places_are_kept_for_peers_at_their_host(siege: Siege) -> None:
    with siege.attack() as attacker:
        attacker.calling = ROAMING
        others = [Attacker(f"127.77.0.{number}", attacker.port, ROAMING) for number in (1, 2)]
        answers = [one.request() for one in (*others, attacker) for _ in range(LIMITS["max_associations_per_peer"])]
        rejected = [answer.rejection for answer in answers if answer and answer.kind == pdus.ASSOCIATE_RJ]
        assert rejected == [TOO_MANY] * (LIMITS["max_associations"] // 4)
        siege.serves()
        for other in others:
            other.close()


def test_11_requests_of_strangers_leave_room_for_peers(siege: Siege) -> None:
    with siege.attack() as attacker:
        attacker.calling = "STRANGER"
        for _ in range(100):
            answer = attacker.request()
            assert answer is None or answer.rejection in ((1, 1, 3), TOO_MANY)
        siege.serves()


def test_11_associations_that_are_aborted_at_once_leave_nothing(siege: Siege) -> None:
    with siege.attack() as attacker:
        for number in range(60):
            connection = attacker.connect()
            connection.send(pdus.associate_rq(), pdus.abort())
            connection.close() if number % 2 else connection.reset()
        siege.serves()


def test_11_a_loop_of_echoes_is_slowed_and_others_are_not(siege: Siege) -> None:
    def echoes(attacker: Attacker, times: int) -> float:
        started_s = time.monotonic()
        for _ in range(times):
            association = attacker.associate()
            association.send(pdus.message(1, pdus.echo_rq()))
            assert association.status() == 0
            association.release()
        return time.monotonic() - started_s

    with siege.attack(told=False) as attacker:
        echoes(attacker, FREE_ECHOES)
        assert echoes(attacker, 30) > 30 * EMPTY_S / siege.receivers / 2
        started_s = time.monotonic()
        siege.serves()
        assert time.monotonic() - started_s < 2


def test_11_the_crowd_of_one_address_is_closed_unheard(siege: Siege) -> None:
    with siege.attack() as attacker:
        for _ in range(200):
            attacker.connect().send(b"GET / HTTP/1.1\r\n\r\n")
        before = siege.threads()
        for _ in range(600):
            attacker.connect()
        assert siege.threads() - before <= siege.receivers * LIMITS["max_waiting_per_address"]
        siege.serves()


def test_11_a_half_closed_connection_is_hung_up_on(siege: Siege) -> None:
    with siege.attack() as attacker:
        half_closed = [attacker.connect(), attacker.associate()]
        for connection in half_closed:
            connection.socket.shutdown(1)
            connection.ending()
        siege.serves()


def test_13_release_answered_although_both_release(siege: Siege) -> None:
    with siege.attack() as attacker:
        association = attacker.associate()
        association.send(pdus.release_rq(), pdus.release_rq(), pdus.release_rp())
        answer = association.answer()
        assert answer is not None and answer.kind == pdus.RELEASE_RP
        assert association.ending() is None
        association = attacker.associate()
        association.send(pdus.release_rp())
        assert ends(association) == (PROVIDER, UNEXPECTED_PDU)


ENDS: dict[str, Callable[[Connection], object]] = {
    "A-ABORT": lambda association: association.send(pdus.abort()),
    "RST": lambda association: association.reset(),
    "FIN": lambda association: association.close(),
    "A-RELEASE-RQ": lambda association: association.send(pdus.release_rq()),
}


@pytest.mark.parametrize("sent_bytes", [1 << 10, 12 << 20], ids=["in memory", "in a file"])
@pytest.mark.parametrize("end", ENDS)
def test_13_an_end_in_the_middle_of_a_store_leaves_nothing(siege: Siege, end: str, sent_bytes: int) -> None:
    uid = str(generate_uid())
    with siege.attack() as attacker:
        association = attacker.associate()
        association.send(pdus.message(3, pdus.store_rq(uid)), *pdus.fragments(3, bytes(sent_bytes), last=False))
        ENDS[end](association)
        if end == "A-RELEASE-RQ":
            assert ends(association) == (PROVIDER, UNEXPECTED_PDU)
        line = siege.audited(attacker, "association")
        assert line.detail["end"] == ("aborted by us" if end == "A-RELEASE-RQ" else "aborted")
    assert siege.stored(uid) is None
