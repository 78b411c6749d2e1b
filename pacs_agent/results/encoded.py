"""Data sets as bytes, in explicit VR little endian. PS3.5 7.1.2, 7.5.

pydicom's own writer takes 0.1 ms for each item, as it looks at what is below an item again on each level. Lists that
grow with the number of slices are made as bytes at once: `of_items` gives an element that pydicom reads like any other
when somebody looks into it, and that `encoded` writes as it is.
"""

import struct
from collections.abc import Iterable

from pydicom.charset import default_encoding
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import correct_ambiguous_vr_element, write_data_element
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID
from pydicom.valuerep import AMBIGUOUS_VR, EXPLICIT_VR_LENGTH_32

_SHORT, _LONG, _ITEM = struct.Struct("<HH2sH"), struct.Struct("<HH2sxxI"), struct.Struct("<HHI")
_PADDING = {"UI": b"\0"} | dict.fromkeys(("CS", "DA", "DS", "DT", "IS", "LO", "LT", "SH", "ST", "TM", "UT"), b" ")
"""Representations whose ASCII text is written as it is, with what makes its length even. PS3.5 6.2."""
_MOST_SHORT = 0xFFFF

Characters = str | list[str]
"""Specific Character Set."""


class EncodedItems(RawDataElement):
    """A sequence whose items are bytes already. Its text is ASCII, and of no local coding scheme."""


def of_items(keyword: str, items: Iterable[bytes]) -> EncodedItems:
    """A sequence of items that were encoded."""
    value = b"".join(map(item, items))
    return EncodedItems(_tag(keyword), "SQ", len(value), value, 0, False, True)


def item(content: bytes) -> bytes:
    """An item of a sequence, of defined length. PS3.5 7.5.1."""
    return _ITEM.pack(0xFFFE, 0xE000, len(content)) + content


def sequence(keyword: str, items: Iterable[bytes]) -> bytes:
    """A sequence of defined length with its items."""
    value = b"".join(map(item, items))
    return _LONG.pack(*_halves(_tag(keyword)), b"SQ", len(value)) + value


def uid(keyword: str, value: str) -> bytes:
    """An element of VR UI."""
    return _ascii(_tag(keyword), "UI", value)


def encoded(dataset: Dataset, characters: Characters = default_encoding) -> bytes:
    """A data set or item as bytes, those that pydicom would write. `characters` are those of what it is in."""
    own = dataset.get("SpecificCharacterSet", characters)
    return b"".join(_element(dataset, tag, own) for tag in sorted(dataset.keys()) if not _is_group_length(tag))


def _element(dataset: Dataset, tag: BaseTag, characters: Characters) -> bytes:
    known = dataset.get_item(tag)
    if isinstance(known, EncodedItems):
        return _LONG.pack(*_halves(tag), b"SQ", known.length) + (known.value or b"")
    element = dataset[tag]
    if element.VR == "SQ":
        value = b"".join(item(encoded(each, characters)) for each in element.value or ())
        return _LONG.pack(*_halves(tag), b"SQ", len(value)) + value
    if element.VR in _PADDING and type(element.value) in (str, UID) and _is_plain(element.value):
        return _ascii(tag, element.VR, element.value)
    if element.VR in AMBIGUOUS_VR:
        return _by_pydicom(correct_ambiguous_vr_element(element, dataset, True), characters)
    return _by_pydicom(element, characters)


def _is_group_length(tag: BaseTag) -> bool:
    """Retired, and wrong as soon as a group is written otherwise. PS3.5 7.2."""
    return tag.element == 0 and tag.group > 6


def _is_plain(text: str) -> bool:
    """Whether a text is ASCII and short enough for any representation; pydicom writes others, as UN. PS3.5 6.2.2."""
    return text.isascii() and len(text) < _MOST_SHORT


def _ascii(tag: BaseTag, vr: str, text: str) -> bytes:
    value = text.encode(default_encoding)
    if len(value) % 2:
        value += _PADDING[vr]
    if vr in EXPLICIT_VR_LENGTH_32:
        return _LONG.pack(*_halves(tag), vr.encode(), len(value)) + value
    if len(value) > _MOST_SHORT:
        raise ValueError(f"a value of {tag} has {len(value)} bytes; VR {vr} takes {_MOST_SHORT}")
    return _SHORT.pack(*_halves(tag), vr.encode(), len(value)) + value


def _by_pydicom(element: DataElement | RawDataElement, characters: Characters) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_data_element(buffer, element, characters)
    return buffer.getvalue()


def _halves(tag: BaseTag) -> tuple[int, int]:
    return tag >> 16, tag & 0xFFFF


def _tag(keyword: str) -> BaseTag:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return Tag(tag)
