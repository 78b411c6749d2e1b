"""The AI result: every finding with its probability and slices. Comprehensive 3D SR, TID 1500, IHE AI Results."""

import hashlib
from collections.abc import Sequence
from typing import Any, TypeAlias

from highdicom.sr import ContainerContentItem
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from pacs_agent.imaging.series import OrderedSeries
from pacs_agent.inference.reading import EvidenceMethod, FindingReading, SincePrior, StudyReading
from pacs_agent.results.author import Author, author_of
from pacs_agent.results.codes import (
    COMMENT,
    COMPARISON_CONTAINER,
    FINDINGS_CONTAINER,
    IMAGING_MEASUREMENT_REPORT,
    IMAGING_MEASUREMENTS,
    IMPRESSIONS_CONTAINER,
    procedure,
)
from pacs_agent.results.comparison import comparison_section, prior_references, says_of_prior
from pacs_agent.results.content import container, opening, text
from pacs_agent.results.distance_group import distance_groups
from pacs_agent.results.document import Envelope, document
from pacs_agent.results.facts import DocumentFacts, ObjectKind, UnusableEvidence
from pacs_agent.results.image_library import image_library
from pacs_agent.results.measurement_group import measurement_group
from pacs_agent.results.narrative import finding_texts, impression_texts
from pacs_agent.results.once import once
from pacs_agent.results.saliency_map import saliency_map_references
from pacs_agent.results.segmentation import segmentation_reference
from pacs_agent.results.sources import InstanceReference, references_of
from pacs_agent.results.structure_group import structure_groups
from pacs_agent.results.uids import DocumentUids, document_uids

_Containers: TypeAlias = tuple[ContainerContentItem, ...]

_PATHS: dict[str, Any] = {"slices": {"__all__": {"path"}}}
_NAMED_WHERE_THERE_ARE_ANY = ("further_series", "distances", "saliency_maps")
NOT_SAID: dict[str, Any] = {
    "series": _PATHS,
    "further_series": {"__all__": _PATHS},
    "findings": {"__all__": {"concern"}},
    "tokens": True,
    "since_prior": {"prior": {"job_id"}, "search_failed": True},
}
"""What no document says: where files and tokens lie, how soon a finding wants attention, which job read the prior."""


def compose_ai_result(reading: StudyReading, evidence: Sequence[Dataset], facts: DocumentFacts) -> Dataset:
    """The reading as Comprehensive 3D SR after TID 1500, ready for `write_bytes`.

    `evidence`: headers of the source slices, without pixel data. Raises UnusableEvidence when they are not those of
    the reading, or the reading has no findings or a number out of range.
    """
    if not reading.findings:
        raise UnusableEvidence("the reading has no findings; where nothing can be said, compose a no-result")
    author = author_of(reading.bundle, facts)
    envelope = Envelope(
        kind=ObjectKind.AI_RESULT,
        sop_class_uid=Comprehensive3DSRStorage,
        uids=reading_uids(ObjectKind.AI_RESULT, reading, facts),
        header=evidence[0] if evidence else Dataset(),
        evidence=[
            *references_of(reading.all_series, evidence),
            *_segmentations(reading, facts),
            *(each for maps in saliency_map_references(reading, facts).values() for each in maps),
        ],
        author=author,
        facts=facts,
        other_evidence=prior_references(reading.since_prior),
    )
    return document(envelope, _content(reading, author, facts))


def reading_uids(kind: ObjectKind, reading: StudyReading, facts: DocumentFacts) -> DocumentUids:
    """The UIDs of a document made of a reading. What only the panel needs is no part of what a reading says."""
    study_uid, model_digest = reading.series.study_instance_uid, reading.bundle.digest
    return document_uids(kind, study_uid, model_digest, _content_digest(reading), facts)


@once
def _content_digest(reading: StudyReading) -> str:
    not_said = dict(NOT_SAID)
    if reading.measurements is None:
        not_said["measurements"] = True
    if not says_of_prior(reading.since_prior):
        not_said["since_prior"] = True
    not_said |= {name: True for name in _NAMED_WHERE_THERE_ARE_ANY if not getattr(reading, name)}
    said = reading.model_dump_json(exclude=not_said)
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()


def ai_result_reference(reading: StudyReading, facts: DocumentFacts) -> InstanceReference:
    """The AI result of a reading, as another document of the same job refers to it."""
    uids = reading_uids(ObjectKind.AI_RESULT, reading, facts)
    study_uid = reading.series.study_instance_uid
    return InstanceReference(study_uid, uids.series_instance_uid, Comprehensive3DSRStorage, uids.sop_instance_uid)


def _segmentations(reading: StudyReading, facts: DocumentFacts) -> list[InstanceReference]:
    """The segmentation object that the measurements refer to; none where nothing was segmented."""
    measurements = reading.measurements
    if measurements is None or not measurements.regions:
        return []
    return [segmentation_reference(measurements, reading.series, facts)]


def _structure_groups(reading: StudyReading, facts: DocumentFacts) -> list[ContainerContentItem]:
    measurements = reading.measurements
    if measurements is None:
        return []
    segmenter = author_of(measurements.model, facts)
    return [
        group
        for segmentation in _segmentations(reading, facts)
        for group in structure_groups(reading, measurements, segmentation, segmenter)
    ]


def _content(reading: StudyReading, author: Author, facts: DocumentFacts) -> ContainerContentItem:
    explained = tuple(saliency_map_references(reading, facts).items())
    library, groups = _found(
        reading.findings,
        reading.series,
        reading.further_series,
        reading.evidence_method,
        author,
        reading.since_prior,
        explained,
    )
    measured = [*distance_groups(reading, author), *_structure_groups(reading, facts)]
    items = [
        *opening(author, procedure(reading.series.modality)),
        text(COMMENT, author.warning),
        library,
        container(IMAGING_MEASUREMENTS, [*groups, *measured]),
        *_told(reading),
        *comparison_section(reading, COMPARISON_CONTAINER),
        text(COMMENT, author.statement),
    ]
    return container(IMAGING_MEASUREMENT_REPORT, items, relationship=None, template="1500")


@once
def _found(
    findings: tuple[FindingReading, ...],
    series: OrderedSeries,
    further_series: tuple[OrderedSeries, ...],
    method: EvidenceMethod | None,
    author: Author,
    since: SincePrior | None,
    explained: tuple[tuple[str, tuple[InstanceReference, ...]], ...],
) -> tuple[ContainerContentItem, _Containers]:
    """The image library and the groups of the findings; `explained`: the saliency maps of those that have one."""
    maps, read = dict(explained), (series, *further_series)
    groups = tuple(
        measurement_group(each, read, author, method, since, maps.get(each.label.key, ())) for each in findings
    )
    return image_library(read), groups


@once
def _told(reading: StudyReading) -> _Containers:
    """The sentences."""
    findings = container(FINDINGS_CONTAINER, finding_texts(reading))
    return findings, container(IMPRESSIONS_CONTAINER, impression_texts(reading))
