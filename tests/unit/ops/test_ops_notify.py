"""Each condition is told once, again while it holds, and once when it is over; what is not taken is tried again."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from listening_doubles import MailServer, Webhook, serving
from sqlalchemy import select, update

from pacs_agent.config import Settings
from pacs_agent.db import AuditEvent, Condition, Database, Job, JobState, Notice, Patient, Study, utc_now
from pacs_agent.ops import notify
from pacs_agent.ops.runtime import (
    SMTP_PASSWORD,
    WEBHOOK_KEY,
    Notifications,
    Watermark,
    change_runtime_settings,
    set_secret,
)
from pacs_agent.ops.ways import NotTaken, signature

NOW = utc_now()


@pytest.fixture
def settings(tmp_path: Path, database: Database) -> Settings:
    with database.writing() as session:
        change_runtime_settings(session, Watermark(warn_free_gb=0, refuse_free_gb=0), actor="test")
    return Settings(data_dir=tmp_path)


@pytest.fixture
def hook() -> Iterator[Webhook]:
    server = Webhook()
    with serving(server):
        yield server


def set_up(database: Database, **fields: object) -> None:
    with database.writing() as session:
        change_runtime_settings(session, Notifications(**fields), actor="test")  # type: ignore[arg-type]


def to(hook: Webhook) -> dict[str, str]:
    return {"webhook_url": f"http://127.0.0.1:{hook.server_address[1]}/x?token=y"}


def fail_jobs(database: Database, count: int) -> None:
    with database.writing() as session:
        session.query(Job).delete()
        session.query(Study).delete()
        session.query(Patient).delete()
        study = Study(patient=Patient(patient_id="P", name="Doe^Jane"), study_instance_uid="1.2")
        for number in range(count):
            job = Job(id=str(number), study=study, rule="r", pipeline="p", input_digest="", state=JobState.FAILED)
            session.add(job)


def states(database: Database) -> list[str]:
    with database.reading() as session:
        return [notice.content["state"] for notice in session.scalars(select(Notice).order_by(Notice.id))]


def test_a_condition_is_told_when_it_begins_and_when_it_ends(database: Database, settings: Settings) -> None:
    set_up(database, webhook_url="http://127.0.0.1:1/")
    for count, after, expected in (
        (1, timedelta(), ["began"]),
        (2, timedelta(minutes=5), []),
        (3, timedelta(hours=2), ["holds"]),
        (3, timedelta(hours=25), []),
        (3, timedelta(hours=27), ["holds"]),
        (0, timedelta(hours=28), ["ended"]),
        (1, timedelta(hours=28, minutes=1), ["began"]),
        (0, timedelta(hours=28, minutes=2), ["ended"]),
        (1, timedelta(hours=28, minutes=3), []),
        (0, timedelta(hours=28, minutes=4), []),
    ):
        told = len(states(database))
        fail_jobs(database, count)
        notify.note_conditions(settings, database, NOW + after)
        assert states(database)[told:] == expected, after
    with database.reading() as session:
        assert all(row.ended_at for row in session.scalars(select(Condition)))


def test_silent_events_and_nobody_to_tell(database: Database, settings: Settings) -> None:
    fail_jobs(database, 1)
    notify.note_conditions(settings, database, NOW)
    assert states(database) == []
    fail_jobs(database, 0)
    set_up(database, webhook_url="http://127.0.0.1:1/", silent=["disk-full"])
    with database.writing() as session:
        change_runtime_settings(session, Watermark(warn_free_gb=1e9, refuse_free_gb=1e9), actor="test")
    notify.note_conditions(settings, database, NOW)
    with database.reading() as session:
        assert {row.event for row in session.scalars(select(Condition).where(Condition.ended_at.is_(None)))} == {
            "disk-full"
        }
        assert [notice.event for notice in session.scalars(select(Notice))] == ["dead-letters"]


def test_a_webhook_gets_signed_json_without_patient_data(database: Database, settings: Settings, hook: Webhook) -> None:
    set_up(database, **to(hook))
    with database.writing() as session:
        set_secret(session, WEBHOOK_KEY, "key of the hook", actor="test")
    fail_jobs(database, 2)
    notify.note_conditions(settings, database, NOW)
    assert notify.send_due(settings, database) == 1
    assert notify.send_due(settings, database) == 0
    ((headers, body),) = hook.requests
    told = json.loads(body)
    assert (told["event"], told["state"], told["agent"]) == ("dead-letters", "began", "PACSAGENT")
    assert "Doe" not in body.decode()
    signed = headers["X-PACS-Agent-Signature"]
    assert signed == signature("key of the hook", int(signed[2:].partition(",")[0]), body)


def test_what_is_not_taken_is_tried_again_until_a_day_has_passed(
    database: Database, settings: Settings, hook: Webhook
) -> None:
    set_up(database, **to(hook))
    hook.status = 302
    fail_jobs(database, 1)
    notify.note_conditions(settings, database, NOW)
    assert notify.send_due(settings, database) == 0
    assert len(hook.requests) == 1, "no redirect is followed"
    notify.send_due(settings, database)
    assert len(hook.requests) == 1, "it waits before the next attempt"
    with database.writing() as session:
        old = NOW - timedelta(days=2)
        session.execute(update(Notice).values(next_attempt_at=NOW - timedelta(seconds=1), created_at=old))
    notify.send_due(settings, database)
    with database.reading() as session:
        notice = session.scalars(select(Notice)).one()
    assert notice.over_at is not None
    assert "302" in notice.answer
    assert notice.attempts == 2


def test_a_mail_says_what_is_wrong_and_gives_the_servers_answer(database: Database, settings: Settings) -> None:
    server = MailServer()
    with serving(server) as port:
        mail = {"mail_to": ["it@example.org"], "mail_from": "agent@example.org", "smtp_host": "127.0.0.1"}
        set_up(database, **mail, smtp_port=port, smtp_security="none")
        assert "250 fine" in notify.send_test(settings, database, "mail")
        assert "[PACS agent PACSAGENT] TEST" in server.mails[0]
        server.refusal = "550 no such person"
        with pytest.raises(NotTaken, match="no such person"):
            notify.send_test(settings, database, "mail")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"webhook_url": "http://169.254.169.254/latest"}, "link-local"),
        ({"webhook_url": "http://127.0.0.1:1/"}, "refused"),
        ({}, "no webhook is set up"),
    ],
)
def test_a_way_that_leads_nowhere_is_told(
    database: Database, settings: Settings, fields: dict[str, str], words: str
) -> None:
    set_up(database, **fields)
    with pytest.raises(NotTaken, match=words):
        notify.send_test(settings, database, "webhook")


def test_secrets_are_said_to_be_set_and_no_more(database: Database) -> None:
    with database.writing() as session:
        set_secret(session, SMTP_PASSWORD, "hunter2", actor="ada")
        set_secret(session, SMTP_PASSWORD, "", actor="ada")
    with database.reading() as session:
        lines = [line.detail for line in session.scalars(select(AuditEvent).order_by(AuditEvent.id))]
    assert lines == [{"before": "not set", "after": "set"}, {"before": "set", "after": "not set"}]


def test_a_header_cannot_be_smuggled_into_a_mail() -> None:
    with pytest.raises(ValueError, match="no mail address"):
        Notifications(mail_to=["it@example.org\r\nBcc: x@y"], mail_from="a@b.org", smtp_host="h")
