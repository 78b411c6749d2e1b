"""How much was read ahead, and how much of it a job made use of: rows for each series, told to nobody's audit trail."""

import threading
from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.db import OWN_PIPELINES, Database, Job, JobState, SeriesAhead, Study, StudyState, utc_now

SETTLED_AT_ONCE = 100
_ENCODED, _UNDECODABLE, _LEFT_OUT = "encoded", "undecodable", "left_out"


class AheadOfStudy(BaseModel):
    """What was read of a study before it was complete, in slices. `used` is None until its job has read."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    encoded: int
    undecodable: int
    """No decoder could read their pixel data."""
    left_out: int
    """Left for completeness: the budget was spent, or too many waited."""
    used: int | None

    @property
    def wasted(self) -> int | None:
        """Encoded in vain; None until the study's job has read."""
        return None if self.used is None else self.encoded - self.used


def ahead_of_study(session: Session, study_pk: int) -> AheadOfStudy | None:
    """The figures of a study; None when nothing of it was read ahead."""
    rows = session.scalars(select(SeriesAhead).where(SeriesAhead.study_pk == study_pk)).all()
    if not rows:
        return None
    return AheadOfStudy(
        encoded=sum(row.encoded for row in rows),
        undecodable=sum(row.undecodable for row in rows),
        left_out=sum(row.left_out for row in rows),
        used=sum(row.used for row in rows) if all(row.settled_at for row in rows) else None,
    )


class Counts:
    """Counts in memory, and writes when asked: not a transaction for each slice, as these would slow reception.

    Safe to use from several threads: who encodes counts while who looks for images writes.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._new: dict[tuple[int, str], Counter[str]] = {}
        self._lock = threading.Lock()

    def encoded(self, study_pk: int, series_instance_uid: str, slices: int = 1) -> None:
        """Slices were encoded."""
        self._add(study_pk, series_instance_uid, _ENCODED, slices)

    def undecodable(self, study_pk: int, series_instance_uid: str) -> None:
        """A slice could not be decoded."""
        self._add(study_pk, series_instance_uid, _UNDECODABLE, 1)

    def left_out(self, study_pk: int, series_instance_uid: str, slices: int = 1) -> None:
        """There was no room for slices."""
        self._add(study_pk, series_instance_uid, _LEFT_OUT, slices)

    def write(self) -> None:
        """Writes what was counted since, in one transaction. A study that was removed meanwhile has no row."""
        new = self.take()
        if not new:
            return
        with self.database.writing() as session:
            known = set(session.scalars(select(Study.id).where(Study.id.in_({study for study, _ in new}))))
            for (study_pk, series), counted in new.items():
                if study_pk in known:
                    _count(session, study_pk, series, counted)

    def take(self) -> dict[tuple[int, str], Counter[str]]:
        """What was counted since, by study and series; it is counted no more."""
        with self._lock:
            new, self._new = self._new, {}
        return new

    def settle(self) -> None:
        """Says of series whose study has been read, or is not to be, how many of their slices were used."""
        over = Study.state.in_((StudyState.COMPLETE, StudyState.IGNORED))
        query = select(SeriesAhead, Study.state).join(Study, SeriesAhead.study_pk == Study.id)
        query = query.where(SeriesAhead.settled_at.is_(None), over).order_by(SeriesAhead.id).limit(SETTLED_AT_ONCE)
        with self.database.reading() as session:
            rows = session.execute(query).all()
            said = {row.id: _used(session, row, state) for row, state in rows}
        if settled := {pk: used for pk, used in said.items() if used is not None}:
            self._write_settled(settled)

    def _write_settled(self, settled: dict[int, int]) -> None:
        with self.database.writing() as session:
            for row in session.scalars(select(SeriesAhead).where(SeriesAhead.id.in_(settled))):
                row.used = min(row.encoded, settled[row.id])
                row.settled_at = row.changed_at = utc_now()

    def _add(self, study_pk: int, series_instance_uid: str, what: str, slices: int) -> None:
        with self._lock:
            self._new.setdefault((study_pk, series_instance_uid), Counter())[what] += slices


def _count(session: Session, study_pk: int, series_instance_uid: str, counted: Counter[str]) -> None:
    same = SeriesAhead.study_pk == study_pk, SeriesAhead.series_instance_uid == series_instance_uid
    row = session.scalar(select(SeriesAhead).where(*same).with_for_update())
    if row is None:
        row = SeriesAhead(
            study_pk=study_pk, series_instance_uid=series_instance_uid, encoded=0, undecodable=0, left_out=0, used=0
        )
        session.add(row)
    row.encoded += counted[_ENCODED]
    row.undecodable += counted[_UNDECODABLE]
    row.left_out += counted[_LEFT_OUT]
    row.changed_at, row.settled_at = utc_now(), None


def _used(session: Session, row: SeriesAhead, state: StudyState) -> int | None:
    """How many slices of the series jobs read; None while that is open."""
    if state == StudyState.IGNORED:
        return 0
    query = select(Job).where(Job.study_pk == row.study_pk, Job.pipeline.not_in(OWN_PIPELINES))
    jobs = session.scalars(query.order_by(Job.created_at.desc(), Job.id)).all()
    if any(job.state in (JobState.QUEUED, JobState.RUNNING) for job in jobs[:1]):
        return None
    return _read(jobs)[row.series_instance_uid]


def _read(jobs: Sequence[Job]) -> Counter[str]:
    """Of each series how many slices jobs chose to read, of a series in parts of all that were."""
    read = Counter[str]()
    for verdict in (one for job in jobs for one in (job.series_choice or {}).get("verdicts", ()) if one["chosen"]):
        read[str(verdict["series_instance_uid"])] += int(verdict["slices"])
    return read
