"""Conditions of a search as SQL (PS3.4 C.2.2.2)."""

import re

from sqlalchemy import ColumnElement, and_, or_
from werkzeug.exceptions import BadRequest

from pacs_agent.archive.dicomweb.attributes import Attribute, Matching
from pacs_agent.receive.identity import is_uid

LONGEST_VALUE = 324
MOST_WILDCARDS = 8
"""More make the database try very many ways to match."""
MOST_UIDS = 1000
_MOMENT = re.compile(r"[0-9]{0,8}(\.[0-9]{1,6})?", re.ASCII)


def condition(attribute: Attribute, value: str) -> ColumnElement[bool]:
    """The rows whose attribute matches a value. Raises BadRequest when the value cannot be one of this attribute."""
    if attribute.matching is Matching.UID:
        return _uids(attribute, value)
    if len(value) > LONGEST_VALUE or "\0" in value:
        raise BadRequest(f"{attribute.keyword} is too long or holds NUL")
    if attribute.matching is Matching.RANGE:
        return _range(attribute, value)
    if attribute.matching is Matching.NUMBER:
        return _number(attribute, value)
    return _text(attribute, value)


def _uids(attribute: Attribute, value: str) -> ColumnElement[bool]:
    uids = re.split(r"[,\\]", value)
    if len(uids) > MOST_UIDS or not all(map(is_uid, uids)):
        raise BadRequest(f"{attribute.keyword} must be a list of at most {MOST_UIDS} UIDs")
    return attribute.column.in_(uids)


def _number(attribute: Attribute, value: str) -> ColumnElement[bool]:
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", value, re.ASCII):
        raise BadRequest(f"{attribute.keyword} must be a whole number of at most nine digits")
    matches: ColumnElement[bool] = attribute.column == int(value)
    return matches


def _range(attribute: Attribute, value: str) -> ColumnElement[bool]:
    """PS3.4 C.2.2.2.5. A moment stands for all that begin with it: 12 is every time from 12:00 to 12:59:59."""
    first, dash, last = value.partition("-")
    last = last if dash else first
    if not (_MOMENT.fullmatch(first) and _MOMENT.fullmatch(last) and (first or last)):
        raise BadRequest(f"{attribute.keyword} must be digits, or a range FIRST-LAST of them")
    bounds = [attribute.column != ""]
    if first:
        bounds.append(attribute.column >= first)
    if last:
        bounds.append(attribute.column <= f"{last}~")
    return and_(*bounds)


def _text(attribute: Attribute, value: str) -> ColumnElement[bool]:
    if value.count("*") + value.count("?") > MOST_WILDCARDS:
        raise BadRequest(f"{attribute.keyword} has more than {MOST_WILDCARDS} wildcards")
    pattern = _like_pattern(value)
    if attribute.matching is Matching.NAME:
        patterns = (pattern, f"{pattern}=%", f"%={pattern}", f"%={pattern}=%")
        return or_(*(attribute.column.ilike(each, escape="\\") for each in patterns))
    if pattern == value:
        matches: ColumnElement[bool] = attribute.column == value
        return matches
    return attribute.column.ilike(pattern, escape="\\")


def _like_pattern(value: str) -> str:
    r"""A DICOM wildcard value (`*`, `?`) as a LIKE pattern; LIKE's own signs are escaped by \."""
    escaped = re.sub(r"([\\%_])", r"\\\1", value)
    return escaped.replace("*", "%").replace("?", "_")
