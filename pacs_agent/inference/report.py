"""The draft report: one sentence on each finding and an impression, each licensed by the scores of its findings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pacs_agent.inference.attributes import NONE, prompt
from pacs_agent.inference.decode import Spoken, decode_sentences
from pacs_agent.inference.licence import Fault, Licence, other_terms
from pacs_agent.inference.manifest import FindingEntry, Manifest
from pacs_agent.inference.read import Floats
from pacs_agent.inference.reading import FindingReading, Presence, Sentence
from pacs_agent.inference.sessions import Graph
from pacs_agent.inference.tokenizer import Tokenizer, tag
from pacs_agent.ops import get_log

NOTHING_PRESENT = "None of the findings that this model looks for was rated present."
POSSIBLE = "Possible: "
_COUNTS = {"one": "one", "few": "a few", "many": "many"}

_log = get_log("inference")


@dataclass(frozen=True)
class Report:
    """The sentences on the findings, in the order of the manifest, and those of the impression."""

    sentences: tuple[Sentence, ...]
    impression: tuple[Sentence, ...]


def write_report(
    findings: Sequence[FindingReading],
    manifest: Manifest,
    tokenizer: Tokenizer,
    decoder: Graph,
    visual_tokens: Floats,
) -> Report:
    """The report on the findings, in the decoder's words where these are what the scores say. Raises ModelFailed.

    What is not licensed is replaced by a fixed sentence, and how often that was and why goes into the log.
    """
    said = finding_statements(findings, manifest.findings, tokenizer)
    summary = impression_statements(findings, manifest.findings)
    statements = [*said, *summary]
    prompts = [statement.prompt for statement in statements]
    words = decode_sentences(decoder, tokenizer, prompts, visual_tokens, manifest.max_words)
    spoken = list(zip(statements, words, strict=True))
    _log_faults(manifest, [statement.fault(one) for statement, one in spoken])
    sentences = tuple(statement.sentence(one) for statement, one in spoken)
    return Report(sentences[: len(said)], (*sentences[len(said) :], *_impression_without_words(findings)))


@dataclass(frozen=True)
class Statement:
    """A sentence to be spoken: its prompt, what is put before it, what it may say, and what is written otherwise."""

    prompt: tuple[str, ...]
    prefix: str
    licence: Licence
    instead: str
    finding: str

    def fault(self, spoken: Spoken) -> Fault | None:
        """Why what the decoder says may not be written; None when it may."""
        if not spoken.ended:
            return Fault.NO_END
        return self.licence.fault(spoken.text)

    def sentence(self, spoken: Spoken) -> Sentence:
        """The sentence as it stands in the report."""
        fixed = self.fault(spoken) is not None
        return Sentence(
            text=self.instead if fixed else self.prefix + spoken.text,
            findings=(self.finding,),
            positive=self.licence.presence is not Presence.ABSENT,
            fixed=fixed,
        )


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


def _impression_without_words(findings: Sequence[FindingReading]) -> tuple[Sentence, ...]:
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
        return _statement("present", "", reading, entry, entries, f"{name}: present{details(reading)}.")
    uncertain = f"{name}: uncertain{details(reading)}."
    if tag("uncertain", entry.key) in tokenizer.tags:
        return _statement("uncertain", "", reading, entry, entries, uncertain)
    return _statement("present", POSSIBLE, reading, entry, entries, uncertain)


def _statement(
    kind: str, prefix: str, reading: FindingReading, entry: FindingEntry, entries: Sequence[FindingEntry], instead: str
) -> Statement:
    others = other_terms(entry.name, [other.name for other in entries])
    presence = Presence.PRESENT if prefix == POSSIBLE else reading.presence
    licence = Licence(presence, reading.attributes, entry.grades, others)
    words = prompt(f"<{kind}:{entry.key}>", reading.attributes)
    return Statement(words, prefix, licence, instead, entry.key)


def _described(reading: FindingReading) -> str:
    return f"{reading.label.name}{details(reading)}"


def details(reading: FindingReading) -> str:
    """Count, grade and places after commas, as in ", a few, small, right upper lobe"."""
    said = reading.attributes
    sides = "both sides" if len(said.all_sides) == 2 else said.place
    places = said.lobes or (() if sides == NONE else (sides,))
    details = (_COUNTS.get(said.count or "", ""), reading.grade, *places)
    return "".join(f", {detail}" for detail in details if detail)


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]


def _log_faults(manifest: Manifest, faults: Sequence[Fault | None]) -> None:
    """Counts alone: a sentence says something of a patient."""
    found = Counter(str(fault) for fault in faults if fault is not None)
    if found:
        model = f"{manifest.name} {manifest.version}"
        _log.warning("sentences replaced", model=model, replaced=found.total(), of=len(faults), faults=dict(found))
