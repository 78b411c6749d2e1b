"""Taking the data set out of a DICOM file, whatever the bytes are."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.archive import NotPart10, split_part10
from tests.unit.archive.made_instances import ct_slice, part10

FILE = part10(ct_slice(size=4))


def test_data_set_and_what_is_announced_of_it() -> None:
    instance = split_part10(FILE)
    assert instance.transfer_syntax_uid == "1.2.840.10008.1.2.1"
    assert instance.sop_class_uid == "1.2.840.10008.5.1.4.1.1.2"
    assert instance.sop_instance_uid == ct_slice().SOPInstanceUID
    assert FILE.endswith(instance.data_set)
    assert instance.data_set[:8] == b"\x08\x00\x05\x00CS\x0a\x00"


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        (b"", "no DICOM file"),
        (b"<html>" * 100, "DICM"),
        (bytes(128) + b"DICM", "Transfer Syntax"),
        (FILE[132:], "DICM"),
    ],
)
def test_what_is_no_dicom_file_is_said(file: bytes, fault: str) -> None:
    with pytest.raises(NotPart10, match=fault):
        split_part10(file)


@given(st.integers(0, 400), st.binary(max_size=40))
def test_any_damage_is_either_split_or_refused(position: int, damage: bytes) -> None:
    with contextlib.suppress(NotPart10):
        split_part10(FILE[:position] + damage + FILE[position + len(damage) :])


@given(st.integers(0, len(FILE)))
def test_a_file_cut_anywhere_is_either_split_or_refused(length: int) -> None:
    try:
        assert FILE[:length].endswith(split_part10(FILE[:length]).data_set)
    except NotPart10:
        assert length < 400
