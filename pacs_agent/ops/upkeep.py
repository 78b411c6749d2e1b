"""Regular tasks of all workers together: each is begun by one of them, no sooner than its period allows."""

from datetime import timedelta
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from pacs_agent.db import Database, Upkeep, utc_now


def claim(database: Database, task: str, period_s: float) -> bool:
    """Whether the caller is to do a task now: it is due, and no other worker has taken it."""
    now = utc_now()
    due = Upkeep.begun_at <= now - timedelta(seconds=period_s)
    taken = update(Upkeep).where(Upkeep.task == task, due).values(begun_at=now)
    with database.reading() as session:
        row = session.get(Upkeep, task)
        if row is not None and row.begun_at > now - timedelta(seconds=period_s):
            return False
    try:
        with database.writing() as session:
            if row is None:
                session.execute(insert(Upkeep).values(task=task, begun_at=now, state={}))
                return True
            return bool(session.execute(taken).rowcount)  # type: ignore[attr-defined]
    except IntegrityError:  # another worker began it for the first time
        return False


def remembered(database: Database, task: str) -> dict[str, Any]:
    """What a task noted at its last run."""
    with database.reading() as session:
        row = session.get(Upkeep, task)
        return dict(row.state) if row else {}


def remember(database: Database, task: str, **state: Any) -> None:
    """Notes something for a task's next run, and for people."""
    with database.writing() as session:
        session.execute(update(Upkeep).where(Upkeep.task == task).values(state=state))
