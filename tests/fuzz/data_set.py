"""Fuzz target: a data set (PS3.5 7) in any transfer syntax, walked, checked, and its header read for the index.

The first byte of an input chooses the transfer syntax.
"""

import unicodedata
from dataclasses import dataclass

from pacs_agent.archive import TRANSFER_SYNTAXES
from pacs_agent.receive.elements import UNDEFINED_LENGTH, Undecodable, walk_data_set
from pacs_agent.receive.identity import checked_header, is_uid
from pacs_agent.receive.refusal import Refusal

SYNTAXES = tuple(TRANSFER_SYNTAXES)


@dataclass(frozen=True)
class Announced:
    """An instance of which nothing but its encoding was said."""

    transfer_syntax_uid: str
    sop_class_uid: str = ""
    sop_instance_uid: str = ""


def check(encoded: bytes) -> None:
    """A data set is whole, with every value inside, or refused; its header fits the index."""
    if not encoded:
        return
    syntax, data_set = SYNTAXES[encoded[0] % len(SYNTAXES)], memoryview(encoded)[1:]
    try:
        walked = walk_data_set(data_set, syntax)
    except Undecodable:
        walked = None
    if walked is not None:
        for _vr, start, end, length in walked.elements.values():
            assert 0 <= start <= end <= len(walked.encoded)
            assert length in (end - start, UNDEFINED_LENGTH)
    try:
        header = checked_header(data_set, Announced(syntax))
    except Refusal as refusal:
        assert str(refusal)
        return
    assert walked is not None, "refused by the walk, but taken"
    uids = header.sop_instance_uid, header.sop_class_uid, header.study.study_instance_uid
    assert all(map(is_uid, uids)) and is_uid(header.series.series_instance_uid)
    assert header.frames >= 1
    for text in (header.patient.name, header.patient.patient_id, header.study.description, header.series.description):
        assert len(text) <= 324
        assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


if __name__ == "__main__":
    from tests.fuzz.fuzzer import fuzz

    fuzz()
