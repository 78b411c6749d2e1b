"""What has changed in the agent since the last look, by topics of the console: a few short queries for all pages.

A topic's mark is any text; where it differs from the one before, the topic has changed. Marks are made of the newest
audit lines, which every act leaves, and of what moves by itself: studies that grow, jobs that run.
"""

import json
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pacs_agent.console.readings.watch import Sight
from pacs_agent.db import (
    AuditEvent,
    Database,
    Job,
    JobState,
    JobStep,
    ModelActivation,
    RuleSet,
    Study,
    StudyState,
    Transfer,
)
from pacs_agent.ops.kept_log import FOLDER, kept_size

CONSOLE = "console"
"""The one thing that is looked at."""
TOPICS = ("overview", "studies", "queue", "transfers", "peers", "rules", "models", "people", "audit", "logs")
BEGINNINGS = {
    "association": ("studies", "peers"),
    "bring_in": ("transfers", "studies"),
    "destination": ("peers",),
    "instance": ("peers",),
    "job": ("queue", "studies"),
    "login": ("people",),
    "model": ("models",),
    "peer": ("peers",),
    "queue": ("queue",),
    "result": ("queue", "studies", "peers"),
    "review": ("studies",),
    "rules": ("rules",),
    "stow": ("studies",),
    "study": ("studies", "queue"),
    "token": ("people",),
    "transfer": ("transfers", "studies"),
    "user": ("people",),
}
"""Topics that an act touches, by the first word of its audit line's action."""
MOST_LINES = 1000
MOST_ACTIVE = 100
"""Jobs whose progress is watched; of a longer queue those that began first."""


class ConsoleLook:
    """A look into the database and the log, to be given to a `Watch`."""

    def __init__(self, database: Database, data_dir: Path) -> None:
        self._database = database
        self._logs = data_dir / FOLDER
        self._last_line: int | None = None
        self._acts: Counter[str] = Counter()

    def __call__(self, _asked: Collection[str]) -> dict[str, Sight]:
        """The marks of all topics, as the text of one sight."""
        with self._database.reading() as session:
            self._read_audit(session)
            moved = {
                "studies": _studies(session),
                "queue": _active_jobs(session),
                "models": session.scalar(select(func.max(ModelActivation.id))),
                "transfers": session.scalar(select(func.max(Transfer.changed_at))),
                "rules": session.scalar(select(func.max(RuleSet.id))),
                "audit": self._last_line,
                "logs": kept_size(self._logs),
            }
        marks = {topic: _mark(self._acts[topic], moved.get(topic)) for topic in TOPICS}
        marks["overview"] = _mark(*(mark for topic, mark in marks.items() if topic != "logs"))
        return {CONSOLE: Sight(json.dumps(marks))}

    def _read_audit(self, session: Session) -> None:
        """Counts what was done since the last look; the first look begins with the present."""
        if self._last_line is None:
            self._last_line = session.scalar(select(func.max(AuditEvent.id))) or 0
        query = select(AuditEvent.id, AuditEvent.action).where(AuditEvent.id > self._last_line)
        for line, action in session.execute(query.order_by(AuditEvent.id).limit(MOST_LINES)):
            self._last_line = line
            self._acts.update(BEGINNINGS.get(action.partition(".")[0], ()))


def marks_of(sight: Sight) -> dict[str, str]:
    """The marks by topic."""
    found: dict[str, str] = json.loads(sight.version)
    return found


def _mark(*facts: Any) -> str:
    return repr(facts)


def _studies(session: Session) -> list[Any]:
    """The newest study, and when one of each state last grew; by indexes alone."""
    newest = (select(func.max(Study.last_received_at)).where(Study.state == state) for state in StudyState)
    return [session.scalar(select(func.max(Study.id))), *(session.scalar(query) for query in newest)]


def _active_jobs(session: Session) -> list[Any]:
    """The jobs that run, how far their steps are, and the newest step and job of each state."""
    jobs = [*_longest_running(session, JobState.RUNNING), *_longest_running(session, JobState.DELIVERING)]
    steps = select(JobStep.id, JobStep.state, JobStep.attempts).where(JobStep.job_id.in_([row[0] for row in jobs]))
    return [
        jobs,
        [tuple(row) for row in session.execute(steps.order_by(JobStep.id))],
        session.scalar(select(func.max(JobStep.id))),
        *(session.scalar(select(func.max(Job.created_at)).where(Job.state == state)) for state in JobState),
    ]


def _longest_running(session: Session, state: JobState) -> list[tuple[Any, ...]]:
    query = select(Job.id, Job.state, Job.progress, Job.run).where(Job.state == state)
    return [tuple(row) for row in session.execute(query.order_by(Job.created_at).limit(MOST_ACTIVE))]
