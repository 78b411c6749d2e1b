"""One outlined region as a volumetric measurement group: which segment, how large, how dense. TID 1411, 1419."""

from highdicom.sr import (
    AlgorithmIdentification,
    ContainerContentItem,
    FindingSite,
    Measurement,
    QualitativeEvaluation,
    ReferencedSegment,
    SourceImageForMeasurement,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.sr.coding import Code

from pacs_agent.imaging.series import OrderedSeries
from pacs_agent.inference.reading import FindingReading, MeasuredRegion, Measurements, StudyReading
from pacs_agent.results.author import Author
from pacs_agent.results.codes import (
    ARTIFICIAL_INTELLIGENCE,
    ATTENUATION,
    HOUNSFIELD_UNIT,
    LONG_AXIS,
    MEAN,
    MILLILITRE,
    MILLIMETRE,
    PRESENCE,
    PRESENCE_OF_PROPERTY,
    SHORT_AXIS,
    STANDARD_DEVIATION,
    VOLUME,
    concept,
    laterality,
)
from pacs_agent.results.facts import UnusableEvidence
from pacs_agent.results.segmentation import region_name, region_tracking_uid
from pacs_agent.results.sources import InstanceReference

_VOLUME_METHOD = "voxels × pixel area × distance of slice positions"
_DIAMETER_METHOD = "longest in one slice between points of the outline, and its extent at right angles"
_ATTENUATION_METHOD = "all voxels of the segment"


def structure_groups(
    reading: StudyReading, measurements: Measurements, segmentation: InstanceReference, segmenter: Author
) -> list[ContainerContentItem]:
    """A group for each region. `segmentation` is the object whose segments they are, `segmenter` who outlined them.

    A region that measures a finding of the reading has the finding's code and site, and says whether the reading holds
    the finding to be present: an outline alone makes no finding. Raises UnusableEvidence when a diameter lies in no
    slice of the series.
    """
    found = {each.label.key: each for each in reading.findings}
    groups = []
    for region in measurements.regions:
        uid = region_tracking_uid(region, measurements, reading.series)
        finding = found.get(region.finding or "")
        groups.append(_group(region, uid, finding, reading.series, segmentation, segmenter))
    return groups


def _group(
    region: MeasuredRegion,
    uid: str,
    finding: FindingReading | None,
    series: OrderedSeries,
    segmentation: InstanceReference,
    segmenter: Author,
) -> ContainerContentItem:
    group = VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=uid, identifier=region_name(region)),
        referenced_segment=ReferencedSegment(
            sop_class_uid=segmentation.sop_class_uid,
            sop_instance_uid=segmentation.sop_instance_uid,
            segment_number=region.segment_number,
            source_series=SourceSeriesForSegmentation(series.series_instance_uid),
        ),
        finding_category=concept(region.category),
        finding_type=concept(finding.label.code if finding else region.type),
        finding_sites=[_site(region, finding)],
        algorithm_id=_algorithm(segmenter),
        measurements=_measurements(region, series, segmenter),
        qualitative_evaluations=[QualitativeEvaluation(PRESENCE_OF_PROPERTY, PRESENCE[finding.presence])]
        if finding
        else None,
    )
    container: ContainerContentItem = group[0]
    return container


def _site(region: MeasuredRegion, finding: FindingReading | None) -> FindingSite:
    """The finding's site, or the structure itself, with the side on which the region lies."""
    side = laterality(region.side) if region.side else None
    return FindingSite(concept(finding.label.site if finding else region.type), laterality=side)


def _algorithm(segmenter: Author, *parameters: str) -> AlgorithmIdentification:
    """TID 4019."""
    return AlgorithmIdentification(
        name=segmenter.name,
        version=segmenter.version,
        parameters=parameters or None,
        family=ARTIFICIAL_INTELLIGENCE,
        manufacturer=segmenter.manufacturer,
    )


def _measurements(region: MeasuredRegion, series: OrderedSeries, segmenter: Author) -> list[Measurement]:
    """Every number has content of its own, for OHIF; diameters are inferred from the slice they were measured in."""
    said = region.measured
    source = _source(region, series)
    by_volume, by_diameter = _algorithm(segmenter, _VOLUME_METHOD), _algorithm(segmenter, _DIAMETER_METHOD)
    found = [
        Measurement(name=VOLUME, value=round(said.volume_ml, 3), unit=MILLILITRE, algorithm_id=by_volume),
        _diameter(LONG_AXIS, said.longest_diameter_mm, source, by_diameter),
        _diameter(SHORT_AXIS, said.short_diameter_mm, source, by_diameter),
    ]
    by_attenuation = _algorithm(segmenter, _ATTENUATION_METHOD)
    for derivation, value in ((MEAN, said.mean_hu), (STANDARD_DEVIATION, said.sd_hu)):
        if value is not None:
            found.append(_attenuation(derivation, value, by_attenuation))
    return found


def _diameter(
    name: Code, value_mm: float, source: SourceImageForMeasurement, algorithm: AlgorithmIdentification
) -> Measurement:
    value = round(value_mm, 2)
    return Measurement(name=name, value=value, unit=MILLIMETRE, algorithm_id=algorithm, referenced_images=[source])


def _attenuation(derivation: Code, value_hu: float, algorithm: AlgorithmIdentification) -> Measurement:
    return Measurement(
        name=ATTENUATION, value=round(value_hu, 1), unit=HOUNSFIELD_UNIT, derivation=derivation, algorithm_id=algorithm
    )


def _source(region: MeasuredRegion, series: OrderedSeries) -> SourceImageForMeasurement:
    """The image in which the diameters were measured. TID 320."""
    index = region.measured.diameter_slice
    if not 0 <= index < len(series.slices):
        raise UnusableEvidence(f"a diameter was measured in slice {index}; the series has {len(series.slices)} slices")
    one = series.slices[index]
    frames = None if one.frame_number is None else [one.frame_number]
    return SourceImageForMeasurement(one.sop_class_uid, one.sop_instance_uid, frames)
