"""CT and MR slices made in memory, as scanners write them and as they should not."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

from pacs_agent.imaging import HeaderFile

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
STUDY_UID = "1.2.826.0.1.3680043.8.498.7001"
SERIES_UID = "1.2.826.0.1.3680043.8.498.7002"
FRAME_OF_REFERENCE_UID = "1.2.826.0.1.3680043.8.498.7003"


def gradient(rows: int = 12, columns: int = 16, first: int = 0) -> NDArray[np.int16]:
    """Pixels that are all different, so that any turn or shift shows."""
    return (np.arange(rows * columns, dtype=np.int16).reshape(rows, columns) + first).astype(np.int16)


def ct_slice(
    position: Sequence[float] = (0.0, 0.0, 0.0),
    orientation: Sequence[float] = AXIAL,
    pixels: NDArray[Any] | None = None,
    **changes: Any,
) -> Dataset:
    """One CT image; `changes` sets attributes by keyword, None deletes one."""
    pixels = gradient() if pixels is None else pixels
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY_UID, SERIES_UID
    dataset.FrameOfReferenceUID = FRAME_OF_REFERENCE_UID
    dataset.PatientID, dataset.PatientName = "TEST", "Test^Patient"
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.BodyPartExamined = "CHEST"
    dataset.SeriesDescription = "Thorax 2.0"
    dataset.SeriesNumber = 2
    dataset.InstanceNumber = 1
    dataset.ImagePositionPatient = [float(x) for x in position]
    dataset.ImageOrientationPatient = [float(x) for x in orientation]
    dataset.PixelSpacing = [0.8, 0.6]
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    set_pixels(dataset, pixels)
    for keyword, value in changes.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    return dataset


def set_pixels(dataset: Dataset, pixels: NDArray[Any]) -> None:
    """Gives a data set pixels of any integer type; a third axis is frames."""
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = pixels.dtype.itemsize * 8
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"


def stack(count: int = 6, gap_mm: float = 2.0, **changes: Any) -> list[Dataset]:
    """Axial slices of one series with even gaps, from the feet up."""
    return [
        ct_slice((0.0, 0.0, index * gap_mm), InstanceNumber=index + 1, pixels=gradient(first=index), **changes)
        for index in range(count)
    ]


def headers(datasets: Sequence[Dataset]) -> list[HeaderFile]:
    """Headers of data sets that are on no disk."""
    return [HeaderFile(Path(f"{dataset.SOPInstanceUID}.dcm"), dataset) for dataset in datasets]


def saved(datasets: Sequence[Dataset], folder: Path) -> list[Path]:
    """The data sets as Part 10 files."""
    paths = [folder / f"{dataset.SOPInstanceUID}.dcm" for dataset in datasets]
    for dataset, path in zip(datasets, paths, strict=True):
        dataset.save_as(path, enforce_file_format=True)
    return paths


def enhanced_ct(positions: Sequence[Sequence[float]], orientation: Sequence[float] = AXIAL) -> Dataset:
    """An Enhanced CT: orientation, spacing and rescale shared, positions per frame. PS3.3 A.38.1."""
    frames = np.stack([gradient(first=index) for index in range(len(positions))])
    dataset = ct_slice(pixels=frames, SOPClassUID=EnhancedCTImageStorage, NumberOfFrames=len(positions))
    for keyword in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "RescaleSlope",
        "RescaleIntercept",
    ):
        del dataset[keyword]
    shared = Dataset()
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=list(orientation))]
    shared.PixelMeasuresSequence = [_item(PixelSpacing=[0.8, 0.6], SliceThickness=2)]
    transformation = _item(RescaleSlope=2, RescaleIntercept=-1024, RescaleType="HU")
    shared.PixelValueTransformationSequence = [transformation]
    dataset.SharedFunctionalGroupsSequence = [shared]
    places = [_item(ImagePositionPatient=[float(x) for x in position]) for position in positions]
    dataset.PerFrameFunctionalGroupsSequence = [_item(PlanePositionSequence=[place]) for place in places]
    return dataset


def _item(**attributes: Any) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item
