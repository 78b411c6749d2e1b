"""Whether pixel data are there as the header says; nothing is decompressed (PS3.5 8, PS3.3 C.7.6.3)."""

from functools import lru_cache

from pydicom.dataset import Dataset
from pydicom.uid import UID, JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes, RLELossless

from pacs_agent.archive import IMAGE_SOP_CLASSES, UNREADABLE_VALUE
from pacs_agent.receive.elements import (
    ELEMENTS_AT_ONCE,
    UNDEFINED_LENGTH,
    USUAL_ELEMENTS,
    Encoded,
    EncodedValues,
    Undecodable,
    WalkedDataSet,
)
from pacs_agent.receive.pace import Pace

_PIXEL_DATA, _FLOAT_PIXEL_DATA, _DOUBLE_FLOAT_PIXEL_DATA = 0x7FE00010, 0x7FE00008, 0x7FE00009
_PIXELS = (_PIXEL_DATA, _FLOAT_PIXEL_DATA, _DOUBLE_FLOAT_PIXEL_DATA)
_BITS_OF_FLOATS = {_FLOAT_PIXEL_DATA: 32, _DOUBLE_FLOAT_PIXEL_DATA: 64}
_DESCRIBED_BY = (
    0x00280002,  # Samples per Pixel
    0x00280004,  # Photometric Interpretation
    0x00280008,  # Number of Frames
    0x00280010,  # Rows
    0x00280011,  # Columns
    0x00280100,  # Bits Allocated
)
LONGEST_DESCRIPTION_BYTES = 1024
"""Of these elements together, which are short: what is remembered of a peer must be bounded."""
_JPEG_START, _JPEG2000_START, _JP2_START = b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  "
_HTJ2K_SYNTAXES = frozenset(f"1.2.840.10008.1.2.4.{last}" for last in (201, 202, 203))
_ITEM_HEAD_BYTES = 8


def check_pixels(walked: WalkedDataSet, sop_class_uid: str, transfer_syntax_uid: str) -> None:
    """Raises Undecodable when pixel data are short, of another size than described, or not encoded as announced.

    An image without pixel data was cut off just before them.
    """
    present = [tag for tag in _PIXELS if tag in walked.elements]
    if not present and sop_class_uid in IMAGE_SOP_CLASSES:
        raise Undecodable("an image without pixel data")
    for tag in present:
        _check_element(walked, tag, transfer_syntax_uid)


def _check_element(walked: WalkedDataSet, tag: int, transfer_syntax_uid: str) -> None:
    _vr, start, end, length = walked.elements[tag]
    described = walked.values(_DESCRIBED_BY)
    if described.size_bytes > LONGEST_DESCRIPTION_BYTES:
        raise Undecodable(f"pixel data are described in {described.size_bytes} bytes, a few are enough")
    encapsulated = length == UNDEFINED_LENGTH
    if encapsulated != _is_encapsulated(transfer_syntax_uid) and tag == _PIXEL_DATA:
        found = "encapsulated" if encapsulated else "uncompressed"
        raise Undecodable(f"pixel data are {found} but were announced as {UID(transfer_syntax_uid).name}")
    if encapsulated:
        _check_fragments(walked.encoded, start, end, _frames(described), UID(transfer_syntax_uid))
    else:
        _check_native(end - start, _frames(described), _frame_bits(described, _BITS_OF_FLOATS.get(tag)))


def _check_native(present_bytes: int, frames: int, frame_bits: int) -> None:
    """A trailing part of a frame is padding and harmless; less than all frames, or a frame more, is not."""
    expected_bytes = (frame_bits * frames + 7) // 8
    if present_bytes < expected_bytes:
        raise Undecodable(f"pixel data have {present_bytes} bytes, {expected_bytes} are described")
    if present_bytes - expected_bytes >= max(frame_bits // 8, 2):
        raise Undecodable(f"pixel data have {present_bytes} bytes, a frame more than the {expected_bytes} described")


# The images of a series are described by the same bytes: decoding them anew each time would take as long as the walk.


@lru_cache
def _is_encapsulated(transfer_syntax_uid: str) -> bool:
    return UID(transfer_syntax_uid).is_encapsulated


@lru_cache(maxsize=256)
def _frames(described: EncodedValues) -> int:
    return _positive(described.decoded(), "NumberOfFrames", missing=1)


@lru_cache(maxsize=256)
def _frame_bits(described: EncodedValues, bits_of_float: int | None) -> int:
    data_set = described.decoded()
    pixels = _positive(data_set, "Rows") * _positive(data_set, "Columns")
    bits = bits_of_float or _positive(data_set, "BitsAllocated")
    if _photometric_interpretation(data_set) == "YBR_FULL_422":
        return pixels * bits * 2  # one pair of colour samples for two pixels, PS3.3 C.7.6.3.1.2
    return pixels * bits * _positive(data_set, "SamplesPerPixel", missing=1)


def _photometric_interpretation(described: Dataset) -> str:
    try:
        return str(described.get("PhotometricInterpretation", ""))
    except UNREADABLE_VALUE as error:
        raise Undecodable("Photometric Interpretation cannot be read") from error


def _check_fragments(encoded: Encoded, start: int, end: int, frames: int, syntax: UID) -> None:
    first, count = _fragments(encoded, start, end, frames)
    if count < frames:
        raise Undecodable(f"pixel data have {count} fragments for {frames} frames")
    head = bytes(encoded[first : first + _ITEM_HEAD_BYTES])
    if not _begins_as(head, syntax):
        raise Undecodable(f"the first fragment of pixel data is not {syntax.name}")


def _fragments(encoded: Encoded, start: int, end: int, most: int) -> tuple[int, int]:
    """Where the first fragment begins, and their number; further ones than `most` are not counted."""
    position = first = _behind_item(encoded, start)  # the first item is the Basic Offset Table (PS3.5 A.4)
    count = 0
    with Pace() as pace:
        while position < end and count < most:
            position = _behind_item(encoded, position)
            count += 1
            if count > USUAL_ELEMENTS and not count % ELEMENTS_AT_ONCE:
                pace.rest()
    return first + _ITEM_HEAD_BYTES, count


def _behind_item(encoded: Encoded, position: int) -> int:
    return position + _ITEM_HEAD_BYTES + int.from_bytes(encoded[position + 4 : position + _ITEM_HEAD_BYTES], "little")


def _begins_as(head: bytes, syntax: UID) -> bool:
    if syntax in JPEG2000TransferSyntaxes or syntax in _HTJ2K_SYNTAXES:
        return head.startswith((_JPEG2000_START, _JP2_START))
    if syntax in JPEGTransferSyntaxes or syntax in JPEGLSTransferSyntaxes:
        return head.startswith(_JPEG_START)
    return syntax != RLELossless or 1 <= int.from_bytes(head[:4], "little") <= 15


def _positive(described: Dataset, keyword: str, missing: int | None = None) -> int:
    try:
        value = described.get(keyword)
        number = missing if value is None else int(value)
    except UNREADABLE_VALUE as error:
        raise Undecodable(f"{keyword} is not a number") from error
    if number is None or number < 1:
        raise Undecodable(f"pixel data without a valid {keyword}")
    return number
