"""A model that reads all series of a study on the models' pages: listed, activated and recalled as others are."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from people import add_person, log_in

from pacs_agent.accounts import Role
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console import create_app
from pacs_agent.db import Database
from pacs_agent.inference import bundles_in_use
from tests.unit.inference.tiny_bundle import settings_of
from tests.unit.inference.tiny_staging import write_staging_bundle

FOLDER = "tiny-staging-1.0"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    reader = write_staging_bundle(tmp_path / "bundles" / FOLDER)
    return Settings(data_dir=tmp_path / "data", inference=settings_of(reader))


@pytest.fixture
def client(database: Database, settings: Settings) -> FlaskClient:
    client = create_app(settings, database, Archive(database, settings.data_dir / "archive")).test_client()
    add_person(database, "olga", Role.OPERATOR)
    client.environ_base["HTTP_X_CSRF_TOKEN"] = log_in(client, "olga")["X-CSRF-Token"]
    return client


def test_it_is_listed_with_its_task_and_items(client: FlaskClient) -> None:
    (listed,) = client.get("/api/v1/models").json["bundles"]
    assert (listed["task"], listed["findings"], listed["structures"]) == ("staging", 5, 0)
    assert listed["use"] == "in use"
    assert "reads all series" in client.get("/console/models").text


def test_its_page_tells_what_it_accepts_and_offers_no_shadow(client: FlaskClient) -> None:
    page = client.get(f"/api/v1/models/{FOLDER}").json
    assert page["accepts"]["Modality"] == "MR" and page["structures"] == []
    assert "Read in the shadow" not in client.get(f"/console/models/{FOLDER}").text
    refused = client.post(f"/api/v1/models/{FOLDER}/shadow")
    assert refused.status_code == 409
    assert "reads all series of a study together" in refused.json["error"]


def test_one_that_is_recalled_is_not_used(client: FlaskClient, settings: Settings, database: Database) -> None:
    assert [one.manifest.name for one in bundles_in_use(settings, database).staging] == ["tiny-staging"]
    body = {"name": "tiny-staging", "version": "1.0", "reason": "overstages"}
    assert client.post("/api/v1/models/recall", json=body).status_code == 200
    found = bundles_in_use(settings, database)
    assert found.staging == () and "overstages" in str(found.refused[0])
