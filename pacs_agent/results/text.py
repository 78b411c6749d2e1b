"""Text that fits its value representation and the document's character set."""

import re
from collections.abc import Iterable

from pydicom.charset import convert_encodings, custom_encoders
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from pacs_agent.results.encoded import EncodedItems

UNICODE = "ISO_IR 192"

_SINGLE_BYTE = ("13", "100", "101", "109", "110", "126", "127", "138", "144", "148", "166")
_MULTI_BYTE = ("6", "58", "87", "149", "159")
_ALONE = frozenset({*(f"ISO_IR {number}" for number in _SINGLE_BYTE), "ISO_IR 192", "GB18030", "GBK"})
_EXTENSIONS = frozenset(f"ISO 2022 IR {number}" for number in (*_SINGLE_BYTE, *_MULTI_BYTE))
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_TEXT_REPRESENTATIONS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})


def clean(text: str) -> str:
    """Text without control characters (tab and line feed stay) and without what UTF-8 cannot carry. PS3.5 6.2."""
    return _CONTROL.sub(" ", text).encode("utf-8", "replace").decode("utf-8").strip()


def fit_long_string(text: str, limit: int = 64) -> str:
    """Text as one value of VR LO: one line, no backslash, at most 64 characters. PS3.5 6.2."""
    line = " ".join(clean(text).replace("\\", "/").split())
    return line if len(line) <= limit else line[: limit - 3].rstrip() + "..."


def character_set(declared: str | Iterable[str] | None) -> str | list[str]:
    """The Specific Character Set carried over from an image, or ISO_IR 192 when it has none that is valid.

    PS3.3 C.12.1.1.2: one term without code extensions, or several with them, the first of which may be empty.
    """
    terms = [declared] if isinstance(declared, str) else [str(term) for term in declared or ()]
    if len(terms) == 1 and terms[0] in _ALONE | _EXTENSIONS - {"ISO 2022 IR 6"}:
        return terms[0]
    if len(terms) > 1 and {*terms[1:], terms[0] or "ISO 2022 IR 6"} <= _EXTENSIONS:
        return terms
    return UNICODE


def settle_character_set(document: Dataset, declared: str | Iterable[str] | None) -> None:
    """Sets a Specific Character Set in which every text of the document can be written.

    The declared one stays where it suffices, so that names keep the form the PACS knows; else it is ISO_IR 192.
    """
    terms = character_set(declared)
    encodings = convert_encodings(terms if isinstance(terms, str) else list(terms))
    fits = all(_fits(text, encodings) for text in _texts(document) if not text.isascii())
    document.SpecificCharacterSet = terms if fits else UNICODE


def _fits(text: str, encodings: list[str]) -> bool:
    if len(encodings) == 1:
        return _encodes(text, encodings[0])
    return all(any(_encodes(character, encoding) for encoding in encodings) for character in text)


def _encodes(text: str, encoding: str) -> bool:
    try:
        custom_encoders[encoding](text, errors="strict") if encoding in custom_encoders else text.encode(encoding)
    except UnicodeError:
        return False
    return True


def _texts(dataset: Dataset) -> Iterable[str]:
    for tag, element in dataset.items():
        if isinstance(element, EncodedItems):
            continue
        if isinstance(element, RawDataElement):
            element = dataset[tag]
        if element.VR == "SQ":
            for item in element.value:
                yield from _texts(item)
        elif element.VR in _TEXT_REPRESENTATIONS:
            yield str(element.value)
