"""Labels from the text of an English chest CT report, offline: what it says of each of the 18 findings, and where.

Rule-based: wordings of the findings (`terms`) in clauses (`clauses`), and what the clause says of them (`context`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from models.evaluation.clauses import Span, clauses, sentences
from models.evaluation.context import CLINICAL, status_of
from models.evaluation.terms import TERMS, Status
from models.phantoms.findings import Finding

__all__ = ["Mention", "Status", "findings_of", "labels_of", "mentions"]

_EITHER = re.compile(
    r"\s+(?:(?:changes?|foci|focus|areas?)\s+)?(?:or|versus|vs\.?)\s+(?:[\w-]+\s+){0,2}$", re.IGNORECASE
)
_STRENGTH = (Status.HISTORICAL, Status.ABSENT, Status.UNCERTAIN, Status.PRESENT)
"""Of several mentions of a finding the strongest is the report's."""


@dataclass(frozen=True)
class Mention:
    """A finding named in a report; `start` and `end` are its place in the text."""

    finding: Finding
    status: Status
    start: int
    end: int


def mentions(text: str) -> tuple[Mention, ...]:
    """Every mention of a finding, in the order of the text."""
    found = [mention for sentence in sentences(text) for mention in _in_sentence(text, sentence)]
    return tuple(sorted(found, key=lambda mention: (mention.start, mention.end, mention.finding)))


def labels_of(text: str) -> dict[Finding, Status]:
    """The status of each finding that a report names: its strongest mention's."""
    labels: dict[Finding, Status] = {}
    for mention in mentions(text):
        before = labels.get(mention.finding, mention.status)
        labels[mention.finding] = max(before, mention.status, key=_STRENGTH.index)
    return labels


def findings_of(text: str) -> frozenset[Finding]:
    """The findings that a report states as present."""
    return frozenset(finding for finding, status in labels_of(text).items() if status == Status.PRESENT)


def _in_sentence(text: str, sentence: Span) -> Iterator[Mention]:
    if CLINICAL.match(text, *sentence):
        yield from (replace(m, status=Status.HISTORICAL) for m in _in_clause(text, sentence))
        return
    asked = text[sentence[1] : sentence[1] + 1] == "?"
    for clause in clauses(text, sentence):
        for mention in _alternatives(text, _in_clause(text, clause)):
            unsure = asked and mention.status == Status.PRESENT
            yield replace(mention, status=Status.UNCERTAIN) if unsure else mention


def _in_clause(text: str, clause: Span) -> list[Mention]:
    found: list[Mention] = []
    for term in TERMS:
        for match in term.pattern.finditer(text, *clause):
            span = match.span()
            if any(m.finding == term.finding and m.start < span[1] and span[0] < m.end for m in found):
                continue
            lasts = term.finding == Finding.MEDICAL_MATERIAL
            status = term.status or status_of(text, clause, span, lasts)
            found.append(Mention(term.finding, status, *span))
    return found


def _alternatives(text: str, found: list[Mention]) -> list[Mention]:
    """As they are, but of two findings joined by "or" neither is stated."""
    open_ended = set()
    for first in found:
        for second in found:
            apart = first.end <= second.start and first.finding != second.finding
            if (
                apart
                and first.status == second.status == Status.PRESENT
                and _EITHER.fullmatch(text[first.end : second.start])
            ):
                open_ended |= {first, second}
    return [replace(mention, status=Status.UNCERTAIN) if mention in open_ended else mention for mention in found]
