"""The bytes of a document as a DICOM file. PS3.10 7.1."""

from io import BytesIO

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from pacs_agent.archive import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pacs_agent.results.encoded import encoded


def write_bytes(document: Dataset) -> bytes:
    """A complete Part 10 file in explicit VR little endian; the same document gives the same bytes."""
    head = Dataset()
    head.file_meta = _file_meta(document)
    buffer = BytesIO()
    dcmwrite(buffer, head, enforce_file_format=True)
    return buffer.getvalue() + encoded(document)


def _file_meta(document: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = document.SOPClassUID
    meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta
