"""Which DICOM attributes a rule may ask about: those of PS3.6 whose value is text or a number."""

from difflib import get_close_matches

from pydicom.datadict import dictionary_VR, keyword_dict, tag_for_keyword

NUMERIC_VRS = frozenset({"DS", "IS", "FL", "FD", "SS", "US", "SL", "UL", "SV", "UV"})
_TEXT_VRS = frozenset(["AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"])
_FIRST_DATA_SET_TAG = 0x00080000


def checked_keyword(keyword: str) -> str:
    """The keyword itself. Raises ValueError unless it names an attribute whose value is text or a number."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        near = get_close_matches(keyword, keyword_dict, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"{keyword!r} is not a DICOM keyword (PS3.6){hint}")
    vr = dictionary_VR(tag)
    if tag < _FIRST_DATA_SET_TAG or not {vr} & (NUMERIC_VRS | _TEXT_VRS):
        raise ValueError(f"{keyword} has no value that a rule can compare (value representation {vr})")
    return keyword
