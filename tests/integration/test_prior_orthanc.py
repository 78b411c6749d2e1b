"""The prior study in a real Orthanc: found by C-FIND or QIDO-RS, fetched by C-MOVE, C-GET or WADO-RS, and compared."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from pacs_agent.db import Job, Peer
from pacs_agent.inference.reading import StudyReading
from pacs_agent.receive import Listener
from pacs_agent.results.uids import derived_uid
from tests.integration.earlier_studies import SearchingAgent, chest, part10_of
from tests.judges import errors, judge
from tests.peers import Orthanc, free_port

pytestmark = [pytest.mark.peers, pytest.mark.slow, pytest.mark.timeout(600)]

NOW, THEN = "20260102", "20250503"


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with Orthanc(tmp_path_factory.mktemp("orthanc")) as pacs:
        pacs.upload(part10_of(image) for image in (*chest(THEN, ill=True), *chest("20200101"), *chest("20260103")))
        pacs.upload(part10_of(image) for image in chest("20251224", PatientID="SOMEBODY ELSE"))
        yield pacs


Read = Callable[..., tuple[SearchingAgent, Job]]


@pytest.fixture
def read(tmp_path: Path, pacs: Orthanc) -> Iterator[Read]:
    """Reads a study by an agent whose results go to Orthanc as this destination; Orthanc moves to its listener."""
    agent = SearchingAgent(tmp_path / "agent")
    listener = Listener(agent.settings, agent.database, agent.archive)
    with agent.database.writing() as session:
        session.add(Peer(ae_title=pacs.ae_title))

    def run(kind: str, settings: dict[str, Any], known_at: int | None = None) -> tuple[SearchingAgent, Job]:
        agent.destination("pacs", kind, settings)
        agent.take(chest(NOW))
        listener.start()
        requests.put(
            f"{pacs.url}/modalities/pacs-agent",
            json={"AET": "PACSAGENT", "Host": "127.0.0.1", "Port": known_at or listener.port},
            timeout=10,
        ).raise_for_status()
        with agent:
            return agent, agent.reading_job(timeout_s=120)

    yield run
    listener.stop()


def check_compared(job: Job) -> None:
    assert job.state == "done", job.error
    since = StudyReading.model_validate(job.reading).since_prior
    assert since
    assert since.prior, since.not_compared
    assert since.prior.study_instance_uid == derived_uid(THEN)
    assert {one.change for one in since.findings} == {"gone"}


def test_by_c_find_and_c_move(read: Read, pacs: Orthanc) -> None:
    agent, job = read("dimse", {"host": "127.0.0.1", "port": pacs.port, "called_ae": pacs.ae_title})
    check_compared(job)
    assert [(one.kind, one.state, one.done, one.refused) for one in agent.transfers()] == [("c-move", "done", 6, 0)]


def test_by_c_get_where_it_moves_to_a_port_that_is_not_ours(read: Read, pacs: Orthanc) -> None:
    node = {"host": "127.0.0.1", "port": pacs.port, "called_ae": pacs.ae_title}
    agent, job = read("dimse", node, known_at=free_port())
    check_compared(job)
    tried = [(one.kind, one.state, one.done) for one in agent.transfers()]
    assert tried == [("c-move", "failed", 0), ("c-get", "done", 6)]


def test_by_qido_and_wado(read: Read, pacs: Orthanc, tmp_path: Path) -> None:
    agent, job = read("stow", {"url": pacs.dicomweb_url})
    check_compared(job)
    assert [(one.kind, one.state, one.done) for one in agent.transfers()] == [("wado-rs", "done", 6)]
    for number, result in enumerate(agent.results()):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(agent.archive.path(result.digest).read_bytes())
        assert errors(judge(path)) == []
