"""Delivery of real documents to a real Orthanc, by C-STORE and by STOW-RS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_agent.config import Settings
from pacs_agent.db import Destination, utc_now
from pacs_agent.deliver import DestinationKind, Outgoing, Refused, Verdict, Whereabouts, open_destination, outgoing
from pacs_agent.pipeline import JobFacts
from tests.integration.standin import TinyStages
from tests.integration.studies_at_work import AgentFolder
from tests.peers import Orthanc, StoreScp

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with Orthanc(tmp_path_factory.mktemp("orthanc")) as pacs:
        yield pacs


@pytest.fixture
def objects(tmp_path: Path, request: pytest.FixtureRequest) -> list[Outgoing]:
    """The two documents of a job that only this test has."""
    agent = AgentFolder(tmp_path / "agent")
    job = JobFacts("job", "1.2.3", request.node.name, utc_now(), (), ())
    files = TinyStages(agent.settings, agent.archive).compose(job, {"weigh_evidence": "3"}).files
    paths = [tmp_path / f"{file.kind}.dcm" for file in files]
    for path, file in zip(paths, files, strict=True):
        path.write_bytes(file.part10)
    return [outgoing(path) for path in paths]


def _open(kind: str, settings: dict[str, object]) -> DestinationKind:
    return open_destination(Destination(name="pacs", kind=kind, settings=settings, enabled=True), Settings())


def _settings(orthanc: Orthanc, kind: str) -> dict[str, object]:
    if kind == "stow":
        return {"url": orthanc.dicomweb_url}
    return {"host": "127.0.0.1", "port": orthanc.port, "called_ae": orthanc.ae_title, "query": True}


@pytest.mark.parametrize("kind", ["stow", "dimse"])
def test_orthanc_takes_and_confirms_and_takes_again(orthanc: Orthanc, kind: str, objects: list[Outgoing]) -> None:
    destination = _open(kind, _settings(orthanc, kind))
    before = orthanc.count()
    assert {found.whereabouts for found in destination.confirm(objects)} == {Whereabouts.ABSENT}
    for _ in range(2):
        assert [answer.verdict for answer in destination.send(objects)] == [Verdict.STORED, Verdict.STORED]
    assert orthanc.count() == before + 2, "a second sending changes nothing"
    assert {found.whereabouts for found in destination.confirm(objects)} == {Whereabouts.THERE}
    assert destination.probe()


def test_a_wrong_path_on_a_real_server_is_refused(orthanc: Orthanc, objects: list[Outgoing]) -> None:
    destination = _open("stow", {"url": f"{orthanc.url}/nothing-here"})
    assert {answer.verdict for answer in destination.send(objects)} == {Verdict.REFUSED}


def test_storescp_gets_the_very_bytes(tmp_path: Path, objects: list[Outgoing]) -> None:
    with StoreScp(tmp_path / "scp") as scp:
        destination = _open("dimse", {"host": "127.0.0.1", "port": scp.port, "called_ae": scp.ae_title})
        assert [answer.verdict for answer in destination.send(objects)] == [Verdict.STORED, Verdict.STORED]
        assert scp.count() == 2
        with pytest.raises(Refused, match="every presentation context"):
            list(_open("dimse", {**destination.address.model_dump(), "query": True}).confirm(objects))  # type: ignore[attr-defined]
