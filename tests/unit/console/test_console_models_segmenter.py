"""A segmenter on the models' pages, beside a model that reads."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from people import add_person, log_in

from pacs_agent.accounts import Role
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console import create_app
from pacs_agent.db import Database
from tests.unit.inference.tiny_bundle import settings_of, write_bundle

FOLDER = "tiny-segmenter-1.0"


@pytest.fixture
def client(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "inference")
    from tiny_segmenter import write_segmenter

    reader = write_bundle(tmp_path / "bundles" / "tiny-1.0")
    write_segmenter(tmp_path / "bundles" / FOLDER)
    settings = Settings(data_dir=tmp_path / "data", inference=settings_of(reader))
    client = create_app(settings, database, Archive(database, settings.data_dir / "archive")).test_client()
    add_person(database, "olga", Role.OPERATOR)
    log_in(client, "olga")
    return client


def test_it_is_listed_with_its_task_and_structures(client: FlaskClient) -> None:
    listed = {one["name"]: one for one in client.get("/api/v1/models").json["bundles"]}
    assert (listed["tiny"]["task"], listed["tiny"]["structures"]) == ("report", 0)
    segmenter = listed["tiny-segmenter"]
    assert (segmenter["task"], segmenter["findings"], segmenter["structures"]) == ("segment", 0, 2)
    assert segmenter["use"] == "in use"
    assert "segments" in client.get("/console/models").text


def test_its_page_shows_what_it_outlines_and_offers_no_shadow(client: FlaskClient) -> None:
    page = client.get(f"/api/v1/models/{FOLDER}").json
    assert [one["name"] for one in page["structures"]] == ["Lung", "Lung nodule"]
    shown = client.get(f"/console/models/{FOLDER}").text
    assert "Lung nodule" in shown
    assert "Read in the shadow" not in shown
