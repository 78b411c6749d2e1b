"""Documents are written as pydicom writes them, and what is encoded beforehand reads like all else."""

from collections.abc import Callable
from copy import deepcopy
from io import BytesIO

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from study_readings import FACTS, headers, reading, series

from pacs_agent.results import compose_ai_result, compose_draft_report, write_bytes
from pacs_agent.results.encoded import EncodedItems, encoded, of_items, uid

Compose = Callable[[list[Dataset]], Dataset]
COMPOSED: dict[str, Compose] = {
    "ai_result": lambda of: compose_ai_result(reading(of=series(len(of))), of, FACTS),
    "draft_report": lambda of: compose_draft_report(reading(of=series(len(of))), of, FACTS),
}
NAMES = {"ISO_IR 100": "Müller^Änne", "ISO_IR 192": "Ωmega^Ж", "GB18030": "王^小东"}


def by_pydicom(document: Dataset) -> bytes:
    """The data set without its head, by pydicom's writer."""
    plain = deepcopy(document)
    plain.walk(lambda _dataset, _element: None)  # reads what was encoded
    buffer = BytesIO()
    dcmwrite(buffer, plain, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


@pytest.mark.parametrize("characters", NAMES)
@pytest.mark.parametrize("kind", COMPOSED)
@pytest.mark.parametrize("slices", [1, 3, 40])
def test_the_bytes_are_those_of_pydicom(kind: str, characters: str, slices: int) -> None:
    of = headers(slices, SpecificCharacterSet=characters, PatientName=NAMES[characters], StudyDescription="Täst")
    document = COMPOSED[kind](of)
    assert write_bytes(document).endswith(expected := by_pydicom(document))
    assert len(expected) > 3000


@pytest.mark.parametrize("kind", COMPOSED)
def test_a_document_that_was_looked_into_is_written_alike(kind: str) -> None:
    document = COMPOSED[kind](headers(5))
    before = write_bytes(document)
    document.walk(lambda _dataset, _element: None)
    assert not any(isinstance(each, RawDataElement) for each in document.elements())
    assert write_bytes(document) == before


def test_encoded_references_are_read_as_they_were_meant() -> None:
    document = COMPOSED["ai_result"](headers(4))
    [study] = document.CurrentRequestedProcedureEvidenceSequence
    [of_series] = study.ReferencedSeriesSequence
    named = [each.ReferencedSOPInstanceUID for each in of_series.ReferencedSOPSequence]
    assert named == [header.SOPInstanceUID for header in headers(4)]
    stored = dcmread(BytesIO(write_bytes(document)))
    assert encoded(stored) == encoded(document)


def test_an_odd_uid_is_padded_and_a_value_too_long_is_refused() -> None:
    assert uid("SOPInstanceUID", "1.2.3") == b"\x08\x00\x18\x00UI\x06\x001.2.3\0"
    with pytest.raises(ValueError, match="takes 65535"):
        uid("SOPInstanceUID", "1" * 70000)


def test_items_that_are_bytes_are_an_element_of_pydicom() -> None:
    outer = Dataset()
    references = of_items("ReferencedSOPSequence", [uid("ReferencedSOPInstanceUID", "1.2"), b""])
    outer[references.tag] = references
    assert isinstance(outer.get_item(references.tag), EncodedItems)
    before = encoded(outer)
    assert [item.get("ReferencedSOPInstanceUID") for item in outer.ReferencedSOPSequence] == ["1.2", None]
    assert encoded(outer) == before


def test_a_value_whose_representation_other_elements_decide_is_written_like_pydicom_does() -> None:
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID, image.PixelRepresentation = "1.2.840.10008.5.1.4.1.1.2", "1.2.3", 1
    image.BitsAllocated, image.Rows, image.Columns = 16, 1, 2
    image.PixelData, image.SmallestImagePixelValue = b"\1\0\2\0", -5
    assert encoded(deepcopy(image)) == by_pydicom(image)


def test_a_text_too_long_for_its_representation_is_written_like_pydicom_does() -> None:
    """An identifier of an image goes over as it is, however odd, and stops no job. PS3.5 6.2.2: as UN."""
    of = headers(2, PatientID="7" * 70001)
    document = COMPOSED["ai_result"](of)
    with pytest.warns(UserWarning, match="exceeds the size of 64 kByte"):
        assert write_bytes(document).endswith(by_pydicom(document))


def test_no_retired_group_length_is_written() -> None:
    issuer = Dataset()
    issuer.add_new(0x00400000, "UL", 4)
    issuer.UniversalEntityID = "1.2.3"
    outer = Dataset()
    outer.SOPClassUID, outer.IssuerOfPatientIDQualifiersSequence = "1.2.840.10008.5.1.4.1.1.2", [issuer]
    assert encoded(outer) == by_pydicom(outer)
