"""Frames that lie on the frames of a source series: what segmentations and saliency maps share. PS3.3 C.7.6.16."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.valuerep import DSfloat

from pacs_agent.imaging import Frame, HeaderFile, Turn, UnusableImages, frames_of, turn_between
from pacs_agent.imaging.series import OrderedSeries, Slice
from pacs_agent.results.codes import SOURCE_FOR_PROCESSING, code_item
from pacs_agent.results.document import Envelope
from pacs_agent.results.facts import UnusableEvidence
from pacs_agent.results.sources import hierarchical_references
from pacs_agent.results.uids import derived_uid

POSITION_INDEX = (0x00200032, 0x00209113, "Image Position (Patient)")
"""Frames are indexed by their place. PS3.3 C.7.6.17, C.7.6.16.2.3."""
_EVEN_MM = 0.01


@dataclass(frozen=True)
class Source:
    """A slice that was read, the frame as its file describes it, and how the one becomes the other."""

    slice: Slice
    frame: Frame
    turn: Turn


def sources_of(series: OrderedSeries, evidence: Sequence[Dataset]) -> list[Source]:
    """The source of each slice. Raises UnusableEvidence when a header has not the frame, or another geometry."""
    frames = _frames(series, evidence)
    turn = turn_between(frames[0].orientation, series.slices[0].orientation)
    return [Source(one, frame, turn) for one, frame in zip(series.slices, frames, strict=True)]


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
        raise UnusableEvidence("the source images are stored in different sizes; an object on them has one")
    return frames


def _frames_of(header: Dataset, path: Path) -> list[Frame]:
    try:
        return list(frames_of(HeaderFile(path, header)))
    except UnusableImages as error:
        raise UnusableEvidence(f"a header cannot carry frames: {error.reason}") from error


def add_frame_of_reference(dataset: Dataset, series: OrderedSeries) -> None:
    """Frame of Reference module, PS3.3 C.7.4.1: the source's, or a new one where the source images share none."""
    own = derived_uid("frame of reference", series.study_instance_uid, series.series_instance_uid)
    dataset.FrameOfReferenceUID = series.frame_of_reference_uid or own
    dataset.PositionReferenceIndicator = ""


def add_lossy_compression(dataset: Dataset, header: Dataset) -> None:
    """That the source was lossy once, and how. PS3.3 C.7.6.1.1.5."""
    dataset.LossyImageCompression = "01" if header.get("LossyImageCompression") == "01" else "00"
    for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if dataset.LossyImageCompression == "01" and keyword in header:
            dataset[keyword] = header[keyword]


def add_dimensions(dataset: Dataset, *indices: tuple[int, int, str]) -> None:
    """Multi-frame Dimension module, PS3.3 C.7.6.17: an index by attribute, its functional group and its label."""
    organization = derived_uid("dimensions", dataset.SOPInstanceUID)
    dataset.DimensionOrganizationSequence = [new_item(DimensionOrganizationUID=organization)]
    dataset.DimensionIndexSequence = [
        new_item(
            DimensionOrganizationUID=organization,
            DimensionIndexPointer=pointer,
            FunctionalGroupPointer=group,
            DimensionDescriptionLabel=label,
        )
        for pointer, group, label in indices
    ]


def geometry(series: OrderedSeries, spacing_mm: Sequence[float], orientation: Sequence[float]) -> Dataset:
    """What frames share, PS3.3 C.7.6.16.2.1, C.7.6.16.2.4. Slice Thickness is how far a slice counts in a volume."""
    measures = new_item(
        PixelSpacing=[decimal(each) for each in spacing_mm], SliceThickness=decimal(series.thickness_mm)
    )
    gaps = np.diff([one.z_mm for one in series.slices])
    if len(gaps) and np.ptp(gaps) <= _EVEN_MM:
        measures.SpacingBetweenSlices = decimal(series.thickness_mm)
    directions = new_item(ImageOrientationPatient=[decimal(each) for each in orientation])
    return new_item(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[directions])


def derivation_image(source: Slice, derivation: Code, *, in_place: bool = True) -> Dataset:
    """Derivation Image macro, PS3.3 C.7.6.16.2.6: the slice of which a frame was made, and how.

    `in_place`: a pixel of the frame lies where that of the source does.
    """
    image = new_item(
        ReferencedSOPClassUID=source.sop_class_uid,
        ReferencedSOPInstanceUID=source.sop_instance_uid,
        PurposeOfReferenceCodeSequence=[code_item(SOURCE_FOR_PROCESSING)],
        SpatialLocationsPreserved="YES" if in_place else "NO",
    )
    if source.frame_number is not None:
        image.ReferencedFrameNumber = source.frame_number
    return new_item(DerivationCodeSequence=[code_item(derivation)], SourceImageSequence=[image])


def add_references(dataset: Dataset, envelope: Envelope) -> None:
    """Common Instance Reference module, PS3.3 C.12.2: the images of which there are frames."""
    used = {
        image.ReferencedSOPInstanceUID
        for frame in dataset.PerFrameFunctionalGroupsSequence
        for image in frame.DerivationImageSequence[0].SourceImageSequence
    }
    [study] = hierarchical_references(each for each in envelope.evidence if each.sop_instance_uid in used)
    dataset.ReferencedSeriesSequence = [
        new_item(SeriesInstanceUID=series.SeriesInstanceUID, ReferencedInstanceSequence=series.ReferencedSOPSequence)
        for series in study.ReferencedSeriesSequence  # which other documents share
    ]


def new_item(**attributes: object) -> Dataset:
    """An item of a sequence with these attributes."""
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def decimal(value: float) -> DSfloat:
    """A number of at most 16 characters. PS3.5 6.2, VR DS."""
    return DSfloat(value, auto_format=True)
