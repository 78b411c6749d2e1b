"""Whole instances in the transfer syntax a client asks for (PS3.18 8.7.3.5)."""

from io import BytesIO

import numpy as np
from pydicom.dataset import FileDataset
from pydicom.uid import ExplicitVRLittleEndian
from werkzeug.exceptions import NotAcceptable

from pacs_agent.archive.archive import Archive
from pacs_agent.archive.dicomweb.accept import Wanted
from pacs_agent.archive.dicomweb.multipart import Part
from pacs_agent.db import Instance

DICOM = "application/dicom"


def check_acceptable(instances: list[Instance], asked: Wanted) -> None:
    """Raises NotAcceptable when one of the instances cannot be given as asked, before the first is sent."""
    uid = asked.transfer_syntax_uid
    if uid in (None, "*", ExplicitVRLittleEndian):
        return
    if any(instance.transfer_syntax_uid != uid for instance in instances):
        raise NotAcceptable("instances are given as stored (transfer-syntax=*) or in Explicit VR Little Endian")


def dicom_part(archive: Archive, instance: Instance, asked: Wanted) -> Part:
    """An instance as a DICOM file: byte for byte as stored, or decoded into Explicit VR Little Endian.

    PS3.18 8.7.3.5.2: Explicit VR Little Endian is what a client gets that names no transfer syntax. Pixel data that no
    decoder can read are given as stored: the client may know better.
    """
    stored = instance.transfer_syntax_uid
    if asked.transfer_syntax_uid in ("*", stored) or stored == ExplicitVRLittleEndian:
        return _part(archive.path(instance.digest).read_bytes(), stored)
    try:
        return _part(_as_explicit_little_endian(archive.read(instance.digest)), ExplicitVRLittleEndian)
    except (ValueError, RuntimeError, TypeError, AttributeError, NotImplementedError, OSError, EOFError):
        return _part(archive.path(instance.digest).read_bytes(), stored)


def _part(part10: bytes, transfer_syntax_uid: str) -> Part:
    return Part(f"{DICOM}; transfer-syntax={transfer_syntax_uid}", part10)


def _as_explicit_little_endian(data_set: FileDataset) -> bytes:
    syntax = data_set.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated and "PixelData" in data_set:
        data_set.decompress(generate_instance_uid=False)
    elif not syntax.is_little_endian and data_set.get("BitsAllocated", 8) == 16 and "PixelData" in data_set:
        data_set.PixelData = np.frombuffer(data_set.PixelData, ">u2").astype("<u2").tobytes()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    stream = BytesIO()
    data_set.save_as(stream, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return stream.getvalue()
