"""Association requests: what is accepted, what is rejected, and that nothing else than a Breach comes of noise."""

from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ASSOCIATE_AC

from pacs_agent.receive.contexts import supported_contexts
from pacs_agent.receive.policy import Rejection
from pacs_agent.receive.wire.breach import AbortReason, AbortSource, Breach
from pacs_agent.receive.wire.negotiation import MOST_AT_A_TIME, Agreement, Context, agree, proposal, titles
from tests.peers import pdus
from tests.peers.pdus import Proposed, item

SUPPORTED = supported_contexts(may_echo=True, may_store=True)
COMMITMENT = "1.2.840.10008.1.20.1"


def body(**others: Any) -> bytes:
    """The content of an A-ASSOCIATE-RQ."""
    return pdus.associate_rq(**others)[6:]


def agreed(**others: Any) -> Agreement | Rejection:
    request = body(**others)
    return agree(proposal(request), titles(request), SUPPORTED, MOST_AT_A_TIME)


def answered(agreement: Agreement | Rejection) -> Any:
    """The A-ASSOCIATE-AC as pynetdicom reads it."""
    assert isinstance(agreement, Agreement)
    pdu = A_ASSOCIATE_AC()
    pdu.decode(BytesIO(agreement.accept_pdu).getvalue())
    return pdu.to_primitive()


def test_contexts_are_answered_in_their_order() -> None:
    contexts = [
        Proposed(5, "1.2.3.4", ("1.2",)),
        Proposed(1, pdus.CT, (pdus.IMPLICIT, pdus.EXPLICIT)),
        Proposed(3, pdus.CT, ("1.2.3",)),
        Proposed(255, pdus.VERIFICATION, (pdus.IMPLICIT,)),
    ]
    agreement = agreed(contexts=contexts)
    results = answered(agreement).presentation_context_definition_results_list
    assert [(each.context_id, each.result) for each in results] == [(5, 3), (1, 0), (3, 4), (255, 0)]
    assert isinstance(agreement, Agreement)
    assert agreement.contexts == {
        1: Context(pdus.CT, pdus.EXPLICIT),
        255: Context(pdus.VERIFICATION, pdus.IMPLICIT),
    }


@pytest.mark.parametrize("padding", [1, 1000])
def test_a_uid_may_be_padded_but_not_without_end(padding: int) -> None:
    contexts = [Proposed(1, pdus.CT + "\0" * padding, (pdus.IMPLICIT,))]
    if padding == 1:
        assert isinstance(agreed(contexts=contexts), Agreement)
        return
    with pytest.raises(Breach, match="UID"):
        agreed(contexts=contexts)


def test_unknown_items_are_passed_over() -> None:
    strange = item(0x99, b"\1\2\3")
    items = strange + item(0x10, pdus.APPLICATION_CONTEXT.encode()) + pdus.ECHO_AND_CT[0].encoded()
    items += pdus.user_information(user_items=strange + item(0x56, b"\0") + item(0x58, b"\xff" * 9)) + strange
    assert isinstance(agreed(items=items), Agreement)


@pytest.mark.parametrize(
    ("asked", "given_"), [(None, None), (1, 1), (2, 2), (0, MOST_AT_A_TIME), (60_000, MOST_AT_A_TIME)]
)
def test_the_window_is_answered_where_it_is_asked_for(asked: int | None, given_: int | None) -> None:
    items = b"" if asked is None else pdus.asynchronous_operations(asked, 5)
    agreement = agreed(user_items=items)
    windows = [
        (each.maximum_number_operations_invoked, each.maximum_number_operations_performed)
        for each in answered(agreement).user_information
        if hasattr(each, "maximum_number_operations_invoked")
    ]
    assert isinstance(agreement, Agreement)
    assert agreement.at_a_time == (given_ or 1)
    assert windows == ([] if given_ is None else [(given_, 1)])


def test_roles_are_answered_for_storage_commitment_alone() -> None:
    def role(uid: str) -> bytes:
        return item(0x54, len(uid).to_bytes(2, "big") + uid.encode() + b"\0\1")

    contexts = [Proposed(1, COMMITMENT, (pdus.IMPLICIT,)), Proposed(3, pdus.CT)]
    agreement = agreed(contexts=contexts, user_items=role(COMMITMENT) + role(pdus.CT))
    roles = {
        str(each.sop_class_uid): (each.scu_role, each.scp_role)
        for each in answered(agreement).user_information
        if hasattr(each, "scu_role")
    }
    assert roles == {COMMITMENT: (False, True)}


@pytest.mark.parametrize(
    ("request_", "diagnostic"),
    [
        (body(version=2), (1, 2, 2)),
        (body(calling=b"\\" * 16), (1, 1, 3)),
        (body(calling=b" " * 16), (1, 1, 3)),
        (body(calling=b"A\nB" + b" " * 13), (1, 1, 3)),
        (body(calling=b"\xff" * 16), (1, 1, 3)),
        (body(called=b"\0" * 16), (1, 1, 7)),
    ],
)
def test_titles_that_are_none_are_rejected(request_: bytes, diagnostic: tuple[int, int, int]) -> None:
    found = titles(request_)
    assert found.objection is not None
    assert (found.objection.result, found.objection.source, found.objection.diagnostic) == diagnostic
    assert f"{found.calling_ae_title}{found.called_ae_title}".isprintable()


@pytest.mark.parametrize("maximum", [1, 7])
def test_a_peer_that_takes_no_answer_is_rejected(maximum: int) -> None:
    assert isinstance(agreed(maximum_length=maximum), Rejection)
    assert isinstance(agreed(maximum_length=8), Agreement)


@pytest.mark.parametrize("maximum", [0, 0xFFFFFFFF])
def test_a_peer_that_takes_any_length_is_answered(maximum: int) -> None:
    assert isinstance(agreed(maximum_length=maximum), Agreement)


def test_another_application_context_is_rejected() -> None:
    rejection = agreed(items=item(0x10, b"1.2.3") + pdus.ECHO_AND_CT[0].encoded() + pdus.user_information())
    assert isinstance(rejection, Rejection)
    assert rejection.diagnostic == 2


def many(count: int) -> bytes:
    return b"".join(Proposed(1, f"1.2.{number}").encoded() for number in range(count))


@pytest.mark.parametrize(
    "items",
    [
        b"",
        b"\x20\0",
        many(2),
        many(129),
        Proposed(2, pdus.CT).encoded(),
        Proposed(0, pdus.CT).encoded(),
        Proposed(1, pdus.CT, ()).encoded(),
        Proposed(1, "../../x").encoded(),
        Proposed(1, "").encoded(),
        Proposed(1, "1" * 65).encoded(),
        item(0x20, b""),
        item(0x20, bytes([1, 0, 0, 0]) + item(0x40, pdus.EXPLICIT.encode())),
        item(0x20, bytes([1, 0, 0, 0]) + item(0x30, b"1.2", length=60)),
        Proposed(1, pdus.CT).encoded() + item(0x50, item(0x51, b"\0\1")),
        Proposed(1, pdus.CT).encoded() + item(0x50, item(0x53, b"")),
        Proposed(1, pdus.CT).encoded() + item(0x50, item(0x54, b"\0\x40\0\1")),
        Proposed(1, pdus.CT).encoded() + item(0x50, b"", length=9),
    ],
)
def test_requests_that_contradict_themselves_are_aborted_by_the_user(items: bytes) -> None:
    with pytest.raises(Breach) as breach:
        proposal(body(items=items))
    assert (breach.value.source, breach.value.reason) == (AbortSource.SERVICE_USER, AbortReason.NOT_SPECIFIED)


@given(noise=st.binary(max_size=300), at=st.integers(0, 400))
def test_noise_is_taken_or_a_breach(noise: bytes, at: int) -> None:
    whole = body(user_items=pdus.asynchronous_operations(2, 2))
    for request in (bytes(68) + noise, whole[:at] + noise + whole[at + len(noise) :]):
        if len(request) < 68:
            continue
        found = titles(request)
        try:
            asked = proposal(request)
        except Breach:
            continue
        if found.objection is None:
            agree(asked, found, SUPPORTED, MOST_AT_A_TIME)
