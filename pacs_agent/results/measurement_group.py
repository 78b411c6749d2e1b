"""One finding as a measurement group: what, where, how probable, present or not, and on which slices. TID 1501."""

import math
from collections.abc import Sequence

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    ContainerContentItem,
    ContentSequence,
    CoordinatesForMeasurement3D,
    GraphicTypeValues3D,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    NumContentItem,
    QualitativeEvaluation,
    SourceImageForMeasurement,
    TrackingIdentifier,
)
from pydicom.sr.coding import Code

from pacs_agent.imaging.series import OrderedSeries
from pacs_agent.inference.reading import EvidenceMethod, FindingReading, SincePrior, SliceEvidence
from pacs_agent.results.attributes import finding_sites, qualities
from pacs_agent.results.author import Author
from pacs_agent.results.codes import (
    ARTIFICIAL_INTELLIGENCE,
    CLINICAL_FINDING,
    OPERATING_POINT,
    PEAK_HEAT,
    PERCENT,
    PRESENCE,
    PRESENCE_OF_PROPERTY,
    PROBABILITY,
    SLICE_EVIDENCE,
    VISUAL_EXPLANATION,
    concept,
)
from pacs_agent.results.comparison import changes_of
from pacs_agent.results.content import CONTAINS, INFERRED_FROM, image_of
from pacs_agent.results.facts import UnusableEvidence
from pacs_agent.results.sources import InstanceReference, source_slice
from pacs_agent.results.text import clean
from pacs_agent.results.uids import tracking_uid


def measurement_group(
    finding: FindingReading,
    series: tuple[OrderedSeries, ...],
    author: Author,
    method: EvidenceMethod | None,
    since: SincePrior | None = None,
    explanations: Sequence[InstanceReference] = (),
) -> ContainerContentItem:
    """The group of one finding. An absent finding has one too, without slices.

    `series`: all that were read; `method`: how the slices were found; `since`: what changed since the prior study,
    where it was compared; `explanations`: the saliency maps of the finding.
    Every number in it has content of its own: OHIF up to 3.13 reads the content of each and stops where there is none.
    Raises UnusableEvidence when a probability or weight is not between 0 and 1.
    """
    label = finding.label
    slices = [number for each in finding.evidence for number in _slice_evidence(each, series)]
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=tracking_uid(series[0].study_instance_uid, author.device_uid, label.key),
            identifier=clean(label.key) or "finding",
        ),
        finding_category=CLINICAL_FINDING,
        finding_type=concept(label.code),
        finding_sites=finding_sites(finding),
        algorithm_id=algorithm(author, *_evidence_parameter(method)),
        measurements=[_probability(finding, author), *slices],
        qualitative_evaluations=[_presence(finding), *qualities(finding), *changes_of(finding, since)],
    )
    container: ContainerContentItem = group[0]
    for explanation in explanations:
        container.ContentSequence.append(image_of(VISUAL_EXPLANATION, explanation, None, CONTAINS))
    return container


def algorithm(author: Author, *parameters: str) -> AlgorithmIdentification:
    """Who found something, and how. TID 4019."""
    return AlgorithmIdentification(
        name=author.name,
        version=author.version,
        parameters=parameters or None,
        family=ARTIFICIAL_INTELLIGENCE,
        manufacturer=author.manufacturer,
    )


def _evidence_parameter(method: EvidenceMethod | None) -> list[str]:
    return [] if method is None else [f"slice evidence by {method.value.replace('_', ' ')}"]


def _probability(finding: FindingReading, author: Author) -> Measurement:
    parameters = [f"operating point {_percent(finding.operating_point, OPERATING_POINT)} %"]
    if finding.uncertain_from is not None:
        parameters.append(f"uncertain from {_percent(finding.uncertain_from, OPERATING_POINT)} %")
    return Measurement(
        name=PROBABILITY,
        value=_percent(finding.probability, PROBABILITY),
        unit=PERCENT,
        algorithm_id=algorithm(author, *parameters),
    )


def _presence(finding: FindingReading) -> QualitativeEvaluation:
    """Present, absent or undetermined, inferred from the operating point."""
    evaluation = QualitativeEvaluation(PRESENCE_OF_PROPERTY, PRESENCE[finding.presence])
    threshold = NumContentItem(
        name=OPERATING_POINT,
        value=_percent(finding.operating_point, OPERATING_POINT),
        unit=PERCENT,
        relationship_type=INFERRED_FROM,
    )
    evaluation[0].ContentSequence = ContentSequence([threshold])
    return evaluation


def _slice_evidence(evidence: SliceEvidence, series: tuple[OrderedSeries, ...]) -> list[Measurement]:
    """The weight of one slice, inferred from that slice, and where in it the finding is strongest. TID 300, 320."""
    found = source_slice(evidence, series)
    source = found.slice
    frames = None if source.frame_number is None else [source.frame_number]
    weight = Measurement(
        name=SLICE_EVIDENCE,
        value=_percent(evidence.weight, SLICE_EVIDENCE),
        unit=PERCENT,
        referenced_images=[SourceImageForMeasurement(source.sop_class_uid, source.sop_instance_uid, frames)],
    )
    return [weight, *_peak(evidence, found.series)]


def _peak(evidence: SliceEvidence, series: OrderedSeries) -> list[Measurement]:
    """A number of its own, as TID 320 infers one from an image or from a point, not from both. PS3.3 C.18.9.

    None where the point is not known or the images of the series share no frame of reference.
    """
    if evidence.peak_mm is None or evidence.peak_heat is None or not series.frame_of_reference_uid:
        return []
    if not all(math.isfinite(value) for value in evidence.peak_mm):
        raise UnusableEvidence(f"a finding is strongest at {evidence.peak_mm}, which is no place in the patient")
    point = CoordinatesForMeasurement3D(
        GraphicTypeValues3D.POINT, np.array([evidence.peak_mm]), series.frame_of_reference_uid
    )
    heat = _percent(evidence.peak_heat, PEAK_HEAT)
    return [Measurement(name=PEAK_HEAT, value=heat, unit=PERCENT, referenced_coordinates=[point])]


def _percent(share: float, name: Code) -> float:
    if not (math.isfinite(share) and 0 <= share <= 1):
        raise UnusableEvidence(f"{name.meaning} is {share}; a number from 0 to 1 is needed")
    return round(100 * share, 4)
