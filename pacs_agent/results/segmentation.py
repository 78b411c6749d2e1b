"""The segmentation object: every region of a segmenter as a segment on the frames of the source. PS3.3 A.51.

BINARY, one segment for each region, a frame only where a region has voxels. Frames lie pixel for pixel on the stored
source images. The frames are put together here, from crops: highdicom would want all slices of all segments at once,
one enhanced source image at most, and well-formed patient attributes. What its classes check is left to them: segment
descriptions, plane positions, codes and colours.
"""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from highdicom import AlgorithmIdentificationSequence, PlanePositionSequence
from highdicom.color import CIELabColor
from highdicom.enum import CoordinateSystemNames
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage

from pacs_agent.imaging import Frame
from pacs_agent.imaging.series import OrderedSeries
from pacs_agent.inference import Segmentation, SegmentedRegion, measurements_of
from pacs_agent.inference.reading import MeasuredRegion, Measurements
from pacs_agent.results.author import Author, author_of
from pacs_agent.results.codes import (
    ARTIFICIAL_INTELLIGENCE,
    SEGMENTATION_DERIVATION,
    code_item,
    concept,
    laterality,
)
from pacs_agent.results.document import Envelope, close, opened
from pacs_agent.results.facts import DocumentFacts, ObjectKind, UnusableEvidence
from pacs_agent.results.multiframe import (
    POSITION_INDEX,
    Source,
    add_dimensions,
    add_frame_of_reference,
    add_lossy_compression,
    add_references,
    derivation_image,
    geometry,
    new_item,
    sources_of,
)
from pacs_agent.results.sources import InstanceReference, references_of
from pacs_agent.results.text import fit_long_string
from pacs_agent.results.uids import DocumentUids, document_uids, tracking_uid

SEGMENT_INDEX = (0x0062000B, 0x0062000A, "Segment Number")
"""Frames are indexed by their segment. PS3.3 C.7.6.17, C.8.20.3.1."""


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
        evidence=references_of((segmentation.series,), evidence),
        author=author,
        facts=facts,
    )
    dataset = opened(envelope, "SEG")
    sources = sources_of(segmentation.series, evidence)
    add_frame_of_reference(dataset, segmentation.series)
    _add_image(dataset, sources[0].frame)
    _add_segments(dataset, segmentation, measurements, author)
    _add_frames(dataset, segmentation, sources)
    add_references(dataset, envelope)
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


def _add_image(dataset: Dataset, frame: Frame) -> None:
    """Segmentation Image module, PS3.3 C.8.20.2, and Enhanced General Equipment, which `opened` has written."""
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
    add_lossy_compression(dataset, frame.header.dataset)


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


def _add_frames(dataset: Dataset, segmentation: Segmentation, sources: Sequence[Source]) -> None:
    """Multi-frame Functional Groups and Dimension modules, PS3.3 C.7.6.16 and C.7.6.17, and the pixels."""
    add_dimensions(dataset, SEGMENT_INDEX, POSITION_INDEX)
    stored = sources[0].frame
    dataset.SharedFunctionalGroupsSequence = [geometry(segmentation.series, stored.spacing_mm, stored.orientation)]
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


def _frame_item(segment_number: int, position: int, source: Source) -> Dataset:
    """A frame: which segment, where, and from which source frame. `position` counts the slices with content, from 1."""
    return new_item(
        FrameContentSequence=[new_item(DimensionIndexValues=[segment_number, position])],
        PlanePositionSequence=PlanePositionSequence(CoordinateSystemNames.PATIENT, source.frame.position_mm),
        SegmentIdentificationSequence=[new_item(ReferencedSegmentNumber=segment_number)],
        DerivationImageSequence=[derivation_image(source.slice, SEGMENTATION_DERIVATION)],
    )


def _slices_of(region: SegmentedRegion) -> Iterator[int]:
    """Indices of the slices in which a region has voxels, ascending."""
    yield from (np.flatnonzero(region.crop.any(axis=(1, 2))) + region.box[0].start).tolist()


def _planes(region: SegmentedRegion, sources: Sequence[Source]) -> Iterator[NDArray[np.bool_]]:
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
