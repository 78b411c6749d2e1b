"""The query of a QIDO-RS request (PS3.18 8.3.4): which attributes must match, which page, which fields."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

from pacs_agent.archive.dicomweb.attributes import BY_NAME, Attribute, Level

MOST_MATCHES = 5000
"""Longest answer; more are had by pages."""
MOST_FIELDS = 64
_PARAMETERS = frozenset({"limit", "offset", "includefield", "fuzzymatching", "accept"})
_TAG = re.compile(r"[0-9A-Fa-f]{8}")


@dataclass(frozen=True)
class Query:
    """A search, as asked."""

    level: Level
    matches: tuple[tuple[Attribute, str], ...]
    modalities_in_study: tuple[str, ...]
    limit: int
    offset: int
    extra_tags: tuple[int, ...]
    """Fields asked for that the index does not hold; they are read from a file of each match."""
    ignored: tuple[str, ...]
    """Parameters that are not supported; the answer warns of them (PS3.18 8.3.4.6)."""


def parse_query(arguments: MultiDict[str, str], level: Level) -> Query:
    """The query of a request's URL parameters. Raises BadRequest for a page or a field that is none."""
    named = {name: values[-1] for name, values in arguments.lists() if name not in _PARAMETERS}
    supported = {name: BY_NAME[name] for name in named if name in BY_NAME and BY_NAME[name].level <= level}
    modalities = [value for name, value in named.items() if name in ("ModalitiesInStudy", "00080061") and value]
    ignored = named.keys() - supported.keys() - {"ModalitiesInStudy", "00080061"}
    return Query(
        level=level,
        matches=tuple((attribute, named[name]) for name, attribute in supported.items() if named[name]),
        modalities_in_study=tuple(re.split(r"[,\\]", modalities[0])) if modalities else (),
        limit=min(_count(arguments, "limit", MOST_MATCHES), MOST_MATCHES),
        offset=_count(arguments, "offset", 0),
        extra_tags=tuple(_extra_tags(arguments.getlist("includefield"))),
        ignored=tuple(sorted(ignored)),
    )


def _count(arguments: MultiDict[str, str], name: str, missing: int) -> int:
    text = arguments.get(name)
    if text is None:
        return missing
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        raise BadRequest(f"{name} must be a number of at most nine digits")
    return int(text)


def _extra_tags(fields: Iterable[str]) -> list[int]:
    """Tags of the fields that are not in the index. `all` means all that the index holds."""
    names = [name for field in fields for name in field.split(",") if name and name != "all"]
    if len(names) > MOST_FIELDS:
        raise BadRequest(f"at most {MOST_FIELDS} values of includefield")
    return sorted({_tag(name) for name in names if name not in BY_NAME})


def _tag(name: str) -> int:
    tag = int(name, 16) if _TAG.fullmatch(name) else tag_for_keyword(name)
    if tag is None:
        raise BadRequest("includefield must be a DICOM keyword, a tag of eight hexadecimal digits, or all")
    return int(tag)
