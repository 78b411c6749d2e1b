"""Our encoding of a document gives the bytes that pydicom gives."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import DA, IS, DSfloat
from study_readings import FACTS, headers, reading

from pacs_agent.results import compose_ai_result, compose_draft_report, write_bytes
from pacs_agent.results.encoding import encode_data_set

CHARACTER_SETS = (None, "ISO_IR 100", "ISO_IR 192", "ISO_IR 13", ["", "ISO 2022 IR 87"], "GB18030")
SHORT = {"AE": 16, "CS": 16, "SH": 16, "LO": 64, "ST": 100, "LT": 100, "UI": 64}
KEYWORDS = {
    "AE": "StationAETitle",
    "CS": "ImageType",
    "SH": "StationName",
    "LO": "OtherPatientIDs",
    "ST": "InstitutionAddress",
    "LT": "AdditionalPatientHistory",
    "UI": "SOPInstanceUID",
    "UT": "TextValue",
    "PN": "PatientName",
    "DS": "ImagePositionPatient",
    "IS": "InstanceNumber",
    "US": "ReferencedFrameNumber",
    "FD": "DiffusionBValue",
    "DA": "StudyDate",
}
ASCII_TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"), max_size=16)
ANY_TEXT = ASCII_TEXT | st.text(st.sampled_from("aé漢字Ωя"), max_size=9)
NUMBERS = st.integers(-9999, 9999)


def _by_pydicom(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


@st.composite
def data_sets(draw: st.DrawFn, depth: int = 2) -> Dataset:
    dataset = Dataset()
    text = ANY_TEXT if depth == 2 else ASCII_TEXT
    for vr in draw(st.lists(st.sampled_from(("LO", "SH", "ST", "LT", "UT", "PN")), unique=True)):
        setattr(dataset, KEYWORDS[vr], draw(text if vr != "LO" else text | st.lists(text, min_size=2, max_size=3)))
    dataset.ImageType = draw(st.lists(st.sampled_from(("ORIGINAL", "PRIMARY", "AXIAL")), max_size=3))
    dataset.SOPInstanceUID = draw(st.sampled_from(("1.2.3", "1.2.34", "", None)))
    dataset.ImagePositionPatient = draw(st.lists(NUMBERS.map(lambda one: DSfloat(one / 100)), max_size=3))
    dataset.InstanceNumber = draw(st.none() | NUMBERS.map(IS))
    dataset.StudyDate = draw(st.sampled_from(("20260101", "", None, DA("20260101"))))
    dataset.DiffusionBValue = draw(st.floats(0, 9))
    if depth:
        dataset.ContentSequence = draw(st.lists(data_sets(depth - 1), max_size=2))
    return dataset


@given(data_sets(), st.sampled_from(CHARACTER_SETS))
def test_any_data_set(dataset: Dataset, character_set: str | list[str] | None) -> None:
    if character_set is not None:
        dataset.SpecificCharacterSet = character_set
    try:
        expected = _by_pydicom(dataset)
    except (UnicodeEncodeError, ValueError) as error:  # pydicom refuses it: so do we
        with pytest.raises(type(error)):
            encode_data_set(dataset)
        return
    assert encode_data_set(dataset) == expected


@pytest.mark.parametrize("compose", [compose_ai_result, compose_draft_report])
def test_documents(compose) -> None:  # type: ignore[no-untyped-def]
    document = compose(reading(), headers(), FACTS)
    document.file_meta = dcmread(BytesIO(write_bytes(document))).file_meta
    buffer = BytesIO()
    dcmwrite(buffer, document, enforce_file_format=True)
    assert document.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert write_bytes(document) == buffer.getvalue()


def test_items_that_were_read_stay_as_they_were_read() -> None:
    item = Dataset()
    item.CodeValue, item.CodeMeaning = "1", "odd"
    item.is_undefined_length_sequence_item = True
    source = Dataset()
    source.ProcedureCodeSequence = [item]
    source["ProcedureCodeSequence"].is_undefined_length = True
    read = dcmread(BytesIO(bytes(128) + b"DICM" + _by_pydicom(source)), force=True)
    copied = Dataset()
    copied.ProcedureCodeSequence = read.ProcedureCodeSequence
    assert encode_data_set(copied) == _by_pydicom(copied)
