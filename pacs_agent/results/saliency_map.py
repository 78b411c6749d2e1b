"""The saliency map of a finding: how strongly the encoder sees it at each place of each slice. PS3.3 A.75.

Values are the encoder's own class activation, a score of the finding for every patch as a share from 0 to 1, in 32
bits. The form `patches` is its grid as it is, with the true place and size of patches; `images` is the same laid on the
stored source images, pixel for pixel, which is what viewers can lay over them. Frames are put together here for the
reasons that those of segmentations are; the mapping of values is highdicom's.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from highdicom import PlanePositionSequence, VOILUTTransformation
from highdicom.enum import CoordinateSystemNames
from highdicom.pm import RealWorldValueMapping
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ParametricMapStorage

from pacs_agent.imaging.series import OrderedSeries
from pacs_agent.inference import Heat
from pacs_agent.inference.reading import SaliencyMap, StudyReading
from pacs_agent.results.author import author_of
from pacs_agent.results.codes import CLASS_ACTIVATION, NO_UNITS, UNSPECIFIED_METHOD
from pacs_agent.results.document import TITLES, Envelope, close, opened
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
from pacs_agent.results.uids import DocumentUids, document_uids

_HALF_PATCH = 0.5


def compose_saliency_map(
    drawn: SaliencyMap, heats: Sequence[Heat], reading: StudyReading, evidence: Sequence[Dataset], facts: DocumentFacts
) -> Dataset:
    """The map as a Parametric Map object, a frame for each slice of its series, ready for `write_bytes`.

    `heats`: of the finding, one for each slice of that series. `evidence`: headers of the source slices, without pixel
    data. Raises UnusableEvidence when the heats or the headers are not those of the series.
    """
    series = _series_of(drawn, reading)
    if len(heats) != len(series.slices):
        raise UnusableEvidence(f"there are {len(heats)} heats for {len(series.slices)} slices; give one for each")
    author = author_of(reading.bundle, facts)
    envelope = Envelope(
        kind=ObjectKind.SALIENCY_MAP,
        sop_class_uid=ParametricMapStorage,
        uids=_uids(drawn, reading, facts),
        header=_header_of(series, evidence),
        evidence=references_of(reading.all_series, evidence),
        author=author,
        facts=facts,
    )
    dataset = opened(envelope, "OT")
    name = reading.finding(drawn.finding).label.name
    dataset.SeriesDescription = _series_description(name, author.series_description(""))
    grid = _FORMS[drawn.form](heats, sources_of(series, evidence))
    add_frame_of_reference(dataset, series)
    _add_image(dataset, grid, name, envelope)
    _add_frames(dataset, grid, series)
    add_references(dataset, envelope)
    close(dataset, envelope)
    return dataset


def saliency_map_references(reading: StudyReading, facts: DocumentFacts) -> dict[str, tuple[InstanceReference, ...]]:
    """The maps of each finding (key) that has any, as another object of the same job refers to them."""
    found: dict[str, tuple[InstanceReference, ...]] = {}
    for drawn in reading.saliency_maps:
        found[drawn.finding] = (*found.get(drawn.finding, ()), _reference(drawn, reading, facts))
    return found


def _reference(drawn: SaliencyMap, reading: StudyReading, facts: DocumentFacts) -> InstanceReference:
    uids, study_uid = _uids(drawn, reading, facts), reading.series.study_instance_uid
    return InstanceReference(study_uid, uids.series_instance_uid, ParametricMapStorage, uids.sop_instance_uid)


def _series_of(drawn: SaliencyMap, reading: StudyReading) -> OrderedSeries:
    """The series on whose slices a map lies. Raises UnusableEvidence when none such was read."""
    try:
        return reading.all_series[drawn.series]
    except IndexError:
        raise UnusableEvidence(
            f"a map lies on series {drawn.series}; {len(reading.all_series)} series were read"
        ) from None


def _header_of(series: OrderedSeries, evidence: Sequence[Dataset]) -> Dataset:
    """The first header of a series: the map shows its part of the body, and was lossy where its images were."""
    of_series = (one for one in evidence if str(one.SeriesInstanceUID) == series.series_instance_uid)
    return next(of_series, evidence[0] if evidence else Dataset())


def _uids(drawn: SaliencyMap, reading: StudyReading, facts: DocumentFacts) -> DocumentUids:
    said = drawn.model_dump_json() + _series_of(drawn, reading).series_instance_uid
    digest = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()
    return document_uids(
        ObjectKind.SALIENCY_MAP, reading.series.study_instance_uid, reading.bundle.digest, digest, facts
    )


def _series_description(name: str, warning: str) -> str:
    """The finding's name as far as there is room for it before what must be said. VR LO."""
    return fit_long_string(name, 64 - len(warning)) + warning


@dataclass(frozen=True)
class _Frame:
    """A frame: the slice it is of, where its first pixel lies, and the heat there."""

    source: Source
    position_mm: tuple[float, float, float]
    heat: Heat


@dataclass(frozen=True)
class _Grid:
    """What all frames have in common, and the frames in the order of their places along the normal of their planes."""

    shape: tuple[int, int]
    spacing_mm: tuple[float, float]
    orientation: tuple[float, ...]
    frames: tuple[_Frame, ...]
    is_on_images: bool

    def values(self, frame: _Frame) -> NDArray[np.float32]:
        """The values of a frame, of the shape of the grid."""
        return _on_image(frame) if self.is_on_images else frame.heat.values


def _of_patches(heats: Sequence[Heat], sources: Sequence[Source]) -> _Grid:
    first, orientation = heats[0], sources[0].slice.orientation
    spacing_mm = float(np.linalg.norm(first.row_step_mm)), float(np.linalg.norm(first.column_step_mm))
    frames = [_Frame(source, heat.origin_mm, heat) for source, heat in zip(sources, heats, strict=True)]
    rows, columns = first.values.shape
    return _Grid((rows, columns), spacing_mm, orientation, _in_order(frames, orientation), is_on_images=False)


def _of_images(heats: Sequence[Heat], sources: Sequence[Source]) -> _Grid:
    stored = sources[0].frame
    frames = [_Frame(source, source.frame.position_mm, heat) for source, heat in zip(sources, heats, strict=True)]
    ordered = _in_order(frames, stored.orientation)
    return _Grid((stored.rows, stored.columns), stored.spacing_mm, stored.orientation, ordered, is_on_images=True)


_FORMS = {"patches": _of_patches, "images": _of_images}


def _in_order(frames: Sequence[_Frame], orientation: Sequence[float]) -> tuple[_Frame, ...]:
    """Up along the normal, PS3.3 C.7.6.16.2.3: viewers take the order in the file for the order in space."""
    normal = np.cross(orientation[:3], orientation[3:])
    return tuple(sorted(frames, key=lambda frame: float(np.dot(frame.position_mm, normal))))


def _on_image(frame: _Frame) -> NDArray[np.float32]:
    """The heat on the pixels of the stored image: linear between centres of patches, 0 where nothing was looked at."""
    one, heat = frame.source.slice, frame.heat
    by_row, by_column = (
        _weights(count, heat.values.shape[axis], heat.origin_px[axis], heat.step_px[axis])
        for axis, count in enumerate((one.rows, one.columns))
    )
    return frame.source.turn.undone((by_row @ heat.values @ by_column.T).astype(np.float32))


def _weights(pixels: int, patches: int, origin_px: float, step_px: float) -> NDArray[np.float32]:
    """How much each patch counts for each row or column of pixels, shape (pixels, patches)."""
    place = (np.arange(pixels) - origin_px) / step_px
    near = np.clip(place, 0, patches - 1)[:, None] - np.arange(patches)
    is_seen = (place >= -_HALF_PATCH) & (place <= patches - 1 + _HALF_PATCH)
    weights: NDArray[np.float32] = (np.maximum(0, 1 - np.abs(near)) * is_seen[:, None]).astype(np.float32)
    return weights


def _add_image(dataset: Dataset, grid: _Grid, name: str, envelope: Envelope) -> None:
    """Parametric Map Image and Floating Point Image Pixel modules, PS3.3 C.8.32.2 and C.7.6.24."""
    dataset.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "QUANTITY"]
    dataset.BodyPartExamined = str(envelope.header.get("BodyPartExamined") or "")
    dataset.ContentLabel = "SALIENCY"
    dataset.ContentDescription = fit_long_string(f"{TITLES[envelope.kind]}: {name}")
    dataset.ContentCreatorName = ""
    dataset.ContentQualification = "RESEARCH"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = 32
    dataset.Rows, dataset.Columns = grid.shape
    dataset.PixelPresentation = "MONOCHROME"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.BurnedInAnnotation = dataset.RecognizableVisualFeatures = "NO"
    dataset.AcquisitionContextSequence = []
    add_lossy_compression(dataset, envelope.header)


def _add_frames(dataset: Dataset, grid: _Grid, series: OrderedSeries) -> None:
    """Multi-frame Functional Groups and Dimension modules, PS3.3 C.7.6.16 and C.7.6.17, and the values."""
    add_dimensions(dataset, POSITION_INDEX)
    shared = geometry(series, grid.spacing_mm, grid.orientation)
    shared.FrameVOILUTSequence = [VOILUTTransformation(window_center=0.5, window_width=1.0)]
    shared.PixelValueTransformationSequence = [new_item(RescaleIntercept=0, RescaleSlope=1, RescaleType="US")]
    shared.ParametricMapFrameTypeSequence = [new_item(FrameType=dataset.ImageType)]
    shared.RealWorldValueMappingSequence = [
        RealWorldValueMapping(
            "SALIENCY", "Class activation of the finding", NO_UNITS, (0.0, 1.0), 1.0, 0.0, None, CLASS_ACTIVATION
        )
    ]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [
        new_item(
            FrameContentSequence=[new_item(DimensionIndexValues=[number])],
            PlanePositionSequence=PlanePositionSequence(CoordinateSystemNames.PATIENT, frame.position_mm),
            DerivationImageSequence=[
                derivation_image(frame.source.slice, UNSPECIFIED_METHOD, in_place=grid.is_on_images)
            ],
        )
        for number, frame in enumerate(grid.frames, start=1)
    ]
    dataset.NumberOfFrames = len(grid.frames)
    values = b"".join(grid.values(frame).astype("<f4").tobytes() for frame in grid.frames)
    dataset.add_new("FloatPixelData", "OF", values)
