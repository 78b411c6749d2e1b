"""What an audit line says was before and after, as a difference that people read."""

import difflib
import json
from collections.abc import Mapping
from typing import Any

from pacs_agent.console.audit_trail.models import Change, TextLine

SHOWN_LINES = 2000


def changes_of(detail: Mapping[str, Any]) -> list[Change]:
    """The fields that differ; a single value is a field called `value`. Empty where nothing or a text changed."""
    if not _has_change(detail) or is_text(detail):
        return []
    before, after = _fields(detail.get("before")), _fields(detail.get("after"))
    names = [*before, *(name for name in after if name not in before)]
    pairs = [(name, before.get(name), after.get(name)) for name in names]
    return [Change(field=name, before=said(old), after=said(new)) for name, old, new in pairs if old != new]


def text_difference(detail: Mapping[str, Any]) -> list[TextLine]:
    """The lines of a text before and after, such as the rules; empty where the act changed no text."""
    if not is_text(detail):
        return []
    before, after = (str(detail.get(side) or "").splitlines()[:SHOWN_LINES] for side in ("before", "after"))
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=True)
    lines: list[TextLine] = []
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            lines += [TextLine(kind="same", text=text) for text in before[start:end]]
            continue
        lines += [TextLine(kind="removed", text=text) for text in before[start:end]]
        lines += [TextLine(kind="added", text=text) for text in after[new_start:new_end]]
    return lines


def facts_of(detail: Mapping[str, Any]) -> dict[str, str]:
    """Whatever a line says beside before and after."""
    return {name: said(value) for name, value in detail.items() if name not in ("before", "after")}


def is_text(detail: Mapping[str, Any]) -> bool:
    """Whether the change is of a text of several lines."""
    sides = [detail.get("before"), detail.get("after")]
    return all(side is None or isinstance(side, str) for side in sides) and any("\n" in (side or "") for side in sides)


def said(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value) or "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _has_change(detail: Mapping[str, Any]) -> bool:
    return "before" in detail or "after" in detail


def _fields(side: Any) -> dict[str, Any]:
    if isinstance(side, dict):
        return side
    return {} if side is None else {"value": side}
