"""Writes a NIfTI volume of MR slices as DICOM (PS3.3 A.4), so that the agent reads it as it reads any study.

A NIfTI file keeps geometry and values and nothing of the acquisition: what the sequence was is told by whoever knows.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

from models.phantoms.dicom import IMPLEMENTATION_UID

TO_PATIENT = np.diag([-1.0, -1.0, 1.0, 1.0])
"""NIfTI counts to the right, to the front, to the head; PS3.3 C.7.6.2.1.1 to the left and to the back."""
HIGHEST_STORED = 32767


@dataclass(frozen=True)
class NiftiSlices:
    """A volume as slices: values [n, rows, columns] and the affine from (column, row, slice) to the patient, in mm."""

    values: NDArray[np.generic]
    affine: NDArray[np.float64]

    @classmethod
    def read(cls, path: Path) -> "NiftiSlices":
        """The slices along the third axis of a file. Raises OSError and what nibabel does."""
        image = nibabel.load(path)  # type: ignore[attr-defined]
        return cls(np.asarray(image.dataobj).transpose(2, 1, 0), TO_PATIENT @ image.affine)

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        """Between columns, rows and slices."""
        lengths: NDArray[np.float64] = np.linalg.norm(self.affine[:3, :3], axis=0)
        return lengths

    def index_of(self, place_mm: tuple[float, float, float]) -> tuple[int, int, int]:
        """Slice, row and column nearest to a place in the patient."""
        column, row, number, _ = np.linalg.solve(self.affine, np.array([*place_mm, 1.0]))
        return round(float(number)), round(float(row)), round(float(column))


def write_t2(volume: NiftiSlices, name: str, folder: Path) -> list[Path]:
    """Writes the slices of a T2 turbo spin echo of the pelvis, in their order. `name` stands for the patient."""
    folder.mkdir(parents=True, exist_ok=True)
    common, paths = _common(volume, name), []
    for number, values in enumerate(np.clip(np.rint(volume.values), 0, HIGHEST_STORED).astype("<u2")):
        ds = Dataset()
        ds.update(common)
        ds.InstanceNumber, ds.SOPInstanceUID = number + 1, uid_of(name, f"slice {number}")
        ds.ImagePositionPatient = [f"{v:.5f}" for v in volume.affine[:3, 3] + number * volume.affine[:3, 2]]
        ds.PixelData = values.tobytes()
        ds["PixelData"].VR = "OW"
        paths.append(folder / f"IM{number:04d}.dcm")
        _save(ds, paths[-1])
    return paths


def uid_of(name: str, what: str) -> str:
    """A UID that follows from a name. PS3.5 B.2, with a digest in the place of the UUID."""
    return f"2.25.{int(hashlib.sha256(f'{what} of {name}'.encode()).hexdigest()[:32], 16)}"


def _common(volume: NiftiSlices, name: str) -> Dataset:
    """What all slices share. PS3.3 C.7.6.2, C.7.6.3, C.8.3.1."""
    column_mm, row_mm, slice_mm = volume.spacing_mm
    ds = Dataset()
    ds.SpecificCharacterSet, ds.SOPClassUID = "ISO_IR 192", MRImageStorage
    ds.PatientName = ds.PatientID = name
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid_of(name, "study"), uid_of(name, "series")
    ds.FrameOfReferenceUID = uid_of(name, "frame of reference")
    ds.Modality, ds.BodyPartExamined, ds.PatientPosition = "MR", "PELVIS", "HFS"
    ds.SeriesNumber, ds.SeriesDescription = 1, "t2_tse_tra_oblique"
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.ScanningSequence, ds.SequenceVariant, ds.MRAcquisitionType = "SE", "SK", "2D"
    ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength = "4000", "100", 16
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = volume.values.shape[1:]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.PixelSpacing = [f"{row_mm:.6f}", f"{column_mm:.6f}"]
    ds.SliceThickness = ds.SpacingBetweenSlices = f"{slice_mm:.5f}"
    directions = (volume.affine[:3, :2] / volume.spacing_mm[:2]).T
    ds.ImageOrientationPatient = [f"{v:.8f}" for v in directions.ravel()]
    return ds


def _save(ds: Dataset, path: Path) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, UID(ds.SOPInstanceUID)
    meta.TransferSyntaxUID, meta.ImplementationClassUID = ExplicitVRLittleEndian, UID(IMPLEMENTATION_UID)
    ds.file_meta = meta
    ds.save_as(path, enforce_file_format=True)
