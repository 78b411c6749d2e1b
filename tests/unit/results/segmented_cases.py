"""Segmented series of every sort: how files are stored, single and multi-frame, with and without a common frame."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage
from scipy.spatial.transform import Rotation
from study_readings import BUNDLE, SERIES_UID, headers

from pacs_agent.imaging import HeaderFile, OrderedSeries, order_series
from pacs_agent.imaging.measure import measure
from pacs_agent.inference.reading import Code
from pacs_agent.inference.segmented import Segmentation, SegmentedRegion, Structure

SEGMENTER = BUNDLE.model_copy(
    update={"name": "gtgm-thorax-demo", "digest": "ef" * 32, "device_uid": "2.25.15324671209856543210987654321"}
)
ORGAN = Code(value="91723000", scheme="SCT", meaning="Anatomical Structure")
LESION = Code(value="49755003", scheme="SCT", meaning="Morphologically Abnormal Structure")
LUNG = Structure("lung", "Lung", ORGAN, Code(value="39607008", scheme="SCT", meaning="Lung"), (120, 180, 255), "organ")
HEART = Structure(
    "heart", "Heart", ORGAN, Code(value="80891009", scheme="SCT", meaning="Heart"), (220, 60, 60), "organ"
)
EFFUSION = Structure(
    "effusion",
    "Pleural effusion",
    LESION,
    Code(value="60046008", scheme="SCT", meaning="Pleural effusion"),
    (60, 120, 220),
    "lesion",
    "pleural_effusion",
)
NODULE = Structure(
    "nodule",
    "Lung nodule",
    LESION,
    Code(value="786838002", scheme="SCT", meaning="Lung nodule"),
    (240, 200, 40),
    "lesion",
    "nodule",
)

ROWS, COLUMNS = 21, 26
SPACING_MM = (1.5, 1.25)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def turned(orientation: Sequence[float], angles_deg: tuple[float, float, float]) -> tuple[float, ...]:
    """An orientation turned about x, y and z, rounded as files have it."""
    turn = Rotation.from_euler("xyz", angles_deg, degrees=True)
    return tuple(round(float(each), 10) for half in (orientation[:3], orientation[3:]) for each in turn.apply(half))


def image_headers(
    orientation: Sequence[float] = AXIAL, count: int = 9, gap_mm: float = 2.0, **attributes: object
) -> list[Dataset]:
    """Headers of a chest CT as stored: slices at `gap_mm` along their normal, whatever way rows and columns run."""
    normal = np.cross(orientation[:3], orientation[3:])
    found = headers(count, Rows=ROWS, Columns=COLUMNS, PixelSpacing=list(SPACING_MM), **attributes)
    for index, header in enumerate(found):
        header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        header.ImageOrientationPatient = list(orientation)
        header.ImagePositionPatient = [round(float(each), 6) for each in (10, -20, 300) + index * gap_mm * normal]
        header.RescaleSlope, header.RescaleIntercept = 1, -1024
        header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 0
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    return found


def enhanced_headers(orientation: Sequence[float] = AXIAL, instances: int = 2) -> list[Dataset]:
    """The same slices as frames of several enhanced images, the frames of each in falling order."""
    single = image_headers(orientation)
    parts = np.array_split(np.arange(len(single))[::-1], instances)
    return [_enhanced([single[index] for index in part], number) for number, part in enumerate(parts, start=1)]


def _enhanced(slices: Sequence[Dataset], number: int) -> Dataset:
    [header] = headers(1, SOPClassUID=EnhancedCTImageStorage, SOPInstanceUID=f"{SERIES_UID}.9{number}")
    for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
        setattr(header, keyword, slices[0].get(keyword))
    header.ImageType, header.SamplesPerPixel = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], 1
    header.PhotometricInterpretation, header.NumberOfFrames = "MONOCHROME2", len(slices)
    header.SharedFunctionalGroupsSequence = [
        _item(
            PixelMeasuresSequence=[_item(PixelSpacing=list(SPACING_MM))],
            PlaneOrientationSequence=[_item(ImageOrientationPatient=slices[0].ImageOrientationPatient)],
            PixelValueTransformationSequence=[_item(RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU")],
        )
    ]
    header.PerFrameFunctionalGroupsSequence = [
        _item(PlanePositionSequence=[_item(ImagePositionPatient=one.ImagePositionPatient)]) for one in slices
    ]
    return header


def _item(**attributes: object) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def ordered(stored: Sequence[Dataset]) -> OrderedSeries:
    """The series of headers, as the reader orders and lays it out."""
    return order_series([HeaderFile(Path(f"/archive/{n}.dcm"), header) for n, header in enumerate(stored)])


def places_mm(series: OrderedSeries) -> NDArray[np.float64]:
    """The place of every voxel in the patient, shape (slices, rows, columns, 3)."""
    first = series.slices[0]
    rows, columns = np.mgrid[: first.rows, : first.columns]
    down, right = rows[..., None] * first.spacing_mm[0], columns[..., None] * first.spacing_mm[1]
    in_plane = right * first.orientation[:3] + down * first.orientation[3:]
    return np.stack([one.position_mm + in_plane for one in series.slices])


def region(structure: Structure, number: int, side: str, mask: NDArray[np.bool_], of: OrderedSeries) -> SegmentedRegion:
    """A region of a mask of the whole series, measured in a field of 12 HU."""
    where = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    box = tuple(slice(int(found[0]), int(found[-1]) + 1) for found in where)
    crop = np.ascontiguousarray(mask[box])
    one = SegmentedRegion(structure, number, side, box, crop)
    return replace(one, measured=measure(crop, box, np.full(crop.shape, 12, np.float32), of))


def segmentation(of: OrderedSeries) -> Segmentation:
    """Two lungs, an effusion and a nodule: lopsided blocks, so that every flip shows, that do not overlap."""
    shape = (len(of.slices), of.slices[0].rows, of.slices[0].columns)
    masks = np.zeros((4, *shape), np.bool_)
    masks[0, 1:, 2:9, 1:7] = masks[1, 2:8, 3:8, 12:19] = masks[2, 1:4, 12:15, 2:8] = masks[3, 4:6, 15:18, 12:15] = True
    masks[0, :, 2, 1] = masks[1, 5:, 3:5, 12] = masks[2, 2, 12, 2:5] = False
    regions = (
        region(LUNG, 1, "right", masks[0], of),
        region(LUNG, 2, "left", masks[1], of),
        region(EFFUSION, 1, "right", masks[2], of),
        region(NODULE, 1, "", masks[3], of),
    )
    return Segmentation(SEGMENTER, of, regions)


FLIPPED = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
FEET_FIRST = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
TRANSPOSED = (0.0, 1.0, 0.0, 1.0, 0.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL_FLIPPED = (0.0, -1.0, 0.0, 0.0, 0.0, 1.0)
OBLIQUE = turned(AXIAL, (25, -18, 12))

CASES: dict[str, list[Dataset]] = {
    "axial": image_headers(),
    "flipped": image_headers(FLIPPED),
    "feet first": image_headers(FEET_FIRST, gap_mm=5.0),
    "transposed": image_headers(TRANSPOSED),
    "coronal": image_headers(CORONAL),
    "sagittal, flipped": image_headers(SAGITTAL_FLIPPED),
    "oblique": image_headers(OBLIQUE, gap_mm=1.0),
    "oblique, transposed": image_headers(turned(TRANSPOSED, (20, 10, -30))),
    "falling": image_headers()[::-1],
    "enhanced": enhanced_headers(),
    "enhanced, flipped": enhanced_headers(FLIPPED, instances=1),
    "no frame of reference": image_headers(FrameOfReferenceUID=None),
    "lossy": image_headers(LossyImageCompression="01", LossyImageCompressionRatio="12.5"),
    "odd patient": image_headers(PatientSex="female", PatientBirthDate="19521345", StudyTime="25:61", StudyID=None),
}
