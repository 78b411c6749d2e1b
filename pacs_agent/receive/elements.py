"""A strict walk over an encoded data set (PS3.5 7): finds every top-level element and proves that nothing is cut off.

pydicom reads what it can of a broken data set; a receiver must know that it is whole before it says Success. Values are
neither decoded nor copied here, and every image passes through: the loops work on local variables.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from pacs_agent.receive.layouts import MOST_HEADS, Layouts
from pacs_agent.receive.pace import Pace

UNDEFINED_LENGTH = 0xFFFFFFFF
DEEPEST_NESTING = 64
MOST_ELEMENTS = 2_000_000
"""Elements and items together; walking them takes a second of a processor."""
USUAL_ELEMENTS, ELEMENTS_AT_ONCE = 10_000, 200
"""So many are walked at once; further ones in pieces, with rests between."""
MOST_TOP_LEVEL = 50_000
"""Elements of the data set itself: where each of these lies is kept, and takes more memory than the element."""
LARGEST_VALUES_BYTES = 1 << 20
"""Of the values that are looked at, which are copied: those of a real header have a hundredth of it."""
LARGEST_INFLATED_BYTES = 256 << 20
"""It is all in memory, unlike a data set that is not deflated."""
USUAL_INFLATED_BYTES = 16 << 20
"""So many are inflated at once. What comes to more is counted first, and all of it takes its rests."""
_DEFLATED_AT_ONCE_BYTES, _INFLATED_AT_ONCE_BYTES = 1 << 16, 1 << 18

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_ITEM_GROUP = 0xFFFE
_FIRST_GROUP = 0x0008
"""Groups before it belong to commands, file meta information and directories."""
_PIXEL_DATA = 0x7FE00010
_HEAD_BYTES, _LONG_HEAD_BYTES = 8, 12
_LONG_VRS = {vr: vr.decode() for vr in b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split()}
_SHORT_VRS = {vr: vr.decode() for vr in b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()}

Encoded = bytes | memoryview


class Undecodable(ValueError):
    """Bytes that are not a whole data set in the transfer syntax they were announced in."""


Span = tuple[str | None, int, int, int]
"""Where the value of one element lies in the data set: VR, start, end, and length as encoded, perhaps UNDEFINED_LENGTH.

A plain tuple: named ones would take as long to make as all the rest of the walk.
"""


_LAYOUTS = Layouts[Span]()
_NOTHING: Span = (None, 0, 0, 0)


@dataclass(frozen=True)
class WalkedDataSet:
    """A data set that was walked from its first byte to its last."""

    encoded: Encoded
    """Uncompressed: a deflated data set is inflated here."""
    implicit_vr: bool
    little_endian: bool
    elements: Mapping[int, Span]

    def values(self, tags: Iterable[int]) -> "EncodedValues":
        """Copies of the values of those elements in `tags` that are there. Raises Undecodable for too many bytes."""
        elements, encoded = self.elements, self.encoded
        found = [(tag, elements[tag]) for tag in tags if tag in elements]
        _check_size(sum(span[2] - span[1] for _tag, span in found))
        values = tuple((tag, span[0], bytes(encoded[span[1] : span[2]])) for tag, span in found)
        return EncodedValues(self.implicit_vr, self.little_endian, values)

    def value(self, tag: int) -> bytes:
        """The encoded value of an element; empty where it is missing. Raises Undecodable when it is too large."""
        span = self.elements.get(tag)
        if span is None:
            return b""
        _check_size(span[2] - span[1])
        return bytes(self.encoded[span[1] : span[2]])

    def items(self, tag: int) -> "Iterator[WalkedDataSet]":
        """The items of a sequence (PS3.5 7.5), each as a data set; none where it is missing. Raises Undecodable."""
        vr, start, end, length = self.elements.get(tag, _NOTHING)
        implicit_vr = self.implicit_vr or vr == "UN"
        if vr not in ("SQ", None) and not (vr == "UN" and length == UNDEFINED_LENGTH):
            raise Undecodable(f"element {_shown(tag)} of VR {vr} is no sequence")
        with Pace() as pace:
            walk = _Walk(self.encoded, pace, little_endian=self.little_endian)
            for elements in walk.items(start, end, implicit_vr):
                yield WalkedDataSet(self.encoded, implicit_vr, self.little_endian, elements)


class EncodedValues(NamedTuple):
    """Some values as they were encoded: the images of a series share most of them, so they are decoded only once."""

    implicit_vr: bool
    little_endian: bool
    elements: tuple[tuple[int, str | None, bytes], ...]
    """Tag, VR and value of each."""

    def decoded(self) -> Dataset:
        """A data set of them, each decoded when it is first asked for (PS3.5 6.1 character sets)."""
        implicit_vr, little_endian, elements = self
        raw: dict[BaseTag, DataElement | RawDataElement] = {
            BaseTag(tag): RawDataElement(BaseTag(tag), vr, len(value), value, 0, implicit_vr, little_endian)
            for tag, vr, value in elements
        }
        data_set = Dataset(raw)
        data_set.set_original_encoding(implicit_vr, little_endian)
        return data_set

    @property
    def size_bytes(self) -> int:
        """What they need in memory, about."""
        return sum(len(value) for _tag, _vr, value in self.elements)


def walk_data_set(encoded: Encoded, transfer_syntax_uid: str) -> WalkedDataSet:
    """Walks a data set, items of sequences and fragments of pixel data included.

    Raises Undecodable when an element reaches past the end, a delimiter is missing, a VR does not exist (the sign of
    another transfer syntax), an element stands twice, or limits of depth, number and inflated size are passed.
    """
    if transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
        encoded = _inflate(encoded)
    key = transfer_syntax_uid, len(encoded)
    elements = _LAYOUTS.found(key, encoded)
    implicit_vr = transfer_syntax_uid == ImplicitVRLittleEndian
    little_endian = transfer_syntax_uid != ExplicitVRBigEndian
    if elements is None:
        with Pace() as pace:
            walk = _Walk(encoded, pace, little_endian=little_endian)
            elements = walk.top_level(implicit_vr)
            if walk.count <= MOST_HEADS and walk.is_used_up and _LAYOUTS.came_before(key):
                marks: list[tuple[int, int]] = []
                again = _Walk(encoded, pace, little_endian=little_endian, marks=marks)
                _LAYOUTS.keep(key, encoded, marks, again.top_level(implicit_vr))
    return WalkedDataSet(encoded, implicit_vr, little_endian, elements)


def _inflate(deflated: Encoded) -> memoryview:
    """PS3.5 A.5: raw deflate, perhaps padded by one zero byte. A bomb is counted, not kept, before it is refused."""
    inflated, is_counted = bytearray(), False
    with Pace() as pace:
        for piece in _inflated_pieces(deflated):
            inflated += piece
            if len(inflated) > USUAL_INFLATED_BYTES:
                if not is_counted:
                    _check_inflated_size(deflated, pace)
                    is_counted = True
                pace.rest()
    return memoryview(inflated)


def _check_inflated_size(deflated: Encoded, pace: Pace) -> None:
    size_bytes = 0
    for piece in _inflated_pieces(deflated):
        size_bytes += len(piece)
        if size_bytes > LARGEST_INFLATED_BYTES:
            raise Undecodable(f"the deflated data set is larger than {LARGEST_INFLATED_BYTES} bytes")
        pace.rest()


def _inflated_pieces(deflated: Encoded) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for start in range(0, len(deflated), _DEFLATED_AT_ONCE_BYTES):
            rest = bytes(deflated[start : start + _DEFLATED_AT_ONCE_BYTES])  # an error keeps it, and no mapped file
            while rest and not inflater.eof:
                yield inflater.decompress(rest, _INFLATED_AT_ONCE_BYTES)
                rest = inflater.unconsumed_tail
        yield inflater.flush()
    except zlib.error as error:
        raise Undecodable(f"the deflated data set cannot be inflated: {error}") from error
    if not inflater.eof:
        raise Undecodable("the deflated data set is cut off")


class _Heads(NamedTuple):
    """How the heads of elements are unpacked, by byte order (PS3.5 7.1.2, 7.1.3)."""

    explicit: Struct
    """Group, element, VR and, for short VRs, the length."""
    implicit: Struct
    """Group, element and length; also the heads of items."""
    length: Struct


_HEADS = {order: _Heads(Struct(f"{order}HH2sH"), Struct(f"{order}HHL"), Struct(f"{order}L")) for order in "<>"}


class _Walk:
    """One walk. Each method takes the position where it begins and gives the one behind what it walked."""

    def __init__(
        self, encoded: Encoded, pace: Pace, *, little_endian: bool, marks: list[tuple[int, int]] | None = None
    ) -> None:
        """`marks` gets where each head begins and ends."""
        heads = _HEADS["<" if little_endian else ">"]
        self._explicit, self._implicit = heads.explicit.unpack_from, heads.implicit.unpack_from
        self._long_length = heads.length.unpack_from
        self._encoded = encoded
        self._left = MOST_ELEMENTS
        self._rest_below = max(0, MOST_ELEMENTS - USUAL_ELEMENTS)
        """What may be left before the next rest."""
        self._pace = pace
        self._marks = marks
        self.is_used_up = False
        """Whether the data set ends with its last element."""
        self._behind_delimiter = 0
        """Where the delimiter ended that was the last thing walked; -1 where it was anything else."""

    @property
    def count(self) -> int:
        """Elements and items so far."""
        return MOST_ELEMENTS - self._left

    def top_level(self, implicit_vr: bool) -> dict[int, Span]:
        """Every element of the data set itself."""
        found: dict[int, Span] = {}
        end = len(self._encoded)
        position = self._elements(0, end, implicit_vr, 0, found)
        if any(self._encoded[position:end]):
            raise _cut_off(position)
        if not found:
            raise Undecodable("the data set is empty")
        self.is_used_up = position == end
        return found

    def items(self, position: int, end: int, implicit_vr: bool) -> Iterator[dict[int, Span]]:
        """Every element of each item of a sequence of the data set itself; the last one ends at `end`."""
        while position < end:
            found: dict[int, Span] = {}
            tag, length = self._item_head(position, end)
            position = self._item(position + _HEAD_BYTES, end, tag, length, implicit_vr, 1, found)
            yield found

    def _elements(
        self, position: int, end: int, implicit_vr: bool, depth: int, found: dict[int, Span] | None = None
    ) -> int:
        """Elements to `end`, to the delimiter of their item, or to what is too short for one."""
        encoded, explicit, left, marks = self._encoded, self._explicit, self._left, self._marks
        last, rest_below = end - _HEAD_BYTES, self._rest_below
        while position <= last:
            left -= 1
            group, element, encoded_vr, length = explicit(encoded, position)
            tag = group << 16 | element
            vr = None if implicit_vr or group == _ITEM_GROUP else _SHORT_VRS.get(encoded_vr)
            if vr is not None:
                start = position + _HEAD_BYTES
            else:
                vr, start, length = self._long_head(position, end, tag, encoded_vr, implicit_vr, nested=depth > 0)
            if marks is not None:
                marks.append((position, start))
            if vr == "SQ" or length == UNDEFINED_LENGTH:
                self._left = left
                position = self._sequence(start, end, tag, vr, length, implicit_vr, depth)
                left, rest_below = self._left, self._rest_below
            else:
                position = _limit(start, length, end, tag)
            if tag == _ITEM_END and depth:
                self._behind_delimiter = position
                break
            if found is not None:
                _note(found, tag, (vr, start, position - _HEAD_BYTES * (length == UNDEFINED_LENGTH), length))
            if left < rest_below:
                rest_below = self._rested(left)
        else:
            self._behind_delimiter = -1  # the last one was that of an item within these
        self._left = left
        return position

    def _long_head(
        self, position: int, end: int, tag: int, encoded_vr: bytes, implicit_vr: bool, *, nested: bool
    ) -> tuple[str | None, int, int]:
        """VR, start of the value and length of an element whose length has four bytes.

        Some scanners write implicit VR into private sequences of explicit data sets; readers cope, so it is let in.
        """
        vr = None if implicit_vr or tag >> 16 == _ITEM_GROUP else _LONG_VRS.get(encoded_vr)
        if vr is not None:
            if position + _LONG_HEAD_BYTES > end:
                raise _cut_off(position)
            return vr, position + _LONG_HEAD_BYTES, self._long_length(self._encoded, position + _HEAD_BYTES)[0]
        if implicit_vr or tag >> 16 == _ITEM_GROUP or (nested and not encoded_vr.isalpha()):
            return None, position + _HEAD_BYTES, self._long_length(self._encoded, position + 4)[0]
        raise Undecodable(f"element {_shown(tag)} has no valid VR; is the transfer syntax another?")

    def _sequence(
        self, start: int, end: int, tag: int, vr: str | None, length: int, implicit_vr: bool, depth: int
    ) -> int:
        """A sequence, or encapsulated pixel data (PS3.5 A.4). UN is a sequence in implicit VR (PS3.5 6.2.2)."""
        if length != UNDEFINED_LENGTH:
            return self._items(start, _limit(start, length, end, tag), implicit_vr, depth, delimited=False)
        if tag == _PIXEL_DATA:
            return self._fragments(start, end)
        if vr not in ("SQ", "UN", None):
            raise Undecodable(f"element {_shown(tag)} of VR {vr} has undefined length")
        return self._items(start, end, implicit_vr or vr == "UN", depth, delimited=True)

    def _items(self, position: int, end: int, implicit_vr: bool, depth: int, *, delimited: bool) -> int:
        """The items of a sequence (PS3.5 7.5), to its delimiter or to `end`."""
        if depth >= DEEPEST_NESTING:
            raise Undecodable(f"sequences nested deeper than {DEEPEST_NESTING}")
        while delimited or position < end:
            tag, length = self._item_head(position, end)
            position += _HEAD_BYTES
            if tag == _SEQUENCE_END and delimited:
                return position
            position = self._item(position, end, tag, length, implicit_vr, depth + 1)
        return position

    def _item(
        self, position: int, end: int, tag: int, length: int, implicit_vr: bool, depth: int,
        found: dict[int, Span] | None = None,
    ) -> int:  # fmt: skip
        if tag != _ITEM:
            raise Undecodable(f"{_shown(tag)} stands where an item of a sequence should")
        if length == UNDEFINED_LENGTH:
            behind = self._elements(position, end, implicit_vr, depth, found)
            if behind != self._behind_delimiter:
                raise _cut_off(behind)
            return behind
        limit = _limit(position, length, end, _ITEM)
        while position < limit:
            behind = self._elements(position, limit, implicit_vr, depth, found)
            if behind == position:
                raise _cut_off(position)
            position = behind
        return position

    def _fragments(self, position: int, end: int) -> int:
        """Offset table and fragments: items of explicit length, to the sequence delimiter."""
        while True:
            tag, length = self._item_head(position, end)
            position += _HEAD_BYTES
            if tag == _SEQUENCE_END:
                return position
            if tag != _ITEM:
                raise Undecodable(f"{_shown(tag)} stands where a fragment of pixel data should")
            if length == UNDEFINED_LENGTH:
                raise Undecodable("a fragment of pixel data has undefined length")
            position = _limit(position, length, end, tag)

    def _item_head(self, position: int, end: int) -> tuple[int, int]:
        if position + _HEAD_BYTES > end:
            raise _cut_off(position)
        self._left -= 1
        if self._left < self._rest_below:
            self._rested(self._left)
        if self._marks is not None:
            self._marks.append((position, position + _HEAD_BYTES))
        group, element, length = self._implicit(self._encoded, position)
        return group << 16 | element, length

    def _rested(self, left: int) -> int:
        """Rests, and gives what may be left before the next rest. Raises Undecodable when nothing is left."""
        if left < 0:
            raise Undecodable(f"more than {MOST_ELEMENTS} elements")
        self._pace.rest()
        self._rest_below = max(0, left - ELEMENTS_AT_ONCE)
        return self._rest_below


def _check_size(size_bytes: int) -> None:
    if size_bytes > LARGEST_VALUES_BYTES:
        raise Undecodable(f"{size_bytes} bytes of header values to be looked at; {LARGEST_VALUES_BYTES} are taken")


def _limit(start: int, length: int, end: int, tag: int) -> int:
    if start + length > end:
        raise Undecodable(f"cut off: {_shown(tag)} has {length} bytes, {end - start} are there")
    return start + length


def _note(found: dict[int, Span], tag: int, span: Span) -> None:
    group = tag >> 16
    if tag in found or group < _FIRST_GROUP or group == _ITEM_GROUP:
        raise _misplaced(tag, found)
    if len(found) >= MOST_TOP_LEVEL:
        raise Undecodable(f"more than {MOST_TOP_LEVEL} elements beside those in sequences")
    found[tag] = span


def _cut_off(position: int) -> Undecodable:
    return Undecodable(f"cut off: an element begins at byte {position} and ends nowhere")


def _misplaced(tag: int, found: Mapping[int, Span]) -> Undecodable:
    fault = "stands twice" if tag in found else "has no place in a data set"
    return Undecodable(f"element {_shown(tag)} {fault}")


def _shown(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
