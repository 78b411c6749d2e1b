"""What is wrong, in words an administrator can act on, and what is as it should be."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pacs_agent.config import Settings
from pacs_agent.console.overview.models import Trouble, Well
from pacs_agent.db import Condition, Database, Delivery, DeliveryState, Destination, Study, StudyState, utc_now
from pacs_agent.ops.doctor import Check, Grade, at_a_glance
from pacs_agent.ops.figures import QueueNow, queue_now
from pacs_agent.pipeline import suspension

ADVICE = {
    "disk": ("Make room, set a rule of retention, or move the archive to a larger disk.", "settings"),
    "listener": ("No images can come in. See what the listener says in the log, or start the agent again.", "logs"),
    "models": ("Upload a signed bundle.", "models"),
    "peers": ("Nobody may send images. Add the scanners or the PACS that shall send.", "peers"),
    "rules": ("Say which studies are read and where results go.", "rules"),
    "workers": (
        "Studies are received but not read. Start a worker: pacs-agent work, or the whole: pacs-agent serve.",
        "",
    ),
}
"""What to do, and on which page, for checks whose own advice is for the command line."""
CONDITION_PAGES = {
    "audit-chain-broken": "audit",
    "auditor-changed": "audit",
    "certificate-expires": "peers",
    "login-throttled": "audit",
    "model-recalled": "models",
    "model-refused": "models",
    "worker-lost": "logs",
}
"""What the workers' regular look finds (`ops.conditions`), and the page of each. The rest is seen here at once."""
GRAVE = ("audit-chain-broken",)
LONG_WAIT = timedelta(minutes=15)
LATELY = timedelta(hours=24)


def examined(settings: Settings, database: Database) -> tuple[list[Trouble], list[Well]]:
    """All that is wrong, the worst first, and all that is well."""
    checks = list(at_a_glance(settings, database))
    troubles = [_trouble(check) for check in checks if check.grade is not Grade.GOOD]
    with database.reading() as session:
        troubles += [
            *_queue(session, queue_now(session)),
            *_held(session),
            *_destinations(session),
            *_conditions(session),
        ]
    troubles.sort(key=lambda trouble: trouble.grade is not Grade.BAD)
    well = [Well(name=check.name, words=check.found) for check in checks if check.grade is Grade.GOOD]
    return troubles, well


def _trouble(check: Check) -> Trouble:
    advice, page = ADVICE.get(check.name, (_sentence(check.advice), ""))
    words = "There are none." if check.found == "none" else _sentence(check.found)
    return Trouble(name=check.name, grade=check.grade, words=words, advice=advice, page=_path(page))


def _queue(session: Session, queue: QueueNow) -> Iterator[Trouble]:
    suspended = suspension(session)
    if suspended is not None:
        yield Trouble(
            name="queue",
            grade=Grade.WARNING,
            words="No new job is begun: the queue is suspended.",
            advice="Resume it when the reason is gone.",
            page=_path("queue"),
        )
    elif queue.oldest_queued_at is not None and utc_now() - queue.oldest_queued_at > LONG_WAIT:
        minutes = (utc_now() - queue.oldest_queued_at) // timedelta(minutes=1)
        yield Trouble(
            name="queue",
            grade=Grade.WARNING,
            words=f"A study has been waiting for {minutes} minutes.",
            advice="See whether workers are alive and what they do; more workers, or a GPU, read more.",
            page=_path("queue"),
        )
    if queue.failed:
        yield Trouble(
            name="dead letters",
            grade=Grade.WARNING,
            words=f"{_count(queue.failed, 'job')} failed and will not be tried again by themselves.",
            advice="Repair the cause, then run them again.",
            page=_path("dead-letters"),
        )


def _held(session: Session) -> Iterator[Trouble]:
    held = session.scalar(select(func.count()).where(Study.state == StudyState.HELD))
    if held:
        yield Trouble(
            name="studies",
            grade=Grade.WARNING,
            words="1 study is held: a rule misses a part of it." if held == 1 else f"{held} studies are held.",
            advice="Send what is missing, or take the study as complete.",
            page=_path("studies?state=held"),
        )


def _destinations(session: Session) -> Iterator[Trouble]:
    """Destinations to which objects could not be delivered lately."""
    for name in session.scalars(select(Destination.name).where(Destination.enabled).order_by(Destination.name)):
        waiting, answer = _not_delivered(session, name)
        if waiting:
            yield Trouble(
                name="destination",
                grade=Grade.WARNING,
                words=f"{name}: {_count(waiting, 'object')} not delivered. {answer}",
                advice="Test the destination. What is still tried goes out by itself; the rest is in the dead letters.",
                page=_path("peers"),
            )


def _not_delivered(session: Session, destination: str) -> tuple[int, str]:
    """How many objects wait or were given up, and what the destination said of the last."""
    states = (DeliveryState.RETRYING, DeliveryState.UNREACHABLE, DeliveryState.REFUSED)
    lately = Delivery.changed_at >= utc_now() - LATELY
    of_it = (Delivery.destination == destination, Delivery.state.in_(states), lately)
    few = select(Delivery.id).where(*of_it).limit(1000).subquery()
    count = session.scalar(select(func.count()).select_from(few)) or 0
    newest = select(Delivery.answer).where(*of_it).order_by(Delivery.changed_at.desc()).limit(1)
    return count, session.scalar(newest) or "" if count else ""


def _conditions(session: Session) -> Iterator[Trouble]:
    """What the workers' regular look found; its words end with what to do."""
    query = select(Condition).where(Condition.ended_at.is_(None), Condition.event.in_(CONDITION_PAGES))
    for row in session.scalars(query.order_by(Condition.began_at)):
        words, _, advice = row.words.partition("; ")
        yield Trouble(
            name=row.event.replace("-", " "),
            grade=Grade.BAD if row.event in GRAVE else Grade.WARNING,
            words=_sentence(words),
            advice=_sentence(advice) if advice else "",
            page=_path(CONDITION_PAGES[row.event]),
        )


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def _path(page: str) -> str:
    return f"/console/{page}" if page else ""


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
