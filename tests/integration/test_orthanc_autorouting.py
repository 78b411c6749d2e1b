"""The auto-routing shipped for administrators (deploy/orthanc): what it sends, what it leaves, when it sends again.

The agent is stood in for by dcmtk's storescp: only what Orthanc sends matters here.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import Comprehensive3DSRStorage

from tests.peers import Orthanc, StoreScp, free_port, storescu, until
from tests.peers.studies import write_plain_ct

pytestmark = [pytest.mark.peers, pytest.mark.slow]

SLICES = 4
STABLE_S = 3.0
"""Longest time until Orthanc, which looks once a second, finds a study stable."""


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[StoreScp]:
    with StoreScp(tmp_path / "receiver") as receiver:
        yield receiver


@pytest.fixture
def pacs(tmp_path: Path, receiver: StoreScp) -> Iterator[Orthanc]:
    pacs = Orthanc(tmp_path / "pacs")
    pacs.route_to(receiver.ae_title, receiver.port)
    with pacs:
        yield pacs


def _result_of(image: Path, to: Path) -> Path:
    """An SR in the study of an image, as an agent would return it."""
    result = pydicom.dcmread(image)
    del result.PixelData
    result.Modality = "SR"
    result.SOPClassUID = result.file_meta.MediaStorageSOPClassUID = Comprehensive3DSRStorage
    result.SeriesInstanceUID = pydicom.uid.generate_uid()
    result.SOPInstanceUID = result.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    result.save_as(to)
    return to


def _wait_for(receiver: StoreScp, count: int) -> None:
    until(lambda: receiver.count() >= count, timeout_s=20, what=f"{count} images routed")


def test_stable_study_is_sent_once_and_a_result_makes_no_loop(
    pacs: Orthanc, receiver: StoreScp, tmp_path: Path
) -> None:
    files = write_plain_ct(tmp_path / "study", SLICES)
    pacs.upload(files)
    _wait_for(receiver, SLICES)
    back = storescu([_result_of(files[0], tmp_path / "sr.dcm")], pacs.port, pacs.ae_title, options=["-R"])
    assert back.code == 0, back.output
    time.sleep(STABLE_S)
    assert (pacs.count(), receiver.count(), len(pacs.store_jobs())) == (SLICES + 1, SLICES, 1)
    assert pacs.metadata("studies", pacs.find("Study")[0])["SentToPacsAgent"] == str(SLICES)


def test_late_image_sends_the_study_again(pacs: Orthanc, receiver: StoreScp, tmp_path: Path) -> None:
    files = write_plain_ct(tmp_path / "study", SLICES)
    pacs.upload(files[:-1])
    _wait_for(receiver, SLICES - 1)
    pacs.upload(files[-1:])
    _wait_for(receiver, SLICES)
    assert len(pacs.store_jobs()) == 2


def test_image_series_that_came_from_the_agent_is_not_sent_back(tmp_path: Path, receiver: StoreScp) -> None:
    files = write_plain_ct(tmp_path / "study", SLICES)
    pacs = Orthanc(tmp_path / "pacs")
    pacs.route_to(receiver.ae_title, receiver.port)
    with pacs:
        storescu(files, pacs.port, pacs.ae_title, calling_ae=receiver.ae_title)
        time.sleep(STABLE_S)
        assert (pacs.count(), pacs.store_jobs()) == (SLICES, [])


def test_study_that_did_not_arrive_loses_its_mark(tmp_path: Path) -> None:
    pacs = Orthanc(tmp_path / "pacs")
    pacs.route_to("NOBODY", free_port())
    with pacs:
        pacs.upload(write_plain_ct(tmp_path / "study", SLICES))
        until(lambda: "could not be sent" in pacs.process.log_text, timeout_s=20, what="the failed job in the log")
        assert [job["State"] for job in pacs.store_jobs()] == ["Failure"]
        assert "SentToPacsAgent" not in pacs.metadata("studies", pacs.find("Study")[0])
