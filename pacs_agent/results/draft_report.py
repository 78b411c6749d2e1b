"""The draft report: the sentences of the model for people and for every old PACS. Basic Text SR, TID 2000."""

from collections.abc import Sequence

from highdicom.sr import ContainerContentItem
from pydicom.dataset import Dataset
from pydicom.uid import BasicTextSRStorage

from pacs_agent.inference.reading import StudyReading
from pacs_agent.results.ai_result import ai_result_reference, reading_uids
from pacs_agent.results.author import Author, author_of
from pacs_agent.results.codes import (
    BEST_ILLUSTRATION,
    COMPARISON_HEADING,
    DIAGNOSTIC_IMAGING_REPORT,
    FINDINGS_HEADING,
    IMPRESSIONS_HEADING,
    KEY_IMAGES_HEADING,
    PROCEDURE_DESCRIPTION,
    PROCEDURE_DESCRIPTIONS,
    regional_procedure,
)
from pacs_agent.results.comparison import comparison_section, prior_references
from pacs_agent.results.content import CONTAINS, INFERRED_FROM, container, document_reference, image, opening, text
from pacs_agent.results.document import Envelope, document
from pacs_agent.results.facts import DocumentFacts, ObjectKind
from pacs_agent.results.narrative import evidence_slices, finding_texts, impression_texts
from pacs_agent.results.sources import InstanceReference, references_of


def compose_draft_report(reading: StudyReading, evidence: Sequence[Dataset], facts: DocumentFacts) -> Dataset:
    """The report text as Basic Text SR after TID 2000, ready for `write_bytes`.

    It refers to the AI result of the same reading and facts. Raises UnusableEvidence as `compose_ai_result` does.
    """
    author = author_of(reading.bundle, facts)
    ai_result = ai_result_reference(reading, facts)
    envelope = Envelope(
        kind=ObjectKind.DRAFT_REPORT,
        sop_class_uid=BasicTextSRStorage,
        uids=reading_uids(ObjectKind.DRAFT_REPORT, reading, facts),
        header=evidence[0] if evidence else Dataset(),
        evidence=[*references_of(reading.all_series, evidence), ai_result],
        author=author,
        facts=facts,
        other_evidence=prior_references(reading.since_prior),
    )
    return document(envelope, _content(reading, author, ai_result, facts.lacks))


def _content(reading: StudyReading, author: Author, ai_result: InstanceReference, lacks: str) -> ContainerContentItem:
    about = [text(PROCEDURE_DESCRIPTION, author.warning, [document_reference(ai_result, INFERRED_FROM)])]
    if lacks:
        about.append(text(PROCEDURE_DESCRIPTION, lacks))
    sections = [
        container(PROCEDURE_DESCRIPTIONS, about),
        container(FINDINGS_HEADING, finding_texts(reading)),
        container(IMPRESSIONS_HEADING, impression_texts(reading)),
        *comparison_section(reading, COMPARISON_HEADING),
    ]
    slices = evidence_slices(reading.findings, reading)
    if slices:
        images = [image(BEST_ILLUSTRATION, each.slice, CONTAINS) for each in slices]
        sections.append(container(KEY_IMAGES_HEADING, images))
    started = opening(author, regional_procedure(reading.series.modality, reading.series.body_part))
    return container(DIAGNOSTIC_IMAGING_REPORT, [*started, *sections], relationship=None, template="2000")
