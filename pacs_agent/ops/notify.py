"""Telling people by mail and webhook that something is wrong, and that it is over: each once, and again after a while.

Messages are rows of `notices`, written in the transaction in which a condition begins or ends. A worker sends them, and
tries again until they are taken or a day has passed.
"""

import json
import smtplib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import requests
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from pacs_agent.config import Settings
from pacs_agent.db import Condition, Database, Notice, utc_now
from pacs_agent.ops.conditions import Found, check_chain, conditions_now
from pacs_agent.ops.log import get_log
from pacs_agent.ops.outbound import AddressRefused, outbound_of
from pacs_agent.ops.runtime import SMTP_PASSWORD, WEBHOOK_KEY, Notifications, runtime_settings, secret_of
from pacs_agent.ops.upkeep import claim
from pacs_agent.ops.ways import NotTaken, mail, post

MAIL, WEBHOOK = "mail", "webhook"
TELL_AGAIN = timedelta(hours=1)
"""What grows is told again, and what comes and goes is told, no more often than this."""
FIRST_RETRY_S, LONGEST_RETRY_S = 30.0, 3600.0
GIVEN_UP_AFTER = timedelta(days=1)
SENT_AT_ONCE = 20
KEPT = timedelta(days=90)
"""What was told stays this long, for people who ask."""

log = get_log("notify")


@dataclass(frozen=True)
class Message:
    """What is told. `state` is began, holds, ended or test."""

    event: str
    subject: str
    state: str
    words: str
    at: datetime

    def content(self, agent: str) -> dict[str, Any]:
        """As it is kept and sent."""
        fields = {"event": self.event, "subject": self.subject, "state": self.state, "words": self.words}
        return {**fields, "at": self.at.isoformat(), "agent": agent}


def watch(settings: Settings, database: Database) -> None:
    """The regular task of every worker: one of them looks what is wrong, and sends what is to be told."""
    if claim(database, "conditions", 30.0):
        check_chain(database)
        note_conditions(settings, database, utc_now())
    if claim(database, "notices", 5.0):
        send_due(settings, database)
    if claim(database, "old-notices", 86400.0):
        _forget_old(database, utc_now() - KEPT)


def note_conditions(settings: Settings, database: Database, now: datetime) -> None:
    """Brings the table of conditions to what is wrong now, with a message for each that began, grew or ended."""
    with database.reading() as session:
        found = {(one.event, one.subject): one for one in conditions_now(session, settings, now)}
        before = {(row.event, row.subject) for row in _holding(session)}
    if not found and not before:
        return
    with database.writing() as session:
        holding = {(row.event, row.subject): row for row in _holding(session)}
        notifications = runtime_settings(session, Notifications)
        messages = []
        for key, one in found.items():
            row = holding.get(key) or _begun(session, one, now)
            messages += _told(session, row, one, notifications, now)
        messages += [_ended(row, now) for key, row in holding.items() if key not in found]
        _write(session, [one for one in messages if one], notifications, settings.dimse.ae_title)


def send_due(settings: Settings, database: Database) -> int:
    """Sends the messages that are due; returns how many were taken."""
    now = utc_now()
    with database.reading() as session:
        query = select(Notice).where(Notice.over_at.is_(None), Notice.next_attempt_at <= now)
        due = list(session.scalars(query.order_by(Notice.next_attempt_at).limit(SENT_AT_ONCE)))
    return sum(_send(settings, database, notice) for notice in due)


def send_test(settings: Settings, database: Database, way: str) -> str:
    """Sends a test message now and gives the other side's own words. Raises NotTaken."""
    words = "this is a test of the notifications: nothing is wrong"
    message = Message("test", "", "test", words, utc_now())
    return _deliver(settings, database, way, message.content(settings.dimse.ae_title))


def ways_of(notifications: Notifications) -> list[str]:
    """The ways by which messages go."""
    ways = ((MAIL, bool(notifications.mail_to)), (WEBHOOK, bool(notifications.webhook_url)))
    return [way for way, is_set in ways if is_set]


def _forget_old(database: Database, before: datetime) -> None:
    with database.writing() as session:
        session.execute(delete(Condition).where(Condition.ended_at < before))
        session.execute(delete(Notice).where(Notice.over_at < before))


def _holding(session: Session) -> Iterable[Condition]:
    return session.scalars(select(Condition).where(Condition.ended_at.is_(None)).order_by(Condition.id))


def _begun(session: Session, one: Found, now: datetime) -> Condition:
    row = Condition(event=one.event, subject=one.subject, words=one.words, amount=one.amount, began_at=now)
    session.add(row)
    session.flush()
    return row


def _told(
    session: Session, row: Condition, one: Found, notifications: Notifications, now: datetime
) -> list[Message | None]:
    """The message of a condition that holds, when it is time to tell."""
    grew, row.words, row.amount = one.amount > row.amount, one.words, one.amount
    if row.told_at is None:
        if _was_told_lately(session, one, now):
            return []
        state = "began"
    elif now - row.told_at >= timedelta(hours=notifications.remind_hours) or (grew and now - row.told_at >= TELL_AGAIN):
        state = "holds"
    else:
        return []
    row.told_at = now
    return [Message(one.event, one.subject, state, one.words, now)]


def _was_told_lately(session: Session, one: Found, now: datetime) -> bool:
    """Whether the same was told within the hour: what comes and goes is not told each time."""
    same = (Condition.event == one.event, Condition.subject == one.subject, Condition.told_at > now - TELL_AGAIN)
    return session.scalar(select(Condition.id).where(*same).limit(1)) is not None


def _ended(row: Condition, now: datetime) -> Message | None:
    row.ended_at = now
    if row.told_at is None:
        return None
    return Message(row.event, row.subject, "ended", f"over since {now:%Y-%m-%d %H:%M} UTC: {row.words}", now)


def _write(session: Session, messages: list[Message], notifications: Notifications, agent: str) -> None:
    for message in messages:
        log.warning("condition", what=message.event, subject=message.subject, state=message.state)
        if message.event in notifications.silent:
            continue
        for way in ways_of(notifications):
            session.add(Notice(way=way, event=message.event, content=message.content(agent)))


def _send(settings: Settings, database: Database, notice: Notice) -> bool:
    """Tries one message. The next attempt is noted before this one, so that a crash does not make it come twice."""
    now = utc_now()
    wait_s = min(FIRST_RETRY_S * 2.0**notice.attempts, LONGEST_RETRY_S)
    _note(database, notice, attempts=notice.attempts + 1, next_attempt_at=now + timedelta(seconds=wait_s))
    try:
        answer = _deliver(settings, database, notice.way, notice.content)
    except NotTaken as error:
        given_up = now - notice.created_at > GIVEN_UP_AFTER
        _note(database, notice, answer=str(error)[:1000], over_at=now if given_up else None)
        log.warning("notice not taken", way=notice.way, what=notice.event, given_up=given_up)
        return False
    _note(database, notice, answer=answer[:1000], over_at=now)
    return True


def _note(database: Database, notice: Notice, **values: Any) -> None:
    with database.writing() as session:
        session.execute(update(Notice).where(Notice.id == notice.id).values(**values))


def _deliver(settings: Settings, database: Database, way: str, content: dict[str, Any]) -> str:
    """The other side's answer in words. Raises NotTaken."""
    with database.reading() as session:
        notifications = runtime_settings(session, Notifications)
        password, key = secret_of(session, SMTP_PASSWORD), secret_of(session, WEBHOOK_KEY)
    if way not in ways_of(notifications):
        raise NotTaken(f"no {way} is set up: fill in the fields of the notifications and save them")
    outbound = outbound_of(settings.web)
    try:
        if way == MAIL:
            outbound.addresses(notifications.smtp_host, notifications.smtp_port)
            return mail(notifications, password, content)
        body = json.dumps(content, sort_keys=True).encode()
        return post(outbound.session(), notifications.webhook_url, key, body)
    except (OSError, smtplib.SMTPException, requests.RequestException, AddressRefused) as error:
        raise NotTaken(f"{type(error).__name__}: {error}") from error
