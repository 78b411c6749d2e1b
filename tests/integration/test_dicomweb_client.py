"""DICOMweb as dicomweb-client meets it, against a live server."""

import json
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless
from sqlalchemy import select

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console import WebServer
from pacs_agent.db import AuditEvent, Database, upgrade
from tests.unit.archive.made_instances import ct_slice, encoded, part10, text_report

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    return Archive(database, tmp_path / "archive")


@pytest.fixture
def server(database: Database, archive: Archive, tmp_path: Path) -> Iterator[WebServer]:
    server = WebServer(Settings(data_dir=tmp_path, web={"port": 0, "threads": 2, "max_stow_mb": 4}), database, archive)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def url(server: WebServer) -> str:
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture
def client(url: str) -> DICOMwebClient:
    return DICOMwebClient(f"{url}/dicom-web")


@pytest.fixture
def stored(client: DICOMwebClient) -> list[Dataset]:
    slices = [ct_slice(number, size=64) for number in (1, 2, 3)]
    client.store_instances([pydicom.dcmread(BytesIO(part10(each))) for each in slices])
    return slices


def uids(data_set: Dataset) -> tuple[str, str, str]:
    return data_set.StudyInstanceUID, data_set.SeriesInstanceUID, data_set.SOPInstanceUID


def test_store_answers_with_what_it_stored(client: DICOMwebClient) -> None:
    sent = [pydicom.dcmread(BytesIO(part10(ct_slice(number)))) for number in (1, 2)]
    answer = client.store_instances(sent)
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [s.SOPInstanceUID for s in sent]
    assert "FailedSOPSequence" not in answer
    assert answer.RetrieveURL == "/dicom-web/studies/1.2.3"


def test_search_at_every_level(client: DICOMwebClient, stored: list[Dataset]) -> None:
    (study,) = client.search_for_studies()
    assert study["00201208"]["Value"] == [3]
    assert study["00201206"]["Value"] == [1]
    assert study["00080061"]["Value"] == ["CT"]
    assert study["00100010"]["Value"] == [{"Alphabetic": "Doe^Jane"}]
    (series,) = client.search_for_series("1.2.3")
    assert (series["00201209"]["Value"], series["0008103E"]["Value"]) == ([3], ["thin"])
    assert [i["00200013"]["Value"] for i in client.search_for_instances("1.2.3", "1.2.3.4")] == [[1], [2], [3]]
    assert len(client.search_for_instances()) == 3
    assert client.search_for_studies(search_filters={"PatientName": "nobody"}) == []


def test_metadata_is_the_data_set(client: DICOMwebClient, stored: list[Dataset], url: str) -> None:
    whole = client.retrieve_study_metadata("1.2.3")
    assert [client.retrieve_instance_metadata(*uids(each)) for each in stored] == whole
    assert client.retrieve_series_metadata("1.2.3", "1.2.3.4") == whole
    read = Dataset.from_json(whole[0], lambda _tag, _vr, uri: client.retrieve_bulkdata(url + uri)[0])
    assert bytes(read.PixelData) == stored[0].PixelData
    assert read.ImageOrientationPatient == stored[0].ImageOrientationPatient


def test_instances_come_back_as_they_were(client: DICOMwebClient, stored: list[Dataset]) -> None:
    assert client.retrieve_instance(*uids(stored[1])).PixelData == stored[1].PixelData
    for retrieved in (client.retrieve_study("1.2.3"), list(client.iter_series("1.2.3", "1.2.3.4"))):
        assert [encoded(each).data_set for each in retrieved] == [encoded(each).data_set for each in stored]


@pytest.mark.parametrize("transfer_syntax_uid", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_compressed_instances_as_stored_and_decoded(client: DICOMwebClient, url: str, transfer_syntax_uid: str) -> None:
    plain, compressed = ct_slice(size=64), ct_slice(size=64)
    compressed.compress(transfer_syntax_uid, generate_instance_uid=False)
    client.store_instances([pydicom.dcmread(BytesIO(part10(compressed)))])
    as_stored = client.retrieve_instance(*uids(plain), media_types=(("application/dicom", transfer_syntax_uid),))
    assert as_stored.file_meta.TransferSyntaxUID == transfer_syntax_uid
    assert as_stored.PixelData == compressed.PixelData
    assert client.retrieve_instance(*uids(plain)).PixelData == compressed.PixelData, "the client asks for any"
    explicit = ("application/dicom", "1.2.840.10008.1.2.1")
    decoded = client.retrieve_instance(*uids(plain), media_types=(explicit,))
    assert decoded.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert decoded.PixelData == plain.PixelData
    (frame,) = client.retrieve_instance_frames(*uids(plain), [1], media_types=("application/octet-stream",))
    assert frame == plain.PixelData
    path = "/dicom-web/studies/{}/series/{}/instances/{}/frames/1".format(*uids(plain))
    ohif = requests.get(
        url + path, headers={"Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"}
    )
    assert f"transfer-syntax={transfer_syntax_uid}".encode() in ohif.content
    assert pydicom.encaps.get_frame(compressed.PixelData, 0, number_of_frames=1) in ohif.content


def test_frames_of_a_multi_frame_image(client: DICOMwebClient) -> None:
    frames = np.arange(3 * 16 * 16, dtype=np.uint16).reshape(3, 16, 16)
    enhanced = ct_slice(SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", NumberOfFrames=3, PixelData=frames.tobytes())
    client.store_instances([pydicom.dcmread(BytesIO(part10(enhanced)))])
    assert client.retrieve_instance_frames(*uids(enhanced), [1, 3]) == [frames[0].tobytes(), frames[2].tobytes()]
    with pytest.raises(requests.HTTPError, match="404"):
        client.retrieve_instance_frames(*uids(enhanced), [4])


def test_rendered_frame_shows_the_window(client: DICOMwebClient) -> None:
    ramp = np.repeat(np.arange(64, dtype=np.uint16)[None] * 64, 64, axis=0)
    image = ct_slice(size=64, PixelData=ramp.tobytes())
    client.store_instances([pydicom.dcmread(BytesIO(part10(image)))])
    png = client.retrieve_instance_rendered(*uids(image), media_types=("image/png",), params={"window": "0,1000"})
    grey = np.asarray(Image.open(BytesIO(png)))
    hounsfield_units = ramp.astype(int) - 1024
    assert grey.shape == (64, 64)
    assert (grey[hounsfield_units < -500] == 0).all()
    assert (grey[hounsfield_units > 500] == 255).all()
    assert abs(int(grey[0, 16]) - 128) <= 1
    jpeg = client.retrieve_instance_frames_rendered(*uids(image), [1], media_types=("image/jpeg",))
    assert Image.open(BytesIO(jpeg)).format == "JPEG"


def test_one_bad_part_fails_alone(url: str, database: Database) -> None:
    good, bad = part10(ct_slice(1)), part10(ct_slice(2))[:-50]
    response = requests.post(f"{url}/dicom-web/studies", data=multipart(good, bad), headers=MULTIPART)
    answer = Dataset.from_json(response.json())
    assert response.status_code == 202
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [ct_slice(1).SOPInstanceUID]
    assert [(item.ReferencedSOPInstanceUID, item.FailureReason) for item in answer.FailedSOPSequence] == [
        (ct_slice(2).SOPInstanceUID, 0xC000)
    ]
    with database.reading() as session:
        (line,) = session.scalars(select(AuditEvent).where(AuditEvent.action == "stow"))
    assert (line.actor, line.detail) == ("STOW-RS@127.0.0.1", {"instances": 1, "refused": 1, "stored": 1})


@pytest.mark.parametrize("part", [b"<html>", b"", b"\0" * 1000])
def test_nothing_stored_is_a_conflict(url: str, part: bytes) -> None:
    response = requests.post(f"{url}/dicom-web/studies", data=multipart(part), headers=MULTIPART)
    assert response.status_code == 409
    assert Dataset.from_json(response.json()).FailedSOPSequence[0].FailureReason == 0xC000


def test_instance_of_another_study_than_the_path_is_refused(url: str) -> None:
    response = requests.post(f"{url}/dicom-web/studies/1.9", data=multipart(part10(ct_slice())), headers=MULTIPART)
    assert response.status_code == 409
    assert Dataset.from_json(response.json()).FailedSOPSequence[0].FailureReason == 0xA900


def test_chunked_request_without_a_length(url: str) -> None:
    body = multipart(part10(ct_slice()))
    pieces = (body[start : start + 1000] for start in range(0, len(body), 1000))
    assert requests.post(f"{url}/dicom-web/studies", data=pieces, headers=MULTIPART).status_code == 200


def test_request_larger_than_allowed_is_refused(url: str) -> None:
    response = requests.post(f"{url}/dicom-web/studies", data=multipart(bytes(5 << 20)), headers=MULTIPART)
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "multipart/related; type=application/dicom"}, b"--x--", 400),
        ({"Content-Type": 'multipart/related; boundary="' + "x" * 71 + '"'}, b"", 400),
        ({"Content-Type": "multipart/related; boundary=x"}, b"no boundary here", 400),
        ({"Content-Type": "multipart/related; boundary=x"}, b"--x\r\nContent-Type: application/dicom\r\n\r\ncut", 400),
        ({"Content-Type": "multipart/related; boundary=x"}, b"--x\r\n" + b"A: b\r\n" * 5000, 400),
        ({"Content-Type": "multipart/related; boundary=x"}, b"--x\r\nContent-Type: text/html\r\n\r\n\r\n--x--", 415),
        ({"Content-Type": "application/zip"}, b"PK", 415),
        ({"Content-Type": "multipart/related; boundary=x", "Content-Encoding": "gzip"}, b"--x--", 415),
        ({"Content-Type": "multipart/related; boundary=x"}, b"--x--\r\n", 409),
        ({"Content-Type": "multipart/related; type=application/dicom; boundary=x"}, b"--x--\r\n", 409),
    ],
)
def test_messages_that_are_none(url: str, headers: dict[str, str], body: bytes, status: int) -> None:
    assert requests.post(f"{url}/dicom-web/studies", data=body, headers=headers).status_code == status
    assert requests.get(f"{url}/healthz").status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dicom-web/studies/1.9", 404),
        ("/dicom-web/studies/1.9/metadata", 404),
        ("/dicom-web/studies/%2e%2e%2f%2e%2e%2fetc/metadata", 404),
        ("/dicom-web/studies/..%5c../metadata", 400),
        ("/dicom-web/studies/1.2.3/series/x/metadata", 400),
        ("/dicom-web/studies/1.2.3/series/" + "1" * 65, 400),
        ("/dicom-web/studies?limit=-1", 400),
        ("/dicom-web/studies?StudyDate=yesterday", 400),
        ("/dicom-web/studies?PatientName=" + "*a" * 50, 400),
        ("/dicom-web/studies?includefield=nonsense", 400),
        ("/dicom-web/studies/1.2.3/series/1.2.3.4/instances/{}/frames/0", 400),
        ("/dicom-web/studies/1.2.3/series/1.2.3.4/instances/{}/frames/1,x", 400),
        ("/dicom-web/studies/1.2.3/series/1.2.3.4/instances/{}/frames/2", 404),
        ("/dicom-web/studies/1.2.3/series/1.2.3.4/instances/{}/rendered?window=a,b", 400),
        ("/dicom-web/studies/1.2.3/series/1.2.3.4/instances/{}/rendered?window=40,nan", 400),
        ("/dicom-web/studies/1.2.3/series/1.2.3.4/instances/{}/rendered?viewport=99999,1", 400),
        ("/dicom-web/studies/1.2.3/series/1.2.3.4/instances/{}/bulkdata/%2e%2e/x", 404),
        ("/dicom-web/studies/1.2.3/series/1.2.3.4/instances/{}/bulkdata/00100010", 404),
        ("/dicom-web/<script>alert(1)</script>", 404),
    ],
)
def test_requests_that_cannot_be_met(url: str, stored: list[Dataset], path: str, status: int) -> None:
    response = requests.get(url + path.format(stored[0].SOPInstanceUID))
    assert response.status_code == status
    assert "<script>" not in response.text


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("", "application/pdf"),
        ("", "application/dicom"),
        ("", 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.50'),
        ("/metadata", "application/dicom+xml"),
        ("/series/1.2.3.4/instances/{}/frames/1", "image/jpeg"),
        ("/series/1.2.3.4/instances/{}/rendered", "image/gif"),
    ],
)
def test_what_cannot_be_represented(url: str, stored: list[Dataset], path: str, accept: str) -> None:
    target = f"{url}/dicom-web/studies/1.2.3{path}".format(stored[0].SOPInstanceUID)
    assert requests.get(target, headers={"Accept": accept}).status_code == 406


def test_report_has_no_frames(url: str, client: DICOMwebClient) -> None:
    client.store_instances([pydicom.dcmread(BytesIO(part10(text_report())))])
    path = "/dicom-web/studies/{}/series/{}/instances/{}".format(*uids(text_report()))
    assert requests.get(f"{url}{path}/frames/1").status_code == 404
    assert requests.get(f"{url}{path}/rendered").status_code == 404
    assert client.retrieve_instance(*uids(text_report())) == pydicom.dcmread(BytesIO(part10(text_report())))


def test_metadata_with_values_that_are_no_numbers_is_valid_json(url: str, client: DICOMwebClient) -> None:
    strange = ct_slice(1)
    strange.TimeRange = [float("nan"), float("inf")]
    client.store_instances([pydicom.dcmread(BytesIO(part10(strange)))])
    response = requests.get(f"{url}/dicom-web/studies/1.2.3/metadata")
    model = json.loads(response.content, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    assert model[0]["00081163"]["Value"] == ["NaN", "inf"]


def test_token_is_asked_of_everyone_but_probes(database: Database, archive: Archive, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, web={"port": 0, "token": "s3cret"})
    server = WebServer(settings, database, archive)
    server.start()
    url = f"http://127.0.0.1:{server.port}"
    try:
        assert requests.get(f"{url}/healthz").status_code == requests.get(f"{url}/readyz").status_code == 200
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "s3cret"}):
            refused = requests.get(f"{url}/dicom-web/studies", headers=headers)
            assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        session = requests.Session()
        session.headers["Authorization"] = "Bearer s3cret"
        assert DICOMwebClient(f"{url}/dicom-web", session=session).search_for_studies() == []
    finally:
        server.stop()


def test_not_ready_without_archive_or_database(url: str, archive: Archive, database: Database) -> None:
    said = requests.get(f"{url}/readyz").json()
    assert (said["status"], said["checks"]) == ("ready", {"archive": True, "database": True, "schema": True})
    (archive.files.root / "incoming").rename(archive.files.root / "gone")
    with database.writing() as session:
        session.connection().exec_driver_sql("ALTER TABLE studies RENAME TO lost")
    response = requests.get(f"{url}/readyz")
    assert response.status_code == 503
    assert response.json()["checks"] == {"archive": False, "database": False, "schema": False}
    assert requests.get(f"{url}/healthz").status_code == 200


def test_process_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from pacs_agent.config import Settings; "
        "from pacs_agent.console import run_web; run_web(Settings(data_dir=Path(sys.argv[1]), web={'port': 0}))"
    )
    database = Database(Settings(data_dir=tmp_path).sqlalchemy_url)
    upgrade(database)
    database.close()
    command = [sys.executable, "-c", program, str(tmp_path)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert any(b"serving" in line for line in process.stdout)
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.stdout.close()


BOUNDARY = "b0undary"
MULTIPART = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'}


def multipart(*parts: bytes) -> bytes:
    head = f"\r\n--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join(head + part for part in parts) + f"\r\n--{BOUNDARY}--\r\n".encode()
