"""We ask a PACS for storage commitment: a job's objects are confirmed when it says so, and not before."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage
from sqlalchemy import select

from pacs_agent.db import (
    AskedState,
    CommitmentAsked,
    DeliveryState,
    Destination,
    Job,
    Peer,
    ResultObject,
    Study,
    utc_now,
)
from pacs_agent.deliver import NotCommitted, Outbox, Uncommitted, reset_deliveries
from pacs_agent.deliver import commitment as asking
from pacs_agent.pipeline import JobFacts
from pacs_agent.receive import Listener
from tests.integration.committing import CommittingPacs
from tests.integration.standin import TinyStages
from tests.integration.studies_at_work import AgentFolder, until

JOB = "job-1"


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "SAME_ASSOCIATION_S", 1.0)


@pytest.fixture
def agent(tmp_path: Path) -> AgentFolder:
    return agent_with_job(tmp_path)


def agent_with_job(tmp_path: Path) -> AgentFolder:
    """An agent with a job whose two objects are to be delivered."""
    agent = AgentFolder(tmp_path / "agent", dimse={"port": 0})
    agent.receive("study", range(1))
    facts = JobFacts(JOB, "1.2.3", "digest", utc_now(), (), ())
    files = TinyStages(agent.settings, agent.archive).compose(facts, {"weigh_evidence": "3"}).files
    with agent.database.writing() as session:
        study = session.scalars(select(Study)).one()
        session.add(Job(id=JOB, study_pk=study.id, rule="ct", pipeline="tiny", destinations=["pacs"], input_digest="d"))
    for file in files:
        receipt = agent.archive.store_result(file.part10)
        with agent.database.writing() as session:
            session.add(
                ResultObject(
                    job_id=JOB,
                    kind=file.kind,
                    sop_instance_uid=receipt.sop_instance_uid,
                    sop_class_uid=receipt.sop_class_uid,
                    series_instance_uid="1.2.4",
                    digest=receipt.digest,
                )
            )
    return agent


@pytest.fixture
def pacs() -> Iterator[CommittingPacs]:
    with CommittingPacs() as pacs:
        yield pacs


def delivered(agent: AgentFolder, pacs: CommittingPacs) -> Outbox:
    agent.destination("pacs", "dimse", {**pacs.settings, "confirm": "commitment"})
    outbox = Outbox(agent.database, agent.archive, agent.settings)
    assert outbox.deliver(JOB, "pacs") == 2
    return outbox


def states(agent: AgentFolder) -> set[str]:
    return {state for _uid, state, _answer in agent.deliveries("pacs")}


def requests(agent: AgentFolder) -> list[CommitmentAsked]:
    with agent.database.reading() as session:
        return list(session.scalars(select(CommitmentAsked).order_by(CommitmentAsked.asked_at)))


def test_an_answer_over_the_same_association(agent: AgentFolder, pacs: CommittingPacs) -> None:
    outbox = delivered(agent, pacs)
    assert outbox.confirm(JOB, "pacs") == "storage commitment: 2 objects are kept for good"
    assert states(agent) == {DeliveryState.CONFIRMED}
    assert pacs.told == [0]
    assert outbox.confirm(JOB, "pacs") == "committed before"
    assert len(pacs.asked) == 1


def test_a_late_answer_over_an_association_to_our_listener(agent: AgentFolder, pacs: CommittingPacs) -> None:
    pacs.answers = False
    outbox = delivered(agent, pacs)
    with pytest.raises(Uncommitted, match="no answer yet"):
        outbox.confirm(JOB, "pacs")
    assert states(agent) == {DeliveryState.STORED}
    with agent.database.writing() as session:
        session.add(Peer(ae_title=pacs.ae_title, host="127.0.0.1"))
    listener = Listener(agent.settings, agent.database, agent.archive)
    listener.start()
    try:
        pacs.report(pacs.asked[0], listener.port)
        pacs.report(pacs.asked[0], listener.port)
        pacs.report(pacs.asked[0], listener.port, TransactionUID="1.2.3.99")
    finally:
        listener.stop()
    assert pacs.told == [0, 0, 0x0115], "the same again is fine, an unknown Transaction UID is not"
    restarted = Outbox(agent.database, agent.archive, agent.settings)
    assert "2 objects are kept" in restarted.confirm(JOB, "pacs")
    assert states(agent) == {DeliveryState.CONFIRMED}
    assert len(pacs.asked) == 1


def test_who_was_not_asked_may_not_answer(agent: AgentFolder, pacs: CommittingPacs) -> None:
    pacs.answers = False
    outbox = delivered(agent, pacs)
    with pytest.raises(Uncommitted):
        outbox.confirm(JOB, "pacs")
    with agent.database.writing() as session:
        session.add(Peer(ae_title="OTHER", host="127.0.0.1"))
    pacs.ae_title = "OTHER"
    listener = Listener(agent.settings, agent.database, agent.archive)
    listener.start()
    try:
        pacs.report(pacs.asked[0], listener.port)
    finally:
        listener.stop()
    assert pacs.told == [0x0115]
    assert [row.state for row in requests(agent)] == [AskedState.WAITING]


def test_no_answer_for_too_long_is_asked_again(agent: AgentFolder, pacs: CommittingPacs) -> None:
    pacs.answers = False
    outbox = delivered(agent, pacs)
    for _ in range(2):
        with pytest.raises(Uncommitted, match="no answer yet"):
            outbox.confirm(JOB, "pacs")
    assert len(pacs.asked) == 1
    with agent.database.writing() as session:
        row = session.scalars(select(CommitmentAsked)).one()
        row.asked_at = utc_now() - timedelta(hours=2)
    pacs.answers = True
    assert "2 objects are kept" in outbox.confirm(JOB, "pacs")
    assert len({asked.TransactionUID for asked in pacs.asked}) == 2
    assert [row.state for row in requests(agent)] == [AskedState.REPLACED, AskedState.ANSWERED]


def test_what_is_not_kept_is_sent_once_more(agent: AgentFolder, pacs: CommittingPacs) -> None:
    outbox = delivered(agent, pacs)
    lost = next(iter(pacs.stored))
    del pacs.stored[lost]
    with pytest.raises(Uncommitted, match=r"does not keep 1 objects.*0x0112.*sent once more"):
        outbox.confirm(JOB, "pacs")
    assert states(agent) == {DeliveryState.CONFIRMED, DeliveryState.PENDING}
    assert "1 objects are kept" in outbox.confirm(JOB, "pacs")
    assert pacs.received[lost] == 2
    assert states(agent) == {DeliveryState.CONFIRMED}


def test_what_is_not_kept_again_fails_and_is_asked_anew_when_people_say_so(
    agent: AgentFolder, pacs: CommittingPacs
) -> None:
    outbox = delivered(agent, pacs)
    pacs.judge = lambda _uid: 0x0110
    with pytest.raises(Uncommitted, match="sent once more"):
        outbox.confirm(JOB, "pacs")
    with pytest.raises(NotCommitted, match="also after they were sent once more"):
        outbox.confirm(JOB, "pacs")
    outbox.lost(JOB, "pacs", "the PACS does not keep it")
    pacs.judge = lambda _uid: 0
    with agent.database.writing() as session:
        reset_deliveries(session, JOB)
    outbox.deliver(JOB, "pacs")
    assert "2 objects are kept" in outbox.confirm(JOB, "pacs")


@pytest.mark.parametrize(("status", "error"), [(0x0213, Uncommitted), (0x0110, Uncommitted), (0x0124, NotCommitted)])
def test_a_refused_request_is_told_in_words(
    agent: AgentFolder, pacs: CommittingPacs, status: int, error: type[Exception]
) -> None:
    outbox = delivered(agent, pacs)
    pacs.action_status = status
    with pytest.raises(error, match=f"0x{status:04X}"):
        outbox.confirm(JOB, "pacs")
    pacs.action_status = 0
    assert "2 objects are kept" in outbox.confirm(JOB, "pacs"), "nothing is waited for that was not taken"


def test_a_pacs_without_the_service_and_one_that_is_away(agent: AgentFolder, pacs: CommittingPacs) -> None:
    outbox = delivered(agent, pacs)
    pacs.stop()
    with pytest.raises(Uncommitted, match="did not accept an association"):
        outbox.confirm(JOB, "pacs")
    pacs.classes = (CTImageStorage,)
    pacs.start()
    with pytest.raises(NotCommitted, match="Storage Commitment"):
        outbox.confirm(JOB, "pacs")


def test_a_destination_that_is_disabled_meanwhile_is_not_taken_for_confirmed(
    agent: AgentFolder, pacs: CommittingPacs
) -> None:
    outbox = delivered(agent, pacs)
    with agent.database.writing() as session:
        session.get_one(Destination, "pacs").enabled = False
    with pytest.raises(NotCommitted, match="disabled"):
        outbox.confirm(JOB, "pacs")
    assert states(agent) == {DeliveryState.STORED}


def test_a_crash_while_asking_is_asked_again(agent: AgentFolder, pacs: CommittingPacs) -> None:
    outbox = delivered(agent, pacs)
    with agent.database.writing() as session:
        row = CommitmentAsked(
            transaction_uid="2.25.1", job_id=JOB, destination="pacs", called_ae=pacs.ae_title, instances=[]
        )
        session.add(row)
    assert "2 objects are kept" in outbox.confirm(JOB, "pacs")
    until(lambda: pacs.told == [0])
