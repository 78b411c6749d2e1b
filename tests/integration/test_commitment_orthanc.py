"""Storage commitment with a real Orthanc, both ways: it asks us, and it is asked."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from pydicom.uid import CTImageStorage
from sqlalchemy import select

from pacs_agent.db import CommitmentAsked, CommitmentOwed, DeliveryState, Instance, Peer, Study
from pacs_agent.deliver import Outbox, Uncommitted, Vouching
from pacs_agent.receive import Listener
from pacs_agent.results import write_bytes
from tests.integration.studies_at_work import AgentFolder, tiny_ct, until
from tests.integration.test_commitment_asked import JOB, agent_with_job
from tests.peers import Orthanc

pytestmark = pytest.mark.peers


@pytest.fixture
def agent(tmp_path: Path) -> AgentFolder:
    return agent_with_job(tmp_path)


@pytest.fixture
def listener(agent: AgentFolder) -> Iterator[Listener]:
    """Our listener, with Orthanc as a peer that may store."""
    with agent.database.writing() as session:
        session.add(Peer(ae_title=Orthanc.ae_title, host="127.0.0.1"))
    listener = Listener(agent.settings, agent.database, agent.archive)
    listener.start()
    yield listener
    listener.stop()


@pytest.fixture
def orthanc(tmp_path: Path, listener: Listener, agent: AgentFolder) -> Iterator[Orthanc]:
    pacs = Orthanc(tmp_path / "orthanc")
    pacs.knows("PACSAGENT", listener.port)
    with pacs:
        settings = {"host": "127.0.0.1", "port": pacs.port, "called_ae": pacs.ae_title, "confirm": "commitment"}
        agent.destination("pacs", "dimse", settings)
        yield pacs


@pytest.fixture
def answering(agent: AgentFolder) -> Iterator[None]:
    """The worker's loop that answers what is due."""
    vouching, stopping = Vouching(agent.database, agent.archive, agent.settings), threading.Event()

    def answer() -> None:
        while not stopping.wait(0.1):
            vouching.answer_due()

    thread = threading.Thread(target=answer)
    thread.start()
    yield
    stopping.set()
    thread.join()


def commitment(orthanc: Orthanc, path: str) -> dict[str, Any]:
    """Orthanc's report of a commitment that it asked for, once it has one."""

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = orthanc.rest(path)
        return found if found["Status"] != "Pending" else None

    return until(ended, timeout_s=30)


@pytest.mark.usefixtures("answering")
def test_orthanc_sends_a_study_and_is_told_that_it_is_safe(agent: AgentFolder, orthanc: Orthanc) -> None:
    orthanc.upload(write_bytes(tiny_ct("sent by orthanc", number)) for number in range(5))
    series = orthanc.find("Study")
    job = requests.post(
        f"{orthanc.url}/modalities/pacs-agent/store",
        json={"Resources": series, "StorageCommitment": True, "Synchronous": True},
        timeout=60,
    ).json()
    assert job["FailedInstancesCount"] == 0
    report = commitment(orthanc, f"/storage-commitment/{job['StorageCommitmentTransactionUID']}")
    assert (report["Status"], len(report["Success"]), report["Failures"]) == ("Success", 5, [])
    assert report["RemoteAET"] == "PACSAGENT"
    with agent.database.reading() as session:
        study = session.scalars(select(Study).where(Study.commitment_asked_at.is_not(None))).one()
        assert study.study_instance_uid == tiny_ct("sent by orthanc", 0).StudyInstanceUID
        assert session.scalars(select(CommitmentOwed.committed)).all() == [5]


@pytest.mark.usefixtures("answering")
def test_orthanc_is_told_of_what_we_do_not_have(agent: AgentFolder, orthanc: Orthanc) -> None:
    with agent.database.reading() as session:
        here = session.scalars(select(Instance.sop_instance_uid).where(Instance.sop_class_uid == CTImageStorage)).one()
    asked = {"DicomInstances": [[CTImageStorage, here], [CTImageStorage, "1.2.3.4"]]}
    answer = requests.post(f"{orthanc.url}/modalities/pacs-agent/storage-commitment", json=asked, timeout=60).json()
    report = commitment(orthanc, answer["Path"])
    assert (report["Status"], [one["SOPInstanceUID"] for one in report["Success"]]) == ("Failure", [here])
    assert [(one["SOPInstanceUID"], one["FailureReason"]) for one in report["Failures"]] == [("1.2.3.4", 0x0112)]


def confirmed(outbox: Outbox) -> str | None:
    try:
        return outbox.confirm(JOB, "pacs")
    except Uncommitted:
        return None


def test_orthanc_is_asked_and_says_that_it_keeps_our_results(agent: AgentFolder, orthanc: Orthanc) -> None:
    outbox = Outbox(agent.database, agent.archive, agent.settings)
    assert outbox.deliver(JOB, "pacs") == 2
    assert "2 objects are kept for good" in until(lambda: confirmed(outbox), timeout_s=30)
    assert {state for _uid, state, _answer in agent.deliveries("pacs")} == {DeliveryState.CONFIRMED}


def test_what_orthanc_lost_is_sent_again(agent: AgentFolder, orthanc: Orthanc) -> None:
    outbox = Outbox(agent.database, agent.archive, agent.settings)
    outbox.deliver(JOB, "pacs")
    lost = orthanc.find("Instance")[0]
    requests.delete(f"{orthanc.url}/instances/{lost}", timeout=60)
    assert orthanc.count() == 1
    until(lambda: confirmed(outbox), timeout_s=30)
    assert orthanc.count() == 2
    with agent.database.reading() as session:
        assert len(session.scalars(select(CommitmentAsked)).all()) == 2
