"""The models' pages: cards written by strangers, uploads, checks, and what people do to models."""

import io
import zipfile
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from people import add_person, log_in
from sqlalchemy import select
from studies_read import READING, add_job, add_study, answer

from pacs_agent.accounts import Role
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console import create_app
from pacs_agent.console.models.card import rendered
from pacs_agent.db import AuditEvent, Database, Job, JobState
from pacs_agent.inference import Checks
from tests.unit.inference.tiny_bundle import digest_of, settings_of, write_bundle, write_manifest

PNG = b"\x89PNG\r\n\x1a\nnot really"
CARD = """# Tiny <script>alert(1)</script>

[here](javascript:alert(1)) ![plot](evaluation/plot.png) ![away](https://evil.example/x.png) ![up](../secret.png)

| figure | value |
|:--|--:|
| F1 | 0.9 |
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for version in ("1.0", "2.0"):
        folder = write_bundle(tmp_path / "bundles" / f"tiny-{version}", version=version)
        (folder / "evaluation").mkdir()
        (folder / "evaluation" / "plot.png").write_bytes(PNG)
        (folder / "MODEL_CARD.md").write_text(CARD)
        picture = digest_of(folder / "evaluation" / "plot.png") | {"file": "evaluation/plot.png"}
        write_manifest(folder, version=version, documents=[digest_of(folder / "MODEL_CARD.md"), picture])
    return Settings(data_dir=tmp_path / "data", inference=settings_of(tmp_path / "bundles" / "tiny-1.0"))


@pytest.fixture
def client(database: Database, settings: Settings) -> FlaskClient:
    return create_app(settings, database, Archive(database, settings.data_dir / "archive")).test_client()


def uses(client: FlaskClient) -> dict[str, str]:
    return {one["version"]: one["use"] for one in client.get("/api/v1/models").json["bundles"]}


def actions(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))


def test_a_card_runs_nothing_and_shows_pictures_of_its_bundle_alone(client: FlaskClient) -> None:
    page = client.get("/console/models/tiny-1.0").text
    assert "&lt;script&gt;alert(1)" in page
    for bad in ("<script>alert", '="javascript:', "https://evil.example", "style=", "../secret"):
        assert bad not in page.replace("stylesheet", "")
    assert '<img src="/console/models/tiny-1.0/files/evaluation/plot.png"' in page
    assert client.get("/console/models/tiny-1.0/files/evaluation/plot.png").data == PNG
    for path in ("manifest.json", "MODEL_CARD.md", "../tiny-2.0/evaluation/plot.png", "%2e%2e/%2e%2e/etc/passwd"):
        assert client.get(f"/console/models/tiny-1.0/files/{path}").status_code in (404, 308)


@pytest.mark.parametrize(
    "text", ["<img src=x onerror=alert(1)>", "[x](data:text/html,1)", "<svg/onload=1>", "![a](//e/x)"]
)
def test_no_markdown_becomes_anything_that_acts(text: str) -> None:
    html = rendered(text, "/base", ())
    assert "<img" not in html
    assert "<svg" not in html
    assert "href" not in html


def test_activated_shadowed_rolled_back_each_with_its_line(client: FlaskClient, database: Database) -> None:
    assert uses(client) == {"1.0": "installed", "2.0": "in use"}
    for version in ("1.0", "2.0"):
        assert client.post(f"/api/v1/models/tiny-{version}/activate").status_code == 200
    assert client.post("/api/v1/models/roll-back", json={"name": "tiny"}).status_code == 200
    assert client.post("/api/v1/models/roll-back", json={"name": "nobody"}).status_code == 409
    assert client.post("/api/v1/models/tiny-1.0/shadow").status_code == 409
    assert client.post("/api/v1/models/tiny-2.0/shadow").status_code == 200
    assert uses(client) == {"1.0": "in use", "2.0": "in shadow"}
    ended = client.post("/api/v1/models/end-shadow").json["location"]
    assert client.get(ended).status_code == 200
    assert client.post("/api/v1/models/end-shadow").status_code == 409
    assert actions(database) == [
        "model.activated",
        "model.activated",
        "model.rolled_back",
        "model.shadow_started",
        "model.shadow_ended",
    ]


def test_a_recall_marks_results_in_the_panel_and_lists_them(client: FlaskClient, database: Database) -> None:
    study = add_study(database)
    job = add_job(database, study, JobState.DONE, content=READING)
    name, version = READING["bundle"]["name"], READING["bundle"]["version"]
    with database.writing() as session:
        session.get_one(Job, job).bundle = f"{name} {version}"
    before = client.get(f"/api/v1/studies/{study}/result").headers["ETag"]
    assert answer(client, study)["result"]["recalled"] is None
    body = {"name": name, "version": version, "reason": "<b>misses</b> nodules"}
    assert client.post("/api/v1/models/recall", json={**body, "reason": ""}).status_code == 422
    assert client.post("/api/v1/models/recall", json=body).status_code == 200
    assert client.post("/api/v1/models/recall", json=body).status_code == 409
    assert answer(client, study)["result"]["recalled"] == "<b>misses</b> nodules"
    assert client.get(f"/api/v1/studies/{study}/result").headers["ETag"] != before
    page = client.get("/console/models/results", query_string={"name": name, "version": version}).text
    assert study in page
    assert "<b>misses" not in page
    assert client.post("/api/v1/models/lift-recall", json=body).status_code == 200
    assert answer(client, study)["result"]["recalled"] is None


def test_an_upload_is_installed_or_refused_in_words(client: FlaskClient, settings: Settings, tmp_path: Path) -> None:
    folder, packed = write_bundle(tmp_path / "made", version="3.0"), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, f"made/{path.relative_to(folder)}")
    content = packed.getvalue()
    assert client.post("/api/v1/models/upload", data={"bundle": (io.BytesIO(content), "made.zip")}).status_code == 200
    assert uses(client)["3.0"] == "installed"
    for wrong in (content, b"nonsense"):
        refused = client.post("/api/v1/models/upload", data={"bundle": (io.BytesIO(wrong), "made.zip")})
        assert refused.status_code == 422
        assert "not installed" in refused.json["error"]
    assert client.post("/api/v1/models/upload").status_code == 422


def test_a_check_runs_in_the_background_and_its_outcome_is_kept(settings: Settings, database: Database) -> None:
    checks = Checks(settings, database)
    checks.start(settings.inference.bundles_dir / "tiny-1.0", actor="tests").join(60)
    with database.reading() as session:
        row = checks.newest(session, "tiny-1.0")
        assert row is not None
        assert (row.state, row.found["checks"][0]["name"]) == ("passed", "signature")
        row.state = "running"
        assert Checks(settings, database).newest(session, "tiny-1.0").state == "broken off"


def test_a_viewer_sees_models_and_changes_nothing(client: FlaskClient, database: Database) -> None:
    add_person(database, "vera", Role.VIEWER)
    headers = log_in(client, "vera")
    assert client.get("/console/models/tiny-1.0").status_code == 200
    for act in ("tiny-1.0/activate", "tiny-1.0/shadow", "tiny-1.0/check", "end-shadow", "upload"):
        assert client.post(f"/api/v1/models/{act}", headers=headers).status_code == 403
