"""The DICOMweb proxy before a PACS that is a real HTTP server: what passes, what does not, and what is told."""

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient
from sqlalchemy import select

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console import WebServer, create_app
from pacs_agent.console.proxy import pacs as pacs_module
from pacs_agent.db import AuditEvent, Database
from tests.unit.console.pacs_double import PacsDouble, json_answer, plain_answer

STUDY = "1.2.840.1"
FRAME = f"/pacs/dicom-web/studies/{STUDY}/series/1.2/instances/1.3/frames/1"
PIXELS = {"Content-Type": "multipart/related; type=application/octet-stream; boundary=x"}
LOOPBACK = {"Host": "127.0.0.1"}


@pytest.fixture
def pacs() -> Iterator[PacsDouble]:
    with PacsDouble() as double:
        yield double


def settings_for(url: str, **login: str) -> Settings:
    return Settings.model_validate({"web": {"port": 0, "pacs": {"url": url, **login}}})


@pytest.fixture
def client(pacs: PacsDouble, database: Database, tmp_path: Path) -> FlaskClient:
    settings = settings_for(pacs.url, user="agent", password="geheim:ß")
    return create_app(settings, database, Archive(database, tmp_path / "archive")).test_client()


def test_a_search_passes_with_its_query_and_the_answer_names_the_proxy(client: FlaskClient, pacs: PacsDouble) -> None:
    host = pacs.url.removesuffix("/dicom-web")
    pacs.answer = json_answer(
        json.dumps(
            [
                {"00081190": {"vr": "UR", "Value": [f"{pacs.url}/studies/{STUDY}"]}},
                {"00420011": {"vr": "OB", "BulkDataURI": "http://inner:8042/dicom-web/studies/1.2/bulkdata/1"}},
                {"00420011": {"vr": "OB", "BulkDataURI": "/dicom-web/studies/1.2/bulkdata/2"}},
                {"00420011": {"vr": "OB", "BulkDataURI": "../../bulkdata/3"}},
                {"00081030": {"vr": "LO", "Value": [f"see {pacs.url}/studies"]}},
                {"00081190": {"vr": "UR", "Value": [f"{host}/elsewhere/studies/1.2"]}},
            ]
        )
    )
    response = client.get("/pacs/dicom-web/studies?PatientName=M%C3%BCller*&limit=5", headers=LOOPBACK)
    assert pacs.paths == ["/dicom-web/studies?PatientName=M%C3%BCller*&limit=5"]
    answered = response.get_json(force=True)
    assert answered[0]["00081190"]["Value"] == [f"/pacs/dicom-web/studies/{STUDY}"]
    assert answered[1]["00420011"]["BulkDataURI"] == "/pacs/dicom-web/studies/1.2/bulkdata/1"
    assert answered[2]["00420011"]["BulkDataURI"] == "/pacs/dicom-web/studies/1.2/bulkdata/2"
    assert answered[3]["00420011"]["BulkDataURI"] == "../../bulkdata/3"
    assert answered[4]["00081030"]["Value"] == [f"see {pacs.url}/studies"]
    assert answered[5]["00081190"]["Value"] == [f"{host}/elsewhere/studies/1.2"]


def test_the_pacs_sees_the_agents_login_and_nothing_of_the_browser(client: FlaskClient, pacs: PacsDouble) -> None:
    client.set_cookie("session", "secret")
    headers = {"Accept": "application/dicom+json", "X-Forwarded-For": "1.2.3.4", "Range": "bytes=0-9"}
    client.get(f"/pacs/dicom-web/studies/{STUDY}/metadata", headers=LOOPBACK | headers)
    _, _, seen = pacs.asked[0]
    assert seen["Authorization"] == "Basic YWdlbnQ6Z2VoZWltOsOf"
    assert seen["Accept"] == "application/dicom+json"
    assert seen["Range"] == "bytes=0-9"
    assert not {"Cookie", "X-Forwarded-For", "Referer", "Origin"} & set(seen)


def test_what_the_pacs_says_besides_stays_here(client: FlaskClient, pacs: PacsDouble) -> None:
    told = {
        **PIXELS,
        "Set-Cookie": "pacs=1",
        "Server": "PACS 7",
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": "public, max-age=9999",
        "ETag": '"7"',
    }
    pacs.answer = plain_answer(200, told, b"pixels")
    for _ in range(2):
        response = client.get(FRAME, headers=LOOPBACK)
    assert response.data == b"pixels"
    assert response.headers["Content-Length"] == "6"
    assert response.headers["ETag"] == '"7"'
    assert response.headers["Cache-Control"] == "no-store"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert not {"Set-Cookie", "Server", "Access-Control-Allow-Origin"} & set(response.headers.keys())
    assert all("Cookie" not in seen for _, _, seen in pacs.asked)


def test_a_compressed_answer_is_decompressed_and_readdressed(client: FlaskClient, pacs: PacsDouble) -> None:
    text = json.dumps([{"BulkDataURI": f"{pacs.url}/studies/1.2/bulkdata/{number}"} for number in range(5000)])
    told = {"Content-Type": "application/dicom+json", "Content-Encoding": "gzip"}
    pacs.answer = plain_answer(200, told, gzip.compress(text.encode()))
    response = client.get(f"/pacs/dicom-web/studies/{STUDY}/metadata", headers=LOOPBACK)
    assert "Content-Encoding" not in response.headers
    assert response.text == text.replace(pacs.url, "/pacs/dicom-web")


@pytest.mark.parametrize(
    "path",
    [
        "../instances",
        "studies/../../system",
        "studies/..%2f..%2fsystem",
        "studies/%2e%2e/%2e%2e/system",
        "studies/%252e%252e/system",
        "studies/1.2\\..\\system",
        "studies//system",
        "studies/1.2/",
        "studies/abc",
        "studies/1.2/series/..",
        "studies/1.2/series/1.3%00",
        "system",
        "modalities/x/store",
        "studies/1.2%3fx=1",
        "studies/1.2%23x",
        "studies/1.2/http://other.example/",
    ],
)
def test_only_resources_of_dicomweb_can_be_asked_for(client: FlaskClient, pacs: PacsDouble, path: str) -> None:
    assert client.get(f"/pacs/dicom-web/{path}", headers=LOOPBACK).status_code in (404, 308)
    assert pacs.asked == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(client: FlaskClient, pacs: PacsDouble, method: str) -> None:
    assert client.open("/pacs/dicom-web/studies", method=method, headers=LOOPBACK).status_code == 405
    assert pacs.asked == []


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (plain_answer(302, {"Location": "http://127.0.0.1:1/"}), 502, "redirect"),
        (plain_answer(401, {"WWW-Authenticate": "Basic"}), 502, "check the login in web.pacs"),
        (plain_answer(403, {}), 502, "check the login in web.pacs"),
        (plain_answer(404, {}), 404, "HTTP 404"),
        (plain_answer(406, {}), 406, "HTTP 406"),
        (plain_answer(500, {}, b"<script>stack</script>"), 502, "HTTP 500"),
        (plain_answer(503, {}), 503, "busy"),
        (plain_answer(200, {"Content-Type": "text/html"}, b"<script>evil</script>"), 502, "text/html"),
        (plain_answer(200, {"Content-Type": "image/svg+xml"}, b"<svg/>"), 502, "image/svg"),
        (plain_answer(200, {}, b"?"), 502, "no media type"),
    ],
)
def test_other_answers_are_told_in_words(client: FlaskClient, pacs: PacsDouble, answer, status, words) -> None:  # type: ignore[no-untyped-def]
    pacs.answer = answer
    response = client.get("/pacs/dicom-web/studies", headers=LOOPBACK)
    assert response.status_code == status
    assert words in response.text
    assert "<" not in response.text
    assert "Location" not in response.headers
    assert "WWW-Authenticate" not in response.headers


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_pass(client: FlaskClient, pacs: PacsDouble, status: int) -> None:
    pacs.answer = lambda request: (request.send_response(status), request.end_headers())  # type: ignore[func-returns-value, assignment, return-value]
    assert client.get("/pacs/dicom-web/studies", headers=LOOPBACK).status_code == status


def test_head_is_asked_as_head(client: FlaskClient, pacs: PacsDouble) -> None:
    pacs.answer = plain_answer(200, PIXELS, b"pixels")
    response = client.head(FRAME, headers=LOOPBACK)
    assert (response.status_code, response.data) == (200, b"")
    assert pacs.asked[0][0] == "HEAD"


def test_a_pacs_that_is_not_there_is_told(database: Database, tmp_path: Path) -> None:
    with PacsDouble() as gone:
        url = gone.url
    client = create_app(settings_for(url), database, Archive(database, tmp_path / "archive")).test_client()
    response = client.get("/pacs/dicom-web/studies", headers=LOOPBACK)
    assert response.status_code == 502
    assert "cannot be reached" in response.text
    assert url not in response.text


def test_a_pacs_that_is_silent_is_told(
    pacs: PacsDouble, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacs_module, "SILENCE_S", 0.2)
    over = threading.Event()
    pacs.answer = lambda _: over.wait(5) and None
    client = create_app(settings_for(pacs.url), database, Archive(database, tmp_path / "archive")).test_client()
    response = client.get("/pacs/dicom-web/studies", headers=LOOPBACK)
    over.set()
    assert response.status_code == 504
    assert "in time" in response.text


def test_without_a_pacs_the_answer_says_what_to_set(database: Database, tmp_path: Path) -> None:
    client = create_app(Settings(), database, Archive(database, tmp_path / "archive")).test_client()
    response = client.get("/pacs/dicom-web/studies", headers=LOOPBACK)
    assert response.status_code == 404
    assert "web.pacs.url" in response.text


def test_nobody_unknown_reads_and_a_token_at_the_pacs_is_a_bearer(
    pacs: PacsDouble, database: Database, tmp_path: Path
) -> None:
    web = {"token": "ours", "pacs": {"url": pacs.url, "token": "theirs"}}
    settings = Settings.model_validate({"web": web})
    client = create_app(settings, database, Archive(database, tmp_path / "archive")).test_client()
    assert client.get("/pacs/dicom-web/studies").status_code == 401
    assert pacs.asked == []
    assert client.get("/pacs/dicom-web/studies", headers={"Authorization": "Bearer ours"}).status_code == 200
    assert pacs.asked[0][2]["Authorization"] == "Bearer theirs"


def test_each_look_at_a_study_is_audited_once(client: FlaskClient, pacs: PacsDouble, database: Database) -> None:
    pacs.answer = plain_answer(200, PIXELS, b"pixels")
    for frame in (FRAME, FRAME, FRAME.replace(STUDY, "1.2.840.2"), "/pacs/dicom-web/studies?PatientName=M*"):
        client.get(frame, headers=LOOPBACK)
    pacs.answer = plain_answer(404, {})
    client.get(FRAME.replace(STUDY, "1.2.840.3"), headers=LOOPBACK)
    with database.reading() as session:
        lines = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
    assert [(line.action, line.subject) for line in lines] == [
        ("study.viewed", STUDY),
        ("study.viewed", "1.2.840.2"),
        ("studies.searched", ""),
    ]
    assert {line.actor for line in lines} == {"anonymous@127.0.0.1"}


@pytest.fixture
def served(pacs: PacsDouble, database: Database, tmp_path: Path) -> Iterator[str]:
    """The agent's address, served as in a hospital."""
    server = WebServer(settings_for(pacs.url), database, Archive(database, tmp_path / "archive"))
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def test_an_answer_is_streamed_while_the_pacs_still_sends(served: str, pacs: PacsDouble) -> None:
    received = threading.Event()
    piece = b"x" * (1 << 20)

    def slowly(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        for name, value in {**PIXELS, "Content-Length": str(2 * len(piece))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(piece)
        assert received.wait(20), "nothing was passed on before the end"
        request.wfile.write(piece)

    pacs.answer = slowly
    with requests.get(served + FRAME, stream=True, timeout=30) as response:
        first = response.raw.read(100_000)
        received.set()
        assert first + response.raw.read() == 2 * piece


def test_an_answer_that_breaks_off_is_no_whole_answer(served: str, pacs: PacsDouble) -> None:
    """Of known length and of unknown: neither a short body nor a short list of instances may look complete."""

    def broken(length: dict[str, str], content_type: str, sent: bytes) -> None:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(200)
            for name, value in {"Content-Type": content_type, **length}.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(b"%x\r\n" % (2 * len(sent)) if "Transfer-Encoding" in length else b"")
            request.wfile.write(sent)
            request.close_connection = True

        pacs.answer = answer
        with pytest.raises(requests.exceptions.RequestException):
            _ = requests.get(served + FRAME, timeout=30).content

    for media_type in ("application/octet-stream", "application/dicom+json"):
        broken({"Content-Length": "5000000"}, media_type, b"[" * 1_000_000)
        broken({"Transfer-Encoding": "chunked"}, media_type, b"[" * 1_000_000)


def test_an_answer_that_breaks_off_at_once_is_told(client: FlaskClient, pacs: PacsDouble) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        plain_answer(200, {**PIXELS, "Content-Length": "5000"}, b"few")(request)
        request.close_connection = True

    pacs.answer = answer
    response = client.get(FRAME, headers=LOOPBACK)
    assert response.status_code == 502
    assert "broke its answer off" in response.text
