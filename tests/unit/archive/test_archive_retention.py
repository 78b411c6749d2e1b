"""Old studies go, the oldest first, and none that somebody still waits for."""

import os
import time
from datetime import datetime, timedelta

import pytest
from made_instances import ct_slice, encoded
from sqlalchemy import select, update

from pacs_agent.archive import Archive, keep_archive
from pacs_agent.archive.removal import StudyInUse, remove_study
from pacs_agent.archive.retention import apply_retention, plan_retention
from pacs_agent.db import (
    AuditEvent,
    Database,
    Delivery,
    DeliveryState,
    Destination,
    Instance,
    Job,
    JobState,
    ResultObject,
    Study,
    StudyState,
    utc_now,
)
from pacs_agent.ops.runtime import Retention, change_runtime_settings
from pacs_agent.receive import Intake

NOW = utc_now()


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.fixture
def studies(database: Database, archive: Archive, intake: Intake) -> list[str]:
    """Four studies, 40, 30, 20 and 10 days old."""
    uids = [f"1.2.{age}" for age in (40, 30, 20, 10)]
    for uid in uids:
        slices = [ct_slice(n, study=uid, series=f"{uid}.4", PatientID=uid) for n in (1, 2)]
        for one in slices:
            digest = intake.accept(encoded(one), source="PACS@127.0.0.1").digest
            os.utime(archive.path(digest), (time.time() - 86400,) * 2)
        at = days_ago(float(uid.rpartition(".")[2]))
        with database.writing() as session:
            of_uid = update(Study).where(Study.study_instance_uid == uid)
            session.execute(of_uid.values(last_received_at=at, state=StudyState.COMPLETE))
    return uids


def add_job(
    database: Database, uid: str, state: JobState, ended: datetime, delivery: DeliveryState | None = None
) -> None:
    with database.writing() as session:
        study = session.scalars(select(Study).where(Study.study_instance_uid == uid)).one()
        job = Job(id=uid, study=study, rule="r", pipeline="msvlm", input_digest="", state=state, finished_at=ended)
        session.add(job)
        if delivery is not None:
            result = ResultObject(
                job=job,
                kind="ai_result",
                sop_instance_uid=f"{uid}.9",
                sop_class_uid="1",
                series_instance_uid="1",
                digest="",
            )
            session.add(Delivery(result_object=result, destination="pacs", state=delivery, changed_at=ended))


def leaving(database: Database, rules: Retention) -> list[tuple[str, bool]]:
    with database.reading() as session:
        return [(one.study_instance_uid, one.keep_results) for one in plan_retention(session, rules, NOW).leaving]


def test_age_counts_from_the_confirmation_of_the_results(database: Database, studies: list[str]) -> None:
    add_job(database, studies[0], JobState.DONE, days_ago(5), DeliveryState.CONFIRMED)
    add_job(database, studies[1], JobState.DONE, days_ago(29), DeliveryState.CONFIRMED)
    assert leaving(database, Retention(images_days=15)) == [(studies[1], True), (studies[2], True)]


@pytest.mark.parametrize(
    ("state", "delivery"),
    [
        (JobState.QUEUED, None),
        (JobState.DELIVERING, DeliveryState.RETRYING),
        (JobState.FAILED, None),
        (JobState.CANCELED, DeliveryState.REFUSED),
    ],
)
def test_what_somebody_waits_for_stays(
    database: Database, studies: list[str], state: JobState, delivery: DeliveryState | None
) -> None:
    add_job(database, studies[0], state, days_ago(39), delivery)
    assert studies[0] not in [uid for uid, _ in leaving(database, Retention(images_days=1, archive_gb=1e-9))]


CONFIRMING: dict[str, tuple[dict[str, object] | None, bool]] = {
    "by storage commitment": ({"confirm": "commitment"}, True),
    "by query": ({"confirm": "query"}, True),
    "by query, as it was written once": ({"query": True}, True),
    "not": ({"confirm": "none"}, False),
    "as it was set up at first": ({}, False),
    "no destination any more": (None, False),
}


@pytest.mark.parametrize("how", CONFIRMING)
def test_what_is_taken_but_not_confirmed_has_not_arrived(
    database: Database, archive: Archive, studies: list[str], how: str
) -> None:
    settings, stays = CONFIRMING[how]
    add_job(database, studies[0], JobState.DONE, days_ago(39), DeliveryState.STORED)
    with database.writing() as session:
        if settings is not None:
            session.add(Destination(name="pacs", kind="dimse", settings=settings))
    rules = Retention(images_days=15, results_days=35)
    assert (studies[0] not in [uid for uid, _ in leaving(database, rules)]) == stays
    if stays:
        with pytest.raises(StudyInUse, match="does not have all"):
            remove_study(archive, studies[0], actor="ada", reason="")
        with database.writing() as session:
            session.execute(update(Delivery).values(state=DeliveryState.CONFIRMED))
        assert (studies[0], False) in leaving(database, rules)


def test_results_go_later_than_images(database: Database, studies: list[str]) -> None:
    rules = Retention(images_days=15, results_days=35)
    assert leaving(database, rules) == [(studies[0], False), (studies[1], True), (studies[2], True)]


def test_the_oldest_go_until_there_is_room(database: Database, archive: Archive, studies: list[str]) -> None:
    with database.reading() as session:
        study_bytes = sum(session.scalars(select(Instance.size_bytes))) / 4
    rules = Retention(archive_gb=2.5 * study_bytes / 1e9)
    assert leaving(database, rules) == [(studies[0], True), (studies[1], True)]
    gone = apply_retention(archive, rules, NOW)
    assert gone.freed_bytes == 2 * study_bytes
    assert leaving(database, rules) == []
    with database.reading() as session:
        lines = session.scalars(select(AuditEvent).where(AuditEvent.action == "study.images_removed")).all()
        assert [(line.subject, line.actor, line.detail["reason"]) for line in lines] == [
            (uid, "retention", "archive_gb") for uid in studies[:2]
        ]
        kept = {instance.digest for instance in session.scalars(select(Instance))}
    assert {path.stem for path in archive.files.root.rglob("*.dcm")} == kept


def test_a_study_that_receives_stays(database: Database, studies: list[str]) -> None:
    with database.writing() as session:
        session.execute(update(Study).values(state=StudyState.RECEIVING))
    assert leaving(database, Retention(images_days=1, results_days=1, archive_gb=1e-9)) == []


def test_workers_share_the_task_and_nothing_goes_without_a_rule(
    database: Database, archive: Archive, studies: list[str]
) -> None:
    keep_archive(archive)
    assert len(list(archive.files.root.rglob("*.dcm"))) == 8
    with database.writing() as session:
        change_runtime_settings(session, Retention(images_days=35), actor="ada")
    keep_archive(archive)
    assert len(list(archive.files.root.rglob("*.dcm"))) == 6
    with database.writing() as session:
        change_runtime_settings(session, Retention(images_days=1), actor="ada")
    keep_archive(archive)
    assert len(list(archive.files.root.rglob("*.dcm"))) == 6, "it was done a moment ago"
