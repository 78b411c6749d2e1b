"""A poll that finds nothing new costs next to nothing, and no change goes unnoticed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from people import app_of
from sqlalchemy import event
from sqlalchemy.orm import Session
from studies_read import READING, add_job, add_step, add_study

from pacs_agent import route
from pacs_agent.console.readings.version import version, versions
from pacs_agent.db import (
    Database,
    Delivery,
    DeliveryState,
    Job,
    JobState,
    JobStep,
    ResultObject,
    StepState,
    Study,
    StudyState,
    utc_now,
)

Change = Callable[[Session], object]


def _of(database: Database, study: str) -> str:
    with database.reading() as session:
        return version(session, study)


def _job(session: Session) -> Job:
    return session.query(Job).order_by(Job.created_at).first() or Job()


CHANGES: dict[str, Change] = {
    "state of the study": lambda s: setattr(s.query(Study).one(), "state", StudyState.RECEIVING),
    "reason of the study": lambda s: setattr(s.query(Study).one(), "state_reason", "new"),
    "state of a job": lambda s: setattr(_job(s), "state", JobState.FAILED),
    "progress": lambda s: setattr(_job(s), "progress", 0.5),
    "run": lambda s: setattr(_job(s), "run", 2),
    "error": lambda s: setattr(_job(s), "error", "new"),
    "end of a job": lambda s: setattr(_job(s), "finished_at", utc_now()),
    "a step begins": lambda s: s.add(JobStep(job_id=_job(s).id, name="compose", state=StepState.RUNNING)),
    "a step begins again": lambda s: setattr(s.query(JobStep).first(), "attempts", 2),
    "state of a step": lambda s: setattr(s.query(JobStep).first(), "state", StepState.WAITING),
    "detail of a step": lambda s: setattr(s.query(JobStep).first(), "detail", "new"),
    "state of a delivery": lambda s: setattr(s.query(Delivery).one(), "state", DeliveryState.CONFIRMED),
    "a delivery begins": lambda s: s.add(
        Delivery(result_object_pk=s.query(ResultObject).one().id, destination="archive")
    ),
    "the rules": lambda s: route.put_rules(s, "rules: []", actor="test"),
}


def test_every_change_is_noticed(database: Database) -> None:
    study = add_study(database)
    job_id = add_job(database, study, JobState.DELIVERING, content=READING)
    add_step(database, job_id, "deliver:pacs", StepState.RUNNING)
    seen = {_of(database, study)}
    for name, change in CHANGES.items():
        with database.writing() as session:
            change(session)
        now = _of(database, study)
        assert now not in seen, name
        seen.add(now)
    for state in (JobState.QUEUED, JobState.RUNNING):
        add_job(database, study, state, pipeline="review" if state == JobState.QUEUED else "msvlm")
        assert _of(database, study) not in seen
        seen.add(_of(database, study))


def test_images_that_arrive_and_other_studies_are_no_news(database: Database) -> None:
    study = add_study(database, StudyState.RECEIVING)
    before = _of(database, study)
    with database.writing() as session:
        session.query(Study).one().last_received_at = utc_now()
    other = add_study(database)
    add_job(database, other, JobState.RUNNING)
    assert _of(database, study) == before
    with database.reading() as session:
        assert versions(session, [study, other, "1.2.3"]) == {
            uid: version(session, uid) for uid in (study, other, "1.2.3")
        }


def test_a_poll_touches_no_reading_and_writes_nothing(database: Database, tmp_path: Path) -> None:
    study = add_study(database)
    add_job(database, study, JobState.DONE, content=READING)
    client = app_of(database, tmp_path).test_client()
    path = f"/api/v1/studies/{study}/result"
    first = client.get(path)
    assert first.cache_control.private
    assert first.cache_control.no_cache
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda _c, _k, sql, *_: statements.append(sql))
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    weak = client.get(path, headers={"If-None-Match": f"W/{first.headers['ETag']}"})
    assert weak.status_code == 304
    assert len(statements) <= 2 * 10, statements
    assert not [sql for sql in statements if "jobs.reading" in sql]


@pytest.mark.parametrize("given", ['"other"', 'W/"other"', "", "rubbish", '"'])
def test_another_version_is_answered_in_full(database: Database, tmp_path: Path, given: str) -> None:
    client = app_of(database, tmp_path).test_client()
    response = client.get("/api/v1/studies/1.2.3/result", headers={"If-None-Match": given})
    assert response.status_code == 200
