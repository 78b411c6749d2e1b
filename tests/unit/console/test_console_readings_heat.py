"""The heat of a finding in a slice, over HTTP: the very grid of the token, where it belongs."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from people import app_of
from studies_read import READING, add_job, add_study, keep_tokens, reading
from werkzeug.test import TestResponse

from pacs_agent.console.readings.heat import HEAT_DIGITS
from pacs_agent.db import Database, Job, JobState
from pacs_agent.inference import StudyReading
from pacs_agent.inference.heat import Field, heat_of, patient_mm
from pacs_agent.inference.tokens import SliceToken

KEYS = [finding["label"]["key"] for finding in READING["findings"]]
SLICES = [one["sop_instance_uid"] for one in READING["series"]["slices"]]


class Heats:
    """An agent that has read one study, and the tokens from which it was read."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self.tokens: list[SliceToken] = keep_tokens(folder)
        self.client: FlaskClient = app_of(database, folder).test_client()
        self.study = add_study(database)
        self.job_id = add_job(database, self.study, JobState.DONE, content=READING)

    def get(self, finding: str, instance: str, **query: str) -> TestResponse:
        """The answer about a slice."""
        return self.client.get(f"/api/v1/studies/{self.study}/heat/{finding}/{instance}", query_string=query)


@pytest.fixture(scope="module")
def heats(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[Path], Database]) -> Iterator[Heats]:
    folder = tmp_path_factory.mktemp("heats")
    database = new_database(folder)
    yield Heats(folder, database)
    database.close()


@settings(max_examples=25)
@given(finding=st.integers(0, len(KEYS) - 1), index=st.integers(0, len(SLICES) - 1))
def test_the_heat_is_that_of_the_token(heats: Heats, finding: int, index: int) -> None:
    told = heats.get(KEYS[finding], SLICES[index]).json
    known = reading()
    assert known.tokens is not None
    field = Field(known.tokens.field_px, known.tokens.pixel_mm)
    heat = heat_of(heats.tokens[index], finding, known.series.slices[index], field)
    np.testing.assert_allclose(told["values"], heat.values, atol=0.5 * 10**-HEAT_DIGITS)
    for name in ("origin_px", "step_px", "origin_mm", "row_step_mm", "column_step_mm", "peak_px", "peak_mm"):
        assert told[name] == pytest.approx(getattr(heat, name), abs=1e-9)
    assert told["peak_heat"] == pytest.approx(heat.peak_heat)


@settings(max_examples=25)
@given(finding=st.integers(0, len(KEYS) - 1), index=st.integers(0, len(SLICES) - 1), data=st.data())
def test_pixels_and_patient_agree_at_every_patch(heats: Heats, finding: int, index: int, data: st.DataObject) -> None:
    told = heats.get(KEYS[finding], SLICES[index]).json
    row = data.draw(st.integers(0, len(told["values"]) - 1))
    column = data.draw(st.integers(0, len(told["values"][0]) - 1))
    pixel = tuple(told["origin_px"][axis] + (row, column)[axis] * told["step_px"][axis] for axis in (0, 1))
    by_steps = [
        told["origin_mm"][axis] + row * told["row_step_mm"][axis] + column * told["column_step_mm"][axis]
        for axis in range(3)
    ]
    one = reading().series.slices[index]
    assert by_steps == pytest.approx(patient_mm(one, pixel), abs=1e-6)  # type: ignore[arg-type]
    assert 0 <= told["peak_px"][0] <= one.rows - 1
    assert 0 <= told["peak_px"][1] <= one.columns - 1


def test_heat_of_a_named_job_never_changes(heats: Heats) -> None:
    named, newest = heats.get(KEYS[1], SLICES[3], job=heats.job_id), heats.get(KEYS[1], SLICES[3])
    assert named.json == newest.json
    assert "immutable" in named.headers["Cache-Control"]
    assert named.cache_control.private
    assert "immutable" not in newest.headers["Cache-Control"]


@pytest.mark.parametrize(
    ("finding", "instance", "query", "status", "words"),
    [
        ("tumour", SLICES[0], {}, 404, "it knows medical_material"),
        (KEYS[0], "1.2.3", {}, 404, "was not read"),
        (KEYS[0], SLICES[0], {"job": "nobody"}, 404, "no such reading job"),
        (KEYS[0], SLICES[0], {"frame": "0"}, 400, "from 1"),
        (KEYS[0], SLICES[0], {"frame": "٣"}, 400, "from 1"),
        (KEYS[0], SLICES[0], {"frame": "1" * 30}, 400, "from 1"),
        (KEYS[0], "not a UID", {}, 400, "the instance in the path is not a UID"),
    ],
)
def test_what_cannot_be_shown_is_said(
    heats: Heats, finding: str, instance: str, query: dict[str, str], status: int, words: str
) -> None:
    response = heats.get(finding, instance, **query)
    assert (response.status_code, words in response.json["error"]) == (status, True), response.text


def test_a_study_that_was_not_read_has_no_heat(heats: Heats) -> None:
    unknown = heats.client.get(f"/api/v1/studies/1.2.3/heat/{KEYS[0]}/1.2")
    assert (unknown.status_code, "no such study" in unknown.json["error"]) == (404, True)
    waiting = add_study(heats.database)
    add_job(heats.database, waiting, JobState.RUNNING)
    unread = heats.client.get(f"/api/v1/studies/{waiting}/heat/{KEYS[0]}/1.2")
    assert (unread.status_code, "no reading yet" in unread.json["error"]) == (404, True)


def test_a_frame_is_found_by_its_number(heats: Heats) -> None:
    enhanced = _enhanced()
    study = add_study(heats.database)
    add_job(heats.database, study, JobState.DONE, content=enhanced)
    path = f"/api/v1/studies/{study}/heat/{KEYS[2]}/1.2.9"
    unsaid, third, beyond = (heats.client.get(f"{path}{frame}") for frame in ("", "?frame=3", "?frame=91"))
    assert (unsaid.status_code, "several frames" in unsaid.json["error"]) == (404, True)
    assert third.json["values"] == heats.get(KEYS[2], SLICES[2]).json["values"]
    assert beyond.status_code == 404


def _enhanced() -> dict[str, Any]:
    """The reading as if its slices were frames of one instance."""
    content: dict[str, Any] = json.loads(json.dumps(READING))
    for number, one in enumerate(content["series"]["slices"], 1):
        one["sop_instance_uid"], one["frame_number"] = "1.2.9", number
    return content


def test_tokens_that_are_gone_are_said_to_be(tmp_path: Path, heats: Heats) -> None:
    other = app_of(heats.database, tmp_path).test_client()
    response = other.get(f"/api/v1/studies/{heats.study}/heat/{KEYS[0]}/{SLICES[0]}")
    assert (response.status_code, "read again" in response.json["error"]) == (404, True)


def test_a_reading_from_before_has_no_heat_but_is_shown(heats: Heats) -> None:
    old = {name: value for name, value in READING.items() if name != "tokens"}
    study = add_study(heats.database)
    job_id = add_job(heats.database, study, JobState.DONE, content=old)
    response = heats.client.get(f"/api/v1/studies/{study}/heat/{KEYS[0]}/{SLICES[0]}")
    assert (response.status_code, "before" in response.json["error"]) == (404, True)
    assert heats.client.get(f"/api/v1/studies/{study}/result").json["state"] == "ready"
    with heats.database.reading() as session:
        assert StudyReading.model_validate(session.get_one(Job, job_id).reading).tokens is None
