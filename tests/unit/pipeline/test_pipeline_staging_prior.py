"""What is staged is compared with the earlier study of the patient that the same model staged."""

from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from pacs_agent.db import Job
from pacs_agent.inference import StudyReading
from pacs_agent.inference.reading import SincePrior
from pacs_agent.results import write_bytes
from pacs_agent.results.uids import derived_uid
from tests.integration.pacs import ALL_CLASSES, CountingPacs
from tests.judges import errors, judge
from tests.unit.inference.tiny_staging import pelvis_of_day
from tests.unit.pipeline.staging_agent import read, staging_agent

THEN, NOW = "20250503", "20260102"


def _compared(folder: Path, then: list[Dataset], now: list[Dataset]) -> tuple[SincePrior, Dataset]:
    """What is said of the later study beside the earlier one, and its AI result as the PACS got it."""
    with CountingPacs(classes=ALL_CLASSES) as pacs:
        agent = staging_agent(folder, pacs)
        assert _since(read(agent, then)) is None
        since = _since(read(agent, now, index=1))
    assert since is not None and since.prior is not None
    assert since.prior.study_instance_uid == derived_uid(THEN)
    (result,) = (
        one
        for one in pacs.stored.values()
        if (one.SOPClassUID, one.StudyInstanceUID) == (Comprehensive3DSRStorage, derived_uid(NOW))
    )
    return since, result


def _since(job: Job) -> SincePrior | None:
    assert job.state == "done", job.error
    return StudyReading.model_validate(job.reading).since_prior


def test_a_tumour_that_was_not_there_is_new(tmp_path: Path) -> None:
    since, result = _compared(tmp_path, pelvis_of_day(THEN, tumour=False), pelvis_of_day(NOW))
    assert not since.not_compared
    assert [(one.finding, one.change) for one in since.findings] == [("tumour", "new")]
    assert "new since 2025-05-03" in result.to_json()


@pytest.mark.peers
@pytest.mark.slow
def test_each_item_is_compared_and_names_its_slices_then(tmp_path: Path) -> None:
    since, result = _compared(tmp_path, pelvis_of_day(THEN), pelvis_of_day(NOW))
    said = {one.finding: (one.change, one.by) for one in since.findings}
    assert said["tumour"] == ("unchanged", "presence")
    assert said["t_stage"] == ("unchanged", "grade")
    (tumour,) = since.of_finding("tumour")
    assert tumour.prior_slices
    assert {one.series_instance_uid for one in tumour.prior_slices} <= {"", derived_uid(f"{THEN} 2")}
    (tmp_path / "result.dcm").write_bytes(write_bytes(result))
    assert errors(judge(tmp_path / "result.dcm")) == []


def test_a_study_with_other_series_is_not_compared(tmp_path: Path) -> None:
    since, _ = _compared(tmp_path, pelvis_of_day(THEN, sagittal=False), pelvis_of_day(NOW))
    assert since.not_compared == "Only one of the two has sagittal T2 images."
    assert since.findings == ()
