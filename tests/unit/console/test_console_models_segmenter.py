"""A segmenter on the models' pages, beside a model that reads."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from people import add_person, log_in
from studies_read import READING, add_job, add_study, answer, measured_content

from pacs_agent.accounts import Role
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console import create_app
from pacs_agent.db import Database, JobState
from tests.unit.inference.tiny_bundle import settings_of, write_bundle

FOLDER = "tiny-segmenter-1.0"


@pytest.fixture
def client(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "inference")
    from tiny_segmenter import write_segmenter

    reader = write_bundle(tmp_path / "bundles" / "tiny-1.0")
    write_segmenter(tmp_path / "bundles" / FOLDER)
    write_segmenter(tmp_path / "bundles" / "tiny-segmenter-0.9", version="0.9")
    settings = Settings(data_dir=tmp_path / "data", inference=settings_of(reader))
    client = create_app(settings, database, Archive(database, settings.data_dir / "archive")).test_client()
    add_person(database, "olga", Role.OPERATOR, Role.REVIEWER)
    client.environ_base["HTTP_X_CSRF_TOKEN"] = log_in(client, "olga")["X-CSRF-Token"]
    return client


def test_it_is_listed_with_its_task_and_structures(client: FlaskClient) -> None:
    listed = {one["folder"]: one for one in client.get("/api/v1/models").json["bundles"]}
    assert (listed["tiny-1.0"]["task"], listed["tiny-1.0"]["structures"]) == ("report", 0)
    segmenter = listed[FOLDER]
    assert (segmenter["task"], segmenter["findings"], segmenter["structures"]) == ("segment", 0, 2)
    assert segmenter["use"] == "in use"
    assert "segments" in client.get("/console/models").text


def test_its_page_shows_what_it_outlines_and_offers_no_shadow(client: FlaskClient) -> None:
    page = client.get(f"/api/v1/models/{FOLDER}").json
    assert [one["name"] for one in page["structures"]] == ["Lung", "Lung nodule"]
    shown = client.get(f"/console/models/{FOLDER}").text
    assert "Lung nodule" in shown
    assert "Read in the shadow" not in shown


def test_one_that_is_not_in_use_can_be_activated_but_gets_no_shadow(client: FlaskClient) -> None:
    shown = client.get("/console/models/tiny-segmenter-0.9").text
    assert "Activate" in shown
    assert "Read in the shadow" not in shown
    refused = client.post("/api/v1/models/tiny-segmenter-0.9/shadow")
    assert refused.status_code == 409
    assert "tiny-segmenter 0.9 segments; a shadow is compared finding by finding" in refused.json["error"]


def test_its_recall_marks_the_results_it_measured_and_lists_them(client: FlaskClient, database: Database) -> None:
    measured, plain = add_study(database), add_study(database)
    add_job(database, measured, JobState.DONE, content=measured_content(), segmenter="gtgm-thorax-demo 0.1.0")
    add_job(database, plain, JobState.DONE, content=READING)
    path = f"/api/v1/studies/{measured}/result"
    before, body = client.get(path).headers["ETag"], {"name": "gtgm-thorax-demo", "version": "0.1.0"}
    assert client.get("/api/v1/models/results", query_string=body).json["rows"][0]["study_instance_uid"] == measured
    assert client.post("/api/v1/models/recall", json={**body, "reason": "<b>wrong</b> side"}).status_code == 200
    assert client.get(path).headers["ETag"] != before
    told = answer(client, measured)
    assert (told["result"]["recalled"], told["result"]["measurements"]["recalled"]) == (None, "<b>wrong</b> side")
    assert told["reason"].startswith("The measurements are by gtgm-thorax-demo 0.1.0, which was recalled")
    assert answer(client, plain)["reason"] == ""
    page = client.get("/console/models/results", query_string=body).text
    assert measured in page
    assert plain not in page
    shown = client.get(f"/console/studies/{measured}").text
    assert "gtgm-thorax-demo 0.1.0 is recalled:" in shown
    assert "measured by gtgm-thorax-demo 0.1.0" in shown
    assert "&lt;b&gt;wrong" in shown
    assert client.post("/api/v1/models/lift-recall", json=body).status_code == 200
    assert (answer(client, measured)["reason"], "is recalled" in client.get(f"/console/studies/{measured}").text) == (
        "",
        False,
    )
