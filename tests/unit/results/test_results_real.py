"""Documents on real studies: LIDC-IDRI-0001 (chest CT) and ProstateX-0001 (pelvic MR, several series)."""

import tarfile
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from study_readings import FACTS, reading

from pacs_agent.imaging import HeaderFile, OrderedSeries, order_series, read_headers
from pacs_agent.results import Refusal, compose_ai_result, compose_draft_report, compose_no_result, write_bytes
from tests.judges import errors, judge_all

pytestmark = [pytest.mark.real_images, pytest.mark.peers, pytest.mark.slow]


def _headers(archive: Path, folder: Path) -> list[HeaderFile]:
    with tarfile.open(archive, "r:xz") as packed:
        packed.extractall(folder, filter="data")
    return read_headers(sorted(folder.rglob("*.dcm")))


def _judged(folder: Path, **documents: Dataset) -> dict[str, list[str]]:
    folder.mkdir()
    for name, document in documents.items():
        (folder / f"{name}.dcm").write_bytes(write_bytes(document))
    found = judge_all(sorted(folder.glob("*.dcm")))
    return {path.stem: [verdict.text for verdict in errors(verdicts)] for path, verdicts in found.items()}


def test_chest_ct(shared_data: Path, tmp_path: Path) -> None:
    headers = _headers(shared_data / "ct_dicom" / "LIDC-IDRI-0001_CT.tar.xz", tmp_path / "images")
    series: OrderedSeries = order_series(headers)
    evidence = [header.dataset for header in headers]
    said = reading("present", series)
    documents = {
        "ai_result": compose_ai_result(said, evidence, FACTS),
        "draft_report": compose_draft_report(said, evidence, FACTS),
        "no_result": compose_no_result(Refusal("too_short", "it is"), evidence, FACTS, said.bundle),
    }
    assert len(series.slices) == 133
    for document in documents.values():
        assert document.PatientID == "LIDC-IDRI-0001"
        assert document.StudyInstanceUID == evidence[0].StudyInstanceUID
        (study,) = document.CurrentRequestedProcedureEvidenceSequence
        listed = [sop for each in study.ReferencedSeriesSequence for sop in each.ReferencedSOPSequence]
        assert len(listed) in (133, 134)
    assert _judged(tmp_path / "documents", **documents) == {name: [] for name in documents}


def test_pelvic_mr_has_no_result(shared_data: Path, tmp_path: Path) -> None:
    headers = _headers(shared_data / "mr_dicom" / "ProstateX-0001_MR.tar.xz", tmp_path / "images")
    evidence = [header.dataset for header in headers]
    document = compose_no_result(Refusal("wrong_modality", "MR; the model reads CT"), evidence, FACTS)
    (study,) = document.CurrentRequestedProcedureEvidenceSequence
    assert len(study.ReferencedSeriesSequence) == len({each.SeriesInstanceUID for each in evidence})
    assert document.PatientID == evidence[0].PatientID
    assert _judged(tmp_path / "documents", no_result=document) == {"no_result": []}
