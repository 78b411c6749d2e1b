"""Action and Event Information as hostile peers send them: understood, or refused with a status."""

import contextlib
import tracemalloc
from io import BytesIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import encode

from pacs_agent.db import Database
from pacs_agent.receive import commitment
from pacs_agent.receive.attendance import LARGEST_REQUEST_BYTES
from pacs_agent.receive.commitment import (
    MOST_INSTANCES,
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    NotTaken,
    asked_for,
    decoded,
    serve_commitment,
    told_in,
)
from pacs_agent.receive.services import AssociationFacts, ServiceRequest

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
            transaction_uid, instances, *_ = read(decoded(data_set, syntax))
        except NotTaken as refusal:
            assert 0x0110 <= refusal.status <= 0x0213
            assert 0 < len(refusal.comment) <= 64
        else:
            assert transaction_uid
            assert all(uid for one in instances for uid in one)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_is_well_formed_is_understood(syntax: str) -> None:
    transaction_uid, instances = asked_for(decoded(encoded(information(), syntax), syntax))
    assert (transaction_uid, instances) == ("1.2.3", [("1.2", "1.2.0"), ("1.2", "1.2.1")])


def test_an_instance_that_is_named_twice_counts_once() -> None:
    content = information(1)
    content.ReferencedSOPSequence.append(content.ReferencedSOPSequence[0])
    assert len(asked_for(content)[1]) == 1


def test_failures_without_a_reason_are_failures() -> None:
    content = information(1)
    content.FailedSOPSequence = information(1).ReferencedSOPSequence
    assert told_in(content)[2] == {"1.2.0": 0x0110}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_as_many_as_are_taken_and_not_one_more(monkeypatch: pytest.MonkeyPatch, syntax: str) -> None:
    monkeypatch.setattr(commitment, "MOST_INSTANCES", 3)
    assert len(asked_for(decoded(encoded(information(3), syntax), syntax))[1]) == 3
    with pytest.raises(NotTaken, match="ask in parts") as refusal:
        decoded(encoded(information(4), syntax), syntax)
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


@pytest.mark.parametrize(("instances", "turns"), [(2, 0), (3, 1)])
def test_large_requests_take_turns(
    database: Database, monkeypatch: pytest.MonkeyPatch, instances: int, turns: int
) -> None:
    taken: list[int] = []
    monkeypatch.setattr(commitment, "USUAL_INSTANCES", 2)
    monkeypatch.setattr(commitment, "in_turn", lambda: contextlib.nullcontext(taken.append(1)))
    command = Dataset()
    command.RequestedSOPClassUID, command.RequestedSOPInstanceUID = PUSH_MODEL, PUSH_MODEL_INSTANCE
    command.ActionTypeID = 1
    facts = AssociationFacts("SENDER", "PACSAGENT", "127.0.0.1")
    request = ServiceRequest(command, encoded(information(instances)), PUSH_MODEL, SYNTAXES[0], facts)
    serve_commitment(request, database)
    assert len(taken) == turns


def test_a_million_empty_items_cost_no_memory() -> None:
    items = bytes.fromhex("0800 9911 ffffffff") + bytes.fromhex("feff 00e0 00000000") * 1_000_000
    tracemalloc.start()
    with pytest.raises(NotTaken):
        decoded(items, SYNTAXES[0])
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
