"""Negation, uncertainty, history and comparison about a mention: what its clause says of it.

After NegEx and ConText (Chapman et al. 2001, Harkema et al. 2009): a trigger has a direction and a scope, and a scope
ends where the clause or another statement begins.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto

from models.evaluation.clauses import Span
from models.evaluation.terms import Status


class Kind(Enum):
    """What a trigger does to a mention."""

    PSEUDO = auto()
    """Looks like a trigger and is none ("no change"); hides the triggers within it."""
    NEGATED = auto()
    UNCERTAIN = auto()
    HISTORICAL = auto()
    CURRENT = auto()
    """Takes history back: "previously seen nodule is unchanged"."""


class Reach(Enum):
    """Which mentions a trigger reaches."""

    FORWARD = auto()
    BACKWARD = auto()
    CLAUSE = auto()


@dataclass(frozen=True)
class _Rule:
    kind: Kind
    reach: Reach
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class Trigger:
    """A trigger found in a clause."""

    kind: Kind
    reach: Reach
    span: Span


def _rule(kind: Kind, reach: Reach, pattern: str) -> _Rule:
    return _Rule(kind, reach, re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE))


_CHANGE = (
    r"(?:changes?d?|alter(?:ation|ed)|differen\w+|increas\w*|decreas\w*|growth|grown|progress\w*|regress\w*|worsen\w*"
    r"|improve\w*|interval\s+enlarge\w+|develop\w*\s+in)"
)
_DEGREE = (
    r"(?:significant(?:ly)?|interval|appreciabl[ey]|obvious(?:ly)?|definitely?|further|marked(?:ly)?|evident(?:ly)?|notabl[ey]"
    r"|substantial(?:ly)?|detectable|relevant(?:ly)?|major|clear(?:ly)?|essential(?:ly)?|considerabl[ey]|in\s+size|size)"
)
_SEEN = (
    r"(?:seen|identified|detected|observed|noted|present|visuali[sz]ed|found|evident|demonstrated|appreciated|visible|apparent"
    r"|shown|available|encountered|recogni[sz]ed|distinguished|watched|selected|enlarged)"
)
_PAST_STUDY = (
    r"(?:CTs?|studi?y?e?s?|exam\w*|scans?|imaging|reports?|radiographs?|films?|tomogra\w+|images?|dates?|ones?)"
)
_RULES: tuple[_Rule, ...] = (
    _rule(Kind.PSEUDO, Reach.CLAUSE, rf"(?:no|not|without)\s+(?:{_DEGREE}\s+){{0,3}}{_CHANGE}"),
    _rule(
        Kind.PSEUDO,
        Reach.CLAUSE,
        r"(?:without|no)\s+(?:\w+\s+)?contrast(?:\s+\w+)?|not\s+only|no\s+doubt|not\s+necessarily|no\s+less\s+than",
    ),
    _rule(
        Kind.PSEUDO,
        Reach.CLAUSE,
        rf"not\s+{_SEEN}\s+(?:(?:on|in|at|before|previously|earlier)\b\s*(?:the\s+)?(?:prior|previous|last|earlier|former)?)"
        rf"(?=\s+(?:prior|previous|last|earlier|{_PAST_STUDY})|\s*$|\s*[,.])",
    ),
    _rule(
        Kind.HISTORICAL,
        Reach.BACKWARD,
        r"(?:(?:was|were|had\s+been)\s+)?(?:seen|present|noted|described|reported|observed|visible)\s+"
        r"(?:previously|before|earlier|formerly|in\s+(?:the\s+)?past|(?:on|in|at)\s+(?:the\s+)?(?:prior|previous|earlier|last|former))"
        r"|in\s+the\s+(?:past|history)",
    ),
    _rule(
        Kind.PSEUDO, Reach.CLAUSE, rf"(?:prior|previous|past|earlier|old|former|last)\s+(?:\w+\s+){{0,2}}?{_PAST_STUDY}"
    ),
    _rule(
        Kind.PSEUDO,
        Reach.CLAUSE,
        r"(?:nearly|almost|partial(?:ly)?|partly|incomplete(?:ly)?|largely)\s+(?:resol\w+|clear\w+)",
    ),
    _rule(
        Kind.UNCERTAIN,
        Reach.BACKWARD,
        r"(?:can\s*not|can't|could\s+not|may\s+not)\s+(?:\w+\s+)?be\s+(?:\w+\s+)?(?:excluded|ruled\s+out)",
    ),
    _rule(
        Kind.UNCERTAIN,
        Reach.BACKWARD,
        r"(?:is|are|was|were|has|have)\s+not\s+(?:been\s+)?(?:\w+ly\s+)?(?:excluded|ruled\s+out)",
    ),
    _rule(
        Kind.UNCERTAIN,
        Reach.FORWARD,
        r"(?:can\s*not|can't|could\s+not|does\s+not|do\s+not)\s+(?:\w+\s+)?(?:exclude|rule\s+out)",
    ),
    _rule(
        Kind.NEGATED,
        Reach.BACKWARD,
        rf"(?:is|are|was|were|has|have|had|be)\s+(?:not|no\s+longer|never)\s+(?:been\s+)?(?:\w+ly\s+)?{_SEEN}|no\s+longer\s+\w+"
        rf"|not\s+(?:\w+ly\s+)?{_SEEN}|(?:is|are|was|were)\s+(?:absent|excluded|ruled\s+out|negative|unlikely|gone|not\s+there)"
        r"|(?:has|have|had)\s+(?:\w+ly\s+)?(?:resolved|disappeared|cleared|regressed\s+completely|been\s+(?:removed|excluded|drained"
        r"|ruled\s+out))|(?:absent|resolved|disappeared|removed|negative(?!\s+for)|none|nil|unlikely(?!\s+to))|(?:was|were)\s+(?:removed|resected|excised)"
        r"|(?:do|does|did)\s+not\s+(?:exist|attract\s+attention|appear)|not\s+a\s+feature|no$",
    ),
    _rule(
        Kind.NEGATED,
        Reach.FORWARD,
        r"no|not|without|w/o|absence\s+of|free\s+(?:of|from)|clear\s+of|negative\s+for|lack\s+of|lacks?|neither|nor|never"
        r"|non(?=\s)|resolution\s+of|resolved|disappearance\s+of|clearing\s+of|interval\s+removal\s+of|removal\s+of"
        r"|rather\s+than|excludes?|rules?\s+out|ruled\s+out|unlikely\s+to\s+(?:be|represent)",
    ),
    _rule(
        Kind.UNCERTAIN,
        Reach.BACKWARD,
        r"(?:is|are|was|were|remains?)\s+(?:\w+ly\s+)?(?:possible|probable|suspected|questionable|likely|equivocal|doubtful|uncertain"
        r"|considered|conceivable|in\s+question)(?!\s+(?:whether|if)\b)|to\s+be\s+considered|(?:should|may|must|might|could)\s+be\s+(?:considered|present"
        r"|suspected|excluded|ruled\s+out)|uncertain(?!\s+(?:whether|if|significance|a?etiology|nature|origin|cause|malignan\w+))|(?:questioned|suspected|possible|likely)$",
    ),
    _rule(
        Kind.UNCERTAIN,
        Reach.FORWARD,
        r"(?:uncertain|unclear|unknown|questionable)\s+(?:whether|if)(?:\s+there\s+(?:is|are))?|possib(?:le|ly)|probabl[ey]|potential(?:ly)?|suspicious\s+(?:for|of)|suspicion\s+(?:of|for)|suspected|suspect"
        r"|(?:may|might|could|would|can)\s+(?:be|represent|reflect|indicate|correspond|suggest|relate|include)\w*"
        r"|question(?:able|\s+of)|likely|presumed|presumably|concern(?:ing)?\s+for|worrisome\s+for|suggest(?:s|ive|ing)?(?:\s+of)?"
        r"|evaluat\w+\s+for|assess\w*\s+for|to\s+(?:exclude|rule\s+out)|r/o|equivocal|indeterminate\s+for|differential\s+\w+"
        r"|doubtful|perhaps|maybe|in\s+favou?r\s+of|if",
    ),
    _rule(
        Kind.HISTORICAL,
        Reach.FORWARD,
        r"history\s+of|h/o|prior|previous(?:ly)?|past|former(?:ly)?|status[-\s]post|s/p|known\s+(?:case\s+)?(?:history\s+)?(?:of|for)"
        r"|operated\s+(?:on\s+)?for|treated\s+for|(?:resection|excision|treatment)\s+of|after\s+treatment\s+(?:of|for)",
    ),
    _rule(
        Kind.CURRENT,
        Reach.CLAUSE,
        r"unchanged|stable|persist\w*|again|still|remain\w*|continu\w+|progress\w+|increas\w+|decreas\w+|larger|smaller|today"
        r"|now|current(?:ly)?|regress\w+|improv\w+|worse\w*|no\s+(?:\w+\s+){0,2}?change|not\s+changed|similar|improving|resolving",
    ),
)
_END_OF_SCOPE = re.compile(
    r"\b(?:with\s+(?:residual|new)|showing|residual|secondary\s+to|because\s+of|which|there\s+(?:is|are|was|were)|after|following|in\s+the\s+presence\s+of"
    r"|and\s+(?:a|an|the|there)\b)|,\s*(?:a|an|the|there|with|and\s+(?:a|an|the|there|with))\s"
    r"|,\s*(?:trace|small|tiny|mild|minimal|slight|moderate|large|severe|marked|extensive|diffuse)\b(?![^;.]*\b(?:or|nor)\b)",
    re.IGNORECASE,
)
_END_OF_HISTORY = re.compile(
    r"\bwith\b|\bnow\b|\bpresenting\b|\bshow\w*|\breveal\w*|\bdemonstrat\w+|\bthere\s+(?:is|are)\b", re.I
)
_OTHER_NOUN = re.compile(r",(?!.*\b(?:and|or)\b)", re.IGNORECASE)
"""A comma that begins no list: "consolidation, pneumonia to be considered"."""
CLINICAL = re.compile(
    r"\s*(?:clinical\s+(?:information|history|details|indication|question)|indication|reason\s+for\s+(?:exam\w*|study|scan)"
    r"|history|anamnesis)\s*:",
    re.IGNORECASE,
)
"""A line of the request, not of the reading."""


def triggers(text: str, clause: Span) -> tuple[Trigger, ...]:
    """Triggers of a clause; what an earlier rule took is hidden from later ones, but for CURRENT."""
    found: list[Trigger] = []
    for rule in _RULES:
        for match in rule.pattern.finditer(text, *clause):
            if rule.kind == Kind.CURRENT or not any(
                _overlap(match.span(), other.span) for other in found if other.kind != Kind.CURRENT
            ):
                found.append(Trigger(rule.kind, rule.reach, match.span()))
    return tuple(found)


def _overlap(a: Span, b: Span) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def status_of(text: str, clause: Span, mention: Span, lasts: bool = False) -> Status:
    """What a clause says of a mention in it. `lasts`: an operation in the past leaves it there (a device)."""
    marks = _triggers_for(text, clause, mention)
    reaching = [trigger for trigger in marks if _reaches(text, trigger, mention)]
    kinds = {trigger.kind for trigger in _nearest(reaching, mention)}
    if Kind.NEGATED in kinds:
        return Status.ABSENT
    if Kind.UNCERTAIN in kinds:
        return Status.UNCERTAIN
    current = any(trigger.kind == Kind.CURRENT for trigger in marks)
    if Kind.HISTORICAL in kinds and not current and not lasts:
        return Status.HISTORICAL
    return Status.PRESENT


def _triggers_for(text: str, clause: Span, mention: Span) -> tuple[Trigger, ...]:
    """As `triggers`, but a pseudo-trigger that shares words with the mention is none: "heart size is not increased"."""
    marks = triggers(text, clause)
    if not any(mark.kind == Kind.PSEUDO and _overlap(mark.span, mention) for mark in marks):
        return marks
    inside = re.compile(r"\b(?:no|not|without)\b", re.IGNORECASE)
    return tuple(
        Trigger(Kind.NEGATED, Reach.FORWARD, match.span())
        if mark.kind == Kind.PSEUDO and _overlap(mark.span, mention) and (match := inside.search(text, *mark.span))
        else mark
        for mark in marks
    )


def _reaches(text: str, trigger: Trigger, mention: Span) -> bool:
    start, end = trigger.span
    if _overlap(trigger.span, mention):
        return trigger.kind in (Kind.NEGATED, Kind.UNCERTAIN)
    if trigger.reach == Reach.FORWARD and end <= mention[0]:
        ended = trigger.kind == Kind.HISTORICAL and _END_OF_HISTORY.search(text, end, mention[0])
        return not ended and not _scope_ends(text, (end, mention[0]))
    if trigger.reach == Reach.BACKWARD and start >= mention[1]:
        apart = trigger.kind == Kind.UNCERTAIN and _OTHER_NOUN.search(text, mention[1], start)
        return not apart and not _scope_ends(text, (mention[1], start))
    return False


def _scope_ends(text: str, between: Span) -> bool:
    match = _END_OF_SCOPE.search(text, between[0])
    return match is not None and match.end() <= between[1]


def _nearest(reaching: list[Trigger], mention: Span) -> list[Trigger]:
    """Of what comes before a mention only the nearest trigger counts; what follows it counts in any case."""
    before = [t for t in reaching if t.span[1] <= mention[0] and t.kind != Kind.HISTORICAL]
    last = max(before, key=lambda trigger: trigger.span[1], default=None)
    return [trigger for trigger in reaching if trigger not in before or trigger is last]
