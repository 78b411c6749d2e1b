"""The diffusion b-value of a frame in s/mm², by the standard's attribute or a vendor's own."""

import math
import re
import struct
from typing import NamedTuple

from pydicom import Dataset
from pydicom.multival import MultiValue

from pacs_agent.archive import UNREADABLE_VALUE
from pacs_agent.imaging.acquisition.elements import FrameElements
from pacs_agent.imaging.acquisition.terms import Answer

MOST_S_PER_MM2 = 100_000.0
"""No scanner reaches it; a larger number is no b-value."""
_GE_FLAG = 1_000_000_000
"""Newer GE systems add it to the b-value."""
_SIEMENS_NAME = re.compile(r"\bep_?(?:calc_)?b(\d{1,5})(?![\d_])")
"""`*ep_b800t`, `ep_b1000#12`, `ep_calc_b1400`; an ADC map has two values, `ep_b50_800`."""


class _Private(NamedTuple):
    """A vendor's element: block (group, private creator), element in it, and what Manufacturer names its maker."""

    group: int
    creator: str
    element: int
    maker: str
    binary: str
    """How bytes of unknown VR are read: a format of `struct`, or nothing for text."""
    echo_planar: bool = False
    """The element serves other sequences otherwise, so that it counts only in echo planar ones."""


_PRIVATE = (
    _Private(0x0019, "SIEMENS MR HEADER", 0x0C, "SIEMENS", ""),
    _Private(0x0043, "GEMS_PARM_01", 0x39, "GE", "", echo_planar=True),
    _Private(0x2001, "Philips Imaging DD 001", 0x03, "PHILIPS", "<f"),
    _Private(0x0065, "Image Private Header", 0x09, "UIH", "<d"),
)


def b_value_of(frame: FrameElements) -> Answer[float | None]:
    """The b-value of a frame, None where no attribute holds one. PS3.3 C.8.13.5.9.

    Looks at Diffusion b-value, at the private elements of Siemens, GE, Philips and United Imaging, and at the Sequence
    Name of Siemens.
    """
    b_value = frame.number("DiffusionBValue")
    if b_value is not None and _is_b_value(b_value):
        return Answer(b_value, f"DiffusionBValue is {b_value:g}")
    sequence = frame.terms("ScanningSequence")
    for place in _PRIVATE:
        if place.echo_planar and sequence and not sequence & {"EP", "RM"}:
            continue
        b_value = _private_number(frame.dataset, place)
        if b_value is not None and _is_b_value(b_value):
            tag = f"({place.group:04X},10{place.element:02X})"
            return Answer(b_value, f"{tag} of {place.creator} is {b_value:g}")
    for keyword in ("SequenceName", "PulseSequenceName"):
        name = frame.text(keyword)
        if found := _SIEMENS_NAME.search(name.lower()):
            return Answer(float(found[1]), f"{keyword} is {name}")
    return Answer(None, "no attribute holds a b-value")


def _is_b_value(number: float) -> bool:
    return 0 <= number < MOST_S_PER_MM2


def _private_number(dataset: Dataset, place: _Private) -> float | None:
    try:
        value = _private_value(dataset, place)
        number = _read_bytes(value, place.binary) if isinstance(value, bytes) else _first_number(value)
    except (*UNREADABLE_VALUE, UnicodeDecodeError):
        return None
    if number is None or not math.isfinite(number):
        return None
    return number - _GE_FLAG if number >= _GE_FLAG else number


def _private_value(dataset: Dataset, place: _Private) -> object:
    """The value in the block of its creator (PS3.5 7.8.1), or in block 10 of that maker's image if the creator is lost.

    De-identification that keeps private elements often drops the private creators.
    """
    try:
        return dataset.private_block(place.group, place.creator)[place.element].value
    except KeyError:
        pass
    maker, tag = str(dataset.get("Manufacturer", "")).upper(), (place.group, 0x1000 | place.element)
    if not maker.startswith(place.maker) or (place.group, 0x0010) in dataset or tag not in dataset:
        return None
    return dataset[tag].value


def _first_number(value: object) -> float | None:
    if value is None or value == "":
        return None
    first = value[0] if isinstance(value, (MultiValue, list)) else value
    return float(str(first).split("\\")[0])


def _read_bytes(value: bytes, binary: str) -> float | None:
    """A number out of bytes whose VR is unknown (UN), as implicit transfer syntaxes leave private elements."""
    if binary and len(value) == struct.calcsize(binary):
        return float(struct.unpack(binary, value)[0])
    return _first_number(value.decode("ascii").strip("\0 "))
