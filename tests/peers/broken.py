"""Broken instances, and a sender that sends them as they are: the bytes of a file, whatever they say."""

from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.filewriter import write_file_meta_info
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLosslessSV1, generate_uid
from pynetdicom import AE, _config

from tests.peers.studies import relabel

RESCALE_SLOPE = BaseTag(0x00281053)
PREAMBLE = bytes(128) + b"DICM"


class NoAnswer(RuntimeError):
    """The peer refused or ended the association instead of answering a C-STORE request."""


def send_as_is(file: Path, port: int, called_ae: str, *, calling_ae: str) -> int:
    """The status a peer answers to a file whose data set is sent byte for byte. Raises NoAnswer."""
    meta = pydicom.filereader.read_file_meta_info(file)
    ae = AE(ae_title=calling_ae)
    ae.add_requested_context(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)
    association = ae.associate("127.0.0.1", port, ae_title=called_ae)
    if not association.is_established:
        raise NoAnswer(
            f"{called_ae} does not take {meta.MediaStorageSOPClassUID.name} in {meta.TransferSyntaxUID.name}"
        )
    undecoded = _config.STORE_SEND_CHUNKED_DATASET
    _config.STORE_SEND_CHUNKED_DATASET = True
    try:
        status = association.send_c_store(file)
    finally:
        _config.STORE_SEND_CHUNKED_DATASET = undecoded
        association.release()
    if "Status" not in status:
        raise NoAnswer(f"{called_ae} ended the association in the middle of a C-STORE")
    return int(status.Status)


def truncated(file: Path, to: Path) -> Path:
    """The file without its last third: a transfer that broke off."""
    whole = file.read_bytes()
    to.write_bytes(whole[: len(whole) * 2 // 3])
    return to


def implicit_called_explicit(file: Path, to: Path) -> Path:
    """Implicit VR inside, Explicit VR announced."""
    return _lying(file, to, inside=ImplicitVRLittleEndian, announced=ExplicitVRLittleEndian)


def raw_called_jpeg(file: Path, to: Path) -> Path:
    """Uncompressed pixels inside, JPEG Lossless announced."""
    return _lying(file, to, inside=ExplicitVRLittleEndian, announced=JPEGLosslessSV1)


def not_dicom(file: Path, to: Path) -> Path:
    """Honest file meta information, and behind it no DICOM at all."""
    meta = pydicom.dcmread(file, stop_before_pixels=True).file_meta
    meta.MediaStorageSOPInstanceUID = generate_uid()
    return _written(to, meta, b"<!DOCTYPE html><html>404 Not Found</html>\n" * 1000)


def without_slope(file: Path, to: Path) -> Path:
    """The slice with "NaN" as its Rescale Slope; everything else stays in order."""
    dataset = pydicom.dcmread(file)
    implicit_vr = dataset.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    dataset[RESCALE_SLOPE] = RawDataElement(RESCALE_SLOPE, "DS", 4, b"NaN ", 0, implicit_vr, True)
    dataset.save_as(to)
    return to


def _lying(file: Path, to: Path, *, inside: pydicom.uid.UID, announced: pydicom.uid.UID) -> Path:
    dataset = pydicom.dcmread(file)
    relabel(dataset, f"{inside} called {announced}")
    body = BytesIO()
    writer = pydicom.filebase.DicomIO(body)
    writer.is_little_endian, writer.is_implicit_VR = True, inside == ImplicitVRLittleEndian
    pydicom.filewriter.write_dataset(writer, dataset)
    dataset.file_meta.TransferSyntaxUID = announced
    return _written(to, dataset.file_meta, body.getvalue())


def _written(to: Path, meta: pydicom.dataset.FileMetaDataset, body: bytes) -> Path:
    head = BytesIO()
    write_file_meta_info(pydicom.filebase.DicomIO(head), meta)
    to.write_bytes(PREAMBLE + head.getvalue() + body)
    return to
