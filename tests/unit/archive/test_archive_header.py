"""The facts the index keeps, from values as peers send them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from pacs_agent.archive import INDEXED_TAGS, InstanceHeader, instance_header
from pacs_agent.receive.elements import walk_data_set
from tests.unit.archive.made_instances import ct_slice, encoded

VRS = {0x00100010: "PN", 0x00100020: "LO", 0x00200013: "IS", 0x00280010: "US", 0x00080020: "DA", 0x00280008: "IS"}


def header_of(data_set: Dataset) -> InstanceHeader:
    sent = encoded(data_set)
    return instance_header(
        walk_data_set(sent.data_set, sent.transfer_syntax_uid).values(INDEXED_TAGS).decoded(), sent.transfer_syntax_uid
    )


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 192", "Müller^Jürgen"),
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 144", "Люкceмбypг"),
        ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    ],
)
def test_names_are_decoded(character_set: str | list[str], name: str) -> None:
    assert header_of(ct_slice(SpecificCharacterSet=character_set, PatientName=name)).patient.name == name


def test_unknown_character_set_does_not_stop_an_image() -> None:
    header = header_of(ct_slice(SpecificCharacterSet="ISO_IR 999", PatientName="Doe^Jane"))
    assert header.patient.name == "Doe^Jane"


def test_texts_are_cut_to_their_columns_and_lose_control_characters() -> None:
    header = header_of(ct_slice(StudyDescription="x" * 500, PatientName="a\x00b\nc"))
    assert header.study.description == "x" * 64
    assert header.patient.name == "a�b�c"


@pytest.mark.parametrize("number", [b"1e400", b"NaN", b"1\\2", b"99999999999", b"\xff\xff", b"", b"one"])
def test_a_number_that_is_none_is_left_out(number: bytes) -> None:
    data_set = Dataset()
    data_set[0x00200013] = RawDataElement(BaseTag(0x00200013), "IS", len(number), number, 0, False, True)
    assert instance_header(data_set, "1.2.840.10008.1.2.1").number is None


@given(st.sampled_from(sorted(VRS)), st.binary(max_size=80))
def test_no_value_stops_the_index(tag: int, value: bytes) -> None:
    data_set = Dataset()
    data_set[tag] = RawDataElement(BaseTag(tag), VRS[tag], len(value), value, 0, False, True)
    header = instance_header(data_set, "1.2.840.10008.1.2.1")
    texts = (header.patient.name, header.patient.patient_id, header.study.study_date)
    assert not any("\0" in text for text in texts)
    assert header.frames >= 1
