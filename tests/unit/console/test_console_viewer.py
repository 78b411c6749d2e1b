"""The viewer as it is served: which file for which address, how it is cached, and what it may load."""

import gzip
import json
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_agent.archive import Archive
from pacs_agent.config import REPOSITORY, Settings
from pacs_agent.console import create_app
from pacs_agent.console.viewer import study_address
from pacs_agent.console.viewer.build import ViewerMissing, find_viewer
from pacs_agent.console.viewer.plugin import MODE_ROUTE
from pacs_agent.db import Database

HASHES = ["'sha256-VggY0rSMrfuUfyGbMQUTdohoMO4fFh+5LLFfr7rG50g='"]
SCRIPT = "console.log('the viewer');\n" * 100
WORKER = "app.bundle.0f6159c501addfe9.js"
GZIP = {"Accept-Encoding": "gzip, deflate, br"}


def put_viewer(folder: Path) -> None:
    files = {"index.html": "<!doctype html><title>OHIF</title>", WORKER: SCRIPT, "assets/favicon.ico": "icon"}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / f"{WORKER}.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    (folder / "viewer-build.json").write_text(json.dumps({"version": "3.13.2", "script_hashes": HASHES}))


def put_plugin(folder: Path) -> None:
    folder.mkdir()
    for name in ("extension.js", "mode.js"):
        (folder / name).write_text(f"export default {{ id: '{name}' }};\n" * 100)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    return {"viewer_dir": tmp_path / "viewer", "plugin_dir": tmp_path / "dist"}


@pytest.fixture
def empty(database: Database, tmp_path: Path, folders: dict[str, Path]) -> FlaskClient:
    """An agent without a viewer and a plugin."""
    settings = Settings.model_validate({"web": folders})
    return create_app(settings, database, Archive(database, tmp_path / "archive")).test_client()


@pytest.fixture
def client(empty: FlaskClient, folders: dict[str, Path]) -> FlaskClient:
    put_viewer(folders["viewer_dir"])
    put_plugin(folders["plugin_dir"])
    return empty


@pytest.mark.parametrize("route", ["/", "/viewer?StudyInstanceUIDs=1.2", "/pacs-agent/archive?StudyInstanceUIDs=1.2"])
def test_every_route_of_the_viewer_is_its_page(client: FlaskClient, route: str) -> None:
    page = client.get(route)
    assert page.status_code == 200
    assert "<title>OHIF</title>" in page.text
    assert page.headers["Cache-Control"] == "no-cache"


def test_the_page_runs_scripts_of_this_host_and_its_own_inline_ones_only(client: FlaskClient) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]
    assert f"script-src 'self' {HASHES[0]}" in policy
    assert not re.search(r"https?:|\*|unsafe-eval", policy)
    assert (
        "script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval' blob:"
        in (client.get(f"/{WORKER}").headers["Content-Security-Policy"])
    )


@pytest.mark.parametrize("address", ["/dicom-web/nothing", "/plugins/pacs-agent", "/healthz/x", "/nothing.js", "/.env"])
def test_what_other_rooms_do_not_answer_and_files_that_are_not_there_are_no_page(
    client: FlaskClient, address: str
) -> None:
    assert client.get(address).status_code == 404


def test_a_file_named_by_its_hash_is_compressed_and_kept_for_a_year(client: FlaskClient) -> None:
    response = client.get(f"/{WORKER}", headers=GZIP)
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.data).decode() == SCRIPT
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in response.headers["Cache-Control"]
    plain = client.get(f"/{WORKER}")
    assert "Content-Encoding" not in plain.headers
    assert plain.text == SCRIPT
    assert plain.headers["ETag"] != response.headers["ETag"]
    assert "Accept-Encoding" in plain.headers["Vary"]


@pytest.mark.parametrize("address", ["/", f"/{WORKER}", "/plugins/pacs-agent/extension.js"])
def test_what_the_browser_has_is_not_sent_again(client: FlaskClient, address: str) -> None:
    first = client.get(address, headers=GZIP)
    again = client.get(address, headers=GZIP | {"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert not again.data


def test_a_viewer_fetched_again_is_served_without_a_restart(client: FlaskClient, folders: dict[str, Path]) -> None:
    before = client.get("/").headers["ETag"]
    page = folders["viewer_dir"] / "index.html"
    page.write_text(page.read_text().replace("OHIF", "FIHO"))
    (folders["viewer_dir"] / "new.css").write_text("body {}")
    put_note = folders["viewer_dir"] / "viewer-build.json"
    put_note.write_text(json.dumps({"version": "3.14.0", "script_hashes": []}))
    assert "FIHO" in client.get("/", headers={"If-None-Match": before}).text
    assert client.get("/new.css").status_code == 200


@settings(max_examples=30)
@given(name=st.text(st.sampled_from("./ab%2e\\5c"), min_size=1, max_size=20))
def test_nothing_outside_of_the_folder_is_given(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "outside" / "viewer"
    if not folder.exists():
        put_viewer(folder)
        (folder.parent / "a.b").write_text("secret")
    found = find_viewer(folder).files.get(name)
    assert found is None or folder in found.resolve().parents


def test_the_folder_may_be_named_from_the_working_directory(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_viewer(tmp_path / "viewer")
    monkeypatch.chdir(tmp_path)
    settings = Settings.model_validate({"web": {"viewer_dir": "viewer"}})
    client = create_app(settings, database, Archive(database, tmp_path / "archive")).test_client()
    assert client.get("/").status_code == 200


def test_without_a_viewer_a_page_says_what_to_run_and_the_rest_works(empty: FlaskClient) -> None:
    page = empty.get("/")
    assert page.status_code == 503
    assert "make viewer" in page.text
    assert "npm run fetch-viewer" in page.text
    assert empty.get("/dicom-web/studies").status_code == 204
    assert empty.get("/healthz").status_code == 200


def test_a_viewer_without_a_note_or_a_page_is_refused_in_words(tmp_path: Path) -> None:
    put_viewer(tmp_path)
    (tmp_path / "viewer-build.json").write_text('{"version": "3", "script_hashes": ["*"]}')
    with pytest.raises(ViewerMissing, match="make viewer"):
        find_viewer(tmp_path)
    (tmp_path / "viewer-build.json").write_text('{"version": "3", "script_hashes": []}')
    (tmp_path / "index.html").unlink()
    with pytest.raises(ViewerMissing, match=r"no index\.html"):
        find_viewer(tmp_path)


def facts_of(script: str) -> dict[str, object]:
    """What the configuration's function is called with."""
    call = re.search(r"^configureViewer\((\{.*\})\);$", script, re.MULTILINE)
    assert call
    facts: dict[str, object] = json.loads(call[1])
    return facts


def test_the_configuration_names_the_archive_and_the_plugin(client: FlaskClient) -> None:
    response = client.get("/app-config.js")
    facts = facts_of(response.text)
    assert facts["sources"] == [{"name": "archive", "title": "Archive of the agent", "root": "/dicom-web"}]
    assert facts["plugin"] == {
        "extension": "/plugins/pacs-agent/extension.js",
        "mode": "/plugins/pacs-agent/mode.js",
    }
    assert response.headers["Cache-Control"] == "no-store"


def test_the_configuration_names_no_plugin_that_is_not_built(empty: FlaskClient) -> None:
    assert facts_of(empty.get("/app-config.js").text)["plugin"] is None


def test_a_configured_pacs_is_shown_first_and_its_address_and_password_stay_here(
    database: Database, tmp_path: Path, folders: dict[str, Path]
) -> None:
    pacs = {"url": "https://pacs.example/dicom-web", "user": "agent", "password": "geheim"}
    settings = Settings.model_validate({"web": {**folders, "pacs": pacs}})
    client = create_app(settings, database, Archive(database, tmp_path / "archive")).test_client()
    script = client.get("/app-config.js").text
    assert [source["root"] for source in facts_of(script)["sources"]] == ["/pacs/dicom-web", "/dicom-web"]  # type: ignore[attr-defined]
    assert "geheim" not in script
    assert "pacs.example" not in script


def test_a_viewer_elsewhere_may_load_the_plugin(client: FlaskClient) -> None:
    response = client.get("/plugins/pacs-agent/extension.js", headers={"Origin": "https://ohif.example"} | GZIP)
    assert response.headers["Access-Control-Allow-Origin"]
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert b"export default" in gzip.decompress(response.data)


def test_a_study_opens_in_our_mode_and_in_the_viewers_own_without_it(folders: dict[str, Path]) -> None:
    settings = Settings.model_validate({"web": folders}).web
    assert study_address(settings, "1.2") == "http://127.0.0.1:8080/viewer?StudyInstanceUIDs=1.2"
    put_plugin(folders["plugin_dir"])
    assert study_address(settings, "1.2") == "http://127.0.0.1:8080/pacs-agent?StudyInstanceUIDs=1.2"


def test_our_mode_has_the_name_that_the_plugin_gives_it() -> None:
    names = (REPOSITORY / "ohif-extension" / "src" / "id.ts").read_text()
    assert f"MODE_NAME = '{MODE_ROUTE}'" in names


@pytest.mark.parametrize("name", ["../agent.sqlite", "..%2fagent.sqlite", "agent.sqlite", "extension.ts"])
def test_the_plugin_has_no_other_files(client: FlaskClient, folders: dict[str, Path], name: str) -> None:
    (folders["plugin_dir"] / "extension.ts").write_text("")
    assert client.get(f"/plugins/pacs-agent/{name}").status_code == 404


def test_pages_ask_who_is_there_and_files_do_not(database: Database, tmp_path: Path, folders: dict[str, Path]) -> None:
    put_viewer(folders["viewer_dir"])
    settings = Settings.model_validate({"web": {**folders, "token": "t"}})
    client = create_app(settings, database, Archive(database, tmp_path / "archive")).test_client()
    assert client.get("/").status_code in (303, 401)
    assert client.get("/", headers={"Authorization": "Bearer t"}).status_code == 200
    assert client.get(f"/{WORKER}").status_code == 200
