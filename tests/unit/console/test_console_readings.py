"""What the panel is told of a study in each state, and that the plugin's tests are told the same."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from people import add_person, app_of, log_in
from pydicom import dcmread
from studies_read import (
    ANSWER,
    MEASUREMENTS,
    READING,
    SINCE_PRIOR,
    add_job,
    add_step,
    add_study,
    answer,
    compared_content,
    measured_content,
)

from pacs_agent import route
from pacs_agent.accounts import Role
from pacs_agent.archive import Archive, instance_header, split_part10
from pacs_agent.console.readings.models import StudyAnswer
from pacs_agent.db import Database, Job, JobState, Review, StepState, Study, StudyState
from tests.peers.studies import write_plain_ct

RULE = "rules:\n- name: abdomen\n  when: {attribute: BodyPartExamined, equals: ABDOMEN}\n  pipeline: msvlm"


@pytest.fixture(scope="module")
def agent(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[Path], Database]
) -> Iterator[tuple[Database, Path]]:
    """One agent for all tests: each has studies of its own."""
    folder = tmp_path_factory.mktemp("agent")
    database = new_database(folder)
    yield database, folder
    database.close()


@pytest.fixture
def database(agent: tuple[Database, Path]) -> Database:
    return agent[0]


@pytest.fixture(scope="module")
def client(agent: tuple[Database, Path]) -> FlaskClient:
    return app_of(*agent).test_client()


def test_an_unknown_study_is_told_how_it_could_be_known(client: FlaskClient) -> None:
    told = answer(client, "1.2.3")
    assert (told["state"], told["job"], told["result"], told["history"]) == ("none", None, None, [])
    assert "PACSAGENT, port 11112" in told["reason"]


def test_a_study_that_is_arriving_says_what_it_waits_for(client: FlaskClient, database: Database) -> None:
    told = answer(client, add_study(database, StudyState.RECEIVING))
    assert told["state"] == "pending"
    assert "no new one has come for 30 s" in told["reason"]


@pytest.mark.parametrize(
    ("state", "error", "shown", "words"),
    [
        (JobState.QUEUED, "", "pending", "waiting for its turn"),
        (JobState.RUNNING, "", "pending", ""),
        (JobState.NO_RESULT, "1 slice is too few", "not_applicable", "1 slice is too few"),
        (JobState.FAILED, "no model is in use", "failed", "no model is in use. An operator can run it again"),
        (JobState.CANCELED, "canceled by ada", "none", "canceled by ada"),
    ],
)
def test_a_job_without_a_result_says_why(
    client: FlaskClient, database: Database, state: JobState, error: str, shown: str, words: str
) -> None:
    study = add_study(database)
    job_id = add_job(database, study, state, error=error)
    told = answer(client, study)
    assert (told["state"], told["result"], told["job"]["id"]) == (shown, None, job_id)
    assert words in told["reason"]
    assert bool(told["reason"]) == bool(words)


def test_the_steps_of_a_job_are_live(client: FlaskClient, database: Database) -> None:
    study = add_study(database)
    job_id = add_job(database, study, JobState.RUNNING)
    add_step(database, job_id, "select_series", StepState.DONE)
    add_step(database, job_id, "encode_missing", StepState.RUNNING, "half")
    with database.writing() as session:
        session.get_one(Job, job_id).progress = 0.4
    job = answer(client, study)["job"]
    assert (job["state"], job["progress"]) == ("running", 0.4)
    assert [(step["name"], step["state"], step["detail"]) for step in job["steps"]] == [
        ("select_series", "done", ""),
        ("encode_missing", "running", "half"),
    ]


def test_a_study_that_no_rule_matches_is_told_what_the_rules_saw(
    client: FlaskClient, agent: tuple[Database, Path], tmp_path: Path
) -> None:
    study = _received_and_ignored(agent, tmp_path)
    assert "There are no rules" in answer(client, study)["reason"]
    with agent[0].writing() as session:
        route.put_rules(session, RULE, actor="test")
    told = answer(client, study)
    assert told["state"] == "not_applicable"
    assert "“abdomen”: BodyPartExamined" in told["reason"]
    with agent[0].writing() as session:
        route.put_rules(session, "rules:\n- {name: all, pipeline: msvlm}", actor="test")
    assert f"pacs-agent force {study}" in answer(client, study)["reason"]


def _received_and_ignored(agent: tuple[Database, Path], folder: Path) -> str:
    database, data = agent
    (file,) = write_plain_ct(folder, 1)
    encoded = split_part10(file.read_bytes())
    image = dcmread(file)
    Archive(database, data / "archive").store(
        encoded, instance_header(image, encoded.transfer_syntax_uid), source="test"
    )
    with database.writing() as session:
        study = session.query(Study).filter_by(study_instance_uid=image.StudyInstanceUID).one()
        study.state, study.state_reason = StudyState.IGNORED, "No rule matches: the study is ignored."
    return str(image.StudyInstanceUID)


def test_a_result_is_what_the_tests_of_the_plugin_take_it_for(client: FlaskClient, database: Database) -> None:
    study = add_study(database)
    add_job(database, study, JobState.DONE, content=READING)
    told, known = answer(client, study), json.loads(ANSWER.read_text())
    assert told["state"] == known["state"] == "ready"
    assert told["reason"] == ""
    for part in ("model", "findings", "sentences", "impression", "evidence_method"):
        assert told["result"][part] == known["result"][part]
    assert _series(told) == _series(known)
    assert set(told["result"]) == set(known["result"])
    assert told["result"]["created_at"].endswith("Z")
    StudyAnswer.model_validate(known)


def test_measurements_are_what_the_tests_of_the_plugin_take_them_for(client: FlaskClient, database: Database) -> None:
    """The third region is of a finding that is not present: outlined, not stated."""
    study = add_study(database)
    add_job(database, study, JobState.DONE, content=measured_content())
    told = answer(client, study)["result"]["measurements"]
    assert [(one["name"], one["side"], one["stated"]) for one in told["regions"]] == [
        ("Lung", "right", True),
        ("Lung nodule", "left", True),
        ("Pericardial effusion", "", False),
    ]
    assert told == json.loads(MEASUREMENTS.read_text())
    page = client.get(f"/console/studies/{study}").text
    assert "Measurements" in page
    assert "not stated" in page
    assert "8.4 × 6.2" in page


def test_a_study_without_a_segmenter_has_no_measurements(client: FlaskClient, database: Database) -> None:
    study = add_study(database)
    add_job(database, study, JobState.DONE, content=READING)
    assert answer(client, study)["result"]["measurements"] is None
    assert "<h2>Measurements</h2>" not in client.get(f"/console/studies/{study}").text


def test_changes_since_the_prior_are_what_the_tests_of_the_plugin_take_them_for(
    client: FlaskClient, database: Database
) -> None:
    study = add_study(database)
    add_job(database, study, JobState.DONE, content=compared_content())
    with database.writing() as session:
        session.query(Study).filter_by(study_instance_uid=study).one().study_date = "20261122"
    told = answer(client, study)["result"]["since_prior"]
    assert told == json.loads(SINCE_PRIOR.read_text())
    by_key = {one["key"]: one for one in answer(client, study)["result"]["findings"]}
    for one in told["findings"]:
        evidence = [each["sop_instance_uid"] for each in by_key[one["finding"]]["evidence"][:3]]
        assert [each["sop_instance_uid"] for each in one["slices"]] == evidence


def test_a_report_without_the_measurements_it_should_have_says_so(client: FlaskClient, database: Database) -> None:
    study, lacks = add_study(database), "Segmentation failed: no measurements in this report. it <stopped>"
    before = add_job(database, study, JobState.DONE, content=READING)
    etag = client.get(f"/api/v1/studies/{study}/result").headers["ETag"]
    with database.writing() as session:
        job = session.get_one(Job, before)
        job.lacks, job.finished_at = lacks, job.created_at
    response = client.get(f"/api/v1/studies/{study}/result")
    assert response.headers["ETag"] != etag
    assert (response.json["state"], response.json["reason"]) == ("ready", lacks)
    assert response.json["history"][0]["reason"] == lacks
    page = client.get(f"/api/v1/studies/{study}").json
    assert page["study"]["job_lacks"] == page["jobs"][0]["job"]["lacks"] == lacks
    assert [one["kind"] for one in page["timeline"] if one["said"] == lacks] == ["warning"]
    for path in (f"studies/{study}", f"jobs/{before}", "jobs", "studies"):
        assert "it &lt;stopped" in client.get(f"/console/{path}").text
    add_job(database, study, JobState.QUEUED)
    assert answer(client, study)["reason"] == f"The study is waiting for its turn to be read. {lacks}"


def _series(told: dict[str, Any]) -> dict[str, Any]:
    """The series without the numbers that only an archive knows."""
    series = told["result"]["series"]
    return series | {"slices": [one | {"instance_number": None} for one in series["slices"]]}


def test_the_objects_say_where_they_are(client: FlaskClient, database: Database) -> None:
    study = add_study(database)
    add_job(database, study, JobState.DELIVERING, content=READING)
    (made,) = answer(client, study)["result"]["objects"]
    assert (made["kind"], made["deliveries"]) == ("ai_result", [{"destination": "pacs", "state": "stored"}])


@pytest.mark.parametrize(
    ("newer", "error", "shown", "words"),
    [
        (JobState.QUEUED, "", "ready", "waiting"),
        (JobState.RUNNING, "", "ready", ""),
        (JobState.FAILED, "the disk is full", "ready", "the disk is full"),
        (JobState.CANCELED, "more images came", "ready", "more images came"),
        (JobState.NO_RESULT, "no thin series", "not_applicable", "no thin series"),
    ],
)
def test_a_result_stays_in_sight_until_a_newer_conclusion(
    client: FlaskClient, database: Database, newer: JobState, error: str, shown: str, words: str
) -> None:
    study = add_study(database)
    old = add_job(database, study, JobState.DONE, content=READING)
    new = add_job(database, study, newer, supersedes=old, error=error)
    told = answer(client, study)
    assert (told["state"], told["result"]["job_id"], told["job"]["id"]) == (shown, old, new)
    assert words in told["reason"]
    assert [one["superseded"] for one in told["history"]] == [False, newer == JobState.NO_RESULT]


@pytest.mark.parametrize("last", [JobState.DONE, JobState.CANCELED])
def test_more_images_for_a_study_that_was_read_are_told(
    client: FlaskClient, database: Database, last: JobState
) -> None:
    study = add_study(database, StudyState.RECEIVING)
    first = add_job(database, study, JobState.DONE, content=READING)
    if last == JobState.CANCELED:
        add_job(database, study, last, supersedes=first, error="more images came before it was read")
    told = answer(client, study)
    assert (told["state"], told["result"]["job_id"]) == ("ready", first)
    assert told["reason"].startswith("Images are still arriving")


def test_a_canceled_job_takes_nobodys_place_but_passes_it_on(client: FlaskClient, database: Database) -> None:
    study = add_study(database)
    first = add_job(database, study, JobState.DONE, content=READING)
    second = add_job(database, study, JobState.CANCELED, supersedes=first)
    third = add_job(database, study, JobState.DONE, content=READING, supersedes=second)
    told = answer(client, study)
    assert told["result"]["job_id"] == third
    history = [(one["job_id"], one["superseded"]) for one in told["history"]]
    assert history == [(third, False), (second, True), (first, True)]


@pytest.mark.parametrize("other", [JobState.NO_RESULT, JobState.FAILED, JobState.RUNNING])
def test_a_model_with_nothing_to_say_does_not_end_what_another_said(
    client: FlaskClient, database: Database, other: JobState
) -> None:
    study = add_study(database)
    first = add_job(database, study, JobState.DONE, content=READING, pipeline="msvlm:a")
    add_job(database, study, other, pipeline="msvlm:b", error="no thin series")
    told = answer(client, study)
    assert (told["state"], told["result"]["job_id"]) == ("ready", first)
    assert [one["superseded"] for one in told["history"]] == [False, False]


def test_of_two_models_the_result_that_stands_is_shown(client: FlaskClient, database: Database) -> None:
    study = add_study(database)
    first = add_job(database, study, JobState.DONE, content=READING, pipeline="msvlm:a")
    second = add_job(database, study, JobState.DONE, content=READING, pipeline="msvlm:b")
    assert answer(client, study)["result"]["job_id"] == second
    add_job(database, study, JobState.NO_RESULT, pipeline="msvlm:b", supersedes=second)
    assert answer(client, study)["result"]["job_id"] == first


def test_a_result_that_could_not_be_delivered_is_still_shown(client: FlaskClient, database: Database) -> None:
    study = add_study(database)
    add_job(database, study, JobState.FAILED, content=READING, error="deliver:pacs: refused")
    told = answer(client, study)
    assert told["state"] == "ready"
    assert told["reason"].startswith("The result could not be delivered everywhere: deliver:pacs: refused")


def test_a_pipeline_without_a_reading_is_said_to_have_none(client: FlaskClient, database: Database) -> None:
    study = add_study(database)
    job_id = add_job(database, study, JobState.DONE, content=READING, pipeline="other")
    with database.writing() as session:
        session.get_one(Job, job_id).reading = None
    told = answer(client, study)
    assert (told["state"], told["result"]) == ("not_applicable", None)
    assert "cannot be shown here" in told["reason"]


def test_a_review_is_no_reading_but_is_shown_with_its_own(client: FlaskClient, database: Database) -> None:
    study = add_study(database)
    job_id = add_job(database, study, JobState.DONE, content=READING)
    sending = add_job(database, study, JobState.FAILED, content={}, pipeline="review", error="no route")
    with database.writing() as session:
        facts = {"login": "ada", "name": "Dr. Ada Lovelace", "person_name": "Lovelace^Ada", "verified": True}
        pk = session.get_one(Job, job_id).study_pk
        session.add(Review(study_pk=pk, job_id=job_id, review_job_id=sending, version=1, **facts))
    told = answer(client, study)
    assert (told["state"], told["reason"], told["job"]["id"]) == ("ready", "", job_id)
    assert [one["job_id"] for one in told["history"]] == [job_id]
    review = told["review"]
    assert (review["version"], review["by"], review["state"]) == (1, "Dr. Ada Lovelace", "failed")


def test_only_viewers_may_ask(tmp_path: Path, new_database: Callable[[Path], Database]) -> None:
    database = new_database(tmp_path)
    app = app_of(database, tmp_path)
    add_person(database)
    add_person(database, "tom", Role.OPERATOR)
    path = "/api/v1/studies/1.2.3/result"
    assert app.test_client().get(path).status_code == 401
    viewer, operator = app.test_client(), app.test_client()
    log_in(viewer)
    log_in(operator, "tom")
    assert viewer.get(path).status_code == 200
    assert operator.get(path).status_code == 403
    database.close()


@pytest.mark.parametrize("uid", ["1.2.x", "1..2", ".1", "1.", "1" * 65, "1.2 ", "%00", "'; drop table"])
@pytest.mark.parametrize("what", ["result", "events", "heat/lung_nodule/1.2"])
def test_what_is_no_uid_is_refused(client: FlaskClient, uid: str, what: str) -> None:
    response = client.get(f"/api/v1/studies/{uid}/{what}")
    assert response.status_code == 400
    assert "not a UID" in response.json["error"]


segments = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1, max_size=80)


@given(segments, segments, segments, st.text(max_size=12), st.text(max_size=12))
def test_whatever_is_asked_is_answered_in_json(
    client: FlaskClient, study: str, finding: str, instance: str, job_id: str, frame: str
) -> None:
    paths = ["/".join(map(quote, (study, "result"))), "/".join(map(quote, (study, "heat", finding, instance)))]
    for path in paths:
        if ".." in path.split("/") or "." in path.split("/"):
            continue
        response = client.get(f"/api/v1/studies/{path}", query_string={"job": job_id, "frame": frame})
        assert response.status_code in (200, 400, 404), response.text
        if response.status_code == 200:
            assert response.json["state"] == "none"
        elif response.is_json:
            assert response.json["error"]
