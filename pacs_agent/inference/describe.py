"""What is said of a study: probabilities become presence, presence becomes sentences, each with what licenses it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pacs_agent.imaging import OrderedSeries
from pacs_agent.inference.decode import Spoken
from pacs_agent.inference.evidence import strongest
from pacs_agent.inference.manifest import FindingEntry
from pacs_agent.inference.reading import FindingLabel, FindingReading, Presence, Sentence
from pacs_agent.inference.tokenizer import Tokenizer, tag

NOTHING_PRESENT = "None of the findings that this model looks for was rated present."
POSSIBLE = "Possible: "


@dataclass(frozen=True)
class Statement:
    """A sentence to be spoken: its tag, what stands before it, and what is written when the decoder says nothing."""

    tag: str
    prefix: str
    instead: str
    finding: str
    positive: bool

    def sentence(self, spoken: Spoken) -> Sentence:
        """The sentence as it stands in the report; a fixed one where the decoder said nothing or came to no end."""
        text = self.prefix + spoken.text if spoken.text and spoken.ended else self.instead
        return Sentence(text=text, findings=(self.finding,), positive=self.positive)


def probability(entry: FindingEntry, logit: float) -> float:
    """Calibrated probability of a finding: sigmoid(scale × logit + bias)."""
    score = entry.scale * logit + entry.bias
    return 1 / (1 + math.exp(-score)) if score >= 0 else math.exp(score) / (1 + math.exp(score))


def presence_of(entry: FindingEntry, p: float) -> Presence:
    """What is said at a probability."""
    if p >= entry.operating_point:
        return Presence.PRESENT
    return Presence.UNCERTAIN if p >= entry.uncertain_from else Presence.ABSENT


def finding_reading(
    entry: FindingEntry, label: FindingLabel, logit: float, weights: Sequence[float], series: OrderedSeries
) -> FindingReading:
    """One finding from its logit and the evidence weights of the slices."""
    p = probability(entry, logit)
    presence = presence_of(entry, p)
    return FindingReading(
        label=label,
        probability=p,
        operating_point=entry.operating_point,
        presence=presence,
        slice_weights=tuple(weights),
        evidence=() if presence is Presence.ABSENT else strongest(weights, series),
    )


def finding_statements(findings: Sequence[FindingReading], tokenizer: Tokenizer) -> list[Statement]:
    """One statement on each finding, in the order of the manifest."""
    return [_statement(reading, tokenizer) for reading in findings]


def impression_statements(findings: Sequence[FindingReading]) -> list[Statement]:
    """One statement on each finding that is present."""
    present = (reading.label for reading in findings if reading.presence is Presence.PRESENT)
    return [Statement(tag("impression", one.key), "", f"{one.name}.", one.key, True) for one in present]


def nothing_present(findings: Sequence[FindingReading]) -> Sentence:
    """The impression of a study in which no finding is present; licensed by all of them."""
    return Sentence(text=NOTHING_PRESENT, findings=tuple(reading.label.key for reading in findings), positive=False)


def _statement(reading: FindingReading, tokenizer: Tokenizer) -> Statement:
    key, name = reading.label.key, reading.label.name
    if reading.presence is Presence.ABSENT:
        return Statement(tag("absent", key), "", f"{name}: not seen.", key, False)
    if reading.presence is Presence.PRESENT:
        return Statement(tag("present", key), "", f"{name}: present.", key, True)
    own = tag("uncertain", key)
    if own in tokenizer.tags:
        return Statement(own, "", f"{name}: uncertain.", key, True)
    return Statement(tag("present", key), POSSIBLE, f"{name}: uncertain.", key, True)
