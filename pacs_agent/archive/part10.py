"""DICOM files (PS3.10 7): taking the data set out of one and putting a data set into one, byte for byte."""

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO
from struct import Struct
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset, read_preamble
from pydicom.filewriter import dcmwrite

from pacs_agent import __version__
from pacs_agent.archive.header import UNREADABLE_VALUE

IMPLEMENTATION_CLASS_UID = "2.25.154683079342196430812957446178130273051"
IMPLEMENTATION_VERSION_NAME = f"PACSAGENT_{__version__}"[:16]
"""Who wrote a file or speaks on an association. PS3.7 D.3.3.2."""


class NotPart10(ValueError):
    """Bytes that are no DICOM file."""


@dataclass(frozen=True)
class EncodedInstance:
    """An instance as encoded by its sender: the data set's bytes and how they are encoded.

    The SOP class and instance UID are those *announced*, by the C-STORE command (PS3.7 9.1.1) or by the file meta
    information (PS3.10 7.1); empty when nothing was announced. Nothing here has been checked yet.
    """

    data_set: bytes
    transfer_syntax_uid: str
    sop_class_uid: str = ""
    sop_instance_uid: str = ""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the data set's bytes, in hexadecimal: the name of the instance in the archive."""
        return hashlib.sha256(self.data_set).hexdigest()


@dataclass(frozen=True)
class FileHead:
    """What stands before the data set of a DICOM file. UIDs are those announced, empty where they are missing."""

    size_bytes: int
    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    how_it_came: str
    """What `came` said, in a file of our own."""


def split_part10(part10: bytes) -> EncodedInstance:
    """The instance in a DICOM file. Raises NotPart10 with what is wrong with the preamble or the meta information."""
    head = read_file_head(BytesIO(part10))
    data_set = part10[head.size_bytes :]
    return EncodedInstance(data_set, head.transfer_syntax_uid, head.sop_class_uid, head.sop_instance_uid)


def read_file_head(file: BinaryIO) -> FileHead:
    """The head of a DICOM file (PS3.10 7.1), open at its beginning. Raises NotPart10."""
    try:
        read_preamble(file, force=False)
        meta = read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag.group != 2)
        head = FileHead(
            size_bytes=file.tell(),
            transfer_syntax_uid=str(meta.get("TransferSyntaxUID", "")),
            sop_class_uid=str(meta.get("MediaStorageSOPClassUID", "")),
            sop_instance_uid=str(meta.get("MediaStorageSOPInstanceUID", "")),
            how_it_came=_how_it_came(meta),
        )
    except InvalidDicomError as error:
        raise NotPart10("no DICOM file: the prefix DICM is missing after 128 bytes; send a PS3.10 file") from error
    except (EOFError, *UNREADABLE_VALUE) as error:
        raise NotPart10(f"file meta information cannot be read: {error}") from error
    if not head.transfer_syntax_uid:
        raise NotPart10("file meta information names no Transfer Syntax UID (0002,0010)")
    return head


def _how_it_came(meta: Dataset) -> str:
    """Private Information (0002,0102) where it is ours."""
    private = meta.get("PrivateInformation")
    if meta.get("PrivateInformationCreatorUID") != IMPLEMENTATION_CLASS_UID or not isinstance(private, bytes):
        return ""
    return private.rstrip(b"\0").decode("utf-8", "replace")


def came(origin: str, source: str) -> str:
    """How an instance came, as its file says it: "received PACS@10.0.0.1"."""
    return f"{origin} {source}"


def part10_head(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, how_it_came: str = "") -> bytes:
    """Preamble, prefix and file meta information (PS3.10 7.1). The preamble is zero: a sender's could be a program.

    `how_it_came` is what `came` says: by it a file that lost its row can be indexed again.
    """
    elements = b"".join(
        (
            _VERSION,
            _element(0x0002, b"UI", sop_class_uid),
            _element(0x0003, b"UI", sop_instance_uid),
            _element(0x0010, b"UI", transfer_syntax_uid),
            _WRITER,
            _came_elements(how_it_came) if how_it_came else b"",
        )
    )
    return bytes(128) + b"DICM" + _HEAD.pack(2, 0, b"UL", 4) + len(elements).to_bytes(4, "little") + elements


_HEAD = Struct("<HH2sH")
_LONGEST_AE_TITLE = 16
_VERSION = _HEAD.pack(2, 1, b"OB", 0) + (2).to_bytes(4, "little") + b"\0\1"


def _element(element: int, vr: bytes, value: str) -> bytes:
    """An element of group 2, padded to an even length (PS3.5 6.2). pydicom needs 30 times as long, for every image."""
    encoded = value.encode("ascii")
    padded = encoded + (b"\0" if vr == b"UI" else b" ") * (len(encoded) % 2)
    return _HEAD.pack(2, element, vr, len(padded)) + padded


_WRITER = _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID) + _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME)
_OUR_PRIVATE = _element(0x0100, b"UI", IMPLEMENTATION_CLASS_UID)


@lru_cache(maxsize=256)
def _came_elements(how_it_came: str) -> bytes:
    """Source Application Entity Title (0002,0016) where there is one, and all of it as Private Information."""
    ae_title = how_it_came.partition(" ")[2].rpartition("@")[0]
    is_ae_title = len(ae_title) <= _LONGEST_AE_TITLE and ae_title.isascii() and "\\" not in ae_title
    private = how_it_came.encode()
    private += b"\0" * (len(private) % 2)
    return b"".join(
        (
            _element(0x0016, b"AE", ae_title) if ae_title and is_ae_title else b"",
            _OUR_PRIVATE,
            _HEAD.pack(2, 0x0102, b"OB", 0) + len(private).to_bytes(4, "little") + private,
        )
    )


def encode(data_set: Dataset) -> EncodedInstance:
    """A data set made by ourselves, encoded in the transfer syntax its `file_meta` names.

    Raises what pydicom.dcmwrite raises when an element cannot be encoded.
    """
    stream = BytesIO()
    dcmwrite(stream, data_set, enforce_file_format=True)
    return split_part10(stream.getvalue())
