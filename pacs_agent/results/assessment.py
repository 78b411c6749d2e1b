"""The assessment: what a person did with each finding of an AI result. Comprehensive 3D SR, TID 1500, IHE AIRA.

The AI result stays as it is; this document refers to it, and follows each finding by the same tracking UID.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
from highdicom.sr import (
    ContainerContentItem,
    ContentItem,
    GraphicTypeValues,
    ImageContentItem,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ScoordContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import Comprehensive3DSRStorage

from pacs_agent.inference.reading import FindingReading, Presence
from pacs_agent.results.attributes import finding_sites, qualities
from pacs_agent.results.author import Author, author_of
from pacs_agent.results.codes import (
    ACCEPTED,
    ANY_LANGUAGE,
    ASSESSMENT,
    ASSESSMENT_REASON,
    ASSESSMENTS,
    BEST_ILLUSTRATION,
    CLINICAL_FINDING,
    COMMENT,
    EDITED,
    FINDING,
    FINDINGS_CONTAINER,
    IMAGING_MEASUREMENT_REPORT,
    IMAGING_MEASUREMENTS,
    NOT_ASSESSED,
    PRESENCE,
    PRESENCE_OF_PROPERTY,
    WHOLE_REPORT,
    concept,
    procedure,
    reason_code,
)
from pacs_agent.results.content import (
    CONTAINS,
    INFERRED_FROM,
    SELECTED_FROM,
    container,
    document_reference,
    image_of,
    language,
    opening_by,
    text,
)
from pacs_agent.results.document import Envelope, document
from pacs_agent.results.facts import DocumentFacts, ObjectKind
from pacs_agent.results.final_text import edited_sections
from pacs_agent.results.handled import FindingReview, SliceSeen
from pacs_agent.results.reviewed import ReviewedReading
from pacs_agent.results.sources import InstanceReference
from pacs_agent.results.standing import Standing
from pacs_agent.results.text import clean
from pacs_agent.results.uids import DocumentUids, document_uids, tracking_uid

_RULED_OUT = frozenset({"not_there", "artifact"})
"""Reasons of a rejection that say that the finding is absent."""


def compose_assessment(reviewed: ReviewedReading, facts: DocumentFacts) -> Dataset:
    """The review as Comprehensive 3D SR after TID 1500, ready for `write_bytes`.

    Raises UnusableEvidence when a finding was seen on an image that is not among those of the review.
    """
    model = reviewed.model(facts)
    seen = [reviewed.image_seen(one.slice) for one in reviewed.findings if one.slice]
    envelope = Envelope(
        kind=ObjectKind.ASSESSMENT,
        sop_class_uid=Comprehensive3DSRStorage,
        uids=review_uids(ObjectKind.ASSESSMENT, reviewed, facts),
        header=reviewed.header,
        evidence=sorted({reviewed.ai_result, reviewed.draft_report, *seen}),
        author=author_of(None, facts),
        facts=facts,
        standing=Standing(model, reviewed.read_at),
    )
    return document(envelope, _content(reviewed, model))


def review_uids(kind: ObjectKind, reviewed: ReviewedReading, facts: DocumentFacts) -> DocumentUids:
    """The UIDs of a document made of a review."""
    said = "\n".join(
        (
            reviewed.ai_result.sop_instance_uid,
            str(reviewed.version),
            reviewed.reviewer.model_dump_json(),
            repr((reviewed.verified, reviewed.text)),
            *(one.model_dump_json() for one in reviewed.findings),
        )
    )
    digest = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()
    return document_uids(
        kind, reviewed.reading.series.study_instance_uid, reviewed.reading.bundle.digest, digest, facts
    )


def assessment_reference(reviewed: ReviewedReading, facts: DocumentFacts) -> InstanceReference:
    """The assessment of a review, as another document of the same job refers to it."""
    uids = review_uids(ObjectKind.ASSESSMENT, reviewed, facts)
    study_uid = reviewed.reading.series.study_instance_uid
    return InstanceReference(study_uid, uids.series_instance_uid, Comprehensive3DSRStorage, uids.sop_instance_uid)


def _content(reviewed: ReviewedReading, model: Author) -> ContainerContentItem:
    groups = [_group(reviewed, one, model) for one in reviewed.findings]
    items = [
        *opening_by(reviewed.reviewer, procedure(reviewed.reading.series.modality)),
        text(COMMENT, _about(reviewed, model)),
        document_reference(reviewed.ai_result, CONTAINS),
        document_reference(reviewed.draft_report, CONTAINS),
        container(IMAGING_MEASUREMENTS, [_report_group(reviewed, model), *groups]),
        *_edited_report(reviewed),
    ]
    return container(IMAGING_MEASUREMENT_REPORT, items, relationship=None, template="1500")


def _about(reviewed: ReviewedReading, model: Author) -> str:
    about = (
        f"Assessment, version {reviewed.version}, by {reviewed.reviewer.name}, of the result of the AI model "
        f"{model.name} {model.version}. What was not handled is not listed."
    )
    return f"{about} {model.demo_warning}".strip()


def _report_group(reviewed: ReviewedReading, model: Author) -> ContainerContentItem:
    """The report as a whole: accepted where it was verified as drafted. There is always this group: OHIF needs one."""
    as_drafted = ACCEPTED if reviewed.verified else NOT_ASSESSED
    judged = as_drafted if reviewed.text is None else EDITED
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(reviewed, model, "report"),
        finding_type=WHOLE_REPORT,
        qualitative_evaluations=[QualitativeEvaluation(ASSESSMENT, judged)],
    )
    found: ContainerContentItem = group[0]
    return found


def _group(reviewed: ReviewedReading, handled: FindingReview, model: Author) -> ContainerContentItem:
    """One finding: what became of it, and what the person says of it instead."""
    said = reviewed.reading.finding(handled.finding)
    left = reviewed.left(said)
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(reviewed, model, handled.finding),
        finding_category=CLINICAL_FINDING,
        finding_type=concept(said.label.code),
        finding_sites=finding_sites(left or said),
        qualitative_evaluations=[
            QualitativeEvaluation(ASSESSMENT, ASSESSMENTS[handled.action]),
            *_reason(handled),
            *_presence(reviewed, handled, left),
            *(qualities(left) if left else ()),
        ],
    )
    found: ContainerContentItem = group[0]
    for remark in _remarks(handled):
        found.ContentSequence.append(remark)
    return found


def _tracking(reviewed: ReviewedReading, model: Author, key: str) -> TrackingIdentifier:
    """The identifiers under which the AI result has the same finding."""
    study_uid = reviewed.reading.series.study_instance_uid
    return TrackingIdentifier(uid=tracking_uid(study_uid, model.device_uid, key), identifier=clean(key) or "finding")


def _reason(handled: FindingReview) -> list[QualitativeEvaluation]:
    code = reason_code(handled.reason)
    return [QualitativeEvaluation(ASSESSMENT_REASON, code)] if code else []


def _remarks(handled: FindingReview) -> Iterable[ContentItem]:
    """What the person said in words of his own."""
    if handled.reason.strip() and reason_code(handled.reason) is None:
        yield text(ASSESSMENT_REASON, handled.reason)
    if handled.edited and handled.edited.comment.strip():
        yield text(COMMENT, handled.edited.comment)


def _presence(
    reviewed: ReviewedReading, handled: FindingReview, left: FindingReading | None
) -> list[QualitativeEvaluation]:
    """What the person says: nothing of what was rejected for another reason than that it is not there."""
    if left is None:
        return [_evaluated(PRESENCE[Presence.ABSENT])] if handled.reason in _RULED_OUT else []
    presence = _evaluated(PRESENCE[left.presence])
    if handled.slice:
        presence[0].ContentSequence = [_where(reviewed.image_seen(handled.slice), handled.slice)]
    return [presence]


def _evaluated(presence: Code) -> QualitativeEvaluation:
    return QualitativeEvaluation(PRESENCE_OF_PROPERTY, presence)


def _where(source: InstanceReference, seen: SliceSeen) -> ContentItem:
    """The image in which a finding was seen, or the point in it. PS3.3 C.18.6: the first pixel's centre is 0.5, 0.5."""
    if seen.point_px is None:
        return image_of(BEST_ILLUSTRATION, source, seen.frame_number, INFERRED_FROM)
    row, column = seen.point_px
    point = ScoordContentItem(
        name=BEST_ILLUSTRATION,
        graphic_type=GraphicTypeValues.POINT,
        graphic_data=np.array([[column + 0.5, row + 0.5]]),
        relationship_type=INFERRED_FROM,
    )
    selected: ImageContentItem = image_of(BEST_ILLUSTRATION, source, seen.frame_number, SELECTED_FROM)
    point.ContentSequence = [selected]
    return point


def _edited_report(reviewed: ReviewedReading) -> list[ContainerContentItem]:
    """The report in the person's words, which may be of any language."""
    if reviewed.text is None:
        return []
    paragraphs = [paragraph for section in edited_sections(reviewed.text) for paragraph in section]
    said = [text(FINDING, paragraph) for paragraph in paragraphs]
    return [container(FINDINGS_CONTAINER, [*language(ANY_LANGUAGE), *said])]
