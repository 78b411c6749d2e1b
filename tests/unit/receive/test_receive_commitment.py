"""Action and Event Information as hostile peers send them: understood, or refused with a status."""

import tracemalloc
from io import BytesIO
from struct import pack

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import encode

from pacs_agent.receive import commitment
from pacs_agent.receive.attendance import LARGEST_REQUEST_BYTES
from pacs_agent.receive.commitment import (
    MOST_INSTANCES,
    NotTaken,
    asked_for,
    told_in,
    walked,
)

SYNTAXES = (str(ImplicitVRLittleEndian), str(ExplicitVRLittleEndian))


def information(count: int = 2, transaction_uid: str = "1.2.3") -> Dataset:
    content = Dataset()
    content.TransactionUID = transaction_uid
    content.ReferencedSOPSequence = [Dataset() for _ in range(count)]
    for number, item in enumerate(content.ReferencedSOPSequence):
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2", f"1.2.{number}"
    return content


def encoded(content: Dataset, syntax: str = SYNTAXES[0]) -> bytes:
    return encode(content, syntax == SYNTAXES[0], True) or b""


def understood(data_set: bytes, syntax: str) -> None:
    for read in (asked_for, told_in):
        try:
            transaction_uid, instances, *_ = read(walked(data_set, syntax))
        except NotTaken as refusal:
            assert 0x0110 <= refusal.status <= 0x0213
            assert 0 < len(refusal.comment) <= 64
        else:
            assert transaction_uid
            assert all(uid for one in instances for uid in one)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_is_well_formed_is_understood(syntax: str) -> None:
    transaction_uid, instances = asked_for(walked(encoded(information(), syntax), syntax))
    assert (transaction_uid, instances) == ("1.2.3", [("1.2", "1.2.0"), ("1.2", "1.2.1")])


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_sequences_and_items_of_undefined_length(syntax: str) -> None:
    content = information()
    content["ReferencedSOPSequence"].is_undefined_length = True
    for item in content.ReferencedSOPSequence:
        item.is_undefined_length_sequence_item = True
    data_set = encoded(content, syntax)
    assert data_set.count(bytes.fromhex("feff 0de0")) == 2
    assert asked_for(walked(data_set, syntax)) == ("1.2.3", [("1.2", "1.2.0"), ("1.2", "1.2.1")])


def test_a_text_instead_of_a_sequence_is_refused() -> None:
    text = pack("<HH2sH4s", 0x0008, 0x1199, b"LO", 4, b"none")
    with pytest.raises(NotTaken, match="cannot be decoded"):
        asked_for(walked(text, SYNTAXES[1]))


def test_an_instance_that_is_named_twice_counts_once() -> None:
    content = information(1)
    content.ReferencedSOPSequence.append(content.ReferencedSOPSequence[0])
    assert len(asked_for(walked(encoded(content), SYNTAXES[0]))[1]) == 1


def test_failures_without_a_reason_are_failures() -> None:
    content = information(1)
    content.FailedSOPSequence = information(1).ReferencedSOPSequence
    assert told_in(walked(encoded(content), SYNTAXES[0]))[2] == {"1.2.0": 0x0110}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_as_many_as_are_taken_and_not_one_more(monkeypatch: pytest.MonkeyPatch, syntax: str) -> None:
    monkeypatch.setattr(commitment, "MOST_INSTANCES", 3)
    assert len(asked_for(walked(encoded(information(3), syntax), syntax))[1]) == 3
    with pytest.raises(NotTaken, match="ask in parts") as refusal:
        walked(encoded(information(4), syntax), syntax)
    assert refusal.value.status == 0x0213


def test_as_many_as_are_taken_fit_into_the_largest_request() -> None:
    item = information(1)
    item.TransactionUID = "1." + "2" * 62
    item.ReferencedSOPSequence[0].ReferencedSOPClassUID = "1." + "2" * 62
    item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1." + "2" * 62
    of_one_bytes = len(encoded(item))
    item.ReferencedSOPSequence.append(item.ReferencedSOPSequence[0])
    of_two_bytes = len(encoded(item))
    assert of_one_bytes + (MOST_INSTANCES - 1) * (of_two_bytes - of_one_bytes) < LARGEST_REQUEST_BYTES


def test_a_large_request_is_read_without_an_object_for_each_element() -> None:
    uids = [b"%04d" % number for number in range(1, 10_000)]
    items = b"".join(pack("<HHL", 0xFFFE, 0xE000, 24) + _ui(0x1150, b"1.2\0") + _ui(0x1155, uid) for uid in uids)
    request = _ui(0x1195, b"1.2\0") + pack("<HHL", 0x0008, 0x1199, len(items)) + items
    tracemalloc.start()
    transaction_uid, wanted = asked_for(walked(request, SYNTAXES[0]))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (transaction_uid, len(wanted), wanted[-1]) == ("1.2", 9_999, ("1.2", "9999"))
    assert peak_bytes < 500 * len(wanted)


def _ui(element: int, uid: bytes) -> bytes:
    return pack(f"<HHL{len(uid)}s", 0x0008, element, len(uid), uid)


def test_a_million_empty_items_cost_no_memory() -> None:
    items = bytes.fromhex("0800 9911 ffffffff") + bytes.fromhex("feff 00e0 00000000") * 1_000_000
    tracemalloc.start()
    with pytest.raises(NotTaken):
        walked(items, SYNTAXES[0])
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1 << 20


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(data_set=st.binary(max_size=200), syntax=st.sampled_from(SYNTAXES))
@example(data_set=b"", syntax=SYNTAXES[0])
def test_noise(data_set: bytes, syntax: str) -> None:
    understood(data_set, syntax)


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.data())
def test_spoiled_requests(data: st.DataObject) -> None:
    syntax = data.draw(st.sampled_from(SYNTAXES))
    spoiled = bytearray(encoded(information(), syntax))
    for _ in range(data.draw(st.integers(1, 4))):
        spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
    understood(bytes(spoiled[: data.draw(st.integers(1, len(spoiled)))]), syntax)


def test_sequences_nested_without_end() -> None:
    opened = bytes.fromhex("0800 9911 ffffffff feff 00e0 ffffffff".replace(" ", ""))
    understood(BytesIO(opened * 5000).getvalue(), SYNTAXES[0])
