"""A strict walk over an encoded data set (PS3.5 7): finds every top-level element and proves that nothing is cut off.

pydicom reads what it can of a broken data set; a receiver must know that it is whole before it says Success. Values are
not decoded here.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

UNDEFINED_LENGTH = 0xFFFFFFFF
DEEPEST_NESTING = 64
MOST_ELEMENTS = 2_000_000
LARGEST_INFLATED_BYTES = 1 << 30

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXEL_DATA = 0x7FE00010
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())


class Undecodable(ValueError):
    """Bytes that are not a whole data set in the transfer syntax they were announced in."""


@dataclass(frozen=True)
class ElementSpan:
    """Where the value of one element lies in the data set. `length` is UNDEFINED_LENGTH where it is encoded so."""

    vr: str | None
    start: int
    end: int
    length: int


@dataclass(frozen=True)
class WalkedDataSet:
    """A data set that was walked from its first byte to its last."""

    encoded: bytes
    """Uncompressed: a deflated data set is inflated here."""
    implicit_vr: bool
    little_endian: bool
    elements: Mapping[int, ElementSpan]

    def header(self, tags: frozenset[int]) -> Dataset:
        """A data set of the elements in `tags`, decoded when they are first asked for (PS3.5 6.1 character sets)."""
        header = Dataset({BaseTag(tag): self._raw(tag) for tag in self.elements.keys() & tags})
        header.set_original_encoding(self.implicit_vr, self.little_endian)
        return header

    def _raw(self, tag: int) -> RawDataElement:
        span = self.elements[tag]
        value = self.encoded[span.start : span.end]
        return RawDataElement(
            BaseTag(tag), span.vr, len(value), value, span.start, self.implicit_vr, self.little_endian
        )


def walk_data_set(encoded: bytes, transfer_syntax_uid: str) -> WalkedDataSet:
    """Walks a data set, items of sequences and fragments of pixel data included.

    Raises Undecodable when an element reaches past the end, a delimiter is missing, a VR does not exist (the sign of
    another transfer syntax), an element stands twice, or limits of depth, number and inflated size are passed.
    """
    if transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
        encoded = _inflate(encoded)
    implicit_vr = transfer_syntax_uid == ImplicitVRLittleEndian
    little_endian = transfer_syntax_uid != ExplicitVRBigEndian
    elements = _Walk(encoded, implicit_vr=implicit_vr, little_endian=little_endian).top_level()
    return WalkedDataSet(encoded, implicit_vr, little_endian, elements)


def _inflate(deflated: bytes) -> bytes:
    """PS3.5 A.5: raw deflate, perhaps padded by one zero byte. A small bomb must not fill the memory."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(deflated, LARGEST_INFLATED_BYTES)
    except zlib.error as error:
        raise Undecodable(f"the deflated data set cannot be inflated: {error}") from error
    if inflater.unconsumed_tail:
        raise Undecodable(f"the deflated data set is larger than {LARGEST_INFLATED_BYTES} bytes")
    if not inflater.eof:
        raise Undecodable("the deflated data set is cut off")
    return inflated


class _Walk:
    """One walk; `position` moves forward only."""

    def __init__(self, encoded: bytes, *, implicit_vr: bool, little_endian: bool) -> None:
        order = "<" if little_endian else ">"
        self._tag, self._length = Struct(f"{order}HH").unpack_from, Struct(f"{order}L").unpack_from
        self._short_length = Struct(f"{order}H").unpack_from
        self._encoded = encoded
        self._end = len(encoded)
        self._implicit_vr = implicit_vr
        self._position = 0
        self._count = 0

    def top_level(self) -> dict[int, ElementSpan]:
        """Every element of the data set itself."""
        found: dict[int, ElementSpan] = {}
        while not self._only_padding_left():
            tag, span = self._element(self._end, self._implicit_vr, depth=0)
            if tag in found:
                raise Undecodable(f"element {_shown(tag)} stands twice")
            if tag < 0x00080000 or tag >> 16 == 0xFFFE:
                raise Undecodable(f"element {_shown(tag)} has no place in a data set")
            found[tag] = span
        if not found:
            raise Undecodable("the data set is empty")
        return found

    def _only_padding_left(self) -> bool:
        """Some senders pad to an even length, or to a block, with zeros after the last element."""
        rest = self._end - self._position
        return rest == 0 or (rest < 8 and not any(self._encoded[self._position :]))

    def _element(self, end: int, implicit_vr: bool, depth: int) -> tuple[int, ElementSpan]:
        self._count += 1
        if self._count > MOST_ELEMENTS:
            raise Undecodable(f"more than {MOST_ELEMENTS} elements")
        tag, vr, length = self._element_head(end, implicit_vr, nested=depth > 0)
        start = self._position
        if length == UNDEFINED_LENGTH:
            self._undefined_length_value(tag, vr, end, implicit_vr, depth)
        elif vr == "SQ":
            self._items(self._limit(tag, length, end), implicit_vr, depth, delimited=False)
        else:
            self._position = self._limit(tag, length, end)
        stop = self._position - 8 if length == UNDEFINED_LENGTH else self._position
        return tag, ElementSpan(vr, start, stop, length)

    def _element_head(self, end: int, implicit_vr: bool, *, nested: bool) -> tuple[int, str | None, int]:
        """Tag, VR and length; the position is then at the value. PS3.5 7.1.2, 7.1.3.

        Some scanners write implicit VR into private sequences of explicit data sets; readers cope, so it is let in.
        """
        tag = self._next_tag(end)
        if tag >> 16 == 0xFFFE or implicit_vr:
            return tag, None, self._next_length(end)
        vr = self._encoded[self._position : self._position + 2]
        if vr in _SHORT_VRS:
            self._advance(4, end)
            return tag, vr.decode(), self._short_length(self._encoded, self._position - 2)[0]
        if vr not in _LONG_VRS:
            if nested and not vr.isalpha():
                return tag, None, self._next_length(end)
            raise Undecodable(f"element {_shown(tag)} has no valid VR; is the transfer syntax another?")
        self._advance(4, end)
        return tag, vr.decode(), self._next_length(end)

    def _undefined_length_value(self, tag: int, vr: str | None, end: int, implicit_vr: bool, depth: int) -> None:
        """A sequence, or encapsulated pixel data (PS3.5 A.4). UN is a sequence in implicit VR (PS3.5 6.2.2)."""
        if tag == _PIXEL_DATA:
            self._fragments(end)
        elif vr in ("SQ", "UN", None):
            self._items(end, implicit_vr or vr == "UN", depth, delimited=True)
        else:
            raise Undecodable(f"element {_shown(tag)} of VR {vr} has undefined length")

    def _items(self, end: int, implicit_vr: bool, depth: int, *, delimited: bool) -> None:
        """The items of a sequence (PS3.5 7.5), to its delimiter or to `end`."""
        if depth >= DEEPEST_NESTING:
            raise Undecodable(f"sequences nested deeper than {DEEPEST_NESTING}")
        while delimited or self._position < end:
            tag, length = self._next_tag(end), self._next_length(end)
            if tag == _SEQUENCE_END and delimited:
                return
            if tag != _ITEM:
                raise Undecodable(f"{_shown(tag)} stands where an item of a sequence should")
            self._item(end, length, implicit_vr, depth + 1)

    def _item(self, end: int, length: int, implicit_vr: bool, depth: int) -> None:
        if length != UNDEFINED_LENGTH:
            limit = self._limit(_ITEM, length, end)
            while self._position < limit:
                self._element(limit, implicit_vr, depth)
            return
        while self._element(end, implicit_vr, depth)[0] != _ITEM_END:
            pass

    def _fragments(self, end: int) -> None:
        """Offset table and fragments: items of explicit length, to the sequence delimiter."""
        while (tag := self._next_tag(end)) == _ITEM:
            length = self._next_length(end)
            if length == UNDEFINED_LENGTH:
                raise Undecodable("a fragment of pixel data has undefined length")
            self._position = self._limit(tag, length, end)
        if tag != _SEQUENCE_END:
            raise Undecodable(f"{_shown(tag)} stands where a fragment of pixel data should")
        self._next_length(end)

    def _next_tag(self, end: int) -> int:
        self._advance(4, end)
        group, element = self._tag(self._encoded, self._position - 4)
        return int(group) << 16 | int(element)

    def _next_length(self, end: int) -> int:
        self._advance(4, end)
        return int(self._length(self._encoded, self._position - 4)[0])

    def _advance(self, count: int, end: int) -> None:
        self._position += count
        if self._position > end:
            raise Undecodable(f"cut off: an element begins at byte {self._position - count} and ends nowhere")

    def _limit(self, tag: int, length: int, end: int) -> int:
        if self._position + length > end:
            raise Undecodable(f"cut off: {_shown(tag)} has {length} bytes, {end - self._position} are there")
        return self._position + length


def _shown(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
