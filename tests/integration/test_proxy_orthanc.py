"""The DICOMweb proxy before a real Orthanc, asked by a client that is not ours."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.uid import ExplicitVRLittleEndian

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console import WebServer
from pacs_agent.db import Database
from tests.peers import Orthanc
from tests.peers.studies import phantom_study, study_uid

pytestmark = [pytest.mark.peers]

SLICES = 12
EXPLICIT = str(ExplicitVRLittleEndian)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return phantom_study(tmp_path / "phantom", slices=SLICES)


@pytest.fixture
def proxy(tmp_path: Path, database: Database, files: list[Path]) -> Iterator[str]:
    """The proxy's address; Orthanc behind it has the study."""
    with Orthanc(tmp_path / "orthanc") as pacs:
        pacs.upload(files)
        settings = Settings.model_validate({"web": {"port": 0, "pacs": {"url": pacs.dicomweb_url}}})
        server = WebServer(settings, database, Archive(database, tmp_path / "archive"))
        server.start()
        yield f"http://127.0.0.1:{server.port}/pacs/dicom-web"
        server.stop()


def test_a_viewer_finds_and_reads_a_study_of_orthanc(proxy: str, files: list[Path]) -> None:
    client = DICOMwebClient(proxy)
    study = study_uid(files)
    (found,) = client.search_for_studies(search_filters={"StudyInstanceUID": study})
    assert found["00081190"]["Value"] == [f"/pacs/dicom-web/studies/{study}"]
    (series,) = [found["0020000E"]["Value"][0] for found in client.search_for_series(study)]
    metadata = client.retrieve_series_metadata(study, series)
    assert len(metadata) == SLICES
    assert "127.0.0.1" not in json.dumps(metadata)
    sent = pydicom.dcmread(files[0])
    (frame,) = client.retrieve_instance_frames(
        study, series, sent.SOPInstanceUID, frame_numbers=[1], media_types=(("application/octet-stream", EXPLICIT),)
    )
    assert np.array_equal(np.frombuffer(frame, sent.pixel_array.dtype), sent.pixel_array.ravel())
    assert client.retrieve_instance(study, series, sent.SOPInstanceUID).PixelData == sent.PixelData


def test_what_orthanc_names_as_bulk_data_is_read_through_the_proxy(proxy: str, files: list[Path]) -> None:
    sent = pydicom.dcmread(files[0])
    instance = (
        f"{proxy}/studies/{sent.StudyInstanceUID}/series/{sent.SeriesInstanceUID}/instances/{sent.SOPInstanceUID}"
    )
    metadata = requests.get(f"{instance}/metadata", timeout=30).json()
    addresses = [value["BulkDataURI"] for value in metadata[0].values() if "BulkDataURI" in value]
    assert addresses
    for address in addresses:
        assert address.startswith("/pacs/dicom-web/studies/")
        answer = requests.get(proxy.removesuffix("/pacs/dicom-web") + address, timeout=30)
        assert answer.status_code == 200, answer.text


def test_orthancs_own_interface_is_not_reached(proxy: str) -> None:
    for path in ("../system", "..%2fsystem", "studies/..%2f..%2fsystem", "%2e%2e/system"):
        assert requests.get(f"{proxy}/{path}", timeout=30).status_code == 404
