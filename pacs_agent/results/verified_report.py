"""The verified report: the text a person stands for, and with it the person. Basic Text SR, TID 2000."""

from collections.abc import Iterable, Iterator, Sequence

from highdicom.sr import ContainerContentItem, ContentItem, ImageContentItem
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import BasicTextSRStorage

from pacs_agent.inference.reading import FindingReading, Presence
from pacs_agent.results.assessment import assessment_reference, review_uids
from pacs_agent.results.author import Author, author_of
from pacs_agent.results.codes import (
    ANY_LANGUAGE,
    BEST_ILLUSTRATION,
    COMPARISON_HEADING,
    DIAGNOSTIC_IMAGING_REPORT,
    FINDING,
    FINDINGS_HEADING,
    IMPRESSION,
    IMPRESSIONS_HEADING,
    KEY_IMAGES_HEADING,
    PROCEDURE_DESCRIPTION,
    PROCEDURE_DESCRIPTIONS,
    concept,
    regional_procedure,
)
from pacs_agent.results.comparison import comparison_section, prior_references
from pacs_agent.results.content import (
    CONTAINS,
    INFERRED_FROM,
    coded,
    container,
    document_reference,
    image_of,
    language,
    opening_by,
    text,
)
from pacs_agent.results.document import Envelope, document
from pacs_agent.results.facts import DocumentFacts, ObjectKind
from pacs_agent.results.final_text import Statement, edited_sections, findings_after_review, impression_after_review
from pacs_agent.results.narrative import evidence_slices
from pacs_agent.results.reviewed import ReviewedReading
from pacs_agent.results.sources import InstanceReference
from pacs_agent.results.standing import Standing

Shown = dict[tuple[str, int | None], InstanceReference]
"""Images by SOP Instance UID and frame number, in the order in which they are to be seen."""


def compose_verified_report(reviewed: ReviewedReading, facts: DocumentFacts) -> Dataset:
    """The report after review as Basic Text SR after TID 2000, verified by the reviewer, ready for `write_bytes`.

    It refers to the AI result, the draft report and the assessment of the same review and facts.
    Raises UnusableEvidence when a finding was seen on an image that is not among those of the review.
    """
    model = reviewed.model(facts)
    rests_on = [reviewed.ai_result, reviewed.draft_report, assessment_reference(reviewed, facts)]
    shown = _images_of(reviewed, _left(reviewed))
    envelope = Envelope(
        kind=ObjectKind.VERIFIED_REPORT,
        sop_class_uid=BasicTextSRStorage,
        uids=review_uids(ObjectKind.VERIFIED_REPORT, reviewed, facts),
        header=reviewed.header,
        evidence=sorted({*rests_on, *shown.values()}),
        author=author_of(None, facts),
        facts=facts,
        other_evidence=prior_references(reviewed.since_prior),
        standing=Standing(model, reviewed.read_at, reviewed.reviewer, reviewed.organization),
    )
    about = text(
        PROCEDURE_DESCRIPTION,
        _about(reviewed, model, facts),
        [document_reference(each, INFERRED_FROM) for each in rests_on],
    )
    return document(envelope, _content(reviewed, about, shown))


def _about(reviewed: ReviewedReading, model: Author, facts: DocumentFacts) -> str:
    about = (
        f"Reviewed and verified by {reviewed.reviewer.name} on {facts.composed_at:%Y-%m-%d at %H:%M}. "
        f"Drafted with the AI model {model.name} {model.version}."
    )
    return f"{about} {model.demo_warning}".strip()


def _content(reviewed: ReviewedReading, about: ContentItem, shown: Shown) -> ContainerContentItem:
    series = reviewed.reading.series
    sections = [
        container(PROCEDURE_DESCRIPTIONS, [about]),
        *(_drafted_sections(reviewed) if reviewed.text is None else _edited_sections(reviewed.text)),
        *_comparison(reviewed),
    ]
    if shown:
        sections.append(container(KEY_IMAGES_HEADING, _images(shown, CONTAINS)))
    started = opening_by(reviewed.reviewer, regional_procedure(series.modality, series.body_part))
    return container(DIAGNOSTIC_IMAGING_REPORT, [*started, *sections], relationship=None, template="2000")


def _drafted_sections(reviewed: ReviewedReading) -> list[ContainerContentItem]:
    findings, impression = findings_after_review(reviewed), impression_after_review(reviewed)
    said = [_said(reviewed, FINDING, one) for one in findings] or [text(FINDING, "No statement.")]
    return [
        container(FINDINGS_HEADING, said),
        container(IMPRESSIONS_HEADING, [_said(reviewed, IMPRESSION, one) for one in impression]),
    ]


def _comparison(reviewed: ReviewedReading) -> list[ContainerContentItem]:
    """What changed since the prior study, of the findings that stand as the model said them."""
    compared = reviewed.reading.model_copy(update={"since_prior": reviewed.since_prior})
    return comparison_section(compared, COMPARISON_HEADING)


def _edited_sections(edited: str) -> Iterator[ContainerContentItem]:
    """The person's own words, which may be of any language."""
    findings, impression = edited_sections(edited)
    for heading, name, paragraphs in (
        (FINDINGS_HEADING, FINDING, findings),
        (IMPRESSIONS_HEADING, IMPRESSION, impression),
    ):
        if paragraphs:
            yield container(heading, [*language(ANY_LANGUAGE), *(text(name, each) for each in paragraphs)])


def _said(reviewed: ReviewedReading, name: Code, statement: Statement) -> ContentItem:
    """A sentence with the codes of its findings and, where it asserts something, their images."""
    stated = [coded(FINDING, concept(one.label.code), relationship=INFERRED_FROM) for one in statement.findings]
    shown = _images_of(reviewed, statement.findings) if statement.positive else {}
    return text(name, statement.text, [*stated, *_images(shown, INFERRED_FROM)])


def _left(reviewed: ReviewedReading) -> list[FindingReading]:
    """The findings that are not absent after review, of those that a person has looked at."""
    left = [reviewed.left(one) for one in reviewed.reading.findings]
    return [one for one in left if one and one.presence is not Presence.ABSENT]


def _images_of(reviewed: ReviewedReading, findings: Sequence[FindingReading]) -> Shown:
    """The slices on which findings rest, and those on which the reviewer saw them."""
    shown: Shown = {}
    for finding in findings:
        handled = reviewed.handled.get(finding.label.key)
        if handled and handled.slice:
            seen = handled.slice
            shown[seen.sop_instance_uid, seen.frame_number] = reviewed.image_seen(seen)
        for each in evidence_slices([finding], reviewed.reading):
            shown[each.slice.sop_instance_uid, each.slice.frame_number] = each.reference
    return shown


def _images(shown: Shown, relationship: str) -> Iterable[ImageContentItem]:
    return [image_of(BEST_ILLUSTRATION, source, frame, relationship) for (_, frame), source in shown.items()]
