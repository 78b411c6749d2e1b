"""The rule among the images that come: one more of a series that is known, indexed by two statements.

They are compiled once and given to the driver itself. An image costs less time in the database than SQLAlchemy needs to
run a statement, and the images of all associations take turns here. Whatever is not the rule is left to `index`.
"""

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ClauseElement, bindparam, exists, insert, select, update
from sqlalchemy.engine.interfaces import DBAPICursor

from pacs_agent.archive.errors import StorageFailure
from pacs_agent.archive.index import RECEIVING_AGAIN, Entry, instance_values
from pacs_agent.db import Database, Instance, Patient, ResultObject, Series, Study, UtcDateTime, utc_now

_COLUMNS = (
    *("sop_instance_uid", "sop_class_uid", "transfer_syntax_uid", "number", "rows", "columns", "frames"),
    *("digest", "size_bytes", "origin", "source", "received_at"),
)
_ADD = insert(Instance).from_select(
    ("series_pk", *_COLUMNS),
    select(Series.id, *(bindparam(name, type_=Instance.__table__.c[name].type) for name in _COLUMNS))
    .select_from(Series)
    .join(Series.study)
    .join(Study.patient)
    .where(
        Series.series_instance_uid == bindparam("series_uid"),
        Study.study_instance_uid == bindparam("study_uid"),
        Patient.patient_id == bindparam("patient_id"),
        Patient.issuer == bindparam("issuer"),
        ~exists().where(Instance.sop_instance_uid == bindparam("uid")),
        ~exists().where(ResultObject.sop_instance_uid == bindparam("uid")),
    ),
    include_defaults=False,
)
"""Adds no row where anything contradicts, or came before."""
_RECEIVE_AGAIN = (
    update(Study)
    .where(Study.study_instance_uid == bindparam("uid"))
    .values(**RECEIVING_AGAIN, last_received_at=bindparam("now"))
)


class KnownSeries:
    """Indexes images of known series, several in one transaction. Safe for any number of threads, one at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = threading.Lock()
        self._is_synced = True
        dialect = database.engine.dialect
        self._add, self._receive_again = _Statement(_ADD, database), _Statement(_RECEIVE_AGAIN, database)
        self._time = UtcDateTime().dialect_impl(dialect).bind_processor(dialect)
        self._errors = dialect.loaded_dbapi

    def sync(self, is_synced: bool) -> None:
        """Says whether commits are synced. On return none is under way that is not as was said."""
        with self._turn:
            self._is_synced = is_synced

    def add(self, entries: Sequence[Entry]) -> list[bool]:
        """Indexes those received instances that are new, of a known series, and contradict nothing; says which.

        Raises StorageFailure when the database does not take them.
        """
        try:
            with self._turn, self._database.driver_transaction(synced=self._is_synced) as cursor:
                return self._add_all(cursor, entries, utc_now())
        except self._errors.IntegrityError:  # another process indexed one of them, or removed its series, just now
            return [False] * len(entries)
        except self._errors.Error as error:
            raise StorageFailure(f"the database did not take an instance: {type(error).__name__}") from error

    def _add_all(self, cursor: DBAPICursor, entries: Sequence[Entry], now: datetime) -> list[bool]:
        time = self._time(now) if self._time else now
        added = []
        for entry in entries:
            self._add.run(cursor, _addition(entry, time))
            added.append(cursor.rowcount == 1)
        images = {
            entry.header.study.study_instance_uid
            for entry, is_new in zip(entries, added, strict=True)
            if is_new and entry.is_image
        }
        for uid in sorted(images):  # always in one order, so that two processes never wait for each other
            self._receive_again.run(cursor, {"uid": uid, "now": time})
        return added


class _Statement:
    """A statement as the driver takes it."""

    def __init__(self, statement: ClauseElement, database: Database) -> None:
        compiled = statement.compile(dialect=database.engine.dialect)
        self._text = str(compiled)
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}
        self._order: Sequence[str] | None = getattr(compiled, "positiontup", None)

    def run(self, cursor: DBAPICursor, values: dict[str, Any]) -> None:
        """Runs it with these values, encoded as the driver wants them."""
        if self._order is None:
            cursor.execute(self._text, {**self._fixed, **values})
        else:
            named = {**self._fixed, **values}
            cursor.execute(self._text, [named[name] for name in self._order])


def _addition(entry: Entry, time: Any) -> dict[str, Any]:
    header = entry.header
    patient_id, issuer = header.patient.key
    return {
        **instance_values(entry),
        "origin": entry.origin.value,
        "received_at": time,
        "uid": header.sop_instance_uid,
        "series_uid": header.series.series_instance_uid,
        "study_uid": header.study.study_instance_uid,
        "patient_id": patient_id,
        "issuer": issuer,
    }
