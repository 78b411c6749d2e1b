"""CT slices as a peer would send them."""

from io import BytesIO

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian


def ct_slice(number: int) -> bytes:
    """The DICOM file of a slice of 8 × 8 pixels."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, f"1.2.3.4.5.{number}"
    image.StudyInstanceUID, image.SeriesInstanceUID, image.Modality = "1.2.3", "1.2.3.4", "CT"
    image.PatientID, image.PatientName = "P", "Doe^Jane"
    image.Rows = image.Columns = 8
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit = 15
    image.PixelData = np.full((8, 8), number, np.uint16).tobytes()
    stream = BytesIO()
    image.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
