"""Who an instance says it is, and whether it is whole: what must hold before anything of it is kept (PS3.4 B.2.3)."""

import re
import threading
from contextlib import nullcontext
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

from pydicom.uid import DeflatedExplicitVRLittleEndian

from pacs_agent.archive import (
    INDEXED_TAGS,
    STORAGE_SOP_CLASSES,
    TRANSFER_SYNTAXES,
    InstanceHeader,
    instance_header,
)
from pacs_agent.receive.elements import Encoded, EncodedValues, Undecodable, WalkedDataSet, walk_data_set
from pacs_agent.receive.pixels import check_pixels
from pacs_agent.receive.refusal import CannotUnderstand, ClassNotSupported, IdentityMismatch

LONGEST_UID = 64
LARGEST_SHARED_BYTES = 4096
"""Larger values of a header are decoded each time: what is remembered of a peer must be bounded."""
_UID = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
_INFLATED_ONE_BY_ONE = threading.Lock()
"""An inflated data set is all in memory: as many of them as there are associations would fill it."""
_SOP_INSTANCE_UID, _INSTANCE_NUMBER = 0x00080018, 0x00200013
_IDENTITY = {
    0x00080016: "SOPClassUID",
    _SOP_INSTANCE_UID: "SOPInstanceUID",
    0x0020000D: "StudyInstanceUID",
    0x0020000E: "SeriesInstanceUID",
}
_SHARED = tuple(sorted(INDEXED_TAGS - {_SOP_INSTANCE_UID, _INSTANCE_NUMBER}))
"""What the images of a series have in common, mostly."""
_CHARACTER_SET_AND_NUMBER = (0x00080005, _INSTANCE_NUMBER)


class AnnouncedIdentity(Protocol):
    """What a sender says of an instance beside its data set; UIDs are empty where it says nothing."""

    @property
    def sop_class_uid(self) -> str:
        """Affected SOP Class UID."""

    @property
    def sop_instance_uid(self) -> str:
        """Affected SOP Instance UID."""

    @property
    def transfer_syntax_uid(self) -> str:
        """Of the presentation context, or of the file."""


def is_uid(value: str) -> bool:
    """Whether a text is a UID: digits and dots, at most 64 (PS3.5 9.1). Leading zeros pass: peers send them."""
    return len(value) <= LONGEST_UID and _UID.fullmatch(value) is not None


def checked_header(data_set: Encoded, announced: AnnouncedIdentity) -> InstanceHeader:
    """The indexed facts of an instance whose data set is whole and is what was announced.

    Raises ClassNotSupported, CannotUnderstand or IdentityMismatch.
    """
    transfer_syntax_uid = announced.transfer_syntax_uid
    if transfer_syntax_uid not in TRANSFER_SYNTAXES:
        raise ClassNotSupported(f"transfer syntax {transfer_syntax_uid[:LONGEST_UID]!r} is not supported")
    with _INFLATED_ONE_BY_ONE if transfer_syntax_uid == DeflatedExplicitVRLittleEndian else nullcontext():
        return _checked_header(data_set, announced)


def _checked_header(data_set: Encoded, announced: AnnouncedIdentity) -> InstanceHeader:
    transfer_syntax_uid = announced.transfer_syntax_uid
    try:
        walked = walk_data_set(data_set, transfer_syntax_uid)
        uids = _checked_identity(walked, announced)
        check_pixels(walked, uids["SOPClassUID"], transfer_syntax_uid)
        shared, number = walked.values(_SHARED), _instance_number(walked)
    except Undecodable as error:
        raise CannotUnderstand(f"the data set cannot be decoded: {error}") from error
    decode = _shared_header if shared.size_bytes <= LARGEST_SHARED_BYTES else _shared_header.__wrapped__
    header = replace(
        decode(shared, transfer_syntax_uid),
        sop_instance_uid=uids["SOPInstanceUID"],
        number=number,
    )
    if _uids_of(header) != uids:  # else a NUL in its character set would make every study it belongs to one
        raise CannotUnderstand("the UIDs cannot be decoded: their VR, or Specific Character Set (0008,0005), is broken")
    return header


def _uids_of(header: InstanceHeader) -> dict[str, str]:
    return {
        "SOPClassUID": header.sop_class_uid,
        "SOPInstanceUID": header.sop_instance_uid,
        "StudyInstanceUID": header.study.study_instance_uid,
        "SeriesInstanceUID": header.series.series_instance_uid,
    }


@lru_cache(maxsize=256)
def _shared_header(shared: EncodedValues, transfer_syntax_uid: str) -> InstanceHeader:
    """The header of an instance but for its own UID and number. pydicom takes longer for it than all else together."""
    return instance_header(shared.decoded(), transfer_syntax_uid)


def _instance_number(walked: WalkedDataSet) -> int | None:
    """Instance Number (0020,0013), an IS; one that is not plain digits is decoded with all care."""
    digits = walked.value(_INSTANCE_NUMBER).strip(b" ")
    if digits.isdigit() and len(digits) < 10 and walked.elements[_INSTANCE_NUMBER][0] in ("IS", None):
        return int(digits)
    return instance_header(walked.values(_CHARACTER_SET_AND_NUMBER).decoded(), "").number


def _checked_identity(walked: WalkedDataSet, announced: AnnouncedIdentity) -> dict[str, str]:
    """The UIDs of a data set that is the instance announced (PS3.4 B.2.3) and names its study and series."""
    uids = {name: _uid(walked, tag, name) for tag, name in _IDENTITY.items()}
    for name, said in (("SOPClassUID", announced.sop_class_uid), ("SOPInstanceUID", announced.sop_instance_uid)):
        if said and uids[name] != said:
            raise IdentityMismatch(f"{name} of the data set is {uids[name]}, announced was {said[:LONGEST_UID]!r}")
    if uids["SOPClassUID"] not in STORAGE_SOP_CLASSES:
        raise ClassNotSupported(f"SOP class {uids['SOPClassUID']} is not supported")
    return uids


def _uid(walked: WalkedDataSet, tag: int, name: str) -> str:
    value = walked.value(tag).rstrip(b"\0 ").decode("latin-1")
    if not value:
        raise IdentityMismatch(f"{name} is missing or empty")
    if not is_uid(value):
        raise IdentityMismatch(f"{name} {value[:LONGEST_UID]!r} is not a UID: digits and dots, at most {LONGEST_UID}")
    return value
