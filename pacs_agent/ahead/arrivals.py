"""Images as they come into the index, found by asking for rows behind the last one seen."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from pacs_agent.archive import IMAGE_SOP_CLASSES
from pacs_agent.db import Database, Instance, Origin, Series, Study, StudyState, utc_now

AT_ONCE = 200
LOOK_BACK = 100
"""Rows before the last one seen that are asked for again: of two images the later id may be committed first."""
STILL_ARRIVES = timedelta(minutes=10)
"""After a restart, images of studies that grew within this time are looked at again."""


@dataclass(frozen=True)
class Arrival:
    """An image that was indexed, by its file's digest, and the study that it belongs to."""

    instance_pk: int
    digest: str
    study_pk: int
    study_instance_uid: str


class Arrivals:
    """The images that came since one asked last. Two queries by primary key.

    SQLite gives the ids of the newest rows again once these are removed: then all begins anew, as after a restart.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._last: int | None = None
        self._newest = 0
        self._seen: set[int] = set()

    def new(self) -> list[Arrival]:
        """The next images, oldest first; at most AT_ONCE, so that who asks is never busy for long."""
        with self.database.reading() as session:
            newest = session.scalar(select(func.max(Instance.id))) or 0
            if self._last is None or newest < self._newest:
                self._last, self._seen = _begin(session), set()
            self._newest = newest
            behind = max(0, self._last - LOOK_BACK)
            found = [Arrival(row[0], row[1], row[2], row[3]) for row in session.execute(_images(behind, self._seen))]
        self._note(found)
        return found

    def _note(self, found: list[Arrival]) -> None:
        self._last = max((self._last or 0, *(one.instance_pk for one in found)))
        self._seen |= {one.instance_pk for one in found}
        self._seen = {pk for pk in self._seen if pk > self._last - LOOK_BACK}


def _images(behind: int, seen: set[int]) -> Select[int, str, int, str]:
    columns = Instance.id, Instance.digest, Study.id, Study.study_instance_uid
    query = select(*columns).join(Instance.series).join(Series.study).where(Instance.id > behind)
    images = Instance.origin == Origin.RECEIVED, Instance.sop_class_uid.in_(IMAGE_SOP_CLASSES)
    return query.where(*images, Instance.id.not_in(seen)).order_by(Instance.id).limit(AT_ONCE)


def _begin(session: Session) -> int:
    """The row behind which to begin: before the images of studies that were arriving when the last worker ended."""
    growing = Study.state == StudyState.RECEIVING, Study.last_received_at > utc_now() - STILL_ARRIVES
    first = session.scalar(select(func.min(Instance.id)).join(Instance.series).join(Series.study).where(*growing))
    newest = session.scalar(select(func.max(Instance.id))) or 0
    return (first + LOOK_BACK - 1) if first is not None else newest + LOOK_BACK
