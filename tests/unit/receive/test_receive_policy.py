"""Who may open an association."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.archive import STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES
from pacs_agent.db import Database, Peer
from pacs_agent.receive.contexts import supported_contexts
from pacs_agent.receive.policy import Admission, AssociationPolicy, Rejection, Request

POLICY = AssociationPolicy("PACSAGENT")
CALLING_NOT_RECOGNISED, CALLED_NOT_RECOGNISED = (1, 1, 3), (1, 1, 7)


@pytest.fixture
def peers(database: Database) -> Database:
    with database.writing() as session:
        session.add(Peer(ae_title="PACS", host="10.0.0.1", may_store=True, may_echo=False))
        session.add(Peer(ae_title="ANYWHERE"))
        session.add(Peer(ae_title="NETWORK", host="10.1.0.0/16"))
        session.add(Peer(ae_title="NAMED", host="localhost"))
        session.add(Peer(ae_title="NOWHERE", host="no such host.invalid"))
        session.add(Peer(ae_title="DISABLED", enabled=False))
    return database


def judged(
    database: Database, calling: str, address: str = "10.0.0.1", called: str = "PACSAGENT"
) -> Admission | tuple[int, int, int]:
    verdict = POLICY.judge(Request(calling, called, address), database)
    if isinstance(verdict, Rejection):
        return verdict.result, verdict.source, verdict.diagnostic
    return verdict


@pytest.mark.parametrize(
    ("calling", "address"),
    [
        ("ANYWHERE", "192.168.7.7"),
        ("ANYWHERE", "::1"),
        ("NETWORK", "10.1.2.3"),
        ("NAMED", "127.0.0.1"),
    ],
)
def test_registered_peers_at_their_host_come_in(peers: Database, calling: str, address: str) -> None:
    bound = calling != "ANYWHERE"
    assert judged(peers, calling, address) == Admission(may_echo=True, may_store=True, is_at_its_host=bound)


def test_rights_are_those_of_the_peer(peers: Database) -> None:
    assert judged(peers, "PACS") == Admission(may_echo=False, may_store=True, is_at_its_host=True)


@pytest.mark.parametrize(
    ("calling", "address"),
    [
        ("STRANGER", "10.0.0.1"),
        ("pacs", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("DISABLED", "10.0.0.1"),
        ("PACS", "10.0.0.2"),
        ("NETWORK", "10.2.0.1"),
        ("NAMED", "10.0.0.1"),
        ("NOWHERE", "10.0.0.1"),
    ],
)
def test_everyone_else_is_not_recognised(peers: Database, calling: str, address: str) -> None:
    assert judged(peers, calling, address) == CALLING_NOT_RECOGNISED


@pytest.mark.parametrize(
    ("calling", "over_tls", "names", "comes_in"),
    [
        ("BOUND", True, {"ct-1.example"}, True),
        ("BOUND", True, {"ct-2.example"}, False),
        ("BOUND", True, set(), False),
        ("BOUND", False, set(), False),
        ("TLSONLY", True, {"ct-2.example"}, True),
        ("TLSONLY", False, set(), False),
        ("ANYWHERE", True, {"ct-2.example"}, True),
    ],
)
def test_a_certificate_is_bound_to_its_peer(
    peers: Database, calling: str, over_tls: bool, names: set[str], comes_in: bool
) -> None:
    with peers.writing() as session:
        session.add(Peer(ae_title="BOUND", certificate_name="CT-1.example"))
        session.add(Peer(ae_title="TLSONLY", tls_only=True))
    request = Request(calling, "PACSAGENT", "10.0.0.1", over_tls, frozenset(names))
    assert isinstance(POLICY.judge(request, peers), Admission) is comes_in


def test_another_called_ae_title_is_told_so(peers: Database) -> None:
    assert judged(peers, "PACS", called="OTHER") == CALLED_NOT_RECOGNISED


def test_a_peer_changed_while_we_run_is_seen_by_the_next_association(peers: Database) -> None:
    with peers.writing() as session:
        session.get_one(Peer, "PACS").enabled = False
    assert judged(peers, "PACS") == CALLING_NOT_RECOGNISED


@given(calling=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), called=st.text(max_size=20))
def test_no_title_comes_in_that_is_not_registered(calling: str, called: str) -> None:
    database = Database("sqlite://")
    Peer.metadata.tables["peers"].create(database.engine)
    assert isinstance(POLICY.judge(Request(calling, called, "10.0.0.1"), database), Rejection)
    assert isinstance(POLICY.judge(Request(calling, "PACSAGENT", "10.0.0.1"), database), Rejection)
    database.close()


def test_contexts_follow_the_rights() -> None:
    assert supported_contexts(may_echo=False, may_store=False) == []
    echo = supported_contexts(may_echo=True, may_store=False)
    assert [context.abstract_syntax for context in echo] == ["1.2.840.10008.1.1"]
    store = supported_contexts(may_echo=False, may_store=True)
    *storage, commitment = store
    assert [context.abstract_syntax for context in storage] == list(STORAGE_SOP_CLASSES)
    assert all(context.transfer_syntax == list(TRANSFER_SYNTAXES) for context in storage)
    assert (commitment.abstract_syntax, commitment.scu_role, commitment.scp_role) == (
        "1.2.840.10008.1.20.1",
        True,
        True,
    )
