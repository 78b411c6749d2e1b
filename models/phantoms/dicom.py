"""Writes a phantom as a CT series: CT Image Storage (PS3.3 A.3), one file per slice, and `truth.json` beside them.

The same phantom gives the same bytes. Everything says PHANTOM, so that no one takes it for a patient.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from models.phantoms.plan import Truth
from models.phantoms.thorax import Phantom
from models.phantoms.wording import spoken

INTERCEPT_HU = -1024
ACQUIRED = "20260105"
MANUFACTURER, MODEL, SOFTWARE = "PACS Agent project", "Thorax phantom generator", "1"
IMPLEMENTATION_UID = "2.25.302933421889404121356930402128063219717"


@dataclass(frozen=True)
class SeriesUids:
    """All UIDs of a phantom's series; `slices[i]` belongs to slice i in ascending z."""

    study: str
    series: str
    frame_of_reference: str
    slices: tuple[str, ...]


def uids_of(phantom: Phantom) -> SeriesUids:
    """UIDs that follow from the phantom's content, so that the same content has the same UIDs and no other has."""
    content = hashlib.sha256(phantom.hu.tobytes() + phantom.z_mm.tobytes()).hexdigest()
    return SeriesUids(
        study=_uid(content, "study"),
        series=_uid(content, "series"),
        frame_of_reference=_uid(content, "frame of reference"),
        slices=tuple(_uid(content, f"slice {index}") for index in range(len(phantom.hu))),
    )


def _uid(content: str, what: str) -> str:
    """PS3.5 B.2, with a digest in the place of the UUID."""
    return f"2.25.{int(hashlib.sha256(f'{what} of {content}'.encode()).hexdigest()[:32], 16)}"


def write_series(phantom: Phantom, folder: Path) -> list[Path]:
    """Writes `IM0001.dcm` … from head to feet and `truth.json`; gives the image files in that order."""
    folder.mkdir(parents=True, exist_ok=True)
    uids = uids_of(phantom)
    series = _series_attributes(phantom, uids)
    paths = []
    for number, index in enumerate(reversed(range(len(phantom.hu))), start=1):
        path = folder / f"IM{number:04d}.dcm"
        ds = _slice_attributes(phantom, index)
        ds.update(series)
        ds.SOPInstanceUID, ds.InstanceNumber = uids.slices[index], number
        _save(ds, path)
        paths.append(path)
    (folder / "truth.json").write_text(json.dumps(truth_of(phantom, uids), indent=1) + "\n")
    return paths


def _series_attributes(phantom: Phantom, uids: SeriesUids) -> Dataset:
    """Patient, study, series, frame of reference and equipment modules. PS3.3 C.7.1 to C.7.5."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID = f"PHANTOM^THORAX {phantom.seed}", f"PHANTOM-{phantom.seed}"
    ds.PatientBirthDate, ds.PatientSex = "", "O"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uids.study, uids.series
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = uids.frame_of_reference, ""
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(ds, keyword, ACQUIRED)
    for keyword in ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"):
        setattr(ds, keyword, "101500")
    ds.ReferringPhysicianName, ds.AccessionNumber = "", f"PH{phantom.seed % 10**12:012d}"
    ds.StudyID, ds.StudyDescription = "1", "CT CHEST PHANTOM"
    ds.Modality, ds.BodyPartExamined, ds.PatientPosition = "CT", "CHEST", "HFS"
    ds.SeriesNumber, ds.SeriesDescription = 2, f"THORAX {phantom.thickness_mm:.1f} PHANTOM, not a patient"
    ds.Manufacturer, ds.ManufacturerModelName, ds.SoftwareVersions = MANUFACTURER, MODEL, SOFTWARE
    ds.DeviceSerialNumber, ds.InstitutionName = "PHANTOM", "PHANTOM"
    _add_acquisition(ds, phantom)
    return ds


def _add_acquisition(ds: Dataset, phantom: Phantom) -> None:
    """General image, pixel and CT image modules, as far as all slices share them. PS3.3 C.7.6.1, C.7.6.3, C.8.2.1."""
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.AcquisitionNumber, ds.KVP, ds.ConvolutionKernel = 1, "120", "PHANTOM"
    ds.BurnedInAnnotation, ds.LossyImageCompression = "NO", "00"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = phantom.hu.shape[1:]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", str(INTERCEPT_HU), "HU"
    ds.WindowCenter, ds.WindowWidth = ["40", "-600"], ["400", "1500"]
    ds.WindowCenterWidthExplanation = ["MEDIASTINUM", "LUNG"]
    ds.PixelSpacing = [decimal(phantom.pixel_mm)] * 2
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    ds.SliceThickness = decimal(phantom.thickness_mm)
    if phantom.tilt_deg:
        ds.GantryDetectorTilt = decimal(phantom.tilt_deg)
    if phantom.contrast:
        ds.ContrastBolusAgent = "PHANTOM IODINE"


def decimal(value: float) -> str:
    """A decimal string of at most 16 characters. PS3.5 6.2."""
    return f"{value:.5f}".rstrip("0").rstrip(".")


def _slice_attributes(phantom: Phantom, index: int) -> Dataset:
    """Image plane and pixel data of one slice. PS3.3 C.7.6.2."""
    ds = Dataset()
    ds.SOPClassUID = CTImageStorage
    x, y = phantom.first_pixel_mm[0], phantom.first_pixel_mm[1] + phantom.row_shift_mm(index)
    z = float(phantom.z_mm[index])
    ds.ImagePositionPatient, ds.SliceLocation = [decimal(x), decimal(y), decimal(z)], decimal(z)
    ds.PixelData = stored_values(phantom.hu[index]).tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def _save(ds: Dataset, path: Path) -> None:
    ds.file_meta = _file_meta(ds.SOPInstanceUID)
    ds.save_as(path, enforce_file_format=True)


def stored_values(hu: NDArray[np.int16]) -> NDArray[np.uint16]:
    """12-bit stored values of CT numbers in HU."""
    return (hu.astype(np.int32) - INTERCEPT_HU).clip(0, 4095).astype("<u2")


def _file_meta(sop_instance_uid: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID, meta.ImplementationVersionName = UID(IMPLEMENTATION_UID), "PHANTOM_1"
    return meta


def truth_of(phantom: Phantom, uids: SeriesUids) -> dict[str, object]:
    """What is true of a phantom: `truth.json`. Slices are counted from 0 in ascending z."""
    return {
        "seed": phantom.seed,
        "study_instance_uid": uids.study,
        "series_instance_uid": uids.series,
        "labels": {finding.value: there for finding, there in phantom.labels.items()},
        "findings": [_finding(phantom, truth, uids) for truth in phantom.truths],
        "report": phantom.report.split("\n"),
    }


def _finding(phantom: Phantom, truth: Truth, uids: SeriesUids) -> dict[str, object]:
    # Between far-apart slices a small finding may lie unseen; its range is then empty.
    first, last = phantom.slice_ranges.get(truth.finding, (0, -1))
    return {
        "finding": truth.finding.value,
        **spoken(truth.attributes).model_dump(mode="json"),
        "first_slice": first,
        "last_slice": last,
        "sop_instance_uids": list(uids.slices[first : last + 1]),
    }
