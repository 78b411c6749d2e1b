"""A verified review reaches a real PACS: both documents are found there by QIDO-RS, and the judges pass them."""

from pathlib import Path

import pytest
import requests

from pacs_agent.review import save_review
from tests.integration.studies_at_work import AgentFolder
from tests.integration.worker_process import StandinWorker
from tests.judges import errors, judge
from tests.peers import Orthanc
from tests.unit.review.read_studies import ACCEPT_NODULE, ADA, REJECT_EMPHYSEMA, ReadStudy

pytestmark = [pytest.mark.peers, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_verified_review_is_found_in_the_pacs(tmp_path: Path) -> None:
    agent = AgentFolder(tmp_path)
    with Orthanc(tmp_path / "pacs") as pacs, StandinWorker(agent.config, tmp_path / "worker.log"):
        agent.destination("pacs", "stow", {"url": pacs.dicomweb_url})
        study = ReadStudy(agent.database, agent.archive, "pacs")
        asked = study.review(ACCEPT_NODULE, REJECT_EMPHYSEMA, study.added(), verify=True)
        with agent.database.writing() as session:
            save_review(session, study.uid, asked, ADA)
        found = pacs.wait_for(2, timeout_s=240, StudyInstanceUID=study.uid, Modality="SR")
        query = {"StudyInstanceUID": study.uid, "Modality": "SR", "includefield": "SeriesDescription"}
        series = requests.get(f"{pacs.dicomweb_url}/series", query, timeout=30).json()
        files = [pacs.file(instance) for instance in found]
    assert sorted(one["0008103E"]["Value"][0] for one in series) == [
        "Assessment of AI result, not for clinical use",
        "Verified report, drafted by AI, not for clinical use",
    ]
    for number, content in enumerate(files):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(content)
        assert errors(judge(path)) == []
