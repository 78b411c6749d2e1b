"""What every object carries around its content: patient, study, series, equipment, and of an SR flags and references.

PS3.3 A.35 (SR document IODs): modules Patient, General Study, SR Document Series, General Equipment, SR Document
General, SR Document Content, SOP Common.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from highdicom.sr import ContainerContentItem
from pydicom.dataset import Dataset
from pydicom.uid import UID

from pacs_agent.results.author import AGENT_MANUFACTURER, Author
from pacs_agent.results.codes import (
    ACQUISITION_EQUIPMENT,
    LOCAL_SCHEME,
    LOCAL_SCHEME_NAME,
    PROCESSING_EQUIPMENT,
    code_item,
    local_schemes,
)
from pacs_agent.results.facts import DocumentFacts, ObjectKind
from pacs_agent.results.handled import Reviewer
from pacs_agent.results.patient import copy_patient_and_study
from pacs_agent.results.sources import InstanceReference, hierarchical_references
from pacs_agent.results.standing import Standing
from pacs_agent.results.text import fit_long_string, settle_character_set
from pacs_agent.results.uids import DocumentUids, replaced_by

SERIES_NUMBERS = {
    ObjectKind.AI_RESULT: 9001,
    ObjectKind.DRAFT_REPORT: 9002,
    ObjectKind.NO_RESULT: 9003,
    ObjectKind.ASSESSMENT: 9004,
    ObjectKind.VERIFIED_REPORT: 9005,
    ObjectKind.SEGMENTATION: 9006,
    ObjectKind.KEY_OBJECTS: 9007,
    ObjectKind.SALIENCY_MAP: 9008,
    ObjectKind.SECONDARY_CAPTURE: 9009,
}
"""Series Number by kind, far above those of scanners, so that results stand last in a viewer's list."""

TITLES = {
    ObjectKind.AI_RESULT: "AI result",
    ObjectKind.DRAFT_REPORT: "Draft report",
    ObjectKind.NO_RESULT: "No AI result",
    ObjectKind.ASSESSMENT: "Assessment of AI result",
    ObjectKind.VERIFIED_REPORT: "Verified report, drafted by AI",
    ObjectKind.SEGMENTATION: "Segmentation",
    ObjectKind.KEY_OBJECTS: "Key images",
    ObjectKind.SALIENCY_MAP: "Saliency map",
    ObjectKind.SECONDARY_CAPTURE: "Summary",
}


@dataclass(frozen=True)
class Envelope:
    """Everything of a document but its content tree."""

    kind: ObjectKind
    sop_class_uid: UID
    uids: DocumentUids
    header: Dataset
    """A header of the study, from which patient and study are taken."""
    evidence: Sequence[InstanceReference]
    """Instances of the study that the document is of."""
    author: Author
    """The device that wrote the document."""
    facts: DocumentFacts
    standing: Standing | None = None
    """Of a document of a person; None: a machine wrote it and nobody has seen it."""
    other_evidence: Sequence[InstanceReference] = ()
    """Instances of other studies that it refers to."""


def document(envelope: Envelope, root: ContainerContentItem) -> Dataset:
    """The data set of a document: its envelope around a content tree, in a character set that holds all its text."""
    dataset = opened(envelope, "SR")
    dataset.ReferencedPerformedProcedureStepSequence = []
    _add_flags(dataset, envelope)
    _add_references(dataset, envelope)
    for element in root:
        dataset.add(element)
    close(dataset, envelope)
    return dataset


def opened(envelope: Envelope, modality: str) -> Dataset:
    """What objects of all kinds have: modules Patient, General Study, Series and Equipment, SOP Common."""
    dataset = Dataset()
    copy_patient_and_study(envelope.header, dataset)
    _add_identity(dataset, envelope)
    _add_series(dataset, envelope)
    dataset.Modality = modality
    _add_equipment(dataset, envelope)
    return dataset


def close(dataset: Dataset, envelope: Envelope) -> None:
    """Declares the local codes that are in an object, and a character set that holds all its text."""
    _add_coding_schemes(dataset, local_schemes(dataset))
    settle_character_set(dataset, envelope.header.get("SpecificCharacterSet"))


def _add_identity(dataset: Dataset, envelope: Envelope) -> None:
    """SOP Common module, PS3.3 C.12.1, and what the content of every object is dated by."""
    dataset.SOPClassUID = envelope.sop_class_uid
    dataset.SOPInstanceUID = envelope.uids.sop_instance_uid
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = _date_and_time(envelope.facts.composed_at)
    dataset.ContentDate, dataset.ContentTime = _date_and_time(envelope.facts.composed_at)
    dataset.InstanceNumber = 1


def _add_series(dataset: Dataset, envelope: Envelope) -> None:
    """General Series module, PS3.3 C.7.3.1. The agent knows no performed procedure step of its own."""
    dataset.SeriesInstanceUID = envelope.uids.series_instance_uid
    dataset.SeriesNumber = SERIES_NUMBERS[envelope.kind]
    dataset.SeriesDate, dataset.SeriesTime = _date_and_time(envelope.facts.composed_at)
    speaker = envelope.standing or envelope.author
    dataset.SeriesDescription = speaker.series_description(TITLES[envelope.kind])


def _add_equipment(dataset: Dataset, envelope: Envelope) -> None:
    """General Equipment module and Contributing Equipment Sequence, PS3.3 C.7.5.1 and C.12.1."""
    author = envelope.author
    dataset.Manufacturer = author.manufacturer
    dataset.ManufacturerModelName = author.name
    dataset.DeviceSerialNumber = author.device_uid
    dataset.SoftwareVersions = author.software_versions
    standing, composed_at = envelope.standing, envelope.facts.composed_at
    processing = _equipment_item(standing.model, standing.read_at) if standing else _equipment_item(author, composed_at)
    dataset.ContributingEquipmentSequence = [processing, *_scanner_items(envelope.header)]


def _equipment_item(author: Author, at: datetime) -> Dataset:
    """The model as processing equipment. Device UID (0018,1002) is new for each trained version."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [code_item(PROCESSING_EQUIPMENT)]
    item.Manufacturer = author.manufacturer
    item.ManufacturerModelName = author.name
    item.SoftwareVersions = author.software_versions
    item.DeviceUID = author.device_uid
    item.ContributionDateTime = _date_time(at)
    item.ContributionDescription = author.statement[:1024] or "Checked whether a model can read the study"
    return item


def _scanner_items(header: Dataset) -> list[Dataset]:
    """The scanner as acquisition equipment, when it names its manufacturer (type 1 in this sequence)."""
    manufacturer = fit_long_string(str(header.get("Manufacturer") or ""))
    if not manufacturer:
        return []
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [code_item(ACQUISITION_EQUIPMENT)]
    item.Manufacturer = manufacturer
    item.ManufacturerModelName = fit_long_string(str(header.get("ManufacturerModelName") or ""))
    return [item]


def _add_flags(dataset: Dataset, envelope: Envelope) -> None:
    """SR Document General module, PS3.3 C.17.2. Only a named person can make a document verified."""
    standing = envelope.standing
    verifier = standing.verifier if standing else None
    dataset.CompletionFlag = "COMPLETE"
    dataset.VerificationFlag = "VERIFIED" if verifier else "UNVERIFIED"
    dataset.PreliminaryFlag = "FINAL" if verifier else "PRELIMINARY"
    if standing and verifier:
        verified_at = envelope.facts.composed_at
        dataset.VerifyingObserverSequence = [_verifying_observer(verifier, standing.organization, verified_at)]
    dataset.PerformedProcedureCodeSequence = []


def _verifying_observer(verifier: Reviewer, organization: str, verified_at: datetime) -> Dataset:
    """The person who verified, and the organization to which the person answers for the document."""
    item = Dataset()
    item.VerifyingObserverName = verifier.person_name
    item.VerifyingObserverIdentificationCodeSequence = []
    item.VerifyingOrganization = fit_long_string(organization)
    item.VerificationDateTime = _date_time(verified_at)
    return item


def _add_references(dataset: Dataset, envelope: Envelope) -> None:
    """What the document rests on and what it takes the place of, PS3.3 C.17.2."""
    if envelope.evidence:
        dataset.CurrentRequestedProcedureEvidenceSequence = hierarchical_references(envelope.evidence)
    if envelope.other_evidence:
        dataset.PertinentOtherEvidenceSequence = hierarchical_references(envelope.other_evidence)
    previous = [
        InstanceReference(p.study_instance_uid, p.series_instance_uid, p.sop_class_uid, p.sop_instance_uid)
        for p in replaced_by(envelope.kind, envelope.facts)
    ]
    if previous:
        dataset.PredecessorDocumentsSequence = hierarchical_references(previous)


def _add_coding_schemes(dataset: Dataset, designators: Iterable[str]) -> None:
    """Declares every local coding scheme in use, PS3.3 C.12.1.1.1.1 (Coding Scheme Identification)."""
    items = [_scheme_item(designator) for designator in designators]
    if items:
        dataset.CodingSchemeIdentificationSequence = items


def _scheme_item(designator: str) -> Dataset:
    item = Dataset()
    item.CodingSchemeDesignator = designator
    ours = designator == LOCAL_SCHEME
    item.CodingSchemeName = LOCAL_SCHEME_NAME if ours else f"Local codes {designator} of the model's manufacturer"
    item.CodingSchemeResponsibleOrganization = AGENT_MANUFACTURER if ours else "see Manufacturer"
    return item


def _date_time(at: datetime) -> str:
    return at.strftime("%Y%m%d%H%M%S.%f%z")


def _date_and_time(at: datetime) -> tuple[str, str]:
    return at.strftime("%Y%m%d"), at.strftime("%H%M%S.%f")
