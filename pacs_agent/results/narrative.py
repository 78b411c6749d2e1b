"""The sentences of a report, each with the findings and slices it rests on."""

from collections.abc import Iterable, Sequence

from highdicom.sr import ContentItem, TextContentItem
from pydicom.sr.coding import Code

from pacs_agent.inference.reading import FindingReading, Presence, Sentence, StudyReading
from pacs_agent.results.codes import BEST_ILLUSTRATION, FINDING, IMPRESSION, concept
from pacs_agent.results.content import INFERRED_FROM, coded, image, text
from pacs_agent.results.sources import SourceSlice, source_slice
from pacs_agent.results.stated import sentences_of


def finding_texts(reading: StudyReading) -> list[TextContentItem]:
    """The sentences on findings; where the model wrote none, that is said."""
    return _texts(FINDING, reading, sentences_of(reading)) or [text(FINDING, "No statement was generated.")]


def impression_texts(reading: StudyReading) -> list[TextContentItem]:
    """The sentences of the impression; where the model wrote none, that is said."""
    return _texts(IMPRESSION, reading, reading.impression) or [text(IMPRESSION, "No impression was generated.")]


def _texts(name: Code, reading: StudyReading, sentences: Iterable[Sentence]) -> list[TextContentItem]:
    return [text(name, each.text, _grounds(each, reading)) for each in sentences if each.text.strip()]


def _grounds(sentence: Sentence, reading: StudyReading) -> list[ContentItem]:
    """The codes of the findings that license a sentence and, where it asserts something, their slices."""
    findings = [finding for finding in reading.findings if finding.label.key in sentence.findings]
    stated = [coded(FINDING, concept(finding.label.code), relationship=INFERRED_FROM) for finding in findings]
    slices = evidence_slices(findings, reading) if sentence.positive else []
    return [*stated, *(image(BEST_ILLUSTRATION, each.slice, INFERRED_FROM) for each in slices)]


def evidence_slices(findings: Sequence[FindingReading], reading: StudyReading) -> list[SourceSlice]:
    """The slices on which findings rest that are not absent, each once, strongest of each finding first."""
    slices = [
        source_slice(evidence, reading.all_series)
        for finding in findings
        if finding.presence is not Presence.ABSENT
        for evidence in finding.evidence
    ]
    return list({(each.slice.sop_instance_uid, each.slice.frame_number): each for each in slices}.values())
