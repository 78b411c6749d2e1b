"""The main job with real peers: Orthanc routes a study to the running agent and gets the results back.

Orthanc runs with the configuration of deploy/orthanc; the agent runs as its administrator runs it, set up by its
command line. Nothing here looks into the agent from inside.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
import requests
from pydicom.uid import BasicTextSRStorage, Comprehensive3DSRStorage, SegmentationStorage

from tests.judges import errors, judge_all
from tests.peers import Agent, Orthanc, broken, echoscu, storescu
from tests.peers.studies import CHEST_CT, PELVIS_MR, copies, phantom_study, real_study, study_uid

pytestmark = [pytest.mark.peers, pytest.mark.slow]

SENDER = "MODALITY"
QUIET_S = 3.0
PHANTOM_SLICES = 88
CANNOT_UNDERSTAND = 0xC000
"""PS3.4 B.2.3."""
Spoil = Callable[[Path, Path], Path]
RULES = """
rules:
  - name: every CT and MR
    when: {attribute: Modality, in: [CT, MR]}
    pipeline: msvlm
    destinations: [pacs]
"""


@dataclass(frozen=True)
class Hospital:
    """An Orthanc that routes to an agent, which delivers to that Orthanc."""

    pacs: Orthanc
    agent: Agent

    def reads(self, files: list[Path], results: int) -> list[pydicom.Dataset]:
        """Puts a study into the PACS; the SRs that come back, read from there."""
        self.pacs.upload(files)
        return self.results(study_uid(files), results)

    def results(self, study: str, count: int) -> list[pydicom.Dataset]:
        """The SRs of a study in the PACS, once there are as many as expected."""
        found = self.pacs.wait_for(count, timeout_s=240, StudyInstanceUID=study, Modality="SR")
        return [pydicom.dcmread(BytesIO(self.pacs.file(instance))) for instance in found]

    def send(self, files: list[Path]) -> None:
        """Sends files to the agent as a modality would, past the PACS."""
        sent = storescu(files, self.agent.port, self.agent.ae_title, calling_ae=SENDER)
        assert sent.code == 0, sent.output


def _hospital(folder: Path, kind: str) -> Iterator[Hospital]:
    agent = Agent(folder / "agent", quiet_s=QUIET_S)
    pacs = Orthanc(folder / "pacs")
    pacs.route_to(agent.ae_title, agent.port)
    for ae_title in (pacs.ae_title, SENDER):
        agent.allow(ae_title)
    if kind == "stow":
        agent.deliver_to("pacs", "stow", url=pacs.dicomweb_url)
    else:
        agent.deliver_to("pacs", "dimse", host="127.0.0.1", port=pacs.port, called_ae=pacs.ae_title)
    agent.route(RULES)
    with pacs, agent:
        yield Hospital(pacs, agent)


@pytest.fixture(scope="module")
def dimse_hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    yield from _hospital(tmp_path_factory.mktemp("dimse"), "dimse")


@pytest.fixture(scope="module")
def stow_hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    yield from _hospital(tmp_path_factory.mktemp("stow"), "stow")


@pytest.fixture(params=["dimse", "stow"])
def hospital(request: pytest.FixtureRequest) -> Hospital:
    """A hospital whose agent delivers by C-STORE, and one whose agent delivers by STOW-RS."""
    found: Hospital = request.getfixturevalue(f"{request.param}_hospital")
    return found


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("phantom")
    return phantom_study(folder, slices=PHANTOM_SLICES, findings=("pleural_effusion",))


@pytest.mark.real_images
def test_real_chest_ct_gets_both_results_back(hospital: Hospital, tmp_path: Path) -> None:
    files = real_study(CHEST_CT, tmp_path)
    results = hospital.reads(files, results=2)
    _check_both_results(results, files, tmp_path)
    _check_delivered_once(hospital, study_uid(files))
    _check_no_loop(hospital, study_uid(files))


def test_phantom_gets_both_results_back(hospital: Hospital, phantom: list[Path], tmp_path: Path) -> None:
    files = copies(phantom, tmp_path / "study", len(phantom), label="both results")
    results = hospital.reads(files, results=2)
    _check_both_results(results, files, tmp_path)
    _check_delivered_once(hospital, study_uid(files))
    _check_no_loop(hospital, study_uid(files))


@pytest.mark.real_images
def test_real_pelvis_mr_gets_a_no_result_with_the_reason(dimse_hospital: Hospital, tmp_path: Path) -> None:
    files = real_study(PELVIS_MR, tmp_path)
    (document,) = dimse_hospital.reads(files, results=1)
    _judge([document], tmp_path)
    assert "MR" in _refusal(document)
    assert dimse_hospital.agent.ended_job(study_uid(files))["state"] == "no_result"
    _check_no_loop(dimse_hospital, study_uid(files), results=1)


@pytest.mark.parametrize(
    "spoil",
    [broken.truncated, broken.implicit_called_explicit, broken.raw_called_jpeg, broken.not_dicom],
    ids=lambda spoil: spoil.__name__,
)
def test_broken_instance_is_refused_and_the_study_in_flight_unharmed(
    dimse_hospital: Hospital, phantom: list[Path], tmp_path: Path, spoil: Spoil
) -> None:
    agent = dimse_hospital.agent
    study = copies(phantom, tmp_path / "study", len(phantom), label=f"in flight beside {spoil.__name__}")
    bad = spoil(study[1], tmp_path / "bad")
    refusals = len(agent.audit("instance.refused"))
    dimse_hospital.send(study[::2])
    answer = broken.send_as_is(bad, agent.port, agent.ae_title, calling_ae=SENDER)
    dimse_hospital.send(study[1::2])
    assert answer == CANNOT_UNDERSTAND
    assert len(dimse_hospital.results(study_uid(study), 2)) == 2
    job = agent.ended_job(study_uid(study))
    assert (job["state"], job["error"]) == ("done", "")
    assert len(agent.audit("instance.refused")) == refusals + 1


def test_bytes_that_are_no_file_are_refused_by_stow(dimse_hospital: Hospital) -> None:
    part = b'--cut\r\nContent-Type: application/dicom\r\n\r\n{"not": "DICOM"}\r\n--cut--\r\n'
    kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=cut'}
    answer = requests.post(f"{dimse_hospital.agent.url}/dicom-web/studies", data=part, headers=kind, timeout=30)
    assert answer.status_code in (400, 409)
    _check_alive(dimse_hospital)


def test_slope_that_is_no_number_gives_a_no_result(
    dimse_hospital: Hospital, phantom: list[Path], tmp_path: Path
) -> None:
    study = copies(phantom, tmp_path / "study", len(phantom), label="NaN slope")
    broken.without_slope(study[7], study[7])
    dimse_hospital.send(study)
    (document,) = dimse_hospital.results(study_uid(study), 1)
    _judge([document], tmp_path)
    assert "slope" in _refusal(document).lower()
    _check_alive(dimse_hospital)


def test_one_slice_gives_a_no_result(dimse_hospital: Hospital, phantom: list[Path], tmp_path: Path) -> None:
    study = copies(phantom, tmp_path / "study", 1, label="one slice")
    dimse_hospital.send(study)
    (document,) = dimse_hospital.results(study_uid(study), 1)
    _judge([document], tmp_path)
    assert "1 slice" in _refusal(document)
    _check_alive(dimse_hospital)


def _check_both_results(results: list[pydicom.Dataset], files: list[Path], folder: Path) -> None:
    """One AI result and one draft report, valid, and of the same patient and study as the images."""
    source = pydicom.dcmread(files[0], stop_before_pixels=True)
    assert {result.SOPClassUID for result in results} == {Comprehensive3DSRStorage, BasicTextSRStorage}
    for result in results:
        assert result.StudyInstanceUID == source.StudyInstanceUID
        assert (result.PatientID, str(result.PatientName)) == (source.PatientID, str(source.PatientName))
        assert (result.VerificationFlag, result.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
        assert "AI" in result.SeriesDescription
    _judge(results, folder)
    _check_evidence(results, files)


def _check_evidence(results: list[pydicom.Dataset], files: list[Path]) -> None:
    """The AI result points at images of this study and at no others; beside them at the segmentation of its own job."""
    sent = {str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in files}
    ai_result = next(result for result in results if result.SOPClassUID == Comprehensive3DSRStorage)
    referenced = {
        str(instance.ReferencedSOPInstanceUID)
        for study in ai_result.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
        if instance.ReferencedSOPClassUID != SegmentationStorage
    }
    assert referenced
    assert referenced <= sent


def _check_delivered_once(hospital: Hospital, study: str) -> None:
    job = hospital.agent.ended_job(study)
    deliveries = [delivery for made in job["objects"] for delivery in made["deliveries"]]
    assert job["state"] == "done"
    assert {step["state"] for step in job["steps"]} == {"done"}
    assert {delivery["destination"] for delivery in deliveries} == {"pacs"}
    assert {delivery["state"] for delivery in deliveries} <= {"stored", "confirmed"}


def _check_no_loop(hospital: Hospital, study: str, results: int = 2) -> None:
    """The results make the study stable in Orthanc again, and are then sent to the agent by hand as well."""
    instances = hospital.pacs.find("Instance", StudyInstanceUID=study, Modality="SR")
    for instance in instances:
        hospital.pacs.send(instance)
    time.sleep(1.5 * QUIET_S)
    assert len(hospital.agent.jobs_of(study)) == 1
    assert len(hospital.pacs.find("Instance", StudyInstanceUID=study, Modality="SR")) == results


def _judge(results: list[pydicom.Dataset], folder: Path) -> None:
    paths = [folder / f"result-{number}.dcm" for number in range(len(results))]
    for path, result in zip(paths, results, strict=True):
        result.save_as(path)
    assert {path.name: errors(verdicts) for path, verdicts in judge_all(paths).items()} == {p.name: [] for p in paths}


def _refusal(document: pydicom.Dataset) -> str:
    """The text of a "no result" document, which must be one."""
    assert document.SOPClassUID == BasicTextSRStorage
    texts = [item.TextValue for item in _items(document) if item.ValueType == "TEXT"]
    said = [text for text in texts if text.startswith("No AI result")]
    assert said, texts
    return str(said[0])


def _items(item: pydicom.Dataset) -> Iterator[pydicom.Dataset]:
    for child in item.get("ContentSequence", []):
        yield child
        yield from _items(child)


def _check_alive(hospital: Hospital) -> None:
    """All processes still answer, and none was restarted."""
    assert requests.get(f"{hospital.agent.url}/readyz", timeout=10).ok
    assert echoscu(hospital.agent.port, hospital.agent.ae_title, calling_ae=SENDER).code == 0
    assert "restart" not in hospital.agent.process.log_text
