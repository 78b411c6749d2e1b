"""Sentences and clauses of a report, each as a span of its text."""

import re
from collections.abc import Iterator

Span = tuple[int, int]

_STOP = re.compile(r"[.!?]+(?=\s|$|[\"'”)\]])|\n\s*\n|\n(?=\s*(?:[A-Z•*\d-]))|•")
_ABBREVIATION = re.compile(r"(?:\b(?:vs|dr|fig|approx|e\.g|i\.e|cf|resp|ca|st)|\b[A-Za-z])$", re.IGNORECASE)
_HARD = re.compile(
    r";|\b(?:but|however|although|though|except(?:ing)?(?:\s+for)?|apart\s+from|aside\s+from|other\s+than|besides|yet"
    r"|whereas|while|nevertheless|otherwise|with\s+the\s+exception\s+of|instead)\b|[–—]\s",
    re.IGNORECASE,
)
_SOFT = re.compile(r"\s*,\s*(?:and\s+)?|\s+and\s+", re.IGNORECASE)
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|shows?|showed|demonstrate[sd]?|reveal(?:s|ed)?|persists?|remains?|appears?|cannot"
    r"|can|may|might|could|contains?|lies?|measures?|extends?)\b",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"\b(?:that|which|who)\s+\w+", re.IGNORECASE)
_COMPLETE = re.compile(
    r"\b(?:seen|noted|observed|detected|identified|present|found|visuali[sz]ed|evident|demonstrated|appreciated|normal|clear"
    r"|unremarkable|absent|unchanged|stable|resolved|visible|excluded)$",
    re.IGNORECASE,
)
_ALTERNATIVE = re.compile(r"(?:or|nor)\b", re.IGNORECASE)
_NEW_SUBJECT = re.compile(r"(?:there|the|a|an|this|these|both|heart|lungs?|aorta|mediastinum)\b", re.IGNORECASE)


def sentences(text: str) -> Iterator[Span]:
    """Spans of the sentences: parted by stops, blank lines, bullets and lines that start anew."""
    start = 0
    for stop in _STOP.finditer(text):
        if stop[0] == "." and _is_abbreviation(text[start : stop.start()]):
            continue
        yield start, stop.start()
        start = stop.end()
    yield start, len(text)


def _is_abbreviation(before: str) -> bool:
    match = _ABBREVIATION.search(before)
    return bool(match) and len(before.strip()) > len(match[0]) if match else False


def clauses(text: str, sentence: Span) -> Iterator[Span]:
    """Spans of the clauses of a sentence: each has at most one predicate, so that a negation does not leave it."""
    start = sentence[0]
    for hard in (*_HARD.finditer(text, *sentence), None):
        end = hard.start() if hard else sentence[1]
        yield from _soft_clauses(text, (start, end))
        if hard:
            start = hard.end()


def _soft_clauses(text: str, span: Span) -> Iterator[Span]:
    start, (_, end) = span[0], span
    cuts = [*_SOFT.finditer(text, *span)]
    for index, cut in enumerate(cuts):
        following = cuts[index + 1].start() if index + 1 < len(cuts) else end
        if _parts(text[start : cut.start()], text[cut.end() : following], ends_list=cut[0].strip() == ","):
            yield start, cut.start()
            start = cut.end()
    yield start, end


def _parts(left: str, right: str, ends_list: bool) -> bool:
    """Whether a comma or an "and" between two stretches parts two statements, not two members of a list."""
    if not left.strip() or _ALTERNATIVE.match(right):
        return False
    right_has_verb = _has_verb(right)
    if _COMPLETE.search(left):
        return True
    return right_has_verb and (_has_verb(left) or bool(_NEW_SUBJECT.match(right)))


def _has_verb(text: str) -> bool:
    return bool(_VERB.search(_RELATIVE.sub("", text)))
