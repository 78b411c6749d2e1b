"""The bytes of a document as a DICOM file. PS3.10 7.1."""

from io import BytesIO

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian

from pacs_agent.archive import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pacs_agent.results.encoding import encode_data_set


def write_bytes(document: Dataset) -> bytes:
    """A complete Part 10 file in explicit VR little endian; the same document gives the same bytes."""
    head = DicomBytesIO()
    head.write(bytes(128) + b"DICM")
    write_file_meta_info(head, _file_meta(document))
    return head.getvalue() + (_encoded_by_pydicom(document) if "PixelData" in document else encode_data_set(document))


def _encoded_by_pydicom(image: Dataset) -> bytes:
    """Pixel data and what describes them may be of two value representations, which pydicom settles. PS3.5 8."""
    buffer = BytesIO()
    dcmwrite(buffer, image, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


def _file_meta(document: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = document.SOPClassUID
    meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta
