"""Small instances made for tests: valid CT slices, structured reports, and their bytes in any transfer syntax."""

from io import BytesIO
from typing import Any

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from pacs_agent.archive import EncodedInstance, split_part10

CT = "1.2.840.10008.5.1.4.1.1.2"
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"


def ct_slice(
    number: int = 1, *, study: str = "1.2.3", series: str = "1.2.3.4", size: int = 16, **others: Any
) -> Dataset:
    """A CT slice of size × size; `others` replace or add elements, None removes one."""
    data_set = _identified(CT, number, study, series, "CT")
    data_set.ImagePositionPatient = [0, 0, 2.5 * number]
    data_set.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data_set.PixelSpacing = [0.7, 0.7]
    data_set.RescaleSlope, data_set.RescaleIntercept = 1, -1024
    data_set.WindowCenter, data_set.WindowWidth = 40, 400
    data_set.Rows = data_set.Columns = size
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit, data_set.PixelRepresentation = 16, 12, 11, 0
    pixels = np.random.default_rng(number).integers(0, 4096, (size, size), dtype=np.uint16)
    data_set.PixelData = pixels.tobytes()
    return _changed(data_set, others)


def text_report(number: int = 900, *, study: str = "1.2.3", series: str = "1.2.3.9", **others: Any) -> Dataset:
    """A basic text SR, as far as an archive cares."""
    data_set = _identified(BASIC_TEXT_SR, number, study, series, "SR")
    data_set.CompletionFlag, data_set.VerificationFlag = "COMPLETE", "UNVERIFIED"
    return _changed(data_set, others)


def encoded(data_set: Dataset, transfer_syntax_uid: str | None = None) -> EncodedInstance:
    """The instance as a peer would send it."""
    return split_part10(part10(data_set, transfer_syntax_uid))


def part10(data_set: Dataset, transfer_syntax_uid: str | None = None) -> bytes:
    """The DICOM file; no other transfer syntax than an uncompressed one can be made of uncompressed pixels."""
    if transfer_syntax_uid is not None:
        data_set.file_meta.TransferSyntaxUID = transfer_syntax_uid
    stream = BytesIO()
    dcmwrite(stream, data_set, enforce_file_format=True)
    return stream.getvalue()


_COMPRESSED_BEGIN = {
    **dict.fromkeys(("4.50", "4.51", "4.57", "4.70"), b"\xff\xd8\xff\xee"),
    **dict.fromkeys(("4.80", "4.81"), b"\xff\xd8\xff\xf7"),
    **dict.fromkeys(("4.90", "4.91", "4.201", "4.202", "4.203"), b"\xff\x4f\xff\x51"),
    "5": b"\1\0\0\0",
}


def slice_in(transfer_syntax_uid: str, number: int) -> EncodedInstance:
    """A CT slice as sent in any transfer syntax; of compressed pixels only the begin is what their codec makes."""
    data_set = ct_slice(number, size=32)
    if begin := _COMPRESSED_BEGIN.get(transfer_syntax_uid.removeprefix("1.2.840.10008.1.2.")):
        data_set.PixelData = encapsulate([begin + data_set.PixelData])
        data_set["PixelData"].is_undefined_length = True
    return encoded(data_set, transfer_syntax_uid)


def _identified(sop_class_uid: str, number: int, study: str, series: str, modality: str) -> Dataset:
    data_set = Dataset()
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data_set.SpecificCharacterSet = "ISO_IR 192"
    data_set.SOPClassUID, data_set.SOPInstanceUID = (
        sop_class_uid,
        generate_uid(entropy_srcs=[study, series, str(number)]),
    )
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = study, series
    data_set.PatientID, data_set.PatientName, data_set.PatientSex = "P1", "Doe^Jane", "F"
    data_set.PatientBirthDate, data_set.StudyDate, data_set.StudyTime = "19500101", "20260102", "101112"
    data_set.AccessionNumber, data_set.StudyID, data_set.ReferringPhysicianName = "A1", "S1", ""
    data_set.StudyDescription, data_set.SeriesDescription = "Thorax", "thin"
    data_set.Modality, data_set.SeriesNumber, data_set.InstanceNumber = modality, 2, number
    return data_set


def _changed(data_set: Dataset, others: dict[str, Any]) -> Dataset:
    for keyword, value in others.items():
        if value is None:
            delattr(data_set, keyword)
        else:
            setattr(data_set, keyword, value)
    return data_set
