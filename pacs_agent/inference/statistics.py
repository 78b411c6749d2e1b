"""What a model says over time, and of which images: counts for each week, written when a reading is made."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from pacs_agent.db import ReadingStatistics
from pacs_agent.inference.intervals import BINS, bin_of
from pacs_agent.inference.reading import FindingReading, Presence, StudyReading

FIRST = "first"
FIRST_STUDIES = 200
"""So many studies show what is usual, where the evaluation of a bundle does not say it."""
MOST_VALUES = 40
"""Different manufacturers or kernels that are counted by name; whatever comes after is `others`."""
OTHERS = "others"
NOT_NAMED = "not named"
SLICES_STEP = 50
THICKNESS_STEP_MM = 0.5

_INSERT: dict[str, Callable[..., Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class FindingCounts(BaseModel):
    """How often a finding was said, and how its scores were spread."""

    name: str = ""
    present: int = 0
    uncertain: int = 0
    absent: int = 0
    scores: list[int] = [0] * BINS

    @property
    def studies(self) -> int:
        """All studies in which it was asked for."""
        return self.present + self.uncertain + self.absent

    def add(self, said: FindingReading) -> None:
        """Counts one reading of it."""
        self.name = said.label.name
        self.present += said.presence is Presence.PRESENT
        self.uncertain += said.presence is Presence.UNCERTAIN
        self.absent += said.presence is Presence.ABSENT
        self.scores[bin_of(said.probability)] += 1


class Counts(BaseModel):
    """What was said of some studies, by the finding's key, and of which images, by value."""

    findings: dict[str, FindingCounts] = {}
    slices: dict[str, int] = {}
    """By the next lower multiple of 50."""
    thickness_mm: dict[str, int] = {}
    """By the nearest half millimetre."""
    manufacturers: dict[str, int] = {}
    kernels: dict[str, int] = {}

    def add(self, reading: StudyReading, manufacturer: str, kernel: str) -> None:
        """Counts one reading."""
        for said in reading.findings:
            self.findings.setdefault(said.label.key, FindingCounts()).add(said)
        slices = len(reading.series.slices)
        steps = round(reading.series.thickness_mm / THICKNESS_STEP_MM)
        _count(self.slices, str(slices - slices % SLICES_STEP))
        _count(self.thickness_mm, f"{steps * THICKNESS_STEP_MM:.1f}")
        _count(self.manufacturers, manufacturer.strip()[:64] or NOT_NAMED)
        _count(self.kernels, kernel.strip()[:64] or NOT_NAMED)


def count_reading(session: Session, reading: StudyReading, manufacturer: str, kernel: str, at: datetime) -> None:
    """Counts a reading in its week, and among the first of its version, in the caller's transaction."""
    for period in (week_of(at), FIRST):
        row = _row(session, reading.bundle.name[:64], reading.bundle.version[:64], period)
        if period == FIRST and row.studies >= FIRST_STUDIES:
            continue
        counts = Counts.model_validate(row.content)
        counts.add(reading, manufacturer, kernel)
        row.studies, row.content = row.studies + 1, counts.model_dump()


def week_of(at: datetime) -> str:
    """The Monday of a time's week, in UTC: 2026-11-16."""
    day = at.astimezone(UTC).date()
    return (day - timedelta(days=day.weekday())).isoformat()


def _row(session: Session, name: str, version: str, period: str) -> ReadingStatistics:
    """The row, locked; made where it is missing, whoever else makes it at the same time."""
    insert = _INSERT[session.connection().dialect.name]
    empty = {"name": name, "version": version, "period": period, "studies": 0, "content": {}}
    session.execute(insert(ReadingStatistics).values(**empty).on_conflict_do_nothing())
    row = ReadingStatistics
    query = select(row).where(row.name == name, row.version == version, row.period == period)
    return session.scalars(query.with_for_update()).one()


def _count(values: dict[str, int], value: str) -> None:
    if value not in values and len(values) >= MOST_VALUES:
        value = OTHERS
    values[value] = values.get(value, 0) + 1
