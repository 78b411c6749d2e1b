"""What the scores of one finding allow a sentence to say, and in what a sentence goes beyond it.

The decoder chooses words; this decides whether they may leave the agent. A wrong refusal costs a fixed sentence in the
place of a fluent one, so every rule errs on that side.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pacs_agent.inference.attributes import Attributes, contradicts
from pacs_agent.inference.places import names_other_place
from pacs_agent.inference.reading import Presence

_DENIAL = re.compile(
    r"\b(no|not|none|nor|neither|never|without|absent|absence|negative|free of|normal|unremarkable|clear|"
    r"cannot|excluded|ruled out|resolved|inconspicuous)\b"
)
_DOUBT = re.compile(
    r"\b(possible|possibly|may|might|could|cannot be (?:excluded|ruled out)|not excluded|questionable|equivocal|"
    r"uncertain|suspected|suspicion|suggest\w*|borderline|upper limit|indeterminate|doubtful|probabl[ey]|likely)\b"
)
_NUMBER = re.compile(r"\d|\b(mm|cm|millimet(?:re|er)s?|centimet(?:re|er)s?|hu|hounsfield)\b")
_DEGREES = {
    0: ("slight", "minor", "mild", "minimal", "small", "tiny", "limited", "subtle", "trace"),
    1: ("moderate", "medium", "medium-sized"),
    2: ("marked", "severe", "extensive", "large", "bulky", "massive", "gross", "advanced"),
}
"""Words of size and severity by the grade they mean, beside those of the manifest."""


class Fault(StrEnum):
    """Why a sentence may not be written."""

    EMPTY = "empty"
    NO_END = "no_end"
    PRESENCE = "presence"
    """It denies what is present, asserts what is absent, or is sure of what is uncertain."""
    ATTRIBUTES = "attributes"
    """It names another side, lobe or count."""
    GRADE = "grade"
    """It names another grade."""
    FINDING = "finding"
    """It names another finding."""
    NUMBER = "number"
    """A number in a report comes from a measurement, and the decoder has none."""


@dataclass(frozen=True)
class Licence:
    """What may be said of a finding. `others`: what the findings are called that the sentence is not about."""

    presence: Presence
    attributes: Attributes
    grades: tuple[str, ...]
    others: tuple[str, ...]

    def fault(self, text: str) -> Fault | None:
        """The first rule that a sentence breaks."""
        lower = text.lower()
        if not lower.strip(" ."):
            return Fault.EMPTY
        if _NUMBER.search(lower):
            return Fault.NUMBER
        if not self._says_presence(lower):
            return Fault.PRESENCE
        if self._names_other_attributes(lower):
            return Fault.ATTRIBUTES
        if self._names_other_grade(lower):
            return Fault.GRADE
        return Fault.FINDING if any(_has_words(lower, term) for term in self.others) else None

    def _says_presence(self, text: str) -> bool:
        doubts, denies = bool(_DOUBT.search(text)), bool(_DENIAL.search(text))
        if self.presence is Presence.UNCERTAIN:
            return doubts
        return not doubts and denies == (self.presence is Presence.ABSENT)

    def _names_other_attributes(self, text: str) -> bool:
        """Of what is absent only both sides may be named: that it is not on one hints that it is on the other."""
        if self.presence is Presence.ABSENT:
            sides = {side for side in ("right", "left") if _has_words(text, side)}
            return len(sides) == 1 or names_other_place(text, ("right", "left"), ())
        return contradicts(text, self.attributes)

    def _names_other_grade(self, text: str) -> bool:
        """Not asked of what is uncertain: that a small one may be there says nothing of its size."""
        own = self.attributes.grade
        if own is None or self.presence is not Presence.PRESENT:
            return False
        of_grade = {grade: {*words, *self.grades[grade : grade + 1]} for grade, words in _DEGREES.items()}
        others = set().union(*(words for grade, words in of_grade.items() if grade != own)) - of_grade[own]
        return any(_has_words(text, form) for word in others for form in (word, f"{word}ly"))


def other_terms(own: str, names: Sequence[str]) -> tuple[str, ...]:
    """What names the other findings: their names and, where it is theirs alone, the last word ("nodule")."""
    lower = [name.lower() for name in names if name.strip()]
    last = Counter(name.split()[-1] for name in lower)
    terms = [*lower, *(word for word, count in last.items() if count == 1)]
    return tuple(dict.fromkeys(term for term in terms if term not in own.lower()))


def _has_words(text: str, words: str) -> bool:
    """Whether the words stand in a text, also in the plural."""
    stem = f"{re.escape(words[:-1])}(?:y|ies)" if words.endswith("y") else f"{re.escape(words)}s?"
    return re.search(rf"\b{stem}\b", text) is not None
