"""The bytes of a document as a DICOM file. PS3.10."""

from pydicom.dataset import Dataset


def write_bytes(document: Dataset) -> bytes:
    """A complete Part 10 file, explicit VR little endian."""
    raise NotImplementedError
