"""The queue, the jobs and the dead letters, and what is done to them."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from people import add_person, app_of, log_in
from sqlalchemy import select
from studies_listed import add_job, add_studies

from pacs_agent.accounts import Role
from pacs_agent.db import AuditEvent, Database, Delivery, DeliveryState, Job, JobState, JobStep, StepState


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    return app_of(database, tmp_path).test_client()


@pytest.fixture
def study(database: Database) -> str:
    return add_studies(database, "Doe^John")[0]


def audited(database: Database, action: str) -> dict[str, Any]:
    with database.reading() as session:
        return session.scalars(select(AuditEvent).where(AuditEvent.action == action)).one().detail


def state_of(database: Database, job: str) -> tuple[str, int, int]:
    with database.reading() as session:
        found = session.get_one(Job, job)
        return found.state, found.run, found.priority


def test_the_queue_shows_what_waits_works_and_failed(client: FlaskClient, database: Database, study: str) -> None:
    late = add_job(database, study, JobState.QUEUED)
    urgent = add_job(database, study, JobState.QUEUED, priority=1)
    running = add_job(database, study, JobState.RUNNING)
    failed = add_job(database, study, JobState.FAILED)
    with database.writing() as session:
        session.add(JobStep(job_id=running, name="read_study", state=StepState.RUNNING, worker="w1"))
    queue = client.get("/api/v1/queue").json
    assert [(one["position"], one["job"]["id"]) for one in queue["waiting"]] == [(1, urgent), (2, late)]
    assert [[step["worker"] for step in one["steps"]] for one in queue["active"]] == [["w1"]]
    letter = queue["dead_letters"][0]
    assert letter["job"]["id"] == failed
    assert "pacs refused" in letter["advice"]
    assert (letter["deliveries"][0]["attempts"], queue["dead_letter_count"]) == (2, {"number": 1, "is_more": False})
    assert "Run again" in client.get("/console/queue").text


def test_an_empty_queue_says_what_to_do_next(client: FlaskClient) -> None:
    page = client.get("/console/queue").text
    assert "no worker lives" in page
    assert "Bring one in" in page


def test_the_work_is_suspended_once_and_resumed(client: FlaskClient, database: Database) -> None:
    assert client.post("/api/v1/queue/suspend", json={"reason": "<i>PACS</i> update"}).status_code == 200
    assert client.post("/api/v1/queue/suspend", json={}).status_code == 409
    page = client.get("/console/queue").text
    assert "&lt;i&gt;PACS&lt;/i&gt; update" in page
    assert client.post("/api/v1/queue/resume").status_code == 200
    assert client.post("/api/v1/queue/resume").status_code == 409
    assert audited(database, "queue.suspended") == {
        "reason": "<i>PACS</i> update",
        "before": "working",
        "after": "suspended",
    }
    assert audited(database, "queue.resumed") == {"before": "suspended", "after": "working"}


def test_a_job_tells_its_steps_objects_and_answers(client: FlaskClient, database: Database, study: str) -> None:
    job = add_job(database, study, JobState.DONE)
    page = client.get(f"/api/v1/jobs/{job}").json
    assert [(one["name"], one["seconds"], one["from_percent"]) for one in page["steps"]] == [
        ("compose", 3.0, 0.0),
        ("deliver:pacs", 1.0, 75.0),
    ]
    assert page["objects"][0]["sop_class"] == "Comprehensive 3D SR Storage"
    assert page["objects"][0]["deliveries"][0]["answer"] == "0x0122 <b>no</b>"
    assert '<rect class="good"' in client.get(f"/console/jobs/{job}").text
    assert client.get("/api/v1/jobs/none").status_code == 404


@pytest.mark.parametrize(
    ("act", "state", "after"),
    [("rerun", JobState.FAILED, "queued"), ("cancel", JobState.QUEUED, "canceled"), ("send-again", "done", "queued")],
)
def test_acts_on_a_job(
    client: FlaskClient, database: Database, study: str, act: str, state: JobState, after: str
) -> None:
    job = add_job(database, study, JobState(state))
    assert client.post(f"/api/v1/jobs/{job}/{act}").status_code == 200
    assert state_of(database, job)[0] == after
    refused = client.post(f"/api/v1/jobs/{job}/{act}")
    assert (refused.status_code, f"is {after}" in refused.json["error"]) == (409, True)
    assert client.post(f"/api/v1/jobs/none/{act}").status_code == 404


def test_objects_sent_again_are_pending_and_not_read_again(client: FlaskClient, database: Database, study: str) -> None:
    job = add_job(database, study, JobState.DONE)
    client.post(f"/api/v1/jobs/{job}/send-again")
    with database.reading() as session:
        assert [step.name for step in session.get_one(Job, job).steps] == ["compose"]
        assert set(session.scalars(select(Delivery.state))) == {DeliveryState.PENDING}
    assert audited(database, "job.sent_again") == {"before": "done", "after": "queued"}


def test_another_priority_puts_the_job_into_the_queue_anew(client: FlaskClient, database: Database, study: str) -> None:
    job = add_job(database, study, JobState.QUEUED)
    assert client.post(f"/console/jobs/{job}/priority", data={"priority": "7"}).status_code == 303
    assert state_of(database, job) == ("queued", 2, 7)
    assert audited(database, "job.reprioritised") == {"before": 100, "after": 7}
    assert client.post(f"/api/v1/jobs/{job}/priority", json={"priority": 0}).status_code == 422
    running = add_job(database, study, JobState.RUNNING)
    assert client.post(f"/api/v1/jobs/{running}/priority", json={"priority": 1}).status_code == 409


def test_all_dead_letters_of_a_filter_are_run_again(client: FlaskClient, database: Database, study: str) -> None:
    jobs = [add_job(database, study, JobState.FAILED, pipeline=name) for name in ("a", "a", "b")]
    assert len(client.get("/api/v1/dead-letters?pipeline=a&error=0x0122&destination=pacs").json["rows"]) == 2
    assert client.get("/api/v1/dead-letters?error=%25").json["rows"] == []
    answer = client.post("/api/v1/queue/retry-all", json={"pipeline": "a", "destination": "pacs"})
    assert answer.json["message"].startswith("2 jobs")
    assert [state_of(database, job)[:2] for job in jobs] == [("queued", 2), ("queued", 2), ("failed", 1)]
    assert client.post("/api/v1/queue/retry-all", json={"pipeline": "a"}).status_code == 409


def test_jobs_are_listed_by_state_a_page_at_a_time(client: FlaskClient, database: Database, study: str) -> None:
    jobs = [add_job(database, study, JobState.DONE) for _ in range(3)]
    add_job(database, study, JobState.FAILED)
    first = client.get("/api/v1/jobs?state=done&limit=2").json
    second = client.get(f"/api/v1/jobs?state=done&limit=2&cursor={first['next']}").json
    assert [row["id"] for page in (first, second) for row in page["rows"]] == jobs[::-1]
    assert 'rel="next"' in client.get("/console/jobs?limit=2").text


def test_who_only_sees_does_nothing(client: FlaskClient, database: Database, study: str) -> None:
    job = add_job(database, study, JobState.FAILED)
    add_person(database, "vera", Role.VIEWER)
    token = log_in(client, "vera")
    assert client.get("/console/queue").status_code == 200
    for path in ("queue/suspend", "queue/resume", "queue/retry-all", f"jobs/{job}/rerun", f"jobs/{job}/priority"):
        assert client.post(f"/api/v1/{path}", json={"priority": 1}, headers=token).status_code == 403
    assert "Suspend" not in client.get("/console/queue").text
