"""Columns that people search by: the value without case and accents, so that an index finds how it begins."""

import unicodedata
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, String
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

LAST_CHARACTER = "\U0010ffff"
"""No text goes on with a later one."""


def search_key(text: str) -> str:
    """A text as it is searched: lower case, without accents, the parts of a person name (PS3.5 6.2 PN) as words."""
    plain = unicodedata.normalize("NFKD", text.translate(_SEPARATORS)).casefold()
    return " ".join("".join(one for one in plain if not unicodedata.combining(one)).split())


_SEPARATORS = str.maketrans("^=,", "   ")


def search_column(length: int) -> TypeEngine[str]:
    """A text that is ordered by its code points in every database, so that a beginning is a range of the index."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def key_of(column: str, length: int) -> Callable[[Any], str]:
    """Gives a new row's value of a search column, of the column beside it. Letters may become longer: it is cut."""

    def key(context: Any) -> str:
        return search_key(str(context.get_current_parameters().get(column) or ""))[:length]

    return key


def begins(column: ColumnElement[str] | InstrumentedAttribute[str], typed: str) -> ColumnElement[bool]:
    """Rows of a search column that begin as typed; `*` in front finds it anywhere, without the index' help."""
    wanted = search_key(typed.strip("*"))
    if typed.strip().startswith("*"):
        return column.contains(wanted, autoescape=True)
    return column.between(wanted, wanted + LAST_CHARACTER)
