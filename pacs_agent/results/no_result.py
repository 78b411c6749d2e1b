"""The "no result" document: why nothing can be said of a study. Silence is a defect. Basic Text SR, TID 2000."""

from collections.abc import Sequence

from highdicom.sr import ContainerContentItem
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import BasicTextSRStorage

from pacs_agent.inference.reading import BundleIdentity
from pacs_agent.results.author import Author, author_of
from pacs_agent.results.codes import (
    CONCLUSION,
    DIAGNOSTIC_IMAGING_REPORT,
    NO_RESULT,
    PROCEDURE_DESCRIPTION,
    PROCEDURE_DESCRIPTIONS,
    SUMMARY_HEADING,
    refusal_code,
    regional_procedure,
)
from pacs_agent.results.content import coded, container, opening, text
from pacs_agent.results.document import Envelope, document
from pacs_agent.results.facts import DocumentFacts, ObjectKind, Refusal
from pacs_agent.results.sources import references
from pacs_agent.results.uids import document_uids


def compose_no_result(
    refusal: Refusal, evidence: Sequence[Dataset], facts: DocumentFacts, bundle: BundleIdentity | None = None
) -> Dataset:
    """Why nothing can be said, as Basic Text SR after TID 2000, ready for `write_bytes`.

    `evidence`: at least one header of the study, of any modality. `bundle`: the model that refused, None when none was
    asked. Raises UnusableEvidence when there is no header or they are of several studies.
    """
    found = references(evidence)
    header = evidence[0]
    author = author_of(bundle, facts)
    said = (refusal.code, refusal.reason)
    envelope = Envelope(
        kind=ObjectKind.NO_RESULT,
        sop_class_uid=BasicTextSRStorage,
        uids=document_uids(ObjectKind.NO_RESULT, str(header.StudyInstanceUID), author.model_digest, repr(said), facts),
        header=header,
        evidence=found,
        author=author,
        facts=facts,
    )
    return document(envelope, _content(refusal, author, _procedure_of(header)))


def _procedure_of(header: Dataset) -> Code:
    return regional_procedure(str(header.get("Modality") or ""), str(header.get("BodyPartExamined") or ""))


def _content(refusal: Refusal, author: Author, performed: Code) -> ContainerContentItem:
    conclusion = [
        coded(CONCLUSION, NO_RESULT),
        coded(CONCLUSION, refusal_code(refusal.code)),
        text(CONCLUSION, f"No AI result for this study: {refusal.reason}"),
        text(CONCLUSION, "This says nothing about the patient: no finding was looked for, none is ruled out."),
    ]
    items = [
        *opening(author, performed),
        container(PROCEDURE_DESCRIPTIONS, [text(PROCEDURE_DESCRIPTION, author.warning)]),
        container(SUMMARY_HEADING, conclusion),
    ]
    return container(DIAGNOSTIC_IMAGING_REPORT, items, relationship=None, template="2000")
