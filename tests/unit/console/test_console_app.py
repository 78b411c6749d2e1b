"""The application as a whole: a secure start, its key, its headers, and other origins."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pydantic import ValidationError

from pacs_agent.config import Settings, WebSettings
from pacs_agent.console import InsecureStart, check_secure
from pacs_agent.console.signing_key import FILE_NAME, signing_key
from pacs_agent.db import Database
from tests.unit.console.people import add_person, app_of, log_in

TOKEN = "0aK3-xr9Q_machine-token"
VIEWER = "https://ohif.example"
OTHERS = ["0.0.0.0", "::", "192.168.1.5", "pacs.example.org"]


@pytest.mark.parametrize("host", OTHERS)
def test_others_reach_only_what_asks_who_they_are(host: str) -> None:
    for proxied in (True, False):
        with pytest.raises(InsecureStart, match=r"pacs-agent user add.*PACS_AGENT_WEB__TOKEN"):
            check_secure(WebSettings(host=host, behind_tls_proxy=proxied), accounts=False)


@pytest.mark.parametrize("host", OTHERS)
def test_others_reach_us_by_tls_only(host: str) -> None:
    for settings, accounts in ((WebSettings(host=host), True), (WebSettings(host=host, token=TOKEN), False)):
        with pytest.raises(InsecureStart, match=r"web\.behind_tls_proxy"):
            check_secure(settings, accounts=accounts)
        check_secure(settings.model_copy(update={"behind_tls_proxy": True}), accounts=accounts)


@pytest.mark.parametrize("token", ["", "s3cret", "changeme", "a" * 40, "password-password-2026", "0123456789" * 2])
def test_others_do_not_guess_the_token(token: str) -> None:
    with pytest.raises(InsecureStart, match="easily guessed"):
        check_secure(WebSettings(host="0.0.0.0", token=token, behind_tls_proxy=True), accounts=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.53"])
def test_loopback_may_be_open_unless_a_proxy_leads_there(host: str) -> None:
    check_secure(WebSettings(host=host), accounts=False)
    with pytest.raises(InsecureStart, match="behind a proxy"):
        check_secure(WebSettings(host=host, behind_tls_proxy=True), accounts=False)


def test_what_comes_past_the_proxy_is_refused(database: Database, tmp_path: Path) -> None:
    add_person(database)
    client = app_of(database, tmp_path, behind_tls_proxy=True).test_client()
    assert client.get("/login").status_code == 403
    assert client.get("/login", base_url="https://pacs.example").status_code == 200
    assert client.get("/healthz").status_code == 200


# the key that signs logins


def test_the_key_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    key = signing_key(tmp_path / "data")
    assert len(key) == 32
    assert signing_key(tmp_path / "data") == key
    assert [path.name for path in (tmp_path / "data").iterdir()] == [FILE_NAME]
    assert stat.S_IMODE((tmp_path / "data" / FILE_NAME).stat().st_mode) == 0o600


def test_processes_that_start_at_once_get_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(signing_key, [tmp_path] * 8))) == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    signing_key(tmp_path)
    (tmp_path / FILE_NAME).chmod(0o640)
    with pytest.raises(InsecureStart, match="chmod 600"):
        signing_key(tmp_path)


def test_a_broken_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).touch(0o600)
    with pytest.raises(InsecureStart, match="not whole"):
        signing_key(tmp_path)


# headers


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    add_person(database)
    return app_of(database, tmp_path, viewer_origins=[VIEWER]).test_client()


@pytest.mark.parametrize("path", ["/login", "/api/v1/session", "/dicom-web/studies", "/healthz"])
def test_answers_carry_what_keeps_browsers_careful(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_a_view_keeps_the_headers_it_sets(database: Database, tmp_path: Path) -> None:
    client = app_of(database, tmp_path).test_client()
    css = client.get("/login/style.css")
    assert css.mimetype == "text/css"
    assert "max-age=3600" in css.headers["Cache-Control"]


def test_pages_load_nothing_from_elsewhere_and_need_no_script(client: FlaskClient) -> None:
    page = client.get("/login").text
    assert "http" not in page
    assert "<script" not in page
    assert "style=" not in page


def test_a_proxied_agent_stays_with_tls(database: Database, tmp_path: Path) -> None:
    proxied = app_of(database, tmp_path, behind_tls_proxy=True).test_client()
    answer = proxied.get("/login", base_url="https://pacs.example")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


# viewers of other origins


def test_a_preflight_of_a_known_origin_is_answered_before_anybody_is_asked(client: FlaskClient) -> None:
    asked = {"Origin": VIEWER, "Access-Control-Request-Method": "POST"}
    answer = client.options("/api/v1/session", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == VIEWER
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "X-CSRF-Token" in answer.headers["Access-Control-Allow-Headers"]
    assert "DELETE" in answer.headers["Access-Control-Allow-Methods"]


def test_a_known_origin_logs_in_and_out(client: FlaskClient) -> None:
    headers = log_in(client) | {"Origin": VIEWER}
    answer = client.delete("/api/v1/session", headers=headers)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (204, VIEWER)
    assert "Origin" in answer.vary
    refused = client.get("/api/v1/session", headers=headers)
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, VIEWER)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://ohif.example", f"{VIEWER}:8443", f"{VIEWER}.evil.example"]
)
def test_other_origins_are_told_nothing(client: FlaskClient, origin: str) -> None:
    log_in(client)
    asked = {"Origin": origin, "Access-Control-Request-Method": "DELETE"}
    for answer in (client.options("/api/v1/session", headers=asked), client.get("/api/v1/session", headers=asked)):
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert client.options("/dicom-web/studies", headers=asked).status_code != 204


@pytest.mark.parametrize("origin", ["https://x.example/", "x.example", "*", "https://*.example", "https://X.example"])
def test_an_origin_is_exact(origin: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="is not an origin"):
        Settings(data_dir=tmp_path, web={"viewer_origins": [origin]})


@pytest.mark.parametrize("url", ["ftp://pacs", "https://user:pw@pacs/dicom-web", "https://pacs/x?y", "pacs/dicom-web"])
def test_the_address_of_a_pacs_is_plain(url: str) -> None:
    with pytest.raises(ValidationError, match="is not an address"):
        WebSettings(pacs={"url": url})
    assert WebSettings(pacs={"url": "https://pacs/dicom-web/"}).pacs.url == "https://pacs/dicom-web"
