"""The text of a report after review: what was accepted stands as it was drafted, what was changed is said anew.

The panel shows the same words before they are saved (`ohif-extension/src/panel/reviewedText.ts`).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from pacs_agent.inference.reading import FindingReading, Presence, Sentence
from pacs_agent.inference.report import POSSIBLE, details
from pacs_agent.results.reviewed import ReviewedReading
from pacs_agent.results.stated import sentences_of

NOTHING_LEFT = "No finding was confirmed."

_HEADING = re.compile(r"\s*(?:(findings|befunde?)|(impressions?|conclusions?|beurteilung))\s*(?::\s*|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Statement:
    """One sentence of the report after review, and the findings it states or rules out."""

    text: str
    findings: tuple[FindingReading, ...] = ()
    positive: bool = True


Words: TypeAlias = Callable[[FindingReading, str], str]
"""A finding as it was left, with the reviewer's comment, in words; empty where nothing is to be said."""


def findings_after_review(reviewed: ReviewedReading) -> list[Statement]:
    """The sentences on findings: the draft's own, and a new one for each finding that was changed or added."""
    return list(_section(reviewed, sentences_of(reviewed.reading), _as_finding))


def impression_after_review(reviewed: ReviewedReading) -> list[Statement]:
    """The impression: of what is not absent after review, and what the draft sums up where that still holds."""
    said = list(_section(reviewed, reviewed.reading.impression, _as_impression))
    return said or [Statement(NOTHING_LEFT, positive=False)]


def edited_sections(text: str) -> tuple[list[str], list[str]]:
    """Paragraphs of the findings and of the impression in an edited report.

    The impression begins at a line that says so; without such a heading it is what follows the last empty line.
    """
    lines = [line.strip() for line in text.strip().splitlines()]
    heading = next((at for at, line in enumerate(lines) if _names_impression(line)), None)
    at = heading if heading is not None else _after_last_empty(lines)
    findings, impression = _paragraphs(lines[:at]), _paragraphs(lines[at:])
    return (findings, impression) if findings or impression else (lines, [])


def _section(reviewed: ReviewedReading, sentences: Iterable[Sentence], words: Words) -> Iterator[Statement]:
    """The sentences that still hold, and in place of the others what the reviewer says."""
    unsaid = [one.finding for one in reviewed.findings if reviewed.is_changed(one.finding)]
    for sentence in sentences:
        if len(sentence.findings) == 1:
            unsaid = [key for key in unsaid if key not in sentence.findings]
            yield from _on_one(reviewed, sentence, words)
        else:
            yield from _on_several(reviewed, sentence)
    for key in unsaid:
        yield from _anew(reviewed, key, words)


def _on_one(reviewed: ReviewedReading, sentence: Sentence, words: Words) -> Iterator[Statement]:
    (key,) = sentence.findings
    if reviewed.is_changed(key):
        yield from _anew(reviewed, key, words)
    else:
        yield Statement(sentence.text, (reviewed.reading.finding(key),), sentence.positive)


def _on_several(reviewed: ReviewedReading, sentence: Sentence) -> Iterator[Statement]:
    """A list of names loses those that were changed; that nothing is present holds until something is."""
    findings = [one for one in reviewed.reading.findings if one.label.key in sentence.findings]
    if not sentence.positive:
        if not any(_is_present_now(reviewed, one) for one in findings):
            yield Statement(sentence.text, tuple(findings), positive=False)
        return
    unchanged = [one for one in findings if not reviewed.is_changed(one.label.key)]
    if unchanged == findings:
        yield Statement(sentence.text, tuple(findings))
    elif unchanged:
        names = ", ".join(_lower_first(one.label.name) for one in unchanged)
        yield Statement(f"{POSSIBLE}{names}.", tuple(unchanged))


def _anew(reviewed: ReviewedReading, key: str, words: Words) -> Iterator[Statement]:
    """A new sentence on a finding as the reviewer leaves it; none on what was rejected."""
    handled = reviewed.handled[key]
    left = reviewed.left(reviewed.reading.finding(key))
    if left is None or handled.edited is None:
        return
    text = words(left, handled.edited.comment.strip())
    if text:
        yield Statement(text, (left,), left.presence is not Presence.ABSENT)


def _as_finding(finding: FindingReading, comment: str) -> str:
    if finding.presence is Presence.ABSENT:
        return f"{finding.label.name}: not seen. {comment}".strip()
    return f"{finding.label.name}: {finding.presence}{details(finding)}. {comment}".strip()


def _as_impression(finding: FindingReading, _comment: str) -> str:
    words = f"{finding.label.name}{details(finding)}."
    if finding.presence is Presence.UNCERTAIN:
        return f"{POSSIBLE}{_lower_first(words)}"
    return words if finding.presence is Presence.PRESENT else ""


def _is_present_now(reviewed: ReviewedReading, finding: FindingReading) -> bool:
    left = reviewed.left(finding)
    return left is not None and left.presence is Presence.PRESENT


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]


def _names_impression(line: str) -> bool:
    found = _HEADING.match(line)
    return bool(found and found[2])


def _after_last_empty(lines: list[str]) -> int:
    return max((at for at, line in enumerate(lines) if not line), default=len(lines))


def _paragraphs(lines: Iterable[str]) -> list[str]:
    texts = (_HEADING.sub("", line, count=1) if _HEADING.match(line) else line for line in lines)
    return [text for text in texts if text]
