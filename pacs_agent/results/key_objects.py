"""Key objects: the strongest slices of a finding, which every PACS and viewer shows. PS3.3 A.35.4, PS3.16 TID 2010."""

from collections.abc import Sequence

from highdicom.sr import ContainerContentItem
from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from pacs_agent.inference.reading import FindingReading, StudyReading
from pacs_agent.inference.report import details
from pacs_agent.results.ai_result import reading_uids
from pacs_agent.results.author import Author, author_of
from pacs_agent.results.codes import KEY_OBJECT_DESCRIPTION, OF_INTEREST
from pacs_agent.results.content import container, key_image, opening_of_selection, text
from pacs_agent.results.document import Envelope, close, opened
from pacs_agent.results.facts import DocumentFacts, ObjectKind
from pacs_agent.results.narrative import evidence_slices
from pacs_agent.results.sources import SourceSlice, hierarchical_references, references_of
from pacs_agent.results.uids import one_of


def compose_key_objects(
    reading: StudyReading, evidence: Sequence[Dataset], facts: DocumentFacts
) -> tuple[Dataset, ...]:
    """A Key Object Selection for each finding that is not absent and rests on slices, ready for `write_bytes`.

    Together they are one series. `evidence`: headers of the source slices. Raises UnusableEvidence when they are not
    those of the reading.
    """
    author = author_of(reading.bundle, facts)
    references_of(reading.all_series, evidence)
    together = reading_uids(ObjectKind.KEY_OBJECTS, reading, facts)
    documents: list[Dataset] = []
    for finding in reading.findings:
        slices = evidence_slices([finding], reading)
        if not slices:
            continue
        envelope = Envelope(
            kind=ObjectKind.KEY_OBJECTS,
            sop_class_uid=KeyObjectSelectionDocumentStorage,
            uids=one_of(together, finding.label.key),
            header=evidence[0],
            evidence=list(dict.fromkeys(each.reference for each in slices)),
            author=author,
            facts=facts,
        )
        documents.append(_document(envelope, len(documents) + 1, _content(finding, slices, author)))
    return tuple(documents)


def _document(envelope: Envelope, number: int, root: ContainerContentItem) -> Dataset:
    """Key Object Document Series and Key Object Document modules, PS3.3 C.17.6: no flags, no predecessors."""
    dataset = opened(envelope, "KO")
    dataset.InstanceNumber = number
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.CurrentRequestedProcedureEvidenceSequence = hierarchical_references(envelope.evidence)
    for element in root:
        dataset.add(element)
    close(dataset, envelope)
    return dataset


def _content(finding: FindingReading, slices: Sequence[SourceSlice], author: Author) -> ContainerContentItem:
    said = f"{finding.label.name}: {finding.presence}{details(finding)}."
    items = [
        *opening_of_selection(author),
        *(key_image(each.slice) for each in slices),
        text(KEY_OBJECT_DESCRIPTION, f"{said} {author.warning}"),
    ]
    return container(OF_INTEREST, items, relationship=None, template="2010")
