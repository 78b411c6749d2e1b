"""Peers ask us for storage commitment: they are told of exactly what is safe here, over an association of ours."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import BasicTextSRStorage, CTImageStorage, generate_uid
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance, Verification
from sqlalchemy import select

from pacs_agent.db import AuditEvent, CommitmentOwed, Instance, OwedState, Peer, Study, utc_now
from pacs_agent.deliver import Vouching
from pacs_agent.receive import Listener, attendance
from tests.integration.studies_at_work import AgentFolder, tiny_ct
from tests.peers import free_port

MODALITY = "MODALITY"


class Asker:
    """A modality: asks by N-ACTION, and listens for N-EVENT-REPORTs at a port of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.reports: list[tuple[int, Dataset]] = []
        self.status = 0x0000
        self._server: Any = None

    def start(self) -> None:
        entity = AE(MODALITY)
        entity.add_supported_context(Verification)
        entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
        handlers = [(evt.EVT_N_EVENT_REPORT, self._report)]
        self._server = entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def ask(self, port: int, asked: Dataset | None, action: int = 1, instance: str | None = None) -> Dataset:
        """The status of an N-ACTION."""
        entity = AE(MODALITY)
        entity.add_requested_context(StorageCommitmentPushModel)
        association = entity.associate("127.0.0.1", port, ae_title="PACSAGENT")
        assert association.is_established
        status, _ = association.send_n_action(
            asked, action, StorageCommitmentPushModel, instance or StorageCommitmentPushModelInstance
        )
        association.release()
        return status

    def _report(self, event: Any) -> tuple[int, None]:
        self.reports.append((event.event_type, event.event_information))
        return self.status, None


def asked_about(*instances: tuple[str, str], transaction_uid: str = "") -> Dataset:
    information = Dataset()
    information.TransactionUID = transaction_uid or generate_uid()
    information.ReferencedSOPSequence = []
    for sop_class, uid in instances:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
        information.ReferencedSOPSequence.append(item)
    return information


@pytest.fixture
def asker() -> Iterator[Asker]:
    asker = Asker()
    asker.start()
    yield asker
    asker.stop()


@pytest.fixture
def agent(tmp_path: Path, asker: Asker) -> AgentFolder:
    agent = AgentFolder(tmp_path / "agent", dimse={"port": 0})
    with agent.database.writing() as session:
        session.add(Peer(ae_title=MODALITY, host="127.0.0.1", commitment_port=asker.port))
    agent.receive("study", range(3))
    return agent


@pytest.fixture
def listener(agent: AgentFolder) -> Iterator[Listener]:
    listener = Listener(agent.settings, agent.database, agent.archive)
    listener.start()
    yield listener
    listener.stop()


@pytest.fixture
def vouching(agent: AgentFolder) -> Vouching:
    return Vouching(agent.database, agent.archive, agent.settings)


def slices(*numbers: int) -> list[tuple[str, str]]:
    return [(CTImageStorage, str(tiny_ct("study", number).SOPInstanceUID)) for number in numbers]


def owed(agent: AgentFolder) -> CommitmentOwed:
    with agent.database.reading() as session:
        return session.scalars(select(CommitmentOwed)).one()


def asked_at(agent: AgentFolder) -> object:
    with agent.database.reading() as session:
        return session.scalars(select(Study.commitment_asked_at)).one()


def make_due(agent: AgentFolder) -> None:
    with agent.database.writing() as session:
        session.scalars(select(CommitmentOwed)).one().next_attempt_at = utc_now() - timedelta(seconds=1)


def test_all_are_safe(agent: AgentFolder, listener: Listener, vouching: Vouching, asker: Asker) -> None:
    asked = asked_about(*slices(0, 1, 2))
    assert asker.ask(listener.port, asked).Status == 0
    assert vouching.answer_due() == 1
    (event_type, told), *others = asker.reports
    assert (event_type, told.TransactionUID, others) == (1, asked.TransactionUID, [])
    assert [
        (item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) for item in told.ReferencedSOPSequence
    ] == slices(0, 1, 2)
    assert "FailedSOPSequence" not in told
    assert owed(agent).state == OwedState.TOLD
    assert asked_at(agent) is not None, "an end mark of the study"
    assert vouching.answer_due() == 0


def test_a_request_that_is_too_large_is_not_processed_and_its_peer_asks_in_parts(
    agent: AgentFolder, listener: Listener, vouching: Vouching, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attendance, "LARGEST_REQUEST_BYTES", 250)
    refused = asker.ask(listener.port, asked_about(*slices(0, 1, 2)))
    assert (refused.Status, refused.ErrorComment) == (0x0213, "more than 50000 instances; ask in parts")
    assert vouching.answer_due() == 0
    with agent.database.reading() as session:
        line = session.scalars(select(AuditEvent).where(AuditEvent.action == "commitment.refused")).one()
    assert line.detail["status"] == "0x0213"
    for part in slices(0, 1, 2):
        assert asker.ask(listener.port, asked_about(part)).Status == 0
    vouching.answer_due()
    assert [event_type for event_type, _ in asker.reports] == [1, 1, 1]


def test_what_is_not_safe_is_named_with_its_reason(
    agent: AgentFolder, listener: Listener, vouching: Vouching, asker: Asker
) -> None:
    gone = slices(1)[0]
    with agent.database.reading() as session:
        found = {row.sop_instance_uid: row.digest for row in _instances(session)}
    agent.archive.path(found[gone[1]]).unlink()
    unknown, wrong_class = (CTImageStorage, "1.2.3.4.5"), (BasicTextSRStorage, slices(2)[0][1])
    assert asker.ask(listener.port, asked_about(*slices(0), gone, unknown, wrong_class)).Status == 0
    vouching.answer_due()
    event_type, told = asker.reports[0]
    assert event_type == 2
    assert [item.ReferencedSOPInstanceUID for item in told.ReferencedSOPSequence] == [slices(0)[0][1]]
    assert [item.FailureReason for item in told.FailedSOPSequence] == [0x0112, 0x0112, 0x0119]
    assert asked_at(agent) is None


def _instances(session: Any) -> list[Any]:
    return list(session.scalars(select(Instance)))


def test_a_peer_that_is_away_is_told_later_and_again_when_it_asks_again(
    agent: AgentFolder, listener: Listener, vouching: Vouching, asker: Asker
) -> None:
    asked = asked_about(*slices(0))
    asker.stop()
    asker.ask(listener.port, asked)
    assert vouching.answer_due() == 0
    row = owed(agent)
    assert (row.state, row.attempts, row.committed) == (OwedState.WAITING, 1, 1)
    assert "did not accept an association" in row.answer
    assert vouching.answer_due() == 0, "not before the backoff"
    asker.start()
    make_due(agent)
    assert vouching.answer_due() == 1
    assert asker.ask(listener.port, asked).Status == 0
    assert vouching.answer_due() == 1
    assert len(asker.reports) == 2
    other = asked_about(*slices(1), transaction_uid=asked.TransactionUID)
    assert asker.ask(listener.port, other).Status == 0x0115


def test_a_peer_that_never_takes_the_answer_is_given_up(
    agent: AgentFolder, listener: Listener, vouching: Vouching, asker: Asker
) -> None:
    asker.status = 0x0110
    asker.ask(listener.port, asked_about(*slices(0)))
    for _ in range(agent.settings.deliver.attempts):
        make_due(agent)
        vouching.answer_due()
    row = owed(agent)
    assert row.state == OwedState.GIVEN_UP
    assert "0x0110" in row.answer
    with agent.database.reading() as session:
        lines = session.scalars(select(AuditEvent.outcome).where(AuditEvent.action == "commitment.not_answered"))
        assert list(lines) == ["serious-failure"]


def test_a_peer_whose_port_nobody_knows_is_told_what_to_do(
    agent: AgentFolder, listener: Listener, asker: Asker, vouching: Vouching
) -> None:
    with agent.database.writing() as session:
        session.get_one(Peer, MODALITY).commitment_port = 0
    refused = asker.ask(listener.port, asked_about(*slices(0)))
    assert refused.Status == 0x0110
    assert "Peers" in refused.ErrorComment
    agent.destination("pacs", "dimse", {"host": "127.0.0.1", "port": asker.port, "called_ae": MODALITY})
    assert asker.ask(listener.port, asked_about(*slices(0))).Status == 0, "a destination of its title has an address"
    assert vouching.answer_due() == 1


def test_malformed_requests(listener: Listener, asker: Asker) -> None:
    empty, nameless = asked_about(), asked_about(("1.2", "not a uid"))
    no_transaction = asked_about(*slices(0))
    del no_transaction.TransactionUID
    for asked, status in ((empty, 0x0114), (nameless, 0x0115), (no_transaction, 0x0114), (None, 0x0114)):
        assert asker.ask(listener.port, asked).Status == status
    good = asked_about(*slices(0))
    assert asker.ask(listener.port, good, action=2).Status == 0x0123
    assert asker.ask(listener.port, good, instance="1.2.3").Status == 0x0112


def test_roles_are_negotiated(listener: Listener) -> None:
    entity = AE(MODALITY)
    entity.add_requested_context(StorageCommitmentPushModel)
    role = build_role(StorageCommitmentPushModel, scp_role=True)
    association = entity.associate("127.0.0.1", listener.port, ae_title="PACSAGENT", ext_neg=[role])
    assert [context.as_scp for context in association.accepted_contexts] == [True]
    association.release()
