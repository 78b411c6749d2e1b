"""The segmentation object: every region of a segmenter as a segment on the frames of the source. PS3.3 A.51.

BINARY, one segment for each region, a frame only where a region has voxels. Frames lie pixel for pixel on the stored
source images. The frames are put together here, from crops: highdicom would want all slices of all segments at once,
one enhanced source image at most, and well-formed patient attributes. What its classes check is left to them: segment
descriptions, plane positions, codes and colours.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from highdicom import AlgorithmIdentificationSequence, PlanePositionSequence
from highdicom.color import CIELabColor
from highdicom.enum import CoordinateSystemNames
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage
from pydicom.valuerep import DSfloat

from pacs_agent.imaging import Frame, HeaderFile, Turn, UnusableImages, frames_of, turn_between
from pacs_agent.imaging.series import OrderedSeries, Slice
from pacs_agent.inference import Segmentation, SegmentedRegion, measurements_of
from pacs_agent.inference.reading import MeasuredRegion, Measurements
from pacs_agent.results.author import Author, author_of
from pacs_agent.results.codes import (
    ARTIFICIAL_INTELLIGENCE,
    SEGMENTATION_DERIVATION,
    SOURCE_OF_SEGMENTATION,
    code_item,
    concept,
    laterality,
)
from pacs_agent.results.document import Envelope, close, opened
from pacs_agent.results.facts import DocumentFacts, ObjectKind, UnusableEvidence
from pacs_agent.results.sources import InstanceReference, hierarchical_references, references_of
from pacs_agent.results.text import fit_long_string
from pacs_agent.results.uids import DocumentUids, derived_uid, document_uids, tracking_uid

_EVEN_MM = 0.01


def compose_segmentation(segmentation: Segmentation, evidence: Sequence[Dataset], facts: DocumentFacts) -> Dataset:
    """The regions as a Segmentation object, ready for `write_bytes`.

    `evidence`: headers of the source slices, without pixel data. Raises UnusableEvidence when there is no region, or
    when the headers are not those of the series.
    """
    if not segmentation.regions:
        raise UnusableEvidence("no region was segmented; write no segmentation object")
    author = author_of(segmentation.model, facts)
    measurements = measurements_of(segmentation)
    envelope = Envelope(
        kind=ObjectKind.SEGMENTATION,
        sop_class_uid=SegmentationStorage,
        uids=segmentation_uids(measurements, segmentation.series, facts),
        header=evidence[0] if evidence else Dataset(),
        evidence=references_of(segmentation.series, evidence),
        author=author,
        facts=facts,
    )
    dataset = opened(envelope, "SEG")
    sources = _sources(segmentation.series, evidence)
    _add_frame_of_reference(dataset, segmentation.series)
    _add_image(dataset, sources[0].frame)
    _add_segments(dataset, segmentation, measurements, author)
    _add_frames(dataset, segmentation, sources)
    _add_references(dataset, envelope, dataset.PerFrameFunctionalGroupsSequence)
    close(dataset, envelope)
    return dataset


def segmentation_uids(measurements: Measurements, series: OrderedSeries, facts: DocumentFacts) -> DocumentUids:
    """The UIDs of the segmentation object that belongs to measurements of a series."""
    said = measurements.model_dump_json() + series.series_instance_uid
    digest = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()
    study_uid = series.study_instance_uid
    return document_uids(ObjectKind.SEGMENTATION, study_uid, measurements.model.digest, digest, facts)


def segmentation_reference(
    measurements: Measurements, series: OrderedSeries, facts: DocumentFacts
) -> InstanceReference:
    """The segmentation object, as another object of the same job refers to it."""
    uids = segmentation_uids(measurements, series, facts)
    return InstanceReference(
        series.study_instance_uid, uids.series_instance_uid, SegmentationStorage, uids.sop_instance_uid
    )


def region_name(region: MeasuredRegion) -> str:
    """What people call a region: its structure, side and, of a lesion, number. Fits VR LO."""
    side = f", {region.side}" if region.side else ""
    number = f" {region.number}" if region.kind == "lesion" else ""
    return fit_long_string(f"{region.name}{number}{side}")


def region_tracking_uid(region: MeasuredRegion, measurements: Measurements, series: OrderedSeries) -> str:
    """The UID under which a region is followed through segmentation and AI result. PS3.16 TID 4108."""
    key = f"{region.structure}:{region.side}:{region.number}"
    return tracking_uid(series.study_instance_uid, measurements.model.device_uid, key)


@dataclass(frozen=True)
class _Source:
    """A slice that was segmented, the frame as its file describes it, and how the one becomes the other."""

    slice: Slice
    frame: Frame
    turn: Turn


def _sources(series: OrderedSeries, evidence: Sequence[Dataset]) -> list[_Source]:
    """The source of each slice. Raises UnusableEvidence when a header has not the frame, or another geometry."""
    frames = _frames(series, evidence)
    turn = turn_between(frames[0].orientation, series.slices[0].orientation)
    return [_Source(one, frame, turn) for one, frame in zip(series.slices, frames, strict=True)]


def _frames(series: OrderedSeries, evidence: Sequence[Dataset]) -> list[Frame]:
    paths = {one.sop_instance_uid: one.path for one in series.slices}
    known: dict[tuple[str, int | None], Frame] = {}
    for header in evidence:
        uid = str(header.SOPInstanceUID)
        if uid in paths:
            known |= {(uid, frame.frame_number): frame for frame in _frames_of(header, paths[uid])}
    try:
        frames = [known[one.sop_instance_uid, one.frame_number] for one in series.slices]
    except KeyError as error:
        raise UnusableEvidence(f"the header of {error} has no such frame; give the headers of the series") from None
    if len({(frame.rows, frame.columns) for frame in frames}) != 1:
        raise UnusableEvidence("the source images are stored in different sizes; a segmentation has one")
    return frames


def _frames_of(header: Dataset, path: Path) -> list[Frame]:
    try:
        return list(frames_of(HeaderFile(path, header)))
    except UnusableImages as error:
        raise UnusableEvidence(f"a header cannot carry a segmentation: {error.reason}") from error


def _add_frame_of_reference(dataset: Dataset, series: OrderedSeries) -> None:
    """Frame of Reference module, PS3.3 C.7.4.1: the source's, or a new one where the source images share none."""
    own = derived_uid("frame of reference", series.study_instance_uid, series.series_instance_uid)
    dataset.FrameOfReferenceUID = series.frame_of_reference_uid or own
    dataset.PositionReferenceIndicator = ""


def _add_image(dataset: Dataset, frame: Frame) -> None:
    """Segmentation Image module, PS3.3 C.8.20.2, and Enhanced General Equipment, which `opened` has written."""
    header = frame.header.dataset
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.ContentLabel = "SEGMENTATION"
    dataset.ContentDescription = dataset.SeriesDescription
    dataset.ContentCreatorName = ""
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelRepresentation = 0
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    dataset.Rows, dataset.Columns = frame.rows, frame.columns
    dataset.SegmentationType = "BINARY"
    dataset.SegmentsOverlap = "NO"
    dataset.LossyImageCompression = "01" if header.get("LossyImageCompression") == "01" else "00"
    for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if dataset.LossyImageCompression == "01" and keyword in header:
            dataset[keyword] = header[keyword]


def _add_segments(dataset: Dataset, segmentation: Segmentation, measurements: Measurements, author: Author) -> None:
    algorithm = AlgorithmIdentificationSequence(
        author.name, ARTIFICIAL_INTELLIGENCE, author.version, author.manufacturer
    )
    dataset.SegmentSequence = [
        _segment(region, measured, region_tracking_uid(measured, measurements, segmentation.series), algorithm)
        for region, measured in zip(segmentation.regions, measurements.regions, strict=True)
    ]


def _segment(
    region: SegmentedRegion, measured: MeasuredRegion, uid: str, algorithm: AlgorithmIdentificationSequence
) -> Dataset:
    """Segment Description macro, PS3.3 Table C.8.20-4."""
    name = region_name(measured)
    item: Dataset = SegmentDescription(
        segment_number=measured.segment_number,
        segment_label=name,
        segmented_property_category=concept(measured.category),
        segmented_property_type=concept(measured.type),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm,
        tracking_uid=uid,
        tracking_id=name,
        display_color=CIELabColor.from_rgb(*region.structure.colour),
    )
    if measured.side:
        side = code_item(laterality(measured.side))
        item.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [side]
    return item


def _add_frames(dataset: Dataset, segmentation: Segmentation, sources: Sequence[_Source]) -> None:
    """Multi-frame Functional Groups and Dimension modules, PS3.3 C.7.6.16 and C.7.6.17, and the pixels."""
    organization = derived_uid("dimensions", dataset.SOPInstanceUID)
    dataset.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organization)]
    dataset.DimensionIndexSequence = [
        _index(organization, 0x0062000B, 0x0062000A, "Segment Number"),
        _index(organization, 0x00200032, 0x00209113, "Image Position (Patient)"),
    ]
    dataset.SharedFunctionalGroupsSequence = [_shared(segmentation.series, sources[0].frame)]
    used = sorted({index for region in segmentation.regions for index in _slices_of(region)})
    positions = {index: position for position, index in enumerate(used, start=1)}
    dataset.PerFrameFunctionalGroupsSequence = [
        _frame_item(number, positions[index], sources[index])
        for number, region in enumerate(segmentation.regions, start=1)
        for index in _slices_of(region)
    ]
    dataset.NumberOfFrames = len(dataset.PerFrameFunctionalGroupsSequence)
    pixels = _packed(plane for region in segmentation.regions for plane in _planes(region, sources))
    dataset.add_new("PixelData", "OB", pixels)


def _index(organization: str, pointer: int, group: int, label: str) -> Dataset:
    return _item(
        DimensionOrganizationUID=organization,
        DimensionIndexPointer=pointer,
        FunctionalGroupPointer=group,
        DimensionDescriptionLabel=label,
    )


def _shared(series: OrderedSeries, frame: Frame) -> Dataset:
    """Orientation and spacing as stored. Slice Thickness is how far a slice counts in a volume."""
    measures = _item(
        PixelSpacing=[_decimal(each) for each in frame.spacing_mm], SliceThickness=_decimal(series.thickness_mm)
    )
    gaps = np.diff([one.z_mm for one in series.slices])
    if len(gaps) and np.ptp(gaps) <= _EVEN_MM:
        measures.SpacingBetweenSlices = _decimal(series.thickness_mm)
    orientation = _item(ImageOrientationPatient=[_decimal(each) for each in frame.orientation])
    return _item(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[orientation])


def _frame_item(segment_number: int, position: int, source: _Source) -> Dataset:
    """A frame: which segment, where, and from which source frame. `position` counts the slices with content, from 1."""
    return _item(
        FrameContentSequence=[_item(DimensionIndexValues=[segment_number, position])],
        PlanePositionSequence=PlanePositionSequence(CoordinateSystemNames.PATIENT, source.frame.position_mm),
        SegmentIdentificationSequence=[_item(ReferencedSegmentNumber=segment_number)],
        DerivationImageSequence=[_derivation(source.slice)],
    )


def _derivation(source: Slice) -> Dataset:
    image = _item(
        ReferencedSOPClassUID=source.sop_class_uid,
        ReferencedSOPInstanceUID=source.sop_instance_uid,
        PurposeOfReferenceCodeSequence=[code_item(SOURCE_OF_SEGMENTATION)],
        SpatialLocationsPreserved="YES",
    )
    if source.frame_number is not None:
        image.ReferencedFrameNumber = source.frame_number
    return _item(DerivationCodeSequence=[code_item(SEGMENTATION_DERIVATION)], SourceImageSequence=[image])


def _slices_of(region: SegmentedRegion) -> Iterator[int]:
    """Indices of the slices in which a region has voxels, ascending."""
    yield from (np.flatnonzero(region.crop.any(axis=(1, 2))) + region.box[0].start).tolist()


def _planes(region: SegmentedRegion, sources: Sequence[_Source]) -> Iterator[NDArray[np.bool_]]:
    """The masks of those slices as their files are stored, each of shape (rows, columns)."""
    for index in _slices_of(region):
        source = sources[index]
        plane = np.zeros((source.slice.rows, source.slice.columns), np.bool_)
        plane[region.box[1:]] = region.crop[index - region.box[0].start]
        yield source.turn.undone(plane)


def _packed(planes: Iterator[NDArray[np.bool_]]) -> bytes:
    """Pixels as bits, the first in the lowest, without gaps between frames. PS3.5 8.1.1, D.3."""
    packed, rest = bytearray(), np.empty(0, np.bool_)
    for plane in planes:
        bits = np.concatenate([rest, plane.ravel()])
        whole = len(bits) // 8 * 8
        packed += np.packbits(bits[:whole], bitorder="little").tobytes()
        rest = bits[whole:]
    packed += np.packbits(rest, bitorder="little").tobytes()
    return bytes(packed) + b"\0" * (len(packed) % 2)


def _add_references(dataset: Dataset, envelope: Envelope, frames: Sequence[Dataset]) -> None:
    """Common Instance Reference module, PS3.3 C.12.2: the images of which there are frames."""
    used = {
        image.ReferencedSOPInstanceUID
        for frame in frames
        for image in frame.DerivationImageSequence[0].SourceImageSequence
    }
    [study] = hierarchical_references(each for each in envelope.evidence if each.sop_instance_uid in used)
    dataset.ReferencedSeriesSequence = [
        _item(SeriesInstanceUID=series.SeriesInstanceUID, ReferencedInstanceSequence=series.ReferencedSOPSequence)
        for series in study.ReferencedSeriesSequence  # which other documents share
    ]


def _item(**attributes: object) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def _decimal(value: float) -> DSfloat:
    """A number of at most 16 characters. PS3.5 6.2, VR DS."""
    return DSfloat(value, auto_format=True)
