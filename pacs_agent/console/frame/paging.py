"""Lists a page at a time, the last as fast as the first: a cursor says where a page begins, not its number.

Rows are ordered by one column and then by key, newest or highest first. A cursor holds both of the row at a page's edge
("seek method", Winand, SQL Performance Explained, chapter 7), so the database goes straight there by the index.
"""

import base64
import binascii
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field
from sqlalchemy import Select, or_
from sqlalchemy.orm import InstrumentedAttribute, Session
from werkzeug.exceptions import BadRequest

from pacs_agent.db import UtcDateTime

Kind = TypeVar("Kind")


class Asked(BaseModel):
    """The part of a list that is asked for; a list's own query derives from it."""

    cursor: str = Field("", max_length=512, description="`next` or `previous` of the page before")
    limit: int = Field(50, ge=1, le=500, description="rows of a page")


class Page(BaseModel, Generic[Kind]):
    """A page of a list, and the cursors of the pages around it; an empty one means that there is none."""

    rows: list[Kind]
    next: str = ""
    previous: str = ""


def page_of(
    session: Session,
    query: Select[Any],
    asked: Asked,
    *,
    by: InstrumentedAttribute[Any],
    key: InstrumentedAttribute[Any],
    row: Callable[[Any], Kind],
) -> Page[Kind]:
    """The page of the query's rows that is asked for, the highest `by` first. An index must exist over (by, key).

    Raises BadRequest for a cursor that is none.
    """
    back, edge = _edge(asked.cursor, by, key)
    up = back
    if edge is not None:
        value, last = edge
        from_there = (by >= value, by > value, key > last) if up else (by <= value, by < value, key < last)
        query = query.where(from_there[0], or_(*from_there[1:]))  # a range first: an index is entered there
    order = (by.asc(), key.asc()) if up else (by.desc(), key.desc())
    found = list(session.scalars(query.order_by(*order).limit(asked.limit + 1)))
    more, found = len(found) > asked.limit, found[: asked.limit]
    if up:
        found.reverse()
    has_next = bool(found) and (more or back)
    has_previous = bool(found) and (edge is not None if not back else more)
    return Page(
        rows=[row(one) for one in found],
        next=_cursor(">", found[-1], by, key) if has_next else "",
        previous=_cursor("<", found[0], by, key) if has_previous else "",
    )


def _cursor(direction: str, row: Any, by: InstrumentedAttribute[Any], key: InstrumentedAttribute[Any]) -> str:
    value = getattr(row, by.key)
    text = value.isoformat() if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([direction, text, getattr(row, key.key)]).encode()).decode().rstrip("=")


def _edge(
    cursor: str, by: InstrumentedAttribute[Any], key: InstrumentedAttribute[Any]
) -> tuple[bool, tuple[Any, Any] | None]:
    """Whether the page before is asked for, and value and key of the row at its edge."""
    if not cursor:
        return False, None
    try:
        direction, value, last = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if direction not in ("<", ">"):
            raise ValueError(direction)
        value, last = _typed(value, by), _typed(last, key)
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadRequest("this cursor is none of ours; leave it out to begin with the first page") from error
    return direction == "<", (value, last)


def _typed(value: Any, column: InstrumentedAttribute[Any]) -> Any:
    """A value of a cursor in the type of its column; anybody may have written it. Raises ValueError."""
    if isinstance(column.type, UtcDateTime):
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    if type(value) is not column.type.python_type:
        raise ValueError(f"{value!r} does not fit {column.key}")
    return value
