"""The overview says what is wrong and what to do; its figures come from recent rows alone."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from people import add_person, app_of, log_in
from studies_read import add_job, add_study

from pacs_agent.accounts import Role
from pacs_agent.console.frame.navigation import NAVIGATION
from pacs_agent.console.overview import machine, troubles
from pacs_agent.console.remembered import Remembered
from pacs_agent.db import (
    Condition,
    Database,
    Delivery,
    DeliveryState,
    Destination,
    Job,
    JobState,
    Patient,
    Peer,
    ResultObject,
    Study,
    StudyState,
    Worker,
    utc_now,
)
from pacs_agent.ops import Outcome, audit, conditions
from pacs_agent.ops.figures import HoursOfWork, queue_now, summary, times_to_report
from pacs_agent.pipeline import suspend

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


def overview(database: Database, folder: Path) -> dict[str, Any]:
    said: dict[str, Any] = app_of(database, folder).test_client().get("/api/v1/overview").json
    return said


def add_report(database: Database, seconds: float, ended: datetime, state: JobState = JobState.DONE) -> str:
    """A job that ended, so long after the last image of its study; its id."""
    uid = add_study(database)
    job_id = add_job(database, uid, state)
    with database.writing() as session:
        job = session.get_one(Job, job_id)
        job.finished_at, job.created_at = ended, ended - timedelta(seconds=seconds - 1)
        session.query(Study).filter_by(study_instance_uid=uid).one().last_received_at = ended - timedelta(
            seconds=seconds
        )
    return job_id


def test_an_agent_that_was_just_set_up_is_told_what_to_do(database: Database, tmp_path: Path) -> None:
    said = overview(database, tmp_path)
    wrong = {trouble["name"]: trouble for trouble in said["troubles"]}
    assert {"listener", "peers", "rules", "workers"} <= wrong.keys()
    assert wrong["listener"]["grade"] == "bad"
    assert said["troubles"][0]["grade"] == "bad", "the worst comes first"
    assert wrong["peers"]["page"] == "/console/peers"
    assert all(trouble["words"] and trouble["advice"] for trouble in said["troubles"])


def test_the_page_shows_it_and_escapes_what_peers_are_called(database: Database, tmp_path: Path) -> None:
    with database.writing() as session:
        session.add(Peer(ae_title="<b>SCANNER</b>"))
        session.add(Condition(event="model-refused", words="bundle <i>x was refused; the page <u>Models says why"))
    page = app_of(database, tmp_path).test_client().get("/console").text
    assert "things need attention" in page
    assert "Bundle &lt;i&gt;x was refused." in page
    assert "The page &lt;u&gt;Models says why." in page
    assert "<b>SCANNER" not in page
    assert 'data-charts="/api/v1/overview/hours"' in page
    assert "<summary>As a table</summary>" in page


def test_a_suspended_queue_and_dead_letters_are_told(database: Database, tmp_path: Path) -> None:
    suspend(database, actor="ada")
    add_report(database, 20, utc_now(), JobState.FAILED)
    words = " ".join(trouble["words"] for trouble in overview(database, tmp_path)["troubles"])
    assert "queue is suspended" in words
    assert "1 job failed" in words


def test_a_long_wait_is_told(database: Database, tmp_path: Path) -> None:
    job = add_job(database, add_study(database), JobState.QUEUED)
    with database.writing() as session:
        session.get_one(Job, job).created_at = utc_now() - timedelta(minutes=40)
    said = overview(database, tmp_path)
    assert "A study has been waiting for 40 minutes." in [trouble["words"] for trouble in said["troubles"]]
    assert said["queue"]["queued"] == 1


def test_a_held_study_is_told(database: Database, tmp_path: Path) -> None:
    with database.writing() as session:
        session.add(Study(study_instance_uid="1.2", patient=Patient(patient_id="P"), state=StudyState.HELD))
    (told,) = [one for one in overview(database, tmp_path)["troubles"] if one["name"] == "studies"]
    assert (told["words"], told["page"]) == (
        "1 study is held: a rule misses a part of it.",
        "/console/studies?state=held",
    )


def test_a_destination_that_takes_nothing_is_told_with_its_words(database: Database, tmp_path: Path) -> None:
    job = add_job(database, add_study(database), JobState.DELIVERING)
    with database.writing() as session:
        session.add(Destination(name="pacs", kind="stow"))
        made = ResultObject(
            job_id=job, kind="x", sop_instance_uid="1.2", sop_class_uid="1", series_instance_uid="1", digest="0"
        )
        made.deliveries = [Delivery(destination="pacs", state=DeliveryState.RETRYING, answer="connection refused")]
        session.add(made)
    (told,) = [one for one in overview(database, tmp_path)["troubles"] if one["name"] == "destination"]
    assert told["words"] == "pacs: 1 object not delivered. connection refused"


def test_times_run_from_the_last_image_to_the_end(database: Database) -> None:
    for seconds in (10, 20, 30):
        add_report(database, seconds, NOW)
    add_report(database, 500, NOW - timedelta(days=2))
    late, again = add_report(database, 40, NOW), add_report(database, 900, NOW)
    with database.writing() as session:  # an image that came after the job began belongs to the next one
        session.get_one(Job, late).study.last_received_at = NOW + timedelta(hours=1)
        session.get_one(Job, again).run = 2
    with database.reading() as session:
        times = sorted(times_to_report(session, NOW - timedelta(days=1)))
    assert times == [10, 20, 30, 39]
    assert summary(times).p50_s == 25


def test_hours_that_are_over_are_counted_once(database: Database) -> None:
    add_report(database, 20, NOW - timedelta(hours=3))
    with database.writing() as session:
        audit(session, actor="CT@10.0.0.1", action="association", outcome=Outcome.SUCCESS, instances=120)
        audit(session, actor="ada", action="stow", outcome=Outcome.SUCCESS, instances=3)
    work = HoursOfWork()
    with database.reading() as session:
        first = work.last(session, 24, NOW)
    assert len(first) == 24
    assert [hour.reported for hour in first][-4:] == [1, 0, 0, 0]
    assert first[-4].time_to_report.p50_s == 20
    add_report(database, 20, NOW - timedelta(hours=3))
    with database.reading() as session:
        assert [hour.reported for hour in work.last(session, 24, NOW)][-4:] == [1, 0, 0, 0]
        now = HoursOfWork().last(session, 1)
    assert now[0].images == 123


def test_nobody_counts_to_a_million(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacs_agent.ops.figures.COUNTED_MOST", 2)
    for _ in range(4):
        add_job(database, add_study(database), JobState.FAILED)
    with database.reading() as session:
        assert queue_now(session).failed == 2


def test_workers_that_live_are_shown(database: Database, tmp_path: Path) -> None:
    with database.writing() as session:
        session.add(Worker(executor_id="a", host="reader-1/4026", pid=7))
        session.add(Worker(executor_id="b", host="gone", pid=8, seen_at=utc_now() - timedelta(hours=1)))
    workers = overview(database, tmp_path)["workers"]
    assert [(worker["host"], worker["pid"]) for worker in workers] == [("reader-1", 7)]


def test_an_auditor_is_led_to_the_page_that_he_may_see(database: Database, tmp_path: Path) -> None:
    add_person(database, "cato", Role.AUDITOR)
    client = app_of(database, tmp_path).test_client()
    log_in(client, "cato")
    answer = client.get("/console")
    assert (answer.status_code, answer.location) == (303, "/console/audit")
    assert client.get("/api/v1/overview").status_code == 403


@pytest.mark.parametrize(
    ("line", "name"), [("NVIDIA H100, 35, 1024, 81559", "NVIDIA H100"), ("Tesla, [N/A], 1, 2", None), ("", None)]
)
def test_the_driver_is_understood(line: str, name: str | None) -> None:
    found = machine.gpu_of(line)
    assert (found.name if found else None) == name


def test_an_answer_is_remembered_for_its_time() -> None:
    now, asked = [0.0], []
    remembered = Remembered(lambda: asked.append(1) or len(asked), 5, clock=lambda: now[0])
    assert [remembered(), remembered()] == [1, 1]
    now[0] = 5
    assert remembered() == 2


def test_every_page_it_leads_to_is_in_the_navigation() -> None:
    known = {entry.path for entry in NAVIGATION}
    pages = [page for _, page in troubles.ADVICE.values()] + list(troubles.CONDITION_PAGES.values())
    assert {f"/console/{page}" for page in pages if page} <= known


def test_conditions_that_are_not_seen_here_at_once_are_taken_over() -> None:
    text = Path(conditions.__file__).read_text()
    events = set(re.findall(r'Found\(\s*"([a-z-]+)"', text))
    seen_at_once = {"dead-letters", "destination-unreachable", "disk-full", "disk-low"}
    assert events == {*troubles.CONDITION_PAGES, *seen_at_once}
