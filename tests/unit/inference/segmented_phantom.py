"""A phantom in DICOM: two lungs in soft tissue and a nodule in the left one, all of known size."""

from pathlib import Path

import numpy as np
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

ROWS, COLUMNS, SPACING_MM = 96, 120, 1.0
RADII_MM = {"right": (24.0, 30.0, 18.0), "left": (24.0, 27.0, 15.0)}
CENTRES_MM = {"right": (30.0, 47.0, 30.0), "left": (30.0, 47.0, 88.0)}
NODULE_HU = 1850
"""As far above the threshold of a nodule as the lung is below it."""
NODULE_MM, NODULE_CENTRE_MM = 6.0, (30.0, 47.0, 88.0)
"""In the left lung: a patient's left is at the right of an axial slice."""


def write_phantom(folder: Path, gap_mm: float = 2.0, direction: tuple[int, ...] = (1, 0, 0, 0, 1, 0)) -> list[Path]:
    """Its files, axial slices; with `direction` (−1, 0, 0, 0, −1, 0) the files hold them turned by half a circle."""
    folder.mkdir()
    y, x = np.mgrid[:ROWS, :COLUMNS] * SPACING_MM
    flip = direction[0] < 0
    for index, z in enumerate(np.arange(0, 60 + gap_mm / 2, gap_mm)):
        hu = np.full((ROWS, COLUMNS), 40, np.int16)
        for side, (rz, ry, rx) in RADII_MM.items():
            cz, cy, cx = CENTRES_MM[side]
            hu[((z - cz) / rz) ** 2 + ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1] = -850
        cz, cy, cx = NODULE_CENTRE_MM
        hu[(z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 <= NODULE_MM**2] = NODULE_HU
        pixels = hu[::-1, ::-1] if flip else hu
        at = [(COLUMNS - 1) * SPACING_MM, (ROWS - 1) * SPACING_MM, z] if flip else [0, 0, z]
        _saved(folder / f"{index}.dcm", index, np.ascontiguousarray(pixels), at, direction)
    return sorted(folder.glob("*.dcm"))


def _saved(path: Path, index: int, pixels: np.ndarray, at: list[float], direction: tuple[int, ...]) -> None:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, f"1.2.826.0.7.{index + 1}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = "1.2.3", "1.2.4", "1.2.5"
    dataset.Modality, dataset.BodyPartExamined = "CT", "CHEST"
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [float(one) for one in at], list(direction)
    dataset.PixelSpacing, dataset.RescaleSlope, dataset.RescaleIntercept = [SPACING_MM] * 2, 1, -24
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.PixelData = (pixels + 24).astype(np.int16).tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path, enforce_file_format=True)


def lung_ml(side: str) -> float:
    """What a lung holds, without the nodule."""
    whole = 4 / 3 * np.pi * np.prod(RADII_MM[side]) / 1000
    return whole - (4 / 3 * np.pi * NODULE_MM**3 / 1000 if side == "left" else 0)
