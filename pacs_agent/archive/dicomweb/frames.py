"""Single frames of archived instances, as stored and decoded (PS3.18 10.4.1.1.6)."""

import copy
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.utils import pack_bits, pixel_array
from pydicom.uid import ExplicitVRLittleEndian
from werkzeug.exceptions import BadRequest, NotAcceptable, NotFound

from pacs_agent.archive.archive import Archive
from pacs_agent.db import Instance

_PIXEL_KEYWORDS = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}
_BITS_OF_FLOATS = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}
_HEAD_BYTES_EXPLICIT, _HEAD_BYTES_IMPLICIT = 12, 8

MEDIA_TYPES: dict[str, str] = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}
"""Media type of a compressed frame by transfer syntax (PS3.18 8.7.3.3.2); all others are application/octet-stream."""


class FrameUndecodable(NotAcceptable):
    """A frame that cannot be decoded: only its stored form can be given."""


@dataclass(frozen=True)
class Frame:
    """A frame as bytes, and in which transfer syntax they are."""

    pixels: bytes
    transfer_syntax_uid: str

    @property
    def content_type(self) -> str:
        """Media type with its transfer syntax, for the header of a part."""
        media_type = MEDIA_TYPES.get(self.transfer_syntax_uid, "application/octet-stream")
        return f"{media_type}; transfer-syntax={self.transfer_syntax_uid}"


def frame_numbers(text: str, instance: Instance) -> list[int]:
    """Frame numbers, from 1, of a comma-separated list. Raises BadRequest, NotFound beyond the last frame."""
    try:
        numbers = [int(each) for each in text.split(",")] if text.isascii() and len(text) < 10_000 else []
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise BadRequest("frames must be a list of numbers from 1, separated by commas")
    if max(numbers) > instance.frames:
        raise NotFound(f"the instance has {instance.frames} frames")
    return numbers


def stored_frame(archive: Archive, instance: Instance, number: int) -> Frame:
    """A frame as it is stored. Raises NotFound when the instance has no pixels."""
    one = one_frame(archive, instance, number)
    value = _pixels_of(one)
    if one.file_meta.TransferSyntaxUID.is_encapsulated:
        value = get_frame(value, 0, number_of_frames=1)
    if one.file_meta.TransferSyntaxUID.is_deflated:
        return Frame(value, ExplicitVRLittleEndian)
    return Frame(value, instance.transfer_syntax_uid)


def decoded_frame(archive: Archive, instance: Instance, number: int) -> Frame:
    """A frame in Explicit VR Little Endian, colours by pixel. Raises NotFound, FrameUndecodable."""
    one = one_frame(archive, instance, number)
    if _is_plain(one):
        return Frame(_pixels_of(one), ExplicitVRLittleEndian)
    pixels = pixels_of_frame(one)
    if one.get("BitsAllocated") == 1:
        return Frame(bytes(pack_bits(pixels)), ExplicitVRLittleEndian)
    return Frame(pixels.astype(pixels.dtype.newbyteorder("<")).tobytes(), ExplicitVRLittleEndian)


def pixels_of_frame(one: Dataset) -> NDArray[Any]:
    """Stored values of a single-frame data set, shape (rows, columns) or (rows, columns, samples), RGB for colour.

    Raises FrameUndecodable when the decoder cannot read the pixel data.
    """
    try:
        return np.asarray(pixel_array(one))
    except (ValueError, RuntimeError, TypeError, AttributeError, NotImplementedError, OSError, EOFError) as error:
        raise FrameUndecodable(f"the frame cannot be decoded: {type(error).__name__}") from error


def one_frame(archive: Archive, instance: Instance, number: int) -> FileDataset:
    """The instance as a data set that has only this frame's pixels; the rest of the file is not read.

    Raises NotFound when the instance has no pixel data.
    """
    with archive.path(instance.digest).open("rb") as file:
        data_set = dcmread(file, stop_before_pixels=True)
        if data_set.file_meta.TransferSyntaxUID.is_deflated:
            return _one_of_loaded(dcmread(archive.path(instance.digest)), number)
        keyword = _keyword_at(file, data_set)
        file.seek(_HEAD_BYTES_IMPLICIT if data_set.original_encoding[0] else _HEAD_BYTES_EXPLICIT, 1)
        return _with_frame(data_set, keyword, _read_frame(file, data_set, keyword, number))


def _keyword_at(file: IO[bytes], data_set: FileDataset) -> str:
    """Which pixel data element the file is positioned at."""
    order = "little" if data_set.original_encoding[1] else "big"
    head = file.read(4)
    file.seek(-len(head), 1)
    tag = int.from_bytes(head[:2], order) << 16 | int.from_bytes(head[2:], order)  # type: ignore[arg-type]
    if tag not in _PIXEL_KEYWORDS:
        raise NotFound("the instance has no pixel data")
    return _PIXEL_KEYWORDS[tag]


def _read_frame(file: IO[bytes], data_set: FileDataset, keyword: str, number: int) -> bytes:
    if data_set.file_meta.TransferSyntaxUID.is_encapsulated:
        frames = int(data_set.get("NumberOfFrames") or 1)
        offsets = _extended_offsets(data_set)
        frame = get_frame(file, number - 1, number_of_frames=frames, extended_offsets=offsets)
        return bytes(encapsulate([frame], has_bot=False))
    bits = _frame_bits(data_set, keyword)
    if bits % 8:
        return _cut_bits(file, bits, number)
    file.seek(bits // 8 * (number - 1), 1)
    return file.read(bits // 8)


def _cut_bits(file: IO[bytes], bits: int, number: int) -> bytes:
    """A frame of single bits that begins inside a byte (PS3.5 8.1.1), moved to begin with its first."""
    first = bits * (number - 1)
    file.seek(first // 8, 1)
    packed = np.frombuffer(file.read((first % 8 + bits + 7) // 8), np.uint8)
    unpacked = np.unpackbits(packed, bitorder="little")[first % 8 : first % 8 + bits]
    return np.packbits(unpacked, bitorder="little").tobytes()


def _extended_offsets(data_set: FileDataset) -> tuple[bytes, bytes] | None:
    """PS3.3 C.7.6.3.1.8."""
    if "ExtendedOffsetTable" not in data_set or "ExtendedOffsetTableLengths" not in data_set:
        return None
    return data_set.ExtendedOffsetTable, data_set.ExtendedOffsetTableLengths


def _frame_bits(data_set: FileDataset, keyword: str) -> int:
    pixels = int(data_set.Rows) * int(data_set.Columns)
    bits = _BITS_OF_FLOATS.get(keyword) or int(data_set.BitsAllocated)
    if data_set.get("PhotometricInterpretation") == "YBR_FULL_422":
        return pixels * bits * 2
    return pixels * bits * int(data_set.get("SamplesPerPixel", 1))


def _with_frame(data_set: FileDataset, keyword: str, pixels: bytes) -> FileDataset:
    for offsets in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        data_set.pop(offsets, None)
    data_set.NumberOfFrames = 1
    padded = pixels + b"\0" * (len(pixels) % 2)
    setattr(data_set, keyword, padded)
    data_set[keyword].is_undefined_length = data_set.file_meta.TransferSyntaxUID.is_encapsulated
    return data_set


def _one_of_loaded(data_set: FileDataset, number: int) -> FileDataset:
    """A deflated file has to be read as a whole."""
    keyword = next((each for each in _PIXEL_KEYWORDS.values() if each in data_set), None)
    if keyword is None:
        raise NotFound("the instance has no pixel data")
    bits, pixels = _frame_bits(data_set, keyword), data_set[keyword].value
    frame = pixels[bits * (number - 1) // 8 : (bits * number + 7) // 8]
    return _with_frame(copy.copy(data_set), keyword, frame)


def _pixels_of(one: FileDataset) -> bytes:
    return bytes(next(one[keyword].value for keyword in _PIXEL_KEYWORDS.values() if keyword in one))


def _is_plain(one: FileDataset) -> bool:
    """Whether the stored bytes are what Explicit VR Little Endian holds too."""
    syntax = one.file_meta.TransferSyntaxUID
    return not syntax.is_encapsulated and (syntax.is_little_endian or one.get("BitsAllocated", 8) <= 8)
