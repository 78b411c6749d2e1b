"""A real Orthanc that sends a study is asked how many instances it has, and the quiet time is skipped."""

import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom.sop_class import Comprehensive3DSRStorage

from pacs_agent.archive import instance_header, split_part10
from pacs_agent.assemble import Assembler, Completion
from pacs_agent.config import AssembleSettings
from pacs_agent.db import StudyState
from pacs_agent.deliver import SourceQuery
from tests.integration.studies_at_work import AgentFolder
from tests.peers import Orthanc, until
from tests.peers.studies import write_plain_ct

pytestmark = [pytest.mark.peers, pytest.mark.slow]
SLICES = 6
SETTLE_S = 0.3


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with Orthanc(tmp_path_factory.mktemp("orthanc")) as pacs:
        yield pacs


@pytest.fixture
def agent(tmp_path: Path) -> AgentFolder:
    agent = AgentFolder(tmp_path / "agent")
    agent.rule()
    return agent


def _assembler(agent: AgentFolder) -> Assembler:
    settings = AssembleSettings(quiet_s=3600, settle_s=SETTLE_S)
    return Assembler(agent.database, agent.archive, settings, SourceQuery(agent.database, agent.settings))


def _receive(agent: AgentFolder, files: list[Path]) -> str:
    for file in files:
        image = dcmread(file)
        header = instance_header(image, image.file_meta.TransferSyntaxUID)
        agent.archive.store(split_part10(file.read_bytes()), header, source=f"{Orthanc.ae_title}@127.0.0.1")
    return str(image.StudyInstanceUID)


def _completed(assembler: Assembler) -> Completion:
    found = until(assembler.complete, timeout_s=20, what="the study complete") or []
    return found[0]


@pytest.mark.alone
@pytest.mark.parametrize("kind", ["dimse", "stow"])
def test_the_count_at_orthanc_ends_the_wait(agent: AgentFolder, orthanc: Orthanc, tmp_path: Path, kind: str) -> None:
    settings = {"host": "127.0.0.1", "port": orthanc.port, "called_ae": orthanc.ae_title}
    agent.destination("pacs", kind, settings if kind == "dimse" else {"url": orthanc.dicomweb_url})
    files, assembler = write_plain_ct(tmp_path / "study", SLICES), _assembler(agent)
    orthanc.upload(files)
    _receive(agent, files[:-1])
    ends_s = time.monotonic() + 1
    while time.monotonic() < ends_s:
        assert assembler.complete() == [], "one image is missing"
        time.sleep(0.05)
    _receive(agent, files[-1:])
    last_s = time.monotonic()
    completion = _completed(assembler)
    assert time.monotonic() - last_s < 5  # 1 s where the machine has nothing else to do
    assert completion.state == StudyState.COMPLETE
    by = "C-FIND" if kind == "dimse" else "QIDO-RS"
    assert completion.complete_by == f"all {SLICES} instances came that the source has, by {by} at pacs"


def test_documents_that_orthanc_has_and_does_not_send_leave_it_to_the_quiet_time(
    agent: AgentFolder, orthanc: Orthanc, tmp_path: Path
) -> None:
    settings = {"host": "127.0.0.1", "port": orthanc.port, "called_ae": orthanc.ae_title}
    agent.destination("pacs", "dimse", settings)
    files = write_plain_ct(tmp_path / "study", SLICES)
    document = dcmread(files[0])
    del document.PixelData
    document.Modality, document.SOPClassUID = "SR", Comprehensive3DSRStorage
    document.file_meta.MediaStorageSOPClassUID = Comprehensive3DSRStorage
    document.SeriesInstanceUID, document.SOPInstanceUID = "1.2.826.0.1.1", "1.2.826.0.1.2"
    document.file_meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.2"
    part10 = BytesIO()
    document.save_as(part10, enforce_file_format=True)
    orthanc.upload([*files, part10.getvalue()])
    uid, assembler = _receive(agent, files), _assembler(agent)
    query = SourceQuery(agent.database, agent.settings)
    assert query(f"{Orthanc.ae_title}@127.0.0.1", [uid])[uid].instances == SLICES + 1
    ends_s = time.monotonic() + 1
    while time.monotonic() < ends_s:
        assert assembler.complete() == []
        time.sleep(0.05)


def test_who_is_no_destination_or_does_not_answer_is_said_so(agent: AgentFolder, orthanc: Orthanc) -> None:
    query = SourceQuery(agent.database, agent.settings)
    assert query("CT1@10.0.0.7", ["1.2"]) == {}
    agent.destination("down", "dimse", {"host": "127.0.0.1", "port": 1, "called_ae": "CT1"})
    answer = query("CT1@127.0.0.1", ["1.2"])["1.2"]
    assert (answer.instances, "did not accept an association" in answer.trouble) == (None, True)
    agent.destination("pacs", "dimse", {"host": "127.0.0.1", "port": orthanc.port, "called_ae": orthanc.ae_title})
    assert query(f"{orthanc.ae_title}@127.0.0.1", ["1.2"])["1.2"].instances == 0, "a study that nobody sent there"
