"""What is said of a study: probabilities become presence, presence becomes sentences, each with what licenses it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pacs_agent.inference.attributes import NONE, Attributes, prompt
from pacs_agent.inference.decode import Spoken
from pacs_agent.inference.licence import Fault, Licence
from pacs_agent.inference.manifest import FindingEntry
from pacs_agent.inference.reading import FindingReading, Presence, Sentence
from pacs_agent.inference.tokenizer import Tokenizer, tag

NOTHING_PRESENT = "None of the findings that this model looks for was rated present."
POSSIBLE = "Possible: "
_COUNTS = {"one": "one", "few": "a few", "many": "many"}


@dataclass(frozen=True)
class Statement:
    """A sentence to be spoken: its prompt, what stands before it, what it may say, and what is written otherwise."""

    prompt: tuple[str, ...]
    prefix: str
    licence: Licence
    instead: str
    finding: str

    def fault(self, spoken: Spoken) -> Fault | None:
        """Why what the decoder says may not be written; None when it may."""
        if not spoken.ended:
            return Fault.NO_END
        return Fault.EMPTY if not spoken.text else self.licence.fault(self.prefix + spoken.text)

    def sentence(self, spoken: Spoken) -> Sentence:
        """The sentence as it stands in the report."""
        fixed = self.fault(spoken) is not None
        return Sentence(
            text=self.instead if fixed else self.prefix + spoken.text,
            findings=(self.finding,),
            positive=self.licence.presence is not Presence.ABSENT,
            fixed=fixed,
        )


def probability(entry: FindingEntry, logit: float) -> float:
    """Calibrated probability of a finding: sigmoid(scale × logit + bias)."""
    score = entry.scale * logit + entry.bias
    return 1 / (1 + math.exp(-score)) if score >= 0 else math.exp(score) / (1 + math.exp(score))


def presence_of(entry: FindingEntry, p: float) -> Presence:
    """What is said at a probability."""
    if p >= entry.operating_point:
        return Presence.PRESENT
    return Presence.UNCERTAIN if p >= entry.uncertain_from else Presence.ABSENT


def grade_word(entry: FindingEntry, attributes: Attributes) -> str:
    """The manifest's word for a grade; empty where there is none."""
    grade = attributes.grade
    return entry.grades[grade] if grade is not None and grade < len(entry.grades) else ""


def finding_statements(
    findings: Sequence[FindingReading], entries: Sequence[FindingEntry], tokenizer: Tokenizer
) -> list[Statement]:
    """One statement on each finding, in the order of the manifest."""
    return [_finding_statement(*each, entries, tokenizer) for each in zip(findings, entries, strict=True)]


def impression_statements(findings: Sequence[FindingReading], entries: Sequence[FindingEntry]) -> list[Statement]:
    """One statement on each finding that is present: of most concern first, of equal concern the more marked."""
    present = [each for each in zip(findings, entries, strict=True) if each[0].presence is Presence.PRESENT]
    present.sort(key=lambda each: (-each[1].concern, -(each[0].attributes.grade or 0)))
    return [
        _statement("impression", "", reading, entry, entries, f"{_described(reading)}.") for reading, entry in present
    ]


def impression_without_words(findings: Sequence[FindingReading]) -> tuple[Sentence, ...]:
    """The part of the impression that needs no decoder: that nothing is present, and what is possible."""
    said = [_nothing_present(findings)] if not _those(findings, Presence.PRESENT) else []
    uncertain = _those(findings, Presence.UNCERTAIN)
    if uncertain:
        names = ", ".join(_lower_first(reading.label.name) for reading in uncertain)
        keys = tuple(reading.label.key for reading in uncertain)
        said.append(Sentence(text=f"{POSSIBLE}{names}.", findings=keys, positive=True, fixed=True))
    return tuple(said)


def _nothing_present(findings: Sequence[FindingReading]) -> Sentence:
    """Licensed by all findings."""
    keys = tuple(reading.label.key for reading in findings)
    return Sentence(text=NOTHING_PRESENT, findings=keys, positive=False, fixed=True)


def _those(findings: Sequence[FindingReading], presence: Presence) -> list[FindingReading]:
    return [reading for reading in findings if reading.presence is presence]


def _finding_statement(
    reading: FindingReading, entry: FindingEntry, entries: Sequence[FindingEntry], tokenizer: Tokenizer
) -> Statement:
    name = reading.label.name
    if reading.presence is Presence.ABSENT:
        return _statement("absent", "", reading, entry, entries, f"{name}: not seen.")
    if reading.presence is Presence.PRESENT:
        return _statement("present", "", reading, entry, entries, f"{name}: present{_details(reading)}.")
    uncertain = f"{name}: uncertain{_details(reading)}."
    if tag("uncertain", entry.key) in tokenizer.tags:
        return _statement("uncertain", "", reading, entry, entries, uncertain)
    return _statement("present", POSSIBLE, reading, entry, entries, uncertain)


def _statement(
    kind: str, prefix: str, reading: FindingReading, entry: FindingEntry, entries: Sequence[FindingEntry], instead: str
) -> Statement:
    others = tuple(other.name for other in entries if other.key != entry.key)
    licence = Licence(reading.presence, reading.attributes, entry.grades, others)
    words = prompt(f"<{kind}:{entry.key}>", reading.attributes)
    return Statement(words, prefix, licence, instead, entry.key)


def _described(reading: FindingReading) -> str:
    return f"{reading.label.name}{_details(reading)}"


def _details(reading: FindingReading) -> str:
    """Count, grade and places after commas, as in ", a few, small, right upper lobe"."""
    said = reading.attributes
    sides = "both sides" if len(said.all_sides) == 2 else said.place
    places = said.lobes or (() if sides == NONE else (sides,))
    details = (_COUNTS.get(said.count or "", ""), reading.grade, *places)
    return "".join(f", {detail}" for detail in details if detail)


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]
